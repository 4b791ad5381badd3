# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New claims that start as clones of filled ones, and workers' claims that are there before the workers."""

from __future__ import annotations

from typing import Any

from tests.clusters.base import BLOCK, BLOCK_NOW, SANDBOX_PREFIX, WORKER_TEMPLATE
from tests.repositories import make
from tests.waiting import until

from .harness import SAND, WORK, Scene
from .test_claims import actions, claims, names

REFUSAL = "clones are not made here"
WHO = {"pod_security_context": {"runAsUser": 1000, "fsGroup": 1000}}
"""The volumes' owner, where no worker runs that would tell."""
FIRST, SECOND = (f"[?worker.pod=='packit-worker-{number}']" for number in range(2))


def one_filled(scene: Scene, storage_class: str = BLOCK, drop: tuple[str, str] | None = None) -> None:
    """Two workers, of which the sandboxes of the first have a claim; that pair is filled, and upstream has moved on since."""
    scene.cluster.namespace(WORK)
    scene.cluster.namespace(SAND)
    scene.pods = scene.cluster.workers(WORK, replicas=2, storage_class=storage_class)
    scene.cluster.sandboxes(SAND, scene.pods[:1], storage_class=storage_class)
    scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory, drop=drop)
    upstream = scene.repository()
    scene.succeed(claims=False, select=FIRST)
    make.commit(upstream)


def claim_of(scene: Scene, namespace: str, name: str) -> Any:
    return scene.cluster.core.read_namespaced_persistent_volume_claim(name, namespace)


def source(scene: Scene, namespace: str, name: str) -> str:
    """The claim that another one was made as a clone of, empty where it was not."""
    found = claim_of(scene, namespace, name).spec.data_source
    return "" if found is None else str(found.name)


def warnings(done: Any, claim: str) -> str:
    return " ".join(next(volume["warnings"] for volume in done.result["volumes"] if volume["claim"] == claim))


def test_a_new_sandbox_is_born_filled_and_gets_only_the_difference(scene: Scene) -> None:
    one_filled(scene)
    planned = claims(scene, check=True, clone=True)
    assert f"clone of {scene.sandbox_claim(0)}" in planned["summary"][0] and names(scene, SAND) == [scene.sandbox_claim(0)]
    done = scene.succeed(claims_clone=True, select=SECOND)
    assert source(scene, SAND, scene.sandbox_claim(1)) == scene.sandbox_claim(0)
    assert done.actions()[scene.sandbox_claim(1)] == {"one": "update"}
    assert done.actions()[scene.worker_claim(1)] == {"one": "add"}
    scene.check()
    assert not scene.succeed(claims_clone=True, select=SECOND).result["changed"]


def test_a_clone_and_its_source_are_held_one_after_the_other(scene: Scene) -> None:
    one_filled(scene)
    with scene.cluster.pods_at_once(SAND, "packit.dev/repository-cache-filler=filler") as at_once:
        scene.succeed(claims_clone=True)
    assert source(scene, SAND, scene.sandbox_claim(1)) == scene.sandbox_claim(0)
    assert max(at_once) == 1
    scene.check()


def test_nothing_that_the_source_s_claim_says_is_believed_of_a_clone(scene: Scene) -> None:
    one_filled(scene)
    assert actions(claims(scene, clone=True))[2] == ("sandbox", "create")
    assert "packit.dev/repository-cache" not in scene.cluster.annotations(SAND, scene.sandbox_claim(1))
    planned = scene.succeed(claims=False, arguments=("--check",))
    steps = {step["claim"]: step["action"] for step in planned.result["plan"]}
    assert steps[scene.sandbox_claim(1)] == "look"


def test_where_the_storage_refuses_a_clone_an_empty_claim_is_filled(scene: Scene) -> None:
    one_filled(scene)
    scene.cluster.order(SAND, scene.sandbox_claim(1), "clone", REFUSAL)
    done = scene.succeed(claims_clone=True)
    assert source(scene, SAND, scene.sandbox_claim(1)) == ""
    assert done.actions()[scene.sandbox_claim(1)] == {"one": "add"}
    said = warnings(done, scene.sandbox_claim(1))
    assert f"It starts empty, not as a clone of {scene.sandbox_claim(0)}: " in said and REFUSAL in said
    scene.check()


def test_a_refusal_that_comes_at_once_is_met_by_an_empty_claim_at_once(scene: Scene) -> None:
    one_filled(scene, BLOCK_NOW)
    scene.cluster.order(SAND, scene.sandbox_claim(1), "clone", REFUSAL)
    answer = claims(scene, clone=True)
    assert [item["source"] for item in answer["claims"] if item["claim"] == scene.sandbox_claim(1)] == [""]
    assert f"starts empty, not as a clone of {scene.sandbox_claim(0)}. The cluster says: " in answer["printed"]
    assert REFUSAL in answer["printed"]
    assert source(scene, SAND, scene.sandbox_claim(1)) == ""
    scene.succeed(claims_clone=True)
    scene.check()


def test_a_clone_that_is_made_at_once_gets_only_the_difference(scene: Scene) -> None:
    one_filled(scene, BLOCK_NOW)
    done = scene.succeed(claims_clone=True, select=SECOND)
    assert source(scene, SAND, scene.sandbox_claim(1)) == scene.sandbox_claim(0)
    assert done.actions()[scene.sandbox_claim(1)] == {"one": "update"}
    scene.check()


def test_a_source_that_a_pod_uses_is_not_cloned(scene: Scene) -> None:
    one_filled(scene)
    scene.cluster.consumer(SAND, scene.sandbox_claim(0), name="sandbox")
    answer = claims(scene, clone=True)
    assert [item["source"] for item in answer["claims"] if item["action"] == "create"] == [""]
    assert source(scene, SAND, scene.sandbox_claim(1)) == ""


def test_a_source_that_a_pod_has_come_to_use_is_not_cloned_later(scene: Scene) -> None:
    one_filled(scene)
    claims(scene, clone=True)
    cloned = claim_of(scene, SAND, scene.sandbox_claim(1))
    assert cloned.spec.data_source.name == scene.sandbox_claim(0) and cloned.status.phase == "Pending"
    scene.cluster.consumer(SAND, scene.sandbox_claim(0), name="sandbox")
    done = scene.succeed(claims_clone=True)
    assert "Pod sandbox uses" in warnings(done, scene.sandbox_claim(1))
    assert source(scene, SAND, scene.sandbox_claim(1)) == ""
    scene.check()


def test_a_clone_that_may_not_be_deleted_is_not_made(scene: Scene) -> None:
    one_filled(scene, drop=("delete", "persistentvolumeclaims"))
    answer = claims(scene, clone=True)
    assert f"Rights are missing in namespace {SAND}: delete persistentvolumeclaims." in answer["msg"]
    assert names(scene, SAND) == [scene.sandbox_claim(0)]
    assert claims(scene)["changed"] is True


def test_the_claims_of_workers_to_come_are_those_that_their_stateful_set_takes(scene: Scene) -> None:
    scene.deploy(storage_class=BLOCK)
    scene.repository()
    planned = claims(scene, check=True, scale_to=2)
    assert [item["action"] for item in planned["claims"]] == ["unchanged", "unchanged", "create", "create"]
    assert names(scene, WORK) == [scene.worker_claim(0)]
    done = scene.succeed(scale_to=2, filler=WHO)
    worker, sandbox = f"{WORKER_TEMPLATE}-packit-worker-1", f"{SANDBOX_PREFIX}packit-worker-1"
    assert done.actions()[worker] == done.actions()[sandbox] == {"one": "add"}
    assert not scene.succeed(scale_to=2, filler=WHO).result["changed"] and claims(scene, scale_to=2)["changed"] is False
    made = claim_of(scene, WORK, worker)
    assert made.metadata.labels == {"component": "packit-worker"}  # as a claim of a StatefulSet's has them, see test_contract.py
    template = scene.cluster.apps.read_namespaced_stateful_set("packit-worker", WORK).spec.volume_claim_templates[0]
    assert made.spec.access_modes == template.spec.access_modes and made.spec.resources.requests == template.spec.resources.requests
    assert made.spec.storage_class_name == template.spec.storage_class_name
    scene.cluster.change_workers(WORK, lambda spec: setattr(spec, "replicas", 2))
    scene.pods.append("packit-worker-1")
    until(lambda: scene.cluster.is_ready(WORK, "packit-worker-1"), "the new worker")
    assert claim_of(scene, WORK, worker).metadata.uid == made.metadata.uid
    scene.check()


def test_a_new_pair_is_born_filled_of_one_that_nobody_uses(scene: Scene) -> None:
    scene.deploy(running=False, storage_class=BLOCK)
    upstream = scene.repository()
    scene.succeed(filler=WHO)
    make.commit(upstream)
    done = scene.succeed(scale_to=2, claims_clone=True, select=SECOND, filler=WHO)
    scene.pods.append("packit-worker-1")
    assert source(scene, WORK, scene.worker_claim(1)) == scene.worker_claim(0)
    assert source(scene, SAND, scene.sandbox_claim(1)) == scene.sandbox_claim(0)
    assert done.actions()[scene.worker_claim(1)] == done.actions()[scene.sandbox_claim(1)] == {"one": "update"}
    scene.check()


def test_it_is_said_where_it_is_not_clear_which_workers_are_to_be_more(scene: Scene) -> None:
    scene.deploy(storage_class=BLOCK)
    scene.cluster.workers(WORK, replicas=1, name="other", storage_class=BLOCK)
    answer = claims(scene, scale_to=2)
    assert f"Option `scale_to` is for one StatefulSet whose workers have a repository cache, and namespace {WORK} has 2: other, packit-worker." in answer["msg"]
