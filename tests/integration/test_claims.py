# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandboxes' claims: made where missing, grown where that is allowed, and otherwise explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.clusters.base import LANE, SANDBOX_PREFIX, WORKER_TEMPLATE, TestCluster

from .harness import SAND, WORK, Scene

PLACE = {"worker_namespace": WORK, "sandbox_namespace": SAND}
GROWING = f"growing-in-a-test{LANE}"


def spec(scene: Scene, namespace: str, claim: str) -> tuple[str, str]:
    """The size that a claim asks for, and its class."""
    found = scene.cluster.core.read_namespaced_persistent_volume_claim(claim, namespace).spec
    return found.resources.requests["storage"], found.storage_class_name


def names(scene: Scene, namespace: str) -> list[str]:
    """A namespace's claims."""
    return sorted(item.metadata.name for item in scene.cluster.core.list_namespaced_persistent_volume_claim(namespace).items)


def claims(scene: Scene, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module."""
    return scene.module("repository_cache_claims", check=check, **PLACE, **options)


def actions(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and action of each claim."""
    return [(item["role"], item["action"]) for item in answer["claims"]]


def workers_without_sandboxes(scene: Scene, replicas: int = 1, drop: tuple[str, str] | None = None) -> None:
    """Workers whose sandboxes have no claims, and room for those."""
    scene.cluster.namespace(WORK)
    scene.cluster.namespace(SAND)
    scene.pods = scene.cluster.workers(WORK, replicas=replicas)
    for pod in scene.pods:
        scene.cluster.room(SAND, f"{SANDBOX_PREFIX}{pod}")
    scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory, drop=drop)


@pytest.fixture
def growing(cluster: TestCluster) -> Iterator[str]:
    """A storage class whose claims may grow."""
    storage = client.StorageV1Api(cluster.api)
    body = {
        "metadata": {"name": GROWING},
        "provisioner": "kubernetes.io/no-provisioner",
        "allowVolumeExpansion": True,
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    storage.create_storage_class(body)
    yield GROWING
    storage.delete_storage_class(GROWING)


@pytest.mark.playbook
def test_claims_that_are_missing_are_made_and_filled_by_one_run(scene: Scene) -> None:
    workers_without_sandboxes(scene, 2)
    scene.repository()
    planned = scene.succeed(arguments=("--check", "--diff"))
    assert "+storage: 1Gi" in planned.output and names(scene, SAND) == []
    done = scene.succeed(claim_labels={"paas.redhat.com/appcode": "TEST"})
    assert names(scene, SAND) == [scene.sandbox_claim(0), scene.sandbox_claim(1)]
    assert spec(scene, SAND, scene.sandbox_claim(0)) == ("1Gi", "standard")
    meta = scene.cluster.core.read_namespaced_persistent_volume_claim(scene.sandbox_claim(1), SAND).metadata
    assert meta.labels == {"paas.redhat.com/appcode": "TEST"}
    assert done.actions()[scene.sandbox_claim(0)] == {"one": "add"}
    scene.check()
    again = scene.succeed(claim_labels={"paas.redhat.com/appcode": "TEST"})
    assert "changed=0" in again.output


@pytest.mark.playbook
def test_claims_that_are_to_be_made_excuse_no_other_failure_in_check_mode(scene: Scene) -> None:
    workers_without_sandboxes(scene)
    scene.repository()
    done = scene.run("absent", arguments=("--check",))
    assert done.code != 0
    assert "+storage: 1Gi" in scene.succeed(arguments=("--check", "--diff")).output
    assert scene.url("absent") in done.text


@pytest.mark.playbook
def test_one_use_of_the_role_excuses_nothing_of_the_next(scene: Scene) -> None:
    workers_without_sandboxes(scene)
    scene.repository()
    use = {"ansible.builtin.include_role": {"name": "packit.deployment.repository_cache"}}
    volumes = [
        {
            "worker": {"namespace": WORK, "claim": scene.worker_claim()},
            "sandbox": {"namespace": SAND, "claim": scene.sandbox_claim()},
        }
    ]
    first = {**use, "vars": scene.variables()}
    assert scene.play([first, first], "--check").code == 0
    for more in ({"claims": False}, {"volumes": volumes}):
        second = {**use, "vars": scene.variables(**more)}
        done = scene.play([first, second], "--check")
        assert done.code != 0
        assert f"The claim {SAND}/{scene.sandbox_claim()} for the sandboxes of" in done.text


def test_what_is_there_is_read_with_few_requests(scene: Scene) -> None:
    scene.deploy()
    answer = claims(scene)
    assert (answer["changed"], actions(answer)) == (False, [("sandbox", "unchanged"), ("worker", "unchanged")])
    assert answer["requests"] <= 4
    assert answer["summary"] == ["Nothing to do: all 2 claims are as they should be."]


def test_a_workers_claim_grows_with_its_sandboxs_where_the_class_allows_it(scene: Scene, growing: str) -> None:
    worker, sandbox = f"{WORKER_TEMPLATE}-packit-worker-0", f"{SANDBOX_PREFIX}packit-worker-0"
    for namespace, claim in ((WORK, worker), (SAND, sandbox)):
        scene.cluster.namespace(namespace)
        scene.cluster.claim(namespace, claim, storage_class=growing)
        scene.cluster.consumer(namespace, claim, name="consumer")
    scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory)
    planned = claims(scene, check=True, storage="2Gi")
    assert planned["changed"] is True and spec(scene, SAND, sandbox) == ("1Gi", growing)
    grown = claims(scene, storage="2Gi")
    assert actions(grown) == [("sandbox", "grow"), ("worker", "grow")], grown
    assert spec(scene, SAND, sandbox) == spec(scene, WORK, worker) == ("2Gi", growing)
    assert claims(scene, storage="2Gi")["changed"] is False


@pytest.mark.playbook
def test_a_class_that_does_not_let_claims_grow_is_named_and_the_volumes_are_filled(scene: Scene) -> None:
    scene.deploy()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    scene.repository()
    planned = claims(scene, check=True, storage="2Gi")
    done = scene.run(storage="2Gi")
    assert done.code != 0
    for text in (planned["msg"], done.text):
        assert f"{scene.sandbox_claim()}: The storage class standard does not let claims grow (allowVolumeExpansion)." in text
        assert f"{scene.worker_claim()}: The claim does not grow before its sandbox's" in text
    assert "volumeClaimTemplate packit-worker-repository-cache of StatefulSet packit-worker asks for 1Gi" in done.text
    assert spec(scene, SAND, scene.sandbox_claim()) == ("1Gi", "standard")
    scene.check()


def test_less_than_a_claim_has_is_refused(scene: Scene) -> None:
    scene.deploy()
    answer = claims(scene, storage="500Mi")
    assert "has 1Gi, and cannot shrink to the 500Mi that option `storage` asks for" in answer["msg"]
    assert spec(scene, WORK, scene.worker_claim())[0] == "1Gi"


def test_a_quota_without_room_is_named_with_what_to_do(scene: Scene) -> None:
    workers_without_sandboxes(scene)
    scene.cluster.quota(SAND, "storage", {"requests.storage": "100Mi"})
    answer = claims(scene)
    assert f"The quota of namespace {SAND} has no room for 1Gi: " in answer["msg"]
    assert (
        "exceeded quota: storage, requested: requests.storage=1Gi, used: requests.storage=0, limited: requests.storage=100Mi"
        in answer["msg"]
    )
    assert names(scene, SAND) == []


def test_the_right_to_make_claims_is_asked_for_only_when_one_is_missing(scene: Scene) -> None:
    workers_without_sandboxes(scene, drop=("create", "persistentvolumeclaims"))
    answer = claims(scene)
    assert f"Rights are missing in namespace {SAND}: create persistentvolumeclaims." in answer["msg"]
    assert 'resources: ["persistentvolumeclaims"]\n  verbs: ["create"]' in answer["msg"]
    scene.cluster.claim(SAND, scene.sandbox_claim())
    assert claims(scene)["changed"] is False


def test_a_storage_class_that_is_not_there_is_named_before_anything_is_made(scene: Scene) -> None:
    workers_without_sandboxes(scene)
    scene.kubeconfig = scene.cluster.kubeconfig  # whoever may read classes
    answer = claims(scene, storage_class="absent")
    assert "There is no storage class absent" in answer["msg"]
    assert names(scene, SAND) == []


def test_a_claim_whose_worker_is_gone_is_reported_and_left_alone(scene: Scene) -> None:
    scene.deploy()
    scene.cluster.claim(SAND, f"{SANDBOX_PREFIX}gone-0")
    answer = claims(scene)
    assert (answer["changed"], answer["orphans"]) == (False, [f"{SAND}/{SANDBOX_PREFIX}gone-0"])
    assert f"{SANDBOX_PREFIX}gone-0" in names(scene, SAND)


@pytest.mark.playbook
def test_without_a_repository_cache_the_role_does_nothing_and_says_so(scene: Scene) -> None:
    done = scene.succeed(variables={"with_repository_cache": False})
    assert "The variable with_repository_cache is false, so the role repository_cache does nothing." in done.text
    assert "changed=0" in done.output
