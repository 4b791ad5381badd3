# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes as clouds have them: made at their first use, and attached to one node at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.clusters.base import BLOCK
from tests.waiting import until

from .harness import SAND, Scene

FILLERS = "packit.dev/repository-cache-filler=filler"


def test_volumes_that_were_never_used_are_made_attached_and_filled(scene: Scene) -> None:
    scene.deploy(2, storage_class=BLOCK)
    scene.repository()
    done = scene.succeed()
    assert {claim: actions["one"] for claim, actions in done.actions().items()} == {
        **{scene.worker_claim(number): "add" for number in range(2)},
        **{scene.sandbox_claim(number): "add" for number in range(2)},
    }
    scene.check()
    assert not scene.succeed().result["changed"]


@pytest.mark.real
def test_the_parts_of_a_hold_are_what_the_volumes_attachment_says(scene: Scene) -> None:
    """The API's own objects tell each moment, in whole seconds. One volume is detached only after the run has ended: that is no part of its hold."""
    scene.deploy(2, storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(0), "detach", "never")
    pods = scene.cluster.core.list_namespaced_pod, SAND
    attachments = (scene.cluster.api_of("StorageV1Api").list_volume_attachment,)
    since = [list_them(*where).metadata.resource_version for list_them, *where in (pods, attachments)]
    done = scene.succeed()
    ended = time.time()
    scene.cluster.order(SAND, scene.sandbox_claim(0), "detach")
    until(lambda: not any(attached_to(scene, number) for number in range(2)), "two volumes that no node has")
    for number in range(2):
        claim = scene.sandbox_claim(number)
        volume = scene.cluster.core.read_namespaced_persistent_volume_claim(claim, SAND).spec.volume_name
        filler = life(scene.cluster.history(*pods, since=since[0]), partial(mounts, claim=claim))
        attachment = life(scene.cluster.history(*attachments, since=since[1]), partial(is_of, volume=volume))
        attached = next(item for item in attachment if item.status.attached)
        running = next(pod for pod in filler if any(status.state.running for status in pod.status.container_statuses or []))
        asked = next(pod for pod in filler if pod.metadata.deletion_timestamp)
        # Once the kubelet has unmounted the volume, the pod's object and the attachment go side by side, either of them first.
        for last in (filler[-1], attachment[-1]):
            in_order = [filler[0], attachment[0], attached, running, asked, last]
            versions = [int(item.metadata.resource_version) for item in in_order]
            assert versions == sorted(versions)
        (lock,) = next(item["locks"] for item in done.result["volumes"] if item["claim"] == claim)
        begun = filler[0].metadata.creation_timestamp.timestamp()
        told = next(field.time for field in attached.metadata.managed_fields if field.subresource == "status").timestamp()
        given_back = asked.metadata.deletion_timestamp.timestamp() - asked.metadata.deletion_grace_period_seconds
        assert lock["attach"] >= told - begun - 1
        assert sum(lock.values()) >= given_back - begun - 1
        assert sum(lock.values()) <= ended - begun + 2


def life(history: Iterator[tuple[str, Any]], wanted: Callable[[Any], bool]) -> list[Any]:
    """One object as it was after each change, from its creation to its end."""
    states = []
    for change, item in history:
        if wanted(item):
            states.append(item)
            if change == "DELETED":
                break
    return states


def test_a_volume_that_is_attached_elsewhere_is_given_back_and_filled_later(scene: Scene) -> None:
    """A pod that was deleted by force is gone from the API, and its volume is still where it ran."""
    scene.deploy(storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(), "detach", "never")
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox", node="node2")
    scene.cluster.core.delete_namespaced_pod("sandbox", SAND, grace_period_seconds=0)
    run = scene.start(filler={"sandbox": {"node_selector": {"kubernetes.io/hostname": "node1"}}})
    run.until_it_says("The volume is attached to another node")
    until(lambda: scene.cluster.fillers(SAND) == [], "the filler's retreat")
    scene.cluster.order(SAND, scene.sandbox_claim(), "detach")
    done = run.finish()
    assert done.code == 0, done.story
    scene.check()


def test_a_volume_that_no_node_gives_back_is_said_to_be_stuck_and_other_pairs_go_on(scene: Scene) -> None:
    scene.deploy(2, storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(0), "detach", "the node does not answer")
    scene.cluster.consumer(SAND, scene.sandbox_claim(0), name="sandbox", node="node2")
    scene.cluster.core.delete_namespaced_pod("sandbox", SAND, grace_period_seconds=0)
    done = scene.run(timeout=60, filler={"sandbox": {"node_selector": {"kubernetes.io/hostname": "node1"}}})
    assert done.code != 0
    assert f"Volume {SAND}/{scene.sandbox_claim(0)} was not free since" in done.text
    assert "The volume is attached to another node: " in done.text
    assert "kubectl get volumeattachments" in done.text
    assert done.actions()[scene.worker_claim(0)] == {"one": "blocked"}
    assert done.actions()[scene.worker_claim(1)] == {"one": "add"}
    assert scene.fillers() == []


@pytest.mark.real
@pytest.mark.alone
def test_a_volume_on_a_lost_node_is_told_and_filled_when_the_node_is_back(scene: Scene) -> None:
    deploy_workers_on_node1(scene)
    core = scene.cluster.core
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(0), name="sandbox", node="node2")
    with scene.real.lost_node("node2"):
        core.delete_namespaced_pod("sandbox", SAND, grace_period_seconds=0)
        done = scene.run(timeout=60, filler={"sandbox": {"node_selector": {"kubernetes.io/hostname": "node1"}}})
        assert done.code != 0
        assert f"Volume {SAND}/{scene.sandbox_claim(0)} was not free since" in done.text
        assert "The volume is attached to another node: Multi-Attach error" in done.text
        assert done.actions()[scene.worker_claim(1)] == {"one": "add"}
        assert scene.fillers() == []
        assert attached_to(scene) == ["node2"]
    scene.succeed()
    scene.check()


def deploy_workers_on_node1(scene: Scene) -> None:
    """Two workers with block volumes, none of them on the node that is to be lost."""
    core = scene.cluster.core
    core.patch_node("node2", {"spec": {"unschedulable": True}})
    try:
        scene.deploy(2, storage_class=BLOCK)
    finally:
        core.patch_node("node2", {"spec": {"unschedulable": None}})


def attached_to(scene: Scene, number: int = 0) -> list[str]:
    """The nodes that have a sandbox's volume, or are about to have it."""
    volume = scene.cluster.core.read_namespaced_persistent_volume_claim(scene.sandbox_claim(number), SAND).spec.volume_name
    found = scene.cluster.api_of("StorageV1Api").list_volume_attachment().items
    return [item.spec.node_name for item in found if is_of(item, volume)]


def is_of(attachment: Any, volume: str) -> bool:
    return bool(attachment.spec.source.persistent_volume_name == volume)


def mounts(pod: Any, claim: str) -> bool:
    used = [volume.persistent_volume_claim for volume in pod.spec.volumes]
    return any(item is not None and item.claim_name == claim for item in used)


def other_node(scene: Scene, filler: str) -> str:
    """The node that a filler of the sandboxes' namespace is not on."""
    return {"node1": "node2", "node2": "node1"}[scene.cluster.core.read_namespaced_pod(filler, SAND).spec.node_name]


def sandbox_filler(scene: Scene) -> str:
    """The name of the filler that has the sandbox's volume, or is about to; empty where none is."""
    placed = scene.cluster.core.list_namespaced_pod(SAND, label_selector=FILLERS).items
    return next((item.metadata.name for item in placed if item.spec.node_name and not item.metadata.deletion_timestamp), "")


@pytest.mark.parametrize("detach", ["0", "10"])
def test_a_sandbox_on_another_node_gets_the_volume_that_a_filler_works_on(scene: Scene, detach: str) -> None:
    """The worker's volume is in use, and so left alone: then its sandbox's filler reads upstream itself, and can be kept at it."""
    scene.deploy(storage_class=BLOCK)
    scene.repository(commits=30)
    scene.cluster.order(SAND, scene.sandbox_claim(), "detach", detach)
    scene.server.hold()
    run = scene.start(in_use="skip")
    until(lambda: scene.server.fetches > 0, "the filler's fetch")
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox", node=other_node(scene, sandbox_filler(scene)), wait=False)
    run.until_it_says("pod sandbox waits for it on node")
    until(lambda: scene.cluster.is_ready(SAND, "sandbox"), "a sandbox that has its volume")
    done = run.finish()
    scene.server.release()
    assert "is given back" in done.text
    assert done.actions()[scene.sandbox_claim()] == {"one": "skipped"}
    (wait,) = next(volume["waits"] for volume in done.result["volumes"] if volume["claim"] == scene.sandbox_claim())
    assert wait["pod"] == "sandbox" and wait["seconds"] >= float(detach)
    scene.succeed()
    scene.check()
    assert scene.cluster.is_ready(SAND, "sandbox")


def test_a_filler_whose_volume_is_not_attached_yet_lets_a_sandbox_go_first(scene: Scene) -> None:
    scene.deploy(storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach", "never")
    run = scene.start()
    filler = until(lambda: sandbox_filler(scene), "a filler that has been placed")
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox", node=other_node(scene, filler), wait=False)
    run.until_it_says("Pod sandbox waits for the volume on node")
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach")
    done = run.finish()
    assert done.code == 0, done.story
    assert scene.cluster.is_ready(SAND, "sandbox")
    assert [wait["pod"] for volume in done.result["volumes"] for wait in volume["waits"]] == ["sandbox"]
    scene.check()


@pytest.mark.real
def test_a_filler_beside_a_sandbox_gives_way_to_the_next_one_on_another_node(scene: Scene) -> None:
    """Writes to a frozen volume wait until it is thawed, so that the filler is at work when its neighbour goes."""
    scene.deploy(storage_class=BLOCK)
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="first", node="node1")
    with scene.real.frozen(SAND, scene.sandbox_claim()):
        run = scene.start()
        filler = until(lambda: sandbox_filler(scene), "a filler that has been placed")
        assert other_node(scene, filler) == "node2"
        until(lambda: scene.cluster.is_ready(SAND, filler), "a filler beside the first sandbox")
        scene.cluster.delete_pod(SAND, "first")
        scene.cluster.consumer(SAND, scene.sandbox_claim(), name="second", node="node2", wait=False)
        run.until_it_says("pod second waits for it on node2")
    done = run.finish()
    assert done.code == 0, done.story
    assert scene.cluster.is_ready(SAND, "second")
    assert [wait["pod"] for volume in done.result["volumes"] for wait in volume["waits"]] == ["second"]
    events = scene.cluster.core.list_namespaced_event(SAND, field_selector="reason=FailedAttachVolume").items
    assert {item.involved_object.name for item in events} <= {"second"}
    scene.check()
