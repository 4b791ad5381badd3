# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock on a claim: one has it, what others write in between is kept, and what is written there by nobody of ours is no lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, ClassVar

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Claim, parse_claim
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import guest as guest_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.claim_lock import (
    HOLDER,
    Busy,
    ClaimLock,
    Holder,
    HoldLost,
    beats,
    holder_of,
)
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.meeting.api import MemoryClient, Objects

NOW = Deadline(BOUND, "this test")
INSIDE = Holder(by={"run": "r1", "user": "me", "host": "here"}, namespace="ns", pod="worker-0", uid="uid-1", container="main")


class Place:
    """A claim, of which somebody else changes a label before so many of our requests."""

    def __init__(self, changes: int = 0) -> None:
        self.objects = Objects()
        self.changes = changes
        self.client: Any = MemoryClient(self.objects, self._before)
        self.objects.put("PersistentVolumeClaim", "ns", "claim", {})

    @property
    def claim(self) -> Claim:
        return parse_claim(self.objects.objects["PersistentVolumeClaim", "ns", "claim"])

    def lock(self) -> ClaimLock:
        return ClaimLock(self.client, self.claim)

    def _before(self) -> None:
        if self.changes:
            self.changes -= 1
            body = self.objects.objects["PersistentVolumeClaim", "ns", "claim"]
            meta = {**body["metadata"], "labels": {"changed": str(self.changes)}}
            self.objects.put("PersistentVolumeClaim", "ns", "claim", {**body, "metadata": meta})


def test_one_has_it_and_gives_it_back() -> None:
    place = Place()
    first, second = place.lock(), place.lock()
    first.take(INSIDE, NOW)
    with pytest.raises(Busy, match=r"Claim ns/claim is held by me on here \(run r1\), at work in pod worker-0") as raised:
        second.take(replace(INSIDE, id="other"), NOW)
    assert raised.value.remedy == "Wait for that run to end."
    first.work_ended = True
    first.write(lambda _claim: {"record": "r"}, NOW, last=True)
    assert dict(place.claim.annotations) == {"record": "r"}
    second.take(replace(INSIDE, id="other"), NOW)


def test_what_others_change_meanwhile_is_kept_and_a_claim_that_never_rests_is_an_error() -> None:
    place = Place(changes=7)
    lock = place.lock()
    lock.take(INSIDE, NOW)
    lock.write(lambda claim: {"record": f"r{claim.labels['changed']}"}, NOW)
    assert (place.claim.annotations["record"], dict(place.claim.labels)) == ("r0", {"changed": "0"})
    with pytest.raises(ClusterError, match="was changed by somebody else 20 times in a row"):
        Place(changes=999).lock().take(INSIDE, NOW)


def test_where_the_work_may_go_on_it_is_not_given_back() -> None:
    place = Place()
    lock = place.lock()
    lock.take(INSIDE, NOW)
    lock.write(lambda _claim: {"record": "r"}, NOW, last=True)
    assert place.claim.annotations["record"] == "r"
    with pytest.raises(Busy):
        place.lock().take(replace(INSIDE, id="other"), NOW)


class Container:
    """The container of a run that is dead, which may wake up as its work is ended; see ``PodShell``."""

    ended: ClassVar[list[str]]
    wakes: ClassVar[Callable[[], object]]
    failure: ClassVar[ClusterError | None]

    def __init__(self, *_arguments: object, job_directory: str, require: Callable[[Deadline], None], **_options: object) -> None:
        self.require = require

    def run_apart(self, argv: Sequence[str], deadline: Deadline) -> Completed:
        self.require(deadline)
        type(self).wakes()
        if self.failure is not None:
            raise self.failure
        self.ended.append(argv[-1])
        return Completed(tuple(argv), 0, b"", "")


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> type[Container]:
    class Own(Container):
        """Of this test alone."""

        ended: ClassVar[list[str]] = []
        wakes = staticmethod(lambda: None)
        failure = None

    monkeypatch.setattr(guest_module, "PodShell", Own)
    return Own


def dead_runs(place: Place) -> ClaimLock:
    """The lock of a run that is dead, inside a pod that is there."""
    pod = place.objects.put("Pod", "ns", "worker-0", {"spec": {"containers": []}, "status": {"phase": "Running"}})
    lock = place.lock()
    lock.take(replace(INSIDE, uid=pod["metadata"]["uid"]), NOW)
    place.objects.seconds += 3600
    return lock


def test_a_dead_runs_work_is_ended_before_its_lock_is_anothers(container: type[Container]) -> None:
    place = Place()
    dead = dead_runs(place)

    def wakes() -> None:
        """It may not connect, nor beat, nor write; and the lock is nobody's yet."""
        for tried in (dead.require, lambda limit: dead.write(dead._beat, limit)):
            with pytest.raises(HoldLost, match="somebody else has had it since"):
                tried(NOW)
        present = holder_of(place.claim)
        assert present is not None and present.id == INSIDE.id

    container.wakes = staticmethod(wakes)
    place.lock().take(replace(INSIDE, id="other"), NOW)
    assert container.ended == [f"/tmp/packit-deployment-{INSIDE.id}"]
    present = holder_of(place.claim)
    assert present is not None and present.id == "other"


def test_where_a_dead_runs_work_cannot_be_ended_its_lock_stays_for_the_next(container: type[Container]) -> None:
    place = Place()
    dead_runs(place)
    container.failure = ClusterError("the node does not answer")
    second = place.lock()
    words = (
        r"held by me on here \(run r1\), at work in pod worker-0, whose run is dead, and .* could not be ended: the node does not answer"
    )
    with pytest.raises(ClusterError, match=words):
        second.take(replace(INSIDE, id="second"), NOW)
    assert not second.taken
    container.failure = None
    place.lock().take(replace(INSIDE, id="third"), NOW)
    assert container.ended == [f"/tmp/packit-deployment-{INSIDE.id}"]


STATES: list[dict[str, Any]] = [
    {"status": {"phase": "Succeeded"}},
    {"status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}},
    {"metadata": {"uid": "another's"}, "status": {"phase": "Running"}},
]


@pytest.mark.parametrize("state", STATES, ids=["ended", "its container does not run", "another pod"])
def test_where_nothing_can_run_nothing_has_to_be_ended(container: type[Container], state: dict[str, Any]) -> None:
    place = Place()
    dead_runs(place)
    pod = place.objects.objects["Pod", "ns", "worker-0"]
    place.objects.put("Pod", "ns", "worker-0", {**pod, "spec": {"containers": [{"name": "main"}]}, "metadata": pod["metadata"], **state})
    place.lock().take(replace(INSIDE, id="other"), NOW)
    assert container.ended == []


def test_who_has_lost_it_learns_of_it_before_anything_is_written() -> None:
    place = Place()
    first, second = place.lock(), place.lock()
    first.take(INSIDE, NOW)
    place.objects.seconds += 3600
    other = replace(INSIDE, id="other", by={"run": "r2", "user": "you", "host": "there"})
    second.take(other, NOW)
    with pytest.raises(HoldLost, match=r"not this run's any more: you on there \(run r2\), at work in pod worker-0 has it now"):
        first.write(lambda _claim: {"record": "r"}, NOW)
    with pytest.raises(HoldLost):
        first.require(NOW)
    assert "record" not in place.claim.annotations


def test_a_lock_by_a_filler_lasts_as_long_as_its_pod() -> None:
    place = Place()
    pod = place.objects.put("Pod", "ns", "filler", {"spec": {"containers": []}, "status": {"phase": "Running"}})
    place.lock().take(Holder(by={"run": "r1"}, namespace="ns", pod="filler", uid=pod["metadata"]["uid"]), NOW)
    place.objects.seconds += 3600
    with pytest.raises(Busy):
        place.lock().take(INSIDE, NOW)
    place.objects.put("Pod", "ns", "filler", {**pod, "metadata": {**pod["metadata"], "uid": "another's"}})
    place.lock().take(INSIDE, NOW)


def test_an_answer_that_was_lost_is_no_other_runs_lock() -> None:
    place = Place()
    lock = place.lock()
    patch = place.client.patch

    def lost(*arguments: Any) -> Any:
        patch(*arguments)
        place.client.patch = patch
        return patch(*arguments)  # the client sends it again, and the version has moved

    place.client.patch = lost
    lock.take(INSIDE, NOW)
    place.client.patch = lost
    lock.work_ended = True
    lock.write(lambda _claim: {"record": "r"}, NOW, last=True)
    assert dict(place.claim.annotations) == {"record": "r"}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "{}", '{"by": 1}', "[" * 100_000])
def test_what_is_no_lock_of_ours_stops_nobody(text: str) -> None:
    place = Place()
    claim = replace(place.claim, annotations={HOLDER: text})
    assert holder_of(claim) is None


@pytest.mark.parametrize("wrong", [{"namespace": "kube-system"}, {"pod": "../x"}, {"container": "a b"}, {"id": "../../etc"}, {"id": ""}])
def test_a_lock_that_somebody_else_wrote_leads_nowhere(wrong: dict[str, str]) -> None:
    """Its words become parts of requests, and of a path that is removed."""
    place = Place()
    place.lock().take(INSIDE, NOW)
    body = json.loads(place.claim.annotations[HOLDER])
    assert holder_of(place.claim) is not None
    assert holder_of(replace(place.claim, annotations={HOLDER: json.dumps({**body, **wrong})})) is None


def test_a_beat_that_a_wrong_clock_told_does_not_stay_young() -> None:
    now = datetime(2030, 1, 1, tzinfo=timezone.utc)
    assert beats(replace(INSIDE, beat="2030-01-01T00:00:10Z"), now)
    assert not beats(replace(INSIDE, beat="2100-01-01T00:00:00Z"), now)
