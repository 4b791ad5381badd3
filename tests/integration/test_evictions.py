# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of ours that are evicted, as by whoever drains a node."""

from __future__ import annotations

import pytest

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
