# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that meet on the same volumes: what each finds when its turn comes is what counts, not what it read when it began."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from typing import Any

import pytest

from tests.waiting import until

from .harness import SAND, WORK, Scene, objects
from .runs import Started

SHORT: dict[str, Any] = {"filler": {"heartbeat": 12}}
SCHEDULES = int(os.environ.get("MEETING_SCHEDULES", "5"))
"""The number of schedules; here few, as each takes up to minutes of waiting for what sleeps. `make meetings` runs 20."""
PROJECTS = ("one", "two")
LISTS = (PROJECTS, ("one",), ("two",))


def claimed(scene: Scene) -> list[set[str]]:
    """Return what the claims of the first pair say is there."""
    found = []
    for namespace, claim in ((WORK, scene.worker_claim()), (SAND, scene.sandbox_claim())):
        annotations = scene.cluster.core.read_namespaced_persistent_volume_claim(claim, namespace).metadata.annotations or {}
        found.append({*json.loads(annotations.get("packit.dev/repository-cache", '{"projects": {}}'))["projects"]})
    return found


def listed(scene: Scene) -> list[set[str]]:
    """The same, where no run is at work any more: nobody has the lock on them."""
    for namespace, claim in ((WORK, scene.worker_claim()), (SAND, scene.sandbox_claim())):
        annotations = scene.cluster.core.read_namespaced_persistent_volume_claim(claim, namespace).metadata.annotations
        assert "packit.dev/holder" not in annotations
    return claimed(scene)


def holds(scene: Scene, namespace: str) -> bool:
    """Return whether a volume's filler is there: other pods of ours are, before one is."""
    return any(name.startswith("packit-cache-filler-") for name in scene.cluster.fillers(namespace))


def test_what_another_run_removed_meanwhile_is_brought_again(scene: Scene) -> None:
    scene.deploy()
    for name in ("one", "two"):
        scene.repository(name)
    scene.succeed("one")
    removes = scene.start("one", state="absent")
    with removes.frozen_when(lambda: holds(scene, WORK), "the removal's filler"):
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


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_whatever_the_schedule_the_rules_hold_and_the_claims_say_missing_only(scene: Scene, seed: int) -> None:
    """Two or three runs, one of which is stopped for a moment, sleeps for longer than its fillers last, or is killed, at a point that the
    seed chooses. tests/meeting has thousands of these, without a cluster."""
    chance = random.Random(seed)
    scene.deploy()
    for name in PROJECTS:
        scene.repository(name)
    if chance.random() < 0.5:
        scene.succeed(*chance.choice(LISTS), **SHORT)
    if chance.random() < 0.3:
        scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    options = [
        (chance.choice(LISTS), chance.choice(("present", "present", "absent")), chance.choice(("same_node", "holder")))
        for _run in range(chance.choice((2, 3)))
    ]
    runs = [scene.start(*names, state=state, in_use=in_use, **SHORT) for names, state, in_use in options]
    chosen, others = runs[0], runs[1:]
    go_on(chosen, lines=chance.randint(1, 12))
    fate = chance.choice(("is stopped", "sleeps", "is killed"))
    if fate == "is killed" and chosen.poll() is None:
        chosen.kill()
    elif chosen.poll() is None:
        with chosen.frozen_when(lambda: True, "any point"):
            if fate == "sleeps":
                until(lambda: not any(map(scene.cluster.counted_by_quota, (WORK, SAND))) or ended(others), "the end of its fillers")
            else:
                until(lambda: ended(others) or all(len(run.so_far().splitlines()) > 1 for run in others), "others that have begun")
    require_end([run for run in runs if run is not chosen or fate != "is killed"])
    require_rules(scene)
    until(lambda: not any(map(scene.cluster.counted_by_quota, (WORK, SAND))), "the end of what a killed run has left")
    done = scene.succeed(*PROJECTS, **SHORT)
    require_rules(scene)
    assert listed(scene) == [{*PROJECTS}] * 2, done.story
    scene.check(*PROJECTS)


def go_on(run: Started, lines: int) -> None:
    """Wait until a run has printed so many lines, or has ended."""
    until(lambda: run.poll() is not None or len(run.so_far().splitlines()) >= lines, f"a run that has printed {lines} lines")


def ended(runs: Sequence[Started]) -> bool:
    """Return whether one of the runs has ended."""
    return any(run.poll() is not None for run in runs)


def require_end(runs: Sequence[Started]) -> Sequence[Started]:
    """Wait for the end of all, none of which may have failed."""
    for run in runs:
        outcome = run.finish()
        assert outcome.code == 0, outcome.story
    return runs


def require_rules(scene: Scene) -> None:
    """Require that a sandbox's volume has all of its worker's, and that the claims name nothing that is not there."""
    worker, sandbox = scene.worker(), scene.sandbox()
    for name in PROJECTS:
        if (worker / name).exists():
            assert objects(worker / name) <= objects(sandbox / name)
    for volume, names in zip((worker, sandbox), claimed(scene), strict=True):
        assert names <= {path.name for path in volume.iterdir()}
