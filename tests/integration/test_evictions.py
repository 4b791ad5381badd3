# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of ours that are evicted: by whoever drains a node, and by their kubelet."""

from __future__ import annotations

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.ours import SCRATCH
from tests.repositories import make
from tests.waiting import until

from .harness import SAND, WORK, Scene
from .test_seed import FILLER, SEED, received

pytestmark = pytest.mark.real


def evict(scene: Scene, namespace: str, selector: str) -> None:
    """Evict a pod as ``kubectl drain`` does."""
    (pod,) = scene.cluster.pods(namespace, selector)
    scene.cluster.core.create_namespaced_pod_eviction(pod, namespace, {"metadata": {"name": pod, "namespace": namespace}})


def test_pods_that_are_evicted_are_made_again(scene: Scene) -> None:
    scene.deploy()
    make.make_large(scene.server.root / "one.git", 60, commits=60)
    scene.server.hold()
    run = scene.start(method="seed")
    until(lambda: scene.server.fetches > 0, "the seed's clone")
    evict(scene, WORK, SEED)
    scene.server.release()
    with run.frozen_when(lambda: received(scene.sandbox()), "bytes of a pack on the sandbox's volume"):
        evict(scene, SAND, FILLER)
    done = run.finish()
    assert done.code == 0, done.story
    assert scene.server.fetches == 2
    scene.check()


def outgrow(scene: Scene, namespace: str, selector: str, megabytes: int) -> None:
    """Write more to a pod's scratch than it may have, and wait until its kubelet has evicted it. The kubelet looks once a minute."""
    (pod,) = scene.cluster.pods(namespace, selector)
    scene.cluster.execute(namespace, pod, ["fallocate", "-l", f"{megabytes}M", f"{SCRATCH}/too-much"])
    # A run that finds its pod's processes ended deletes it, often before its state says why.
    chosen = f"reason=Evicted,involvedObject.name={pod}"
    until(lambda: scene.cluster.core.list_namespaced_event(namespace, field_selector=chosen).items, "the eviction")
    until(lambda: not scene.cluster.counted_by_quota(namespace), "the end of what ran in the pod")


@pytest.mark.faults
def test_a_seed_that_its_kubelet_evicts_for_its_size_is_told_with_what_to_raise(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.server.hold()
    run = scene.start(method="seed", seed={"size": "64Mi"})
    until(lambda: scene.server.fetches > 0, "the seed's clone")
    outgrow(scene, WORK, SEED, 100)
    done = run.finish()
    scene.server.release()
    assert done.code != 0
    assert 'was evicted: Usage of EmptyDir volume "scratch" exceeds the limit "64Mi".' in done.text, done.story
    assert "Raise repository_cache_seed.size" in done.text
    assert scene.fillers() == []


@pytest.mark.faults
def test_a_filler_that_its_kubelet_evicts_is_made_again(scene: Scene) -> None:
    scene.deploy()
    make.make_large(scene.server.root / "one.git", 60, commits=60)
    run = scene.start(method="seed", filler={"heartbeat": 600})  # a stopped run sends no heartbeat
    with run.frozen_when(lambda: received(scene.sandbox()), "bytes of a pack on the sandbox's volume"):
        outgrow(scene, SAND, FILLER, 1100)  # a filler's scratch is 1Gi
    done = run.finish()
    assert done.code == 0, done.story
    assert "goes on in a later turn" in done.text
    scene.check()
