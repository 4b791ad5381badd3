# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage that does not attach, that does not detach, and nobody who waits for it."""

from __future__ import annotations

import pytest

from tests.clusters.base import BLOCK
from tests.waiting import until

from .harness import SAND, WORK, Scene
from .test_block_volumes import other_node, sandbox_filler


def attached_to(scene: Scene) -> list[str]:
    """The nodes that have the sandbox's volume, or are about to have it."""
    volume = scene.cluster.core.read_namespaced_persistent_volume_claim(scene.sandbox_claim(), SAND).spec.volume_name
    found = scene.cluster.api_of("StorageV1Api").list_volume_attachment().items
    return [item.spec.node_name for item in found if item.spec.source.persistent_volume_name == volume]


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
    """A filler to which nobody comes ends itself a minute after it could begin."""
    scene.deploy(storage_class=BLOCK)
    scene.repository()
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach", "never")
    run = scene.start()
    until(lambda: sandbox_filler(scene) and attached_to(scene), "a volume on its way to a filler")
    run.kill()
    scene.cluster.order(SAND, scene.sandbox_claim(), "attach")
    until(lambda: not any(map(scene.cluster.counted_by_quota, (WORK, SAND))), "the end of what the killed run has left")
    until(lambda: attached_to(scene) == [], "a volume that no node has")
    scene.sweep()
    scene.check()
