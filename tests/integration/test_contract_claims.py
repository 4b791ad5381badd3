# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims get their volumes, or words for why not, alike on both clusters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clusters.base import BLOCK, BLOCK_NOW, WORKER_TEMPLATE, TestCluster
from tests.waiting import until

from .test_contract import NS, refused


@pytest.fixture(scope="module")
def contract(shared_cluster: TestCluster) -> Iterator[TestCluster]:
    """A namespace with a claim that has its volume."""
    shared_cluster.reset()
    shared_cluster.namespace(NS)
    shared_cluster.make_claim(NS, "source", size="1G", access_mode="ReadWriteOnce", storage_class=BLOCK_NOW)
    until(lambda: phase(shared_cluster, "source") == "Bound", "the source's volume")
    yield shared_cluster
    shared_cluster.reset()


def phase(cluster: TestCluster, name: str) -> str:
    return str(cluster.core.read_namespaced_persistent_volume_claim(name, NS).status.phase)


def clone(cluster: TestCluster, name: str, storage_class: str = BLOCK_NOW, of: str = "source") -> Any:
    """Make a claim that is to be a clone."""
    source = {"kind": "PersistentVolumeClaim", "name": of}
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": storage_class, "resources": {"requests": {"storage": "1Gi"}}, "dataSource": source}
    return cluster.core.create_namespaced_persistent_volume_claim(NS, {"metadata": {"name": name}, "spec": spec})


def told(cluster: TestCluster, uid: str, reason: str) -> str:
    """Return what an event of this reason says of an object, when there is one."""

    def message() -> str:
        events = cluster.core.list_namespaced_event(NS, field_selector=f"involvedObject.uid={uid}").items
        return next((str(item.message) for item in events if item.reason == reason), "")

    return until(message, f"an event {reason}")


def test_a_clone_is_made_at_once_where_the_class_does_not_wait(contract: TestCluster) -> None:
    made = clone(contract, "at-once")
    until(lambda: phase(contract, "at-once") == "Bound", "the clone")
    assert made.spec.data_source.kind == "PersistentVolumeClaim"


def test_a_class_that_waits_for_a_pod_says_so(contract: TestCluster) -> None:
    made = clone(contract, "later", BLOCK)
    assert told(contract, made.metadata.uid, "WaitForFirstConsumer") == "waiting for first consumer to be created before binding"
    assert phase(contract, "later") == "Pending"


def test_why_a_clone_is_refused_is_told_by_an_event(contract: TestCluster) -> None:
    contract.order(NS, "refused", "clone", "clones are not made here")
    made = clone(contract, "refused")
    said = told(contract, made.metadata.uid, "ProvisioningFailed")
    assert said == 'failed to provision volume with StorageClass "block-now": rpc error: code = Internal desc = clones are not made here'
    assert phase(contract, "refused") == "Pending"


def test_a_claim_is_deleted_only_as_it_was_read(contract: TestCluster) -> None:
    made = clone(contract, "changes", BLOCK)
    contract.core.patch_namespaced_persistent_volume_claim("changes", NS, {"metadata": {"annotations": {"a": "b"}}})
    other = {"preconditions": {"uid": made.metadata.uid, "resourceVersion": made.metadata.resource_version}}
    code, reason, message = refused(lambda: contract.core.delete_namespaced_persistent_volume_claim("changes", NS, body=other))
    assert (code, reason) == (409, "Conflict")
    assert message.startswith('Operation cannot be fulfilled on PersistentVolumeClaim "changes": the ResourceVersion in the precondition (')


def test_a_claim_of_a_stateful_set_has_the_labels_of_its_selector(contract: TestCluster) -> None:
    name = f"{WORKER_TEMPLATE}-labelled-0"
    contract.workers(NS, replicas=1, name="labelled", storage_class=BLOCK, running=False)
    contract.core.delete_namespaced_persistent_volume_claim(name, NS)
    until(lambda: name not in [item.metadata.name for item in contract.core.list_namespaced_persistent_volume_claim(NS).items], "its end")
    contract.apps.patch_namespaced_stateful_set("labelled", NS, {"spec": {"replicas": 1}})
    until(lambda: name in [item.metadata.name for item in contract.core.list_namespaced_persistent_volume_claim(NS).items], "its claim")
    assert contract.core.read_namespaced_persistent_volume_claim(name, NS).metadata.labels == {"component": "labelled"}
