# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fillers that earlier runs left behind are removed at the start of the next."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ...deadline import Deadline
from ...errors import Cancelled, DeploymentError
from ..api.client import Client
from ..api.objects import Pod
from .filler import is_left_behind
from .manifest import LABEL
from .pod_removal import remove_pod

_REMOVAL_SECONDS = 30.0
"""Seconds for one pod: many may have been left on a node that was lost."""


def left_behind(pods: Iterable[Pod], now: datetime) -> tuple[Pod, ...]:
    """Return those of ``pods`` that are fillers nobody is there for, at ``now`` by the API server's clock. Pure."""
    return tuple(pod for pod in pods if LABEL in pod.labels and is_left_behind(pod, now))


def sweep(client: Client, pods: Iterable[Pod], deadline: Deadline) -> tuple[str, ...]:
    """Remove what was left behind; returns the pods' names. One that cannot be removed (its node is lost) is nobody else's failure."""
    removed = []
    for pod in left_behind(pods, client.now()):
        try:
            remove_pod(client, pod, deadline.within(_REMOVAL_SECONDS, f"the removal of pod {pod.namespace}/{pod.name}"))
        except Cancelled:
            raise
        except DeploymentError:
            continue  # whoever needs its volume will say so
        removed.append(f"{pod.namespace}/{pod.name}")
    return tuple(removed)
