# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that meet: whatever the order, a sandbox has what its worker has, a record claims only what is there, a volume has one writer."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Record
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.volume_run import VolumeRun
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.claim_lock import HOLDER
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.filler import SKEW
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.heartbeat import HEARTBEAT_LIMIT
from ansible_collections.packit.deployment.plugins.module_utils.volumes import holding as holding_module
from ansible_collections.packit.deployment.tests.meeting.world import IN_USE, PAIR, PROJECTS, Actor, World

SCHEDULES = int(os.environ.get("MEETING_SCHEDULES", "200"))
MOST_RUNS = 4
LISTS = st.sampled_from([PROJECTS, *((name,) for name in PROJECTS)])
STATES = st.sampled_from([State.PRESENT, State.ABSENT])
SKEWS = st.sampled_from([0.0, -10.0, 10.0])
RUNS = st.tuples(STATES, LISTS, st.sampled_from(IN_USE), SKEWS)


class Meeting(RuleBasedStateMachine):
    """Two to four runs on one pair, each of which goes on, is stopped and woken, or killed at any point."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    def _run(self, index: int) -> Actor:
        return self.world.runs[index % len(self.world.runs)]

    @initialize(before=st.sampled_from([PROJECTS, (), ("one",)]), first=RUNS, second=RUNS)
    def begin(self, before, first, second):  # type: ignore[no-untyped-def]
        if before:
            self.world.start(State.PRESENT, before, "same_node")
            self.world.finish()
            self.world.runs.clear()
        self.world.start(*first)
        self.world.start(*second)

    @precondition(lambda self: len(self.world.runs) < MOST_RUNS)
    @rule(run=RUNS)
    def one_more(self, run):  # type: ignore[no-untyped-def]
        self.world.start(*run)

    @rule(index=st.integers(0, 3), steps=st.integers(1, 40))
    def goes_on(self, index, steps):  # type: ignore[no-untyped-def]
        run = self._run(index)
        for _step in range(steps if run.awake else 0):
            run.step()
            self.world.check()

    @rule(steps=st.integers(1, 20))
    def all_go_on(self, steps):  # type: ignore[no-untyped-def]
        for _step in range(steps):
            self.world.step_all()

    @rule(index=st.integers(0, 3))
    def is_stopped_or_woken(self, index):  # type: ignore[no-untyped-def]
        run = self._run(index)
        run.awake = not run.awake

    @rule(index=st.integers(0, 3), steps=st.integers(1, 60), seconds=st.sampled_from([HEARTBEAT_LIMIT + 1, 2 * HEARTBEAT_LIMIT]))
    def sleeps_while_the_others_go_on(self, index, steps, seconds):  # type: ignore[no-untyped-def]
        sleeper = self._run(index)
        sleeper.awake = False
        self.world.pass_time(seconds)
        for _step in range(steps):
            self.world.step_all()
        sleeper.awake = True

    @rule(index=st.integers(0, 3))
    def is_killed(self, index):  # type: ignore[no-untyped-def]
        self._run(index).kill()

    @rule(seconds=st.sampled_from([5, HEARTBEAT_LIMIT + 1, 2 * HEARTBEAT_LIMIT]))
    def time_passes(self, seconds):  # type: ignore[no-untyped-def]
        self.world.pass_time(seconds)

    @rule(name=st.sampled_from(PROJECTS))
    def upstream_moves(self, name):  # type: ignore[no-untyped-def]
        self.world.upstream[name] += 1

    @invariant()
    def holds(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        """All come to their end, and one more run has nothing that it cannot do."""
        try:
            if self.world.runs:
                self.world.finish()
            last = self.world.start(State.PRESENT, PROJECTS, "same_node")
            self.world.finish()
            for run in self.world.runs:
                if not run.killed and run.error is not None:
                    raise run.error
            assert last.result is not None
            failed = [project for volume in (last.result.sandbox, last.result.worker) for project in volume.projects if project.failed]
            assert not failed, f"the last run could not do all: {failed}"
            for volume in PAIR.volumes:
                assert set(self.world.volumes[volume]) == {*PROJECTS}
        finally:
            self.world.close()


TestMeeting = Meeting.TestCase
TestMeeting.settings = settings(max_examples=SCHEDULES, stateful_step_count=15, derandomize=SCHEDULES <= 200, deadline=None)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def actions(run: Actor) -> dict[str, list[Action]]:
    """project → what a run did on the sandbox's volume, and on the worker's."""
    assert run.error is None, run.error
    assert run.result is not None
    found: dict[str, list[Action]] = {}
    for volume in (run.result.sandbox, run.result.worker):
        for project in volume.projects:
            found.setdefault(project.project, []).append(project.action)
    return found


def go_on_until(run: Actor, words: str) -> None:
    """Let a run go on until it has said this."""
    for _step in range(500):
        if any(words in told for told in run.told) or run.done:
            break
        run.step()
        run.world.check()
    assert any(words in told for told in run.told), run.told


def filled(world: World, *names: str) -> None:
    """A pair that has these projects."""
    world.start(State.PRESENT, names, "same_node")
    world.finish()


def to_its_end(run: Actor) -> None:
    """Let one run go on alone."""
    for _step in range(1000):
        if run.done:
            return
        run.step()
        run.world.check()
    raise AssertionError(f"{run.name} does not end: {run.told[-3:]}")


def asleep_for_long(world: World, run: Actor) -> None:
    """Stop a run until its fillers have ended and its locks count as a dead one's."""
    run.awake = False
    world.pass_time(HEARTBEAT_LIMIT + SKEW + 11)


def test_what_another_run_took_away_meanwhile_is_brought_again(world: World) -> None:
    filled(world, "one")
    removes = world.start(State.ABSENT, ("one",), "same_node")
    go_on_until(removes, "w/worker  is taken")
    fills = world.start(State.PRESENT, PROJECTS, "same_node")
    go_on_until(fills, "w/worker  is taken")  # it has planned, and `one` was there
    to_its_end(removes)
    to_its_end(fills)
    assert actions(removes)["one"] == [Action.REMOVE, Action.REMOVE]
    assert actions(fills)["one"] == [Action.ADD, Action.ADD]
    assert set(world.volumes[PAIR.worker]) == {*PROJECTS}


def test_what_another_run_is_at_work_on_is_not_known_when_a_run_begins(world: World) -> None:
    filled(world, "one")
    removes = world.start(State.ABSENT, ("one",), "same_node")
    while HOLDER not in world.annotations(PAIR.worker):
        removes.step()
    fills = world.start(State.PRESENT, ("one",), "same_node")  # all that it wants is there now, and will not be for long
    go_on_until(fills, "w/worker  is taken")
    to_its_end(removes)
    to_its_end(fills)
    assert actions(fills)["one"] == [Action.ADD, Action.ADD]


def test_what_another_run_did_meanwhile_is_not_done_again(world: World) -> None:
    first, second = (world.start(State.PRESENT, ("one",), "same_node") for _number in range(2))
    go_on_until(second, "w/worker  is taken")
    to_its_end(first)
    to_its_end(second)
    assert actions(second)["one"] == [Action.NOTHING, Action.NOTHING]
    assert not any("s/sandbox  is taken" in told for told in second.told)


def test_records_of_two_runs_are_one_record(world: World) -> None:
    for name in PROJECTS:
        world.start(State.PRESENT, (name,), "same_node")
    world.finish()
    for volume in PAIR.volumes:
        assert {*world.record(volume).projects} == {*PROJECTS}
    idle = world.start(State.PRESENT, PROJECTS, "same_node")
    to_its_end(idle)
    assert not any("is taken" in told for told in idle.told)


def test_between_the_halves_of_a_removal_nobody_brings_anything_back(world: World) -> None:
    filled(world, "one")
    removes = world.start(State.ABSENT, ("one",), "same_node")
    go_on_until(removes, "w/worker one removed")
    fills = world.start(State.PRESENT, ("one",), "same_node")
    for _step in range(200):
        fills.step()
        world.check()
    assert not fills.done
    world.finish()
    assert actions(fills)["one"] == [Action.ADD, Action.ADD]


def test_a_removal_that_slept_between_its_halves_takes_nothing_off_that_was_brought_back(world: World) -> None:
    filled(world, "one")
    removes = world.start(State.ABSENT, ("one",), "same_node")
    go_on_until(removes, "w/worker one removed")
    asleep_for_long(world, removes)
    to_its_end(world.start(State.PRESENT, ("one",), "same_node"))
    to_its_end(removes)
    assert actions(removes)["one"] == [Action.FAILED, Action.REMOVE]
    assert removes.result is not None
    assert "is lost" in removes.result.sandbox.projects[0].error
    assert "one" in world.volumes[PAIR.sandbox]
    assert any("is not this run's any more" in warning for warning in removes.result.worker.warnings)


def test_what_was_proved_of_a_sandbox_is_proved_again_where_the_worker_was_let_go(world: World) -> None:
    fills = world.start(State.PRESENT, ("one",), "same_node")
    go_on_until(fills, "s/sandbox  released")
    asleep_for_long(world, fills)
    to_its_end(world.start(State.ABSENT, ("one",), "same_node"))
    to_its_end(fills)
    assert actions(fills)["one"] == [Action.ADD, Action.ADD]
    assert any("was lost, and is taken again" in told for told in fills.told)
    assert "one" in world.volumes[PAIR.sandbox]


def test_a_run_that_slept_writes_nothing_on_a_claim_that_another_has_had_since(world: World) -> None:
    fills = world.start(State.PRESENT, ("one",), "same_node")
    go_on_until(fills, "w/worker one added")
    asleep_for_long(world, fills)
    to_its_end(world.start(State.ABSENT, ("one",), "same_node"))
    to_its_end(fills)
    assert world.record(PAIR.worker).absent == ("one",)


@pytest.mark.parametrize("second", IN_USE)
@pytest.mark.parametrize("first", IN_USE)
def test_a_volume_in_which_another_run_works_is_waited_for_whichever_way_each_has_it(world: World, first: str, second: str) -> None:
    works = world.start(State.PRESENT, ("one",), first)
    go_on_until(works, "s/sandbox  is taken")
    waits = world.start(State.PRESENT, ("two",), second)
    go_on_until(waits, "waits for ")
    world.finish()
    assert actions(works)["one"] == actions(waits)["two"] == [Action.ADD, Action.ADD]
    assert not any(HOLDER in body["metadata"].get("annotations", {}) for body in world.api.objects.values())


@pytest.mark.parametrize("second", IN_USE)
def test_a_lock_inside_anothers_pod_is_taken_over_when_its_run_is_dead_and_not_before(world: World, second: str) -> None:
    works = world.start(State.PRESENT, ("one",), "holder")
    go_on_until(works, "s/sandbox  is taken")
    works.awake = False
    waits = world.start(State.PRESENT, ("one",), second)
    world.pass_time(HEARTBEAT_LIMIT)
    for _step in range(100):
        waits.step()
        world.check()
    assert any("waits for somebody on here (run run0), at work in pod consumer-worker" in told for told in waits.told)
    assert not waits.done
    world.pass_time(SKEW + 11)
    to_its_end(waits)
    to_its_end(works)
    assert any("was lost, and is taken again" in told for told in works.told)
    assert actions(works)["one"] == [Action.NOTHING, Action.NOTHING]


@pytest.mark.parametrize("second", IN_USE)
@pytest.mark.parametrize("first", IN_USE)
def test_a_volume_whose_work_may_go_on_is_not_given_back(world: World, first: str, second: str) -> None:
    works = world.start(State.PRESENT, ("one",), first)
    go_on_until(works, "w/worker one added")
    world.refuses = True
    to_its_end(works)
    assert works.result is not None
    if first == "holder":
        assert "stays locked; the next run ends what is left there" in " ".join(works.result.worker.warnings)
    waits = world.start(State.PRESENT, PROJECTS, second)
    for _step in range(100):
        waits.step()
        world.check()
    assert any("waits for " in told for told in waits.told)
    assert "two" not in world.volumes[PAIR.worker]
    world.refuses = False
    asleep_for_long(world, works)
    world.finish()
    assert actions(waits) == {"one": [Action.NOTHING] * 2, "two": [Action.ADD] * 2}
    assert {*world.record(PAIR.worker).projects} == {*PROJECTS}
    assert not any(HOLDER in body["metadata"].get("annotations", {}) for body in world.api.objects.values())


def test_a_hold_that_was_never_handed_out_has_seen_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def breaks(*_words: object) -> None:
        raise ClusterError("no exec")

    def news(side: VolumeRun, record: Record) -> Record:
        asked.append(side.volume)
        return record

    monkeypatch.setattr(holding_module, "watching_contention", breaks)
    monkeypatch.setattr(VolumeRun, "_with_news", news)
    to_its_end(world.start(State.PRESENT, ("one",), "same_node"))
    assert asked == [PAIR.worker]
    assert not any(HOLDER in body["metadata"].get("annotations", {}) for body in world.api.objects.values())
