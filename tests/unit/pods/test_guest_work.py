# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a pod that the user names has the lock on the claim that it writes to, as any other run has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError, Forbidden
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_claim
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import guest as guest_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.claim_lock import Busy, ClaimLock, Holder, holder_of
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import LABEL
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.pods.guest_work import guest_work
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.meeting.api import MemoryClient, Objects

ENTRY = PurePosixPath("/cache/one")
MIB = 1024 * 1024


class Container:
    """A container of the pod; see ``PodShell``."""

    where = "pod ns/worker"
    failure: ClusterError | None = None

    def __init__(self, *_arguments: object, job_directory: str, **_options: object) -> None:
        self.jobs = job_directory

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_error: object) -> None:
        return

    def run_apart(self, argv: Sequence[str], deadline: Deadline) -> Completed:
        if self.failure is not None:
            raise self.failure
        return Completed(tuple(argv), 0, b"", "")


class Place:
    """A pod with a claim at /cache, and a directory of its own in it, at /cache/own."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.objects = Objects()
        self.client: Any = MemoryClient(self.objects, lambda: None)
        mounts = [{"name": "cache", "mountPath": "/cache/"}, {"name": "own", "mountPath": "/cache/own"}]
        limits = {"memory": "2Gi", "cpu": "500m"}
        spec = {
            "containers": [{"name": "main", "volumeMounts": mounts, "resources": {"limits": limits}}],
            "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "claim"}}, {"name": "own", "emptyDir": {}}],
        }
        self.objects.put("PersistentVolumeClaim", "ns", "claim", {})
        self.objects.put("Pod", "ns", "worker", {"metadata": {"labels": labels}, "spec": spec, "status": {"phase": "Running"}})

    @property
    def holder(self) -> Holder | None:
        return holder_of(parse_claim(self.objects.objects["PersistentVolumeClaim", "ns", "claim"]))

    def work(self, path: PurePosixPath = ENTRY, changes: bool = True, seconds: float = BOUND) -> Any:
        return guest_work(self.client, "ns", "worker", "", path, changes, Deadline(seconds, "this task"))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Place:
    monkeypatch.setattr(guest_module, "PodShell", Container)
    return Place(getattr(request, "param", {}))


@pytest.mark.parametrize("place", [{}, {LABEL: "filler"}], ids=["somebody else's pod", "our filler"], indirect=True)
def test_the_claim_at_a_path_is_locked_for_as_long_as_the_work_lasts(place: Place) -> None:
    with place.work() as held:
        holder = place.holder
        assert holder is not None and (holder.pod, holder.container) == ("worker", "main")
        assert (held.root, held.tag) == ("/cache", f"%{holder.by['run']}")
    assert (place.holder, held.warnings) == (None, ())


@pytest.mark.parametrize(
    ("path", "changes"), [(PurePosixPath("/elsewhere/one"), True), (PurePosixPath("/cache/own/one"), True), (ENTRY, False)]
)
def test_where_no_claim_is_written_to_none_is_locked(place: Place, path: PurePosixPath, changes: bool) -> None:
    with place.work(path, changes):
        assert place.holder is None


def test_another_run_is_waited_for_and_told(place: Place) -> None:
    other = ClaimLock(place.client, parse_claim(place.client.get("PersistentVolumeClaim", "ns", "claim", Deadline(BOUND))))
    other.take(Holder(by={"run": "r1", "user": "you", "host": "there"}, namespace="ns", pod="gone", uid="uid", container="main"), Deadline(BOUND))
    with pytest.raises(Busy, match=r"Claim ns/claim is held by you on there \(run r1\), at work in pod gone"), place.work(seconds=0.1):
        raise AssertionError("it is the other's")

    class Soon(Deadline):
        """In which the other run ends when it is waited for."""

        def sleep(self, seconds: float) -> None:
            other.work_ended = True
            other.write(lambda _claim: {}, Deadline(BOUND), last=True)

    with guest_work(place.client, "ns", "worker", "", ENTRY, True, Soon(BOUND)) as held:
        assert place.holder is not None
    assert held.warnings == ("The task waits for you on there (run r1), at work in pod gone.",)


def test_without_the_right_to_lock_it_goes_on_and_says_so(place: Place) -> None:
    def patch(*_words: object) -> None:
        raise Forbidden("You may not patch PersistentVolumeClaim ns/claim.", "Ask for the right.")

    place.client.patch = patch
    with place.work() as held:
        assert held.tag.startswith("%unlocked-")
    assert held.warnings == (
        "Nothing keeps another run from working on claim claim at the same time, as it could not be locked: "
        "You may not patch PersistentVolumeClaim ns/claim. Ask for the right.",
    )


def test_what_cannot_be_ended_keeps_the_claim_locked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Container, "failure", ClusterError("the API is away"))
    with place.work() as held:
        pass
    assert place.holder is not None
    assert held.warnings[0].endswith("the API is away So claim claim stays locked; the next run ends what is left there.")


@pytest.mark.parametrize(("place", "memory"), [({}, 256 * MIB), ({LABEL: "filler"}, 2048 * MIB)], indirect=["place"])
def test_git_uses_little_in_somebody_elses_container(place: Place, memory: int) -> None:
    with place.work() as held:
        assert (held.memory_bytes, held.cpus) == (memory, 0.5)
