# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods whose creation or deletion the API refuses for a moment, and for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError, Conflict, Forbidden, NotFound
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Change
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.refusals import refused
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.entrypoint import ALONE
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.filler import Filler
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import CONTAINER, FillerSpec, Mount
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.overrides import PodOverrides
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.pod_removal import remove_pod
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded
from ansible_collections.packit.deployment.plugins.module_utils.heartbeat import HEARTBEAT_LIMIT
from ansible_collections.packit.deployment.tests.unit.cluster.api.test_answers import Pauses

SPEC = FillerSpec("ns", "filler", Mount("claim", "/cache"), "image", {"run": "r"}, PodOverrides(start_timeout=60))
POD = {
    "kind": "Pod",
    "metadata": {
        "name": "filler",
        "namespace": "ns",
        "uid": "1",
        "resourceVersion": "1",
        "annotations": {"packit.dev/owner": '{"run": "r"}'},
    },
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


def refusal(code: int, reason: str, message: str, retry_after: float = 0.0) -> ClusterError:
    return refused(code, {"reason": reason, "message": message}, "do it", "host", retry_after)


class Api:
    """One pod, and what is refused: each error is raised once, before or after the thing is done."""

    def __init__(self, *refusals: Exception, done_all_the_same: bool = False) -> None:
        self.refusals = list(refusals)
        self.there = False
        self.uid = "1"
        self.done_all_the_same = done_all_the_same
        self.asked: list[str] = []

    def create(self, _kind: str, _namespace: str, _body: Any, _deadline: Deadline) -> Any:
        self.asked.append("create")
        if self.there:
            raise refusal(409, "AlreadyExists", "it already exists")
        if self.refusals:
            self.there = self.done_all_the_same
            raise self.refusals.pop(0)
        self.there = True
        return POD

    def get(self, *_: object) -> Any:
        self.asked.append("get")
        if not self.there:
            raise NotFound("gone")
        return {**POD, "metadata": {**POD["metadata"], "uid": self.uid}}  # type: ignore[dict-item]

    def delete(self, *_: object) -> Any:
        self.asked.append("delete")
        if self.refusals:
            raise self.refusals.pop(0)
        self.there = False
        return {"kind": "Status"}

    def changes(self, *_: object) -> Any:
        yield Change("MODIFIED", POD)

    def list(self, *_: object, **__: object) -> Any:
        return []


PASSING: dict[str, Callable[[], ClusterError]] = {
    "quota": lambda: refusal(409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified'),
    "busy": lambda: refusal(429, "TooManyRequests", "too many requests, please try again later"),
    "etcd": lambda: refusal(500, "InternalError", "etcdserver: leader changed"),
    "webhook": lambda: refusal(500, "InternalError", 'failed calling webhook "w": context deadline exceeded'),
}


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
def test_a_creation_that_is_refused_for_a_moment_is_tried_again(error: Callable[[], ClusterError], made: bool) -> None:
    api, deadline = Api(error(), done_all_the_same=made), Pauses()
    with Filler(api, SPEC, deadline) as filler:  # type: ignore[arg-type]
        assert filler.pod.uid == "1"
        assert api.asked[:2] == ["create", "create"]
    assert deadline.asked and not api.there


def test_a_pod_that_ended_as_this_run_could_not_come_in_time_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API was away for longer than a pod waits for its first sign of life."""
    ended = {"name": CONTAINER, "state": {"terminated": {"exitCode": ALONE, "reason": "Error"}}}
    told = [{**POD, "spec": {"containers": [{"name": CONTAINER}]}, "status": {"phase": "Failed", "containerStatuses": [ended]}}, POD]
    api, words = Api(), list[str]()
    monkeypatch.setattr(api, "changes", lambda *_: iter([Change("MODIFIED", told.pop(0))]))
    with Filler(api, SPEC, Pauses(), tell=words.append):  # type: ignore[arg-type]
        assert api.asked == ["create", "delete", "create"] and api.there
    assert words == ["Pod ns/filler ended before this run could come, as the API did not answer. It is made again."]


def test_a_pod_that_is_made_again_is_removed_also_where_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is gone: what may hold the volume is the second, whose creation had no answer that helps."""
    ended = {"name": CONTAINER, "state": {"terminated": {"exitCode": ALONE, "reason": "Error"}}}
    told = {**POD, "spec": {"containers": [{"name": CONTAINER}]}, "status": {"phase": "Failed", "containerStatuses": [ended]}}
    api = Api(done_all_the_same=True)
    deleted: list[str] = []

    def delete(_kind: str, _namespace: str, _name: str, uid: str, _deadline: Deadline) -> Any:
        deleted.append(uid)
        if uid != api.uid:
            raise refusal(409, "Conflict", "the UID in the precondition does not match")
        api.there, api.uid, api.refusals = False, "2", [refusal(400, "BadRequest", "made all the same")]
        return {"kind": "Status"}

    monkeypatch.setattr(api, "delete", delete)
    monkeypatch.setattr(api, "changes", lambda *_: iter([Change("MODIFIED", told)]))
    with pytest.raises(ClusterError, match="made all the same"), Filler(api, SPEC, Pauses()):  # type: ignore[arg-type]
        pass
    assert deleted == ["1", "2"] and not api.there


def test_a_pod_that_ends_at_once_is_not_made_again_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends it with that code: it has not waited for its run, and would hold the volume again and again."""
    ended = {"name": CONTAINER, "state": {"terminated": {"exitCode": ALONE, "reason": "Error"}}}
    meta = {**POD["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z"}  # type: ignore[dict-item]
    told = {**POD, "metadata": meta, "spec": {"containers": [{"name": CONTAINER}]}, "status": {"phase": "Failed", "containerStatuses": [ended]}}
    api = Api()
    monkeypatch.setattr(api, "now", lambda: datetime(2026, 1, 1, 0, 0, 5, tzinfo=timezone.utc), raising=False)
    monkeypatch.setattr(api, "logs", lambda *_, **__: "", raising=False)
    monkeypatch.setattr(api, "changes", lambda *_: iter([Change("MODIFIED", told)]))
    with pytest.raises(ClusterError, match=r"^Pod ns/filler"), Filler(api, SPEC, Pauses()):  # type: ignore[arg-type]
        pass
    assert api.asked.count("create") == 1 and not api.there


def test_a_creation_is_tried_again_when_the_server_says(monkeypatch: pytest.MonkeyPatch) -> None:
    api, deadline = Api(refusal(429, "TooManyRequests", "later", retry_after=17.0)), Pauses()
    with Filler(api, SPEC, deadline):  # type: ignore[arg-type]
        assert deadline.asked == [17.0]


def test_a_creation_that_is_refused_for_good_is_not() -> None:
    api = Api(refusal(403, "Forbidden", "pods is forbidden: violates PodSecurity"))
    with pytest.raises(Forbidden, match="PodSecurity"), Filler(api, SPEC, Pauses()):  # type: ignore[arg-type]
        pass
    assert api.asked.count("create") == 1


def test_a_refusal_that_does_not_pass_in_the_time_to_start_is_told() -> None:
    api = Api(refusal(429, "TooManyRequests", "come back tomorrow", retry_after=86400.0))
    with pytest.raises(ClusterError, match="come back tomorrow"), Filler(api, SPEC, Pauses()):  # type: ignore[arg-type]
        pass


def removed(api: Api) -> Pauses:
    api.there, deadline = True, Pauses()
    remove_pod(api, parse_pod(POD), deadline)  # type: ignore[arg-type]
    return deadline


@pytest.mark.parametrize(
    "error",
    [
        refusal(401, "Unauthorized", "x"),
        refusal(403, "Forbidden", "x"),
        refusal(409, "Conflict", "Operation cannot be fulfilled"),
        refusal(500, "InternalError", "x"),
        refusal(404, "NotFound", "no such page"),
    ],
)
def test_a_deletion_that_is_refused_is_tried_again(error: ClusterError) -> None:
    api = Api(error, error)
    assert len(removed(api).asked) == 2
    assert not api.there


@pytest.mark.parametrize("error", [NotFound("gone"), Conflict("another uid")])
def test_what_is_gone_is_looked_at_first(error: ClusterError) -> None:
    api = Api(error)
    api.uid = "2" if isinstance(error, Conflict) else "1"
    if isinstance(error, NotFound):
        api.get = mock.Mock(side_effect=NotFound("gone"))  # type: ignore[method-assign]
    assert removed(api).asked == []


def test_a_deletion_that_stays_refused_is_told_with_the_command_to_remove_the_pod() -> None:
    told: list[str] = []
    api = Api()
    with Filler(api, SPEC, Pauses(), left=told.append) as filler:  # type: ignore[arg-type]
        filler._closing_deadline = Pauses  # type: ignore[method-assign]
        api.refusals = [refusal(403, "Forbidden", "an admission plugin says no")] * 9
    assert len(told) == 1
    assert "Pod ns/filler could not be removed, so claim stays held: The API refused to do it: an admission plugin says no" in told[0]
    assert told[0].endswith("To remove it: kubectl delete pod --namespace ns filler")
    assert f"It ends itself {HEARTBEAT_LIMIT} seconds after its last heartbeat." in told[0]


def test_a_pod_that_its_node_does_not_end_is_told_with_since_when_and_what_frees_the_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    api = mock.Mock(is_away=False)
    api.now.return_value = datetime(2026, 3, 1, 12, 5, tzinfo=timezone.utc)
    filler = Filler(api, SPEC, Pauses(), left=told.append)
    filler._pod = parse_pod({**POD, "spec": {"nodeName": "node2"}})
    monkeypatch.setattr(filler, "_closing_deadline", lambda: Deadline(0.0, "the removal"))
    monkeypatch.setattr(f"{Filler.__module__}.remove_pod", mock.Mock(side_effect=DeadlineExceeded("late")))
    filler._remove()
    (words,) = told
    assert words.startswith(
        "Pod ns/filler on node node2 could not be removed, so claim stays held: it was asked to end at 2026-03-01T12:0"
    )
    assert f"Z, and node node2 has not ended it. It ends itself {HEARTBEAT_LIMIT} seconds after its last heartbeat. Where the node does not" in words
    assert "node.kubernetes.io/out-of-service" in words and "kubectl delete" not in words
