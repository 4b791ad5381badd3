# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandboxes' claims: made where missing, grown where that is allowed, and otherwise explained."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clusters.base import BLOCK_XFS, SANDBOX_PREFIX
from tests.waiting import until

from .harness import SAND, WORK, Scene

PLACE = {"worker_namespace": WORK, "sandbox_namespace": SAND}


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


def sizes(scene: Scene) -> list[str]:
    """The capacities of the first pair's volumes, the sandbox's first, as their claims tell them."""
    pair = ((SAND, scene.sandbox_claim()), (WORK, scene.worker_claim()))
    return [scene.cluster.core.read_namespaced_persistent_volume_claim(claim, space).status.capacity["storage"] for space, claim in pair]


def workers_without_sandboxes(scene: Scene, replicas: int = 1, drop: tuple[str, str] | None = None) -> None:
    """Workers whose sandboxes have no claims, and room for those."""
    scene.cluster.namespace(WORK)
    scene.cluster.namespace(SAND)
    scene.pods = scene.cluster.workers(WORK, replicas=replicas)
    for pod in scene.pods:
        scene.cluster.room(SAND, f"{SANDBOX_PREFIX}{pod}")
    scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory, drop=drop)


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


def test_a_workers_volume_grows_while_it_works_and_after_its_sandboxs(scene: Scene) -> None:
    scene.deploy(storage_class=BLOCK_XFS)
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    planned = claims(scene, check=True, storage="2Gi")
    assert planned["changed"] is True and sizes(scene) == ["1Gi", "1Gi"]
    grown = claims(scene, storage="2Gi")
    assert actions(grown) == [("sandbox", "grow"), ("worker", "grow")], grown
    until(lambda: sizes(scene) == ["2Gi", "2Gi"], "volumes that have grown")
    assert scene.cluster.is_ready(WORK, scene.pods[0])
    assert claims(scene, storage="2Gi")["changed"] is False


def test_a_sandboxs_volume_that_nobody_has_mounted_grows_before_its_workers(scene: Scene) -> None:
    scene.deploy(storage_class=BLOCK_XFS)
    scene.repository()
    scene.succeed()
    assert actions(claims(scene, storage="2Gi")) == [("sandbox", "grow"), ("worker", "grow")]
    until(lambda: sizes(scene)[1] == "2Gi", "a worker's volume that has grown")
    scene.repository("two")
    scene.succeed("one", "two", storage="2Gi")
    until(lambda: sizes(scene) == ["2Gi", "2Gi"], "a sandbox's volume whose file system has grown")
    scene.check("one", "two")


def test_a_workers_claim_does_not_grow_where_its_sandboxs_volume_cannot(scene: Scene) -> None:
    scene.deploy(storage_class=BLOCK_XFS)
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    scene.cluster.order(SAND, scene.sandbox_claim(), "expand", "there is no room for more")
    done = scene.run(storage="2Gi")
    assert done.code != 0
    assert f"{scene.worker_claim()}: The claim does not grow before its sandbox's" in done.text
    assert "there is no room for more" in done.text
    assert spec(scene, WORK, scene.worker_claim())[0] == "1Gi" and sizes(scene) == ["1Gi", "1Gi"]
    scene.check()
    scene.cluster.order(SAND, scene.sandbox_claim(), "expand")
    scene.succeed(storage="2Gi")
    until(lambda: sizes(scene) == ["2Gi", "2Gi"], "volumes that have grown")


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
