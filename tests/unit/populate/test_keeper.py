# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work inside somebody else's container leaves nothing there, however long it takes."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cluster.manifest import Wishes
from ansible_collections.packit.deployment.plugins.module_utils.cluster.objects import parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.populate import keeper as module
from ansible_collections.packit.deployment.plugins.module_utils.populate.keeper import ClusterKeeper, Settings


class FakeShell:
    """A place that takes commands."""

    commands: list[tuple[str, ...]]

    def __init__(self, *_arguments: object, **_options: object) -> None:
        return

    def __enter__(self) -> FakeShell:
        return self

    def __exit__(self, *_error: object) -> None:
        return

    def run(self, argv: tuple[str, ...], *, deadline: Any) -> None:
        deadline.left()
        self.commands.append(argv)


def test_what_went_wrong_is_told_and_not_that_cleaning_up_failed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead(FakeShell):
        def run(self, argv: tuple[str, ...], *, deadline: Any) -> None:
            raise DeadlineExceeded("rm -rf did not end in time")

    monkeypatch.setattr(module, "PodShell", Dead)
    pod = parse_pod({"metadata": {"name": "worker", "namespace": "ns"}, "spec": {"containers": []}, "status": {"phase": "Running"}})
    settings = Settings("/repository-cache", "", Wishes(), "holder", 60, 1, 1, {"run": "r"})
    keeper = ClusterKeeper(None, {}, settings, threading.Event(), lambda _progress: None)  # type: ignore[arg-type]
    with pytest.raises(PlaceLost, match="the pod is gone"), keeper._inside(Volume("ns", "claim", Role.WORKER), pod):
        raise PlaceLost("the pod is gone")


def test_cleaning_up_has_time_of_its_own_after_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(FakeShell, "commands", commands, raising=False)
    monkeypatch.setattr(module, "PodShell", FakeShell)
    now = [0.0]
    monkeypatch.setattr(module, "Deadline", partial(Deadline, clock=lambda: now[0]))
    pod = parse_pod({"metadata": {"name": "worker", "namespace": "ns"}, "spec": {"containers": []}, "status": {"phase": "Running"}})
    settings = Settings("/repository-cache", "", Wishes(), "holder", 60, 1, 1, {"run": "r"})
    keeper = ClusterKeeper(None, {}, settings, threading.Event(), lambda _progress: None)  # type: ignore[arg-type]
    with keeper._inside(Volume("ns", "claim", Role.WORKER), pod):
        now[0] += 2 * module._CLEANING_SECONDS
    assert commands == [("rm", "-rf", "--", "/tmp/packit-deployment-r/work")]
