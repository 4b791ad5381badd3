# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that earlier runs left behind are removed, and those that cannot be removed stop nobody."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import sweep as module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import LABEL
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded
from ansible_collections.packit.deployment.tests.bounds import BOUND


def ended(name: str) -> Any:
    return parse_pod(
        {
            "metadata": {"name": name, "namespace": "ns", "labels": {LABEL: "filler"}},
            "spec": {"containers": []},
            "status": {"phase": "Failed"},
        }
    )


def client_at(now: datetime) -> Any:
    """A client whose API server has this time."""
    return SimpleNamespace(now=lambda: now)


def test_a_pod_on_a_lost_node_does_not_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def remove(_client: object, pod: Any, deadline: Deadline) -> None:
        given.append(deadline.left())
        if pod.name == "lost":
            raise DeadlineExceeded("the removal took too long")

    monkeypatch.setattr(module, "remove_pod", remove)
    swept = module.sweep(client_at(datetime.now(timezone.utc)), [ended("lost"), ended("other")], Deadline(BOUND, "looking"))
    assert swept == ("ns/other",)
    assert max(given) <= 30
