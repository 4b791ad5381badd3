# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work inside somebody else's container leaves nothing there, however long it takes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.claim_lock import ClaimLock
from ansible_collections.packit.deployment.plugins.module_utils.cluster.objects import parse_claim, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.populate import inside as module
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.meeting.api import MemoryClient, Objects


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


def held_inside(deadline: Deadline) -> AbstractContextManager[module.Held]:
    """Work inside a worker's pod."""
    objects = Objects()
    claim = parse_claim(objects.put("PersistentVolumeClaim", "ns", "claim", {}))
    spec = {
        "containers": [{"name": "main", "volumeMounts": [{"name": "cache", "mountPath": "/repository-cache"}]}],
        "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "claim"}}],
    }
    pod = parse_pod(objects.put("Pod", "ns", "worker", {"spec": spec, "status": {"phase": "Running"}}))
    client: Any = MemoryClient(objects, lambda: None)
    return module.inside(client, pod, ClaimLock(client, claim), {"run": "r"}, lambda _words: None, deadline)


def test_what_went_wrong_is_told_and_not_that_cleaning_up_failed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead(FakeShell):
        def run(self, argv: tuple[str, ...], *, deadline: Any) -> None:
            raise DeadlineExceeded("rm -rf did not end in time")

    monkeypatch.setattr(module, "PodShell", Dead)
    with pytest.raises(PlaceLost, match="the pod is gone"), held_inside(Deadline(BOUND, "this test")):
        raise PlaceLost("the pod is gone")


def test_cleaning_up_has_time_of_its_own_after_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(FakeShell, "commands", commands, raising=False)
    monkeypatch.setattr(module, "PodShell", FakeShell)
    now = [0.0]
    monkeypatch.setattr(module, "Deadline", partial(Deadline, clock=lambda: now[0]))
    with held_inside(Deadline(BOUND, "this test", clock=lambda: now[0])) as held:
        now[0] += 2 * module.CLEANING_SECONDS
    assert commands == [("rm", "-rf", "--", held.scratch)]
    assert held.scratch.startswith("/tmp/packit-deployment-")
