# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes as clouds have them: made at their first use, and attached to one node at a time."""

from __future__ import annotations

from tests.clusters.base import BLOCK
from tests.waiting import until

from .harness import SAND, Scene


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
