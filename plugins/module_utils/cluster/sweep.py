# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fillers that earlier runs left behind are removed at the start of the next."""

from __future__ import annotations

from collections.abc import Iterable

from ..deadline import Deadline
from .client import Client
from .filler import is_left_behind, remove_pod
from .manifest import LABEL
from .objects import Pod


def left_behind(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Those of ``pods`` that are fillers nobody is there for. Pure."""
    return tuple(pod for pod in pods if LABEL in pod.labels and is_left_behind(pod))


def sweep(client: Client, pods: Iterable[Pod], deadline: Deadline) -> tuple[str, ...]:
    """Remove what was left behind; returns the pods' names."""
    found = left_behind(pods)
    for pod in found:
        remove_pod(client, pod, deadline)
    return tuple(f"{pod.namespace}/{pod.name}" for pod in found)
