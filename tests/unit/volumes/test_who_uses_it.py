# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user of a volume is decided by what was so, also where what is known of pods is a moment old."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.volume_access import VolumeSkipped
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Pod, parse_claim, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.claim_lock import ClaimLock
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.filler import Filler
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.volumes import holding as holding_module
from ansible_collections.packit.deployment.plugins.module_utils.volumes.holding import ClusterVolumeAccess, Settings
from ansible_collections.packit.deployment.plugins.module_utils.volumes.place import InUse, parse_filler
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.meeting.api import MemoryClient, Objects

VOLUME = Volume("ns", "claim", Role.WORKER, "worker")


class Reached(Exception):
    """The volume was taken."""


class Behind(MemoryClient):
    """Of the pods it knows what was so before; ``made`` are the pods that were made."""

    def __init__(self, objects: Objects, *known: Sequence[Pod]) -> None:
        super().__init__(objects, lambda: None)
        self._known = list(known)
        self.made: list[dict[str, Any]] = []

    def pods(self, namespace: str, deadline: Deadline) -> Sequence[Pod]:
        return self._known.pop(0) if self._known else super().pods(namespace, deadline)

    def create(self, kind: str, namespace: str, body: Any, deadline: Deadline) -> dict[str, Any]:
        self.made.append(body)
        return super().create(kind, namespace, body, deadline)


def consumer(sub_path: str = "", user: int = 1000) -> dict[str, Any]:
    mount = {"name": "cache", "mountPath": "/c", **({"subPath": sub_path} if sub_path else {})}
    return {
        "metadata": {"name": "job"},
        "spec": {
            "nodeName": "n1",
            "securityContext": {"runAsUser": user},
            "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "claim"}}],
            "containers": [{"name": "c", "image": "image", "volumeMounts": [mount]}],
        },
        "status": {"phase": "Running"},
    }


@pytest.fixture
def objects() -> Objects:
    made = Objects()
    made.put("PersistentVolumeClaim", "ns", "claim", {"metadata": {"uid": "u"}, "spec": {}, "status": {"phase": "Bound"}})
    return made


def taken(
    client: Behind, objects: Objects, in_use: str, monkeypatch: pytest.MonkeyPatch, volume: Volume = VOLUME, filler: Any = None
) -> None:
    """Take the volume, up to the lock on its claim; nobody waits for long."""

    def reached(*_: object) -> None:
        raise Reached

    for pause in ("_LOOK_EVERY", "_BUSY_PAUSE", "_TOLD_SOON"):
        monkeypatch.setattr(holding_module, pause, 0.01)
    monkeypatch.setattr(ClaimLock, "take", reached)
    monkeypatch.setattr(ClusterVolumeAccess, "_pull", lambda *_: None)
    claim = parse_claim(objects.objects["PersistentVolumeClaim", "ns", "claim"])
    settings = Settings(
        path="/cache",
        image="image",
        overrides=parse_filler(filler or {}),
        in_use=InUse(in_use),
        timeout=60,
        concurrency=1,
        node_concurrency=1,
        owner={"run": "r"},
    )
    access = ClusterVolumeAccess(client, {volume: claim}, settings, lambda _progress: None)  # type: ignore[arg-type]
    with access.hold(volume, Deadline(BOUND)):
        raise AssertionError("the lock is never taken here")


def users(client: Behind) -> list[tuple[int | None, str]]:
    """As whom, and in which directory of the volume, each filler worked."""
    return [
        (body["spec"]["securityContext"].get("runAsUser"), mount.get("subPath", ""))
        for body in client.made
        for mount in body["spec"]["containers"][0]["volumeMounts"]
        if mount["mountPath"] == "/cache"
    ]


@pytest.mark.parametrize("in_use", ["skip", "holder"])
def test_a_holder_that_has_ended_is_none(objects: Objects, in_use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = parse_pod(objects.put("Pod", "ns", "job", consumer()))
    del objects.objects["Pod", "ns", "job"]
    client = Behind(objects, [ended], [ended])
    with pytest.raises(Reached):
        taken(client, objects, in_use, monkeypatch)
    assert len(client.made) == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_hold_ends_only_where_it_is_known_what_became_of_its_pod(objects: Objects, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    locks: list[ClaimLock] = []

    class Lock(ClaimLock):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            locks.append(self)

    class Pod(Filler):
        def __exit__(self, *error: object) -> None:
            if not known:
                raise MemoryError
            super().__exit__(*error)

    monkeypatch.setattr(holding_module, "ClaimLock", Lock)
    monkeypatch.setattr(holding_module, "Filler", Pod)
    with pytest.raises(Reached if known else MemoryError):
        taken(Behind(objects), objects, "same_node", monkeypatch)
    assert [lock.work_ended for lock in locks] == [known]


def test_a_pod_that_came_just_before_ours_is_found(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    objects.put("Pod", "ns", "job", consumer())
    client = Behind(objects, [])
    with pytest.raises(VolumeSkipped, match="Pod job began to use the volume just before it was taken"):
        taken(client, objects, "skip", monkeypatch)
    assert [body["metadata"]["name"] for body in objects.pods()] == ["job"]


def test_a_filler_is_what_the_pod_wants_that_came_just_before_it(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    objects.put("Pod", "ns", "job", consumer(sub_path="cache", user=4711))
    client = Behind(objects, [])
    with pytest.raises(Reached):
        taken(client, objects, "same_node", monkeypatch)
    assert [where for _user, where in users(client)] == ["", "cache"]
    assert users(client)[-1] == (4711, "cache")


def test_a_filler_that_is_as_it_should_be_is_not_made_twice(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = parse_pod(objects.put("Pod", "ns", "job", consumer()))
    client = Behind(objects, [pod])
    with pytest.raises(Reached):
        taken(client, objects, "same_node", monkeypatch)
    assert users(client) == [(1000, "")]


@pytest.mark.parametrize(("role", "user"), [(Role.WORKER, 7), (Role.SANDBOX, 8)])
def test_a_filler_is_what_is_wanted_for_its_side(objects: Objects, role: Role, user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    filler = {"worker": {"pod_security_context": {"runAsUser": 7}}, "sandbox": {"pod_security_context": {"runAsUser": 8}}}
    client = Behind(objects)
    with pytest.raises(Reached):
        taken(client, objects, "same_node", monkeypatch, Volume("ns", "claim", role, "worker"), filler)
    assert users(client) == [(user, "")]
