# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clone that the storage refuses, and what is made instead. The messages are the real cluster's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.claim_clones import CLONED_FROM, refusal, start_empty
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Claim, Event, parse_claim
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.meeting.api import MemoryClient, Objects

FAILED = 'failed to provision volume with StorageClass "block": '


def event(message: str, reason: str = "ProvisioningFailed") -> Event:
    return Event("Warning", reason, message, 1, "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "message",
    [
        "rpc error: code = Internal desc = clones are not made here",
        "rpc error: code = InvalidArgument desc = the source is in another zone",
        "rpc error: code = ResourceExhausted desc = no room",
        "CSI driver does not support clone operations: controller CLONE_VOLUME capability is not reported",
        "error getting handle for DataSource Type PersistentVolumeClaim by Name x: claim in dataSource not bound or invalid",
    ],
)
def test_an_error_after_which_nothing_goes_on_is_a_refusal(message: str) -> None:
    assert refusal([event(FAILED + message)]) == FAILED + message


@pytest.mark.parametrize("code", ["DeadlineExceeded", "Aborted", "Unavailable", "Canceled"])
def test_a_storage_that_may_still_be_at_it_has_not_refused(code: str) -> None:
    assert refusal([event(f"{FAILED}rpc error: code = Internal desc = x"), event(f"{FAILED}rpc error: code = {code} desc = x")]) == ""
    assert refusal([event("waiting for first consumer", "WaitForFirstConsumer")]) == ""


CLONE: dict[str, Any] = {
    "metadata": {"uid": "first", "labels": {"a": "b"}, "annotations": {CLONED_FROM: "source", "mine": "1", "volume.kubernetes.io/selected-node": "n"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "dataSource": {"kind": "PersistentVolumeClaim", "name": "source"},
             "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "source"}, "resources": {"requests": {"storage": "1Gi"}}},
    "status": {"phase": "Pending"},
}  # fmt: skip


def emptied(meanwhile: Callable[[Objects, int], None] = lambda _objects, _request: None) -> tuple[Claim, dict[str, Any]]:
    """The claim that ``start_empty`` returns and the one that there is then; ``meanwhile`` is called before each request, the first is 1."""
    objects, requests = Objects(), [0]
    before = parse_claim(objects.put("PersistentVolumeClaim", "ns", "claim", CLONE))

    def point() -> None:
        requests[0] += 1
        meanwhile(objects, requests[0])

    found = start_empty(MemoryClient(objects, point), before, Deadline(BOUND))  # type: ignore[arg-type]
    present = objects.find("PersistentVolumeClaim", "ns", "claim")
    assert present is not None
    return found, present


def test_an_empty_claim_is_as_the_clone_was_asked_for() -> None:
    found, present = emptied()
    assert found.uid == present["metadata"]["uid"] != "first"
    assert present["metadata"]["labels"] == {"a": "b"} and present["metadata"]["annotations"] == {"mine": "1"}
    assert present["spec"] == {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}


def test_a_clone_that_gets_its_volume_just_before_it_is_deleted_stays() -> None:
    def bind(objects: Objects, request: int) -> None:
        if request == 2:  # the deletion
            objects.put("PersistentVolumeClaim", "ns", "claim", {**CLONE, "spec": {**CLONE["spec"], "volumeName": "pv"}})

    found, _present = emptied(bind)
    assert (found.uid, found.volume_name, found.clone_of) == ("first", "pv", "source")


@pytest.mark.parametrize(
    "other",
    [
        {**CLONE, "metadata": {**CLONE["metadata"], "uid": "second"}},
        {**CLONE, "metadata": {**CLONE["metadata"], "annotations": {}}},
        {**CLONE, "spec": {**CLONE["spec"], "dataSource": None}},
    ],
    ids=["another-one", "not-ours", "no-clone"],
)
def test_only_the_claim_that_was_meant_is_deleted(other: dict[str, Any]) -> None:
    def replaced(objects: Objects, request: int) -> None:
        if request == 1:
            objects.put("PersistentVolumeClaim", "ns", "claim", other)

    _found, present = emptied(replaced)
    assert present["metadata"]["uid"] == other["metadata"]["uid"] and present["spec"] == other["spec"]


def test_a_claim_that_changes_all_the_time_is_said_to_do_so() -> None:
    def change(objects: Objects, request: int) -> None:
        objects.put("PersistentVolumeClaim", "ns", "claim", CLONE)

    with pytest.raises(ClusterError, match="was changed by somebody else 20 times in a row"):
        emptied(change)
