# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage that does not attach, that does not detach, and nobody who waits for it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.clusters.base import BLOCK
from tests.modules.launcher import REMOVAL_SECONDS
from tests.waiting import until

from .harness import SAND, WORK, Scene
from .test_block_volumes import FILLERS, attached_to, deploy_workers_on_node1, mounts, other_node, sandbox_filler


def test_a_volume_that_is_never_attached_is_told_and_nothing_waits_for_it(scene: Scene) -> None:
    scene.deploy(2, storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(0), "attach", "never")
    done = scene.run(filler={"start_timeout": 40})
    assert done.code != 0
    error = done.project(scene.sandbox_claim(0), "one")["error"]
    assert error.startswith("the start of pod ") and "The volume cannot be attached: AttachVolume.Attach failed for volume" in error
    assert done.actions()[scene.worker_claim(0)] == {"one": "blocked"}
    assert done.actions()[scene.worker_claim(1)] == {"one": "add"}
    assert scene.fillers() == []
    scene.cluster.order(SAND, scene.sandbox_claim(0), "attach")
    scene.succeed()
    scene.check()


def test_a_volume_that_cannot_be_attached_is_told_in_the_storages_words(scene: Scene) -> None:
    scene.deploy(storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach", "the volume is encrypted with a key that is gone")
    done = scene.run(filler={"start_timeout": 20})
    assert done.code != 0
    assert "The volume cannot be attached: " in done.text and "the volume is encrypted with a key that is gone" in done.text
    assert scene.fillers() == []
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach")
    scene.succeed()
    scene.check()


def test_a_volume_that_is_not_detached_after_the_work_was_filled_and_no_pod_of_ours_has_it(scene: Scene) -> None:
    scene.deploy(storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(), "detach", "never")
    run = scene.start()
    filler = until(lambda: sandbox_filler(scene), "a filler that has been placed")
    elsewhere = other_node(scene, filler)
    done = run.finish()
    assert done.code == 0, done.story
    assert scene.fillers() == []
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox", node=elsewhere, wait=False)
    scene.cluster.order(SAND, scene.sandbox_claim(), "detach")
    until(lambda: scene.cluster.is_ready(SAND, "sandbox"), "a sandbox that has its volume")
    scene.check()


@pytest.mark.real
@pytest.mark.faults
def test_killed_while_a_volume_is_attached_nothing_is_pending_or_attached_soon_after(scene: Scene) -> None:
    """A filler to which nobody comes ends itself a minute after it could begin, and one that was come to, after its heartbeat."""
    scene.deploy(storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach", "never")
    run = scene.start(filler={"heartbeat": 20})
    until(lambda: sandbox_filler(scene) and attached_to(scene), "a volume on its way to a filler")
    run.kill()
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach")
    until(lambda: not any(map(scene.cluster.counted_by_quota, (WORK, SAND))), "the end of what the killed run has left")
    until(lambda: attached_to(scene) == [], "a volume that no node has")
    scene.sweep()
    scene.check()


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.faults
def test_a_node_that_is_lost_under_a_filler_at_work_is_told_and_other_pairs_go_on(scene: Scene) -> None:
    """Writes to a frozen volume wait, so that the filler is at work when its node's kubelet ends. Its containers run on, so nothing goes by force."""
    deploy_workers_on_node1(scene)
    scene.repository()
    for number, node in enumerate(("node2", "node1")):
        scene.cluster.consumer(SAND, scene.sandbox_claim(number), name=f"sandbox-{number}", node=node)
    with scene.real.frozen(SAND, scene.sandbox_claim(0)):
        run = scene.start(timeout=60, filler={"heartbeat": 20}, environment={REMOVAL_SECONDS: "60"})
        until(lambda: filler_of(scene, scene.sandbox_claim(0)), "a filler that is at work")
        with scene.real.lost_node("node2"):
            done = run.finish()
            assert done.code != 0
            assert f"on node node2 could not be removed, so {scene.sandbox_claim(0)} stays held" in done.text
            assert ", and node node2 has not ended it." in done.text
            assert "the taint node.kubernetes.io/out-of-service" in done.text
            assert done.actions()[scene.worker_claim(0)]["one"] in ("failed", "blocked")
            assert done.actions()[scene.worker_claim(1)] == {"one": "add"}
    until(lambda: scene.fillers() == [], "the end of the filler, as its node is back")
    scene.succeed()
    scene.check()


def filler_of(scene: Scene, claim: str) -> str:
    """The name of a claim's filler that is Ready; empty where there is none."""
    found = [pod.metadata.name for pod in scene.cluster.core.list_namespaced_pod(SAND, label_selector=FILLERS).items if mounts(pod, claim)]
    return next((name for name in found if scene.cluster.is_ready(SAND, name)), "")


@pytest.mark.real
@pytest.mark.alone
@pytest.mark.parametrize("part", ["csi-driver", "kubelet"])
def test_what_serves_the_storage_or_the_pods_restarts_in_each_phase(scene: Scene, part: str) -> None:
    """While a volume is attached, while it is worked on, while a project is published, and while the volume is given back."""
    scene.deploy(storage_class=BLOCK)
    scene.repository(commits=30)
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach", "3")
    run = scene.start()
    node = until(lambda: node_of_filler(scene), "a filler that has been placed")
    restart(scene, part, node)
    until(lambda: filler_of(scene, scene.sandbox_claim()), "a filler that is at work")
    restart(scene, part, node)
    run.until_it_says("publishes")
    restart(scene, part, node)
    run.until_it_says("released")
    restart(scene, part, node)
    done = run.finish()
    assert done.code == 0, done.story
    scene.check()


def node_of_filler(scene: Scene) -> str:
    """The node of the sandbox's filler; empty where there is none."""
    name = sandbox_filler(scene)
    return str(scene.cluster.core.read_namespaced_pod(name, SAND).spec.node_name) if name else ""


def restart(scene: Scene, part: str, node: str) -> None:
    """Restart it, and who ends where it is away, as a kubelet does in their pod."""
    parts = (node.replace("node", "kubelet"),) if part == "kubelet" else ("csi-provisioner", "csi-attacher", "csi-resizer", part)
    with ExitStack() as stack:
        for name in parts:
            stack.enter_context(scene.real.stopped(name))
