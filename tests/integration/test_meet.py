# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that meet on the same volumes: what each finds when its turn comes is what counts, not what it read when it began."""

from __future__ import annotations

import json

from tests.waiting import until

from .harness import SAND, WORK, Scene

SHORT = {"filler": {"heartbeat": 12}}


def listed(scene: Scene) -> list[set[str]]:
    """What the claims of the first pair say is there."""
    found = []
    for namespace, claim in ((WORK, scene.worker_claim()), (SAND, scene.sandbox_claim())):
        meta = scene.cluster.core.read_namespaced_persistent_volume_claim(claim, namespace).metadata
        found.append(set(json.loads(meta.annotations["packit.dev/repository-cache"])["projects"]))
        assert "packit.dev/holder" not in meta.annotations
    return found


def test_what_another_run_removed_meanwhile_is_brought_again(scene: Scene) -> None:
    scene.deploy()
    for name in ("one", "two"):
        scene.repository(name)
    scene.succeed("one")
    removes = scene.start("one", state="absent")
    with removes.frozen_when(lambda: scene.cluster.fillers(WORK), "the removal's filler"):
        fills = scene.start("one", "two")
        fills.until_it_says("waits for the filler of")
    assert removes.finish().code == 0
    done = fills.finish()
    assert done.code == 0, done.story
    assert done.actions()[scene.worker_claim()] == {"one": "add", "two": "add"}
    assert listed(scene) == [{"one", "two"}] * 2
    scene.check("one", "two")


def test_records_of_two_runs_are_one_record(scene: Scene) -> None:
    scene.deploy()
    for name in ("one", "two"):
        scene.repository(name)
    scene.server.hold()
    first = scene.start("one")
    until(lambda: scene.server.fetches > 0, "the first run's fetch")
    second = scene.start("two")
    second.until_it_says("waits for the filler of")  # it has read the claims, on which there is nothing yet
    scene.server.release()
    assert [run.finish().code for run in (first, second)] == [0, 0]
    assert listed(scene) == [{"one", "two"}] * 2
    assert not scene.succeed("one", "two").result["changed"]
    scene.check("one", "two")


def test_two_runs_inside_the_holder_take_turns(scene: Scene) -> None:
    scene.deploy()
    for name in ("one", "two"):
        scene.repository(name, commits=30)
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    scene.server.hold()
    first = scene.start("one", in_use="holder")
    until(lambda: scene.server.fetches > 0, "the first run's fetch")
    second = scene.start("one", "two", in_use="holder")
    second.until_it_says(f"at work in pod {scene.pods[0]}")
    scene.server.release()
    outcomes = [run.finish() for run in (first, second)]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes[0].story + outcomes[1].story
    assert listed(scene) == [{"one", "two"}] * 2
    scene.check("one", "two")


def test_a_run_that_slept_longer_than_its_fillers_last_says_so_and_starts_anew(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=30)
    scene.server.hold()
    sleeper = scene.start(**SHORT)
    with sleeper.frozen_when(lambda: scene.server.fetches > 0, "the fetch"):
        until(lambda: not any(map(scene.cluster.counted_by_quota, (WORK, SAND))), "the end of the sleeping run's fillers")
        scene.server.release()
        scene.succeed(**SHORT)
    done = sleeper.finish()
    assert done.code == 0, done.story
    assert "was lost, and is taken again" in done.text
    assert done.actions()[scene.worker_claim()] == {"one": "unchanged"}
    scene.check()


def test_a_run_that_wakes_beside_another_runs_filler_does_not_work_in_it(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=30)
    scene.server.hold()
    sleeper = scene.start(**SHORT)
    with sleeper.frozen_when(lambda: scene.server.fetches > 0, "the fetch"):
        until(lambda: not any(map(scene.cluster.counted_by_quota, (WORK, SAND))), "the end of the sleeping run's fillers")
        before = scene.server.fetches
        other = scene.start(**SHORT)
        until(lambda: scene.server.fetches > before, "the other run's fetch")
    sleeper.until_it_says("waits for the filler of")
    scene.server.release()
    outcomes = [run.finish() for run in (other, sleeper)]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes[0].story + outcomes[1].story
    assert "another one of run" in outcomes[1].text
    scene.check()
