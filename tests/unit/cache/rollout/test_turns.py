# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox's volume is held in turns: what does not fit, is interrupted or loses its connection goes on in a later one."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action, Wanted, make_plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import (
    Change,
    Record,
    unchanged,
)
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.rollout_options import Options
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Entry
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetch_errors import SnapshotGone
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Incoming, Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout import fill_pair, turns
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.fill_pair import FillPair
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.remove_pair import RemovePair
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.sandbox import SandboxFiller
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.snapshots import Snapshots
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.unrecorded import UnrecordedProjects
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.volume_access import VolumeSkipped
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.volume_run import VolumeRun
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer import from_worker
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GIT, GitTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_seed import SEED
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, DeploymentError, Interrupted, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.progress import OnLine, Progress
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.once import copied
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.repository.driver import (
    PAIR,
    HeldDirectory,
    LocalVolumeAccess,
    fill,
    project_of,
)
from ansible_collections.packit.deployment.tests.unit.recorded import recorded_entry
from ansible_collections.packit.deployment.tests.upstream.server import GitServer


class Stumbling:
    """A transfer that fails on the sandbox's volume as often as it is told to, and can go on.

    ``on_worker``: how each turn on the worker's volume fails; None where it does not.
    """

    method = SEED
    resumes = True

    def __init__(self, url: str, failures: list[Exception], resumes: bool = True) -> None:
        self._git = GitTransfer(url)
        self._failures = failures
        self.resumes = resumes
        self.prepared = 0
        self.on_worker: list[Exception | None] = []
        self.deadlines_on_worker: list[Deadline] = []

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        self.prepared += 1
        return 0

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        deadline.left()
        if repository.root.endswith("worker"):
            self.deadlines_on_worker.append(deadline)
        if repository.root.endswith("sandbox") and self._failures:
            raise self._failures.pop(0)
        if repository.root.endswith("worker") and self.on_worker and (failure := self.on_worker.pop(0)) is not None:
            raise failure
        return self._git.receive(repository, entry, snapshot, deadline, progress)


class CountingAccess(LocalVolumeAccess):
    """Counts how often each volume was held; ``wanted`` is set in the first holds of the sandbox's. ``held_worker`` is set while
    the worker's is."""

    def __init__(self, directory: Path, interrupted: int = 0) -> None:
        super().__init__(directory)
        self.holds: list[str] = []
        self.held: set[str] = set()
        self._interrupted = interrupted
        self.attach = 0.0
        self.unprepared: DeploymentError | None = None
        self.prepares_for_ever = False
        self.interrupted = threading.Event()
        self.held_worker = threading.Event()

    def prepare(self, volume: Volume, deadline: Deadline) -> None:
        assert volume.role is Role.SANDBOX
        assert "sandbox" not in self.holds
        while self.prepares_for_ever:
            try:
                deadline.sleep(0.01)
            except Interrupted:
                self.interrupted.set()
                raise
        assert self.held_worker.wait(deadline.left())
        assert "worker" in self.holds  # on a busy machine it may be lost again by now, where a test has it lost
        if self.unprepared is not None:
            raise self.unprepared

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        self.holds.append(volume.role.value)
        with super().hold(volume, deadline, news) as held, self._noted(volume):
            if volume.role is Role.SANDBOX:
                held.wanted = threading.Event()  # type: ignore[assignment]
                held.held_seconds = self.attach
                if self._interrupted:
                    self._interrupted -= 1
                    held.wanted.set()  # type: ignore[attr-defined]
            yield held

    @contextmanager
    def _noted(self, volume: Volume) -> Iterator[None]:
        self.held.add(volume.role.value)
        if volume.role is Role.WORKER:
            self.held_worker.set()
        try:
            yield
        finally:
            self.held.discard(volume.role.value)


Run = Callable[..., tuple[PairResult, CountingAccess, Stumbling, list[Progress]]]


@pytest.fixture
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns follow each other at once."""
    monkeypatch.setattr(turns, "PAUSE", 0.01)


@pytest.fixture
def run(tmp_path: Path, without_pauses: None) -> Iterator[Run]:
    copied("five-commits", lambda path: make.make(path, commits=5), tmp_path / "upstream" / "one.git")
    with GitServer(tmp_path / "upstream") as server:
        url = server.url("one.git")

        def go(
            failures: list[Exception],
            interrupted: int = 0,
            resumes: bool = True,
            reading: Callable[[CountingAccess], object] = lambda _access: None,
            on_worker: Sequence[Exception | None] = (),
            unprepared: DeploymentError | None = None,
            prepares_for_ever: bool = False,
            names: Sequence[str] = ("one",),
            attach: float = 0.0,
        ) -> tuple[PairResult, CountingAccess, Stumbling, list[Progress]]:
            projects = tuple(replace(project_of(url), name=name) for name in names)
            volumes = Pair(Volume("w", "worker", Role.WORKER), Volume("s", "sandbox", Role.SANDBOX))
            snapshots = {project.name: read_snapshot(LocalShell(), project, Deadline(BOUND, "this test")) for project in projects}
            plan = make_plan(Wanted(State.PRESENT, projects, snapshots, METHODS, datetime.now(timezone.utc)), (volumes,), {})
            access, transfer = CountingAccess(tmp_path, interrupted), Stumbling(url, failures, resumes)
            told: list[Progress] = []
            transfer.on_worker += on_worker
            access.unprepared = unprepared
            access.attach = attach
            access.prepares_for_ever = prepares_for_ever
            (tmp_path / "scratch").mkdir()
            options = Options(timeout=BOUND, max_hold=BOUND, verify=False, scratch=tmp_path / "scratch")

            def read_again(project: Project) -> Snapshot:
                reading(access)
                return read_snapshot(LocalShell(), project, Deadline(BOUND, "this test"))

            shared = Snapshots(snapshots, read_again)
            for project in projects:
                shared.full_reads.report(project, in_full=True)  # these tests are of what comes after the look
            result = FillPair(plan.pairs[0], access, shared, lambda _step: transfer, options, told.append, threading.Event()).run()
            return result, access, transfer, told

        yield go


def actions(result: PairResult) -> list[Action]:
    return [volume.projects[0].action for volume in (result.sandbox, result.worker)]


def test_a_volume_that_attaches_slowly_is_told_and_not_its_projects(run: Run) -> None:
    result, access, _transfer, _told = run([], resumes=False, names=("one", "two"), attach=BOUND)
    words = {project.error for project in result.sandbox.projects}
    assert words == {f"Volume s/sandbox took {BOUND:.0f} seconds until its pod was ready, and 0 were left for all work on it."}
    assert {project.remedy for project in result.sandbox.projects} == {
        "Look why it attaches so slowly, and run again; or raise option `max_hold`."
    }
    assert access.holds.count("sandbox") == 1


def test_what_does_not_fit_in_a_hold_goes_on_in_the_next(run: Run) -> None:
    result, access, transfer, _told = run([DeadlineExceeded("the longest hold"), DeadlineExceeded("the longest hold")])
    assert actions(result) == [Action.ADD, Action.ADD]
    assert access.holds == ["worker", "sandbox", "sandbox", "sandbox"]
    assert transfer.prepared > 2  # again before each turn, while the volume is free
    assert len(result.sandbox.locks) == 3


def test_what_cannot_go_on_is_refused_instead(run: Run) -> None:
    result, access, _transfer, _told = run([DeadlineExceeded("the longest hold")], resumes=False)
    assert actions(result) == [Action.FAILED, Action.BLOCKED]
    assert "could not be brought to the volume while it was held: the longest hold" in result.sandbox.projects[0].error
    assert "Use option `method: seed`" in result.sandbox.projects[0].remedy
    assert access.holds == ["worker", "sandbox"]


def test_several_of_which_none_fits_in_a_hold_go_on_one_by_one(run: Run) -> None:
    result, access, _transfer, _told = run([DeadlineExceeded("the longest hold")] * 3, resumes=False, names=("one", "two"))
    assert [project.action for project in result.sandbox.projects] == [Action.FAILED, Action.ADD]
    assert "could not be brought to the volume while it was held: the longest hold" in result.sandbox.projects[0].error
    assert access.holds == ["worker", "sandbox", "sandbox", "sandbox"]


def test_a_consumer_that_waits_gets_the_volume_and_the_work_goes_on_later(run: Run) -> None:
    result, access, _transfer, told = run([], interrupted=2)
    assert actions(result) == [Action.ADD, Action.ADD]
    assert access.holds == ["worker", "sandbox", "sandbox", "sandbox"]
    assert [progress.detail for progress in told if progress.phase == "is given back"] == ["a consumer's pod waits for the volume"] * 2


def test_a_lost_place_is_tried_again_but_not_for_ever(run: Run) -> None:
    result, access, _transfer, _told = run([PlaceLost("gone")] * 2)
    assert actions(result) == [Action.ADD, Action.ADD]
    assert access.holds.count("sandbox") == 3


def test_a_place_that_is_lost_each_time_is_a_failure_of_that_pair(run: Run) -> None:
    result, access, _transfer, _told = run([PlaceLost("the pod is gone", "Run again.")] * 9)
    assert actions(result) == [Action.FAILED, Action.BLOCKED]
    assert result.sandbox.projects[0].error == "the pod is gone"
    assert access.holds.count("sandbox") == 3


@pytest.mark.parametrize("error", [DeploymentError("the node is cordoned"), PlaceLost("the pod that pulled the image is gone")])
def test_what_could_not_be_prepared_is_judged_when_the_volume_is_taken(run: Run, error: DeploymentError) -> None:
    result, access, _transfer, told = run([], unprepared=error)
    assert actions(result) == [Action.ADD, Action.ADD]
    assert access.holds == ["worker", "sandbox"]
    words = "could not be prepared, which is tried again when it is taken"
    assert [progress.detail for progress in told if progress.phase == words] == [error.message]


def test_a_project_that_failed_on_the_worker_still_has_its_result_on_the_sandbox_when_the_worker_is_lost(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [PlaceLost("the worker's pod is gone")]

    def require_there(*_: object) -> None:
        if looks:
            raise looks.pop()

    monkeypatch.setattr(fill_pair, "require_there", require_there)
    result, access, _transfer, _told = run(
        [PlaceLost("the sandbox's pod is gone")], on_worker=[DeploymentError("the volume is full")], names=("one", "two")
    )
    assert access.holds.count("worker") == 2
    assert [(project.project, project.action) for project in result.sandbox.projects] == [("one", Action.ADD), ("two", Action.ADD)]
    assert [(project.project, project.action) for project in result.worker.projects] == [("one", Action.FAILED), ("two", Action.ADD)]


def test_all_projects_of_a_worker_share_its_time_as_its_filler_does_not_last_longer(run: Run) -> None:
    _result, _access, transfer, _told = run([], names=("one", "two"))
    first, second = transfer.deadlines_on_worker
    assert first is second


def test_sandboxes_of_one_name_in_two_namespaces_have_their_packs_apart(tmp_path: Path) -> None:
    sides = [VolumeRun(Volume(namespace, "claim", Role.SANDBOX), (), LocalVolumeAccess(tmp_path), lambda _: None) for namespace in ("a", "b")]
    options = Options(timeout=BOUND, max_hold=BOUND, verify=False, scratch=tmp_path)
    snapshots = Snapshots({}, lambda _: pytest.fail("nothing is read"))
    unrecorded = UnrecordedProjects(sides[0], {}, lambda _: pytest.fail("nothing is brought"), snapshots, GIT)
    turns = [SandboxFiller(side, {}, {}, snapshots, options, unrecorded) for side in sides]
    assert turns[0]._scratch != turns[1]._scratch


def test_two_projects_with_the_same_pack_both_get_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stumbling, "method", GIT)
    result, _access, _transfer, _told = run([], names=("one", "two"))
    assert [project.action for project in result.sandbox.projects] == [Action.ADD, Action.ADD]


def test_what_the_packs_way_takes_is_judged_over_all_of_its_tries(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the worker's two files takes 350 seconds by the clock. The first is here when the second is cut."""
    now, cuts, download = [0.0], [PlaceLost("cut")], LocalShell.download

    def slow(shell: LocalShell, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        if to.suffix == ".idx" and cuts:
            raise cuts.pop()
        now[0] += 350
        return download(shell, argv, to, deadline=deadline)

    monkeypatch.setattr(LocalShell, "download", slow)
    monkeypatch.setattr(from_worker, "monotonic", lambda: now[0])
    monkeypatch.setattr(Stumbling, "method", GIT)
    result, access, _transfer, _told = run([])
    assert actions(result) == [Action.FAILED, Action.BLOCKED]
    assert "from the worker's volume took 700 seconds" in result.sandbox.projects[0].error
    assert access.holds == ["worker"]


@pytest.mark.parametrize(("losses", "expected"), [(2, [Action.ADD, Action.ADD]), (9, [Action.FAILED, Action.BLOCKED])])
def test_a_worker_that_is_lost_while_its_packs_are_brought_has_another_try(
    run: Run, monkeypatch: pytest.MonkeyPatch, losses: int, expected: list[Action]
) -> None:
    left = [losses]
    download = LocalShell.download

    def losing(shell: LocalShell, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        if left[0]:
            left[0] -= 1
            raise PlaceLost("cut in the middle")
        return download(shell, argv, to, deadline=deadline)

    monkeypatch.setattr(LocalShell, "download", losing)
    monkeypatch.setattr(Stumbling, "method", GIT)
    result, access, _transfer, _told = run([])
    assert actions(result) == expected
    if expected[0] is Action.FAILED:
        assert result.sandbox.projects[0].error == "cut in the middle"
        assert access.holds == ["worker"]


class Gone(LocalShell):
    """A place that is lost."""

    def run(self, argv, **_options):  # type: ignore[no-untyped-def]
        raise PlaceLost("the worker's pod is gone", "Run again.")


@pytest.mark.parametrize(("losses", "expected"), [(2, [Action.ADD, Action.ADD]), (9, [Action.FAILED, Action.FAILED])])
def test_a_worker_whose_filler_is_lost_is_taken_again_but_not_for_ever(
    run: Run, monkeypatch: pytest.MonkeyPatch, losses: int, expected: list[Action]
) -> None:
    left = [losses]
    hold = LocalVolumeAccess.hold

    @contextmanager
    def losing(access: LocalVolumeAccess, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        with hold(access, volume, deadline, news) as held:
            if volume.role is Role.WORKER and left[0]:
                left[0] -= 1
                held.shell = Gone()
            yield held

    monkeypatch.setattr(LocalVolumeAccess, "hold", losing)
    result, access, _transfer, told = run([], prepares_for_ever=losses == 9)
    assert actions(result) == expected
    assert not [progress for progress in told if progress.phase.startswith("could not be prepared")]
    assert access.holds.count("worker") == 3
    assert access.interrupted.is_set() is (losses == 9)  # nobody needs what was prepared any more
    if expected[0] is Action.FAILED:
        assert result.sandbox.projects[0].error == result.worker.projects[0].error == "the worker's pod is gone"


def test_refs_that_upstream_has_lost_are_read_again_while_no_sandbox_waits_for_it(run: Run) -> None:
    held: list[set[str]] = []
    result, access, _transfer, _told = run([SnapshotGone("not our ref")] * 2, reading=lambda access: held.append(set(access.held)))
    assert actions(result) == [Action.ADD, Action.ADD]
    assert held == [{"worker"}] * 2
    assert access.holds == ["worker", "sandbox", "sandbox", "sandbox"]


def test_a_worker_that_cannot_have_the_new_snapshot_does_not_keep_its_sandbox_waiting(run: Run, tmp_path: Path) -> None:
    result, access, _transfer, _told = run(
        [SnapshotGone("not our ref")],
        reading=lambda _access: make.commit(tmp_path / "upstream/one.git", "main", 1),
        on_worker=[None, DeploymentError("the volume is full")],
    )
    assert actions(result) == [Action.ADD, Action.FAILED]
    assert result.worker.projects[0].error == "the volume is full"
    assert access.holds == ["worker", "sandbox", "sandbox"]


def test_an_upstream_that_loses_objects_without_end_is_a_failure(run: Run) -> None:
    result, _access, _transfer, _told = run([SnapshotGone("not our ref")] * 99)
    assert actions(result) == [Action.FAILED, Action.BLOCKED]
    assert "lost objects of its own refs 5 times during this run." in result.sandbox.projects[0].error


def test_another_failure_is_not_tried_again(run: Run) -> None:
    result, access, _transfer, _told = run([DeploymentError("no")])
    assert actions(result) == [Action.FAILED, Action.BLOCKED]
    assert access.holds.count("sandbox") == 1


def remove_two(tmp_path: Path, interrupted: int = 0, attach: float = 0.0, known: bool = False) -> tuple[PairResult, CountingAccess]:
    """Remove two projects from both volumes."""
    projects = tuple(Project(name, f"https://example.org/{name}") for name in ("one", "two"))
    for role in ("worker", "sandbox"):
        for project in projects:
            make.make(tmp_path / role / project.name, commits=1)
    pair = Pair(Volume("w", "worker", Role.WORKER), Volume("s", "sandbox", Role.SANDBOX))
    (plan,) = make_plan(Wanted(State.ABSENT, projects, {}, METHODS, datetime.now(timezone.utc)), (pair,), {}).pairs
    access = CountingAccess(tmp_path, interrupted)
    access.attach = attach
    if known:
        entry = recorded_entry(url="https://example.org")
        access.records = {volume: Record("u", "v", {project.name: entry for project in projects}) for volume in pair.volumes}
    options = Options(timeout=BOUND, max_hold=BOUND, verify=False, scratch=tmp_path / "scratch")
    return RemovePair(plan, access, options, lambda _progress: None, threading.Event()).run(), access


@pytest.mark.usefixtures("without_pauses")
def test_a_removal_gives_way_to_a_consumer_and_goes_on_in_a_later_turn(tmp_path: Path) -> None:
    result, access = remove_two(tmp_path, interrupted=2)
    assert access.holds == ["worker", "sandbox", "sandbox", "sandbox"]
    assert [row.action for volume in result.volumes for row in volume.projects] == [Action.REMOVE] * 4
    assert [list((tmp_path / role).iterdir()) for role in ("worker", "sandbox")] == [[], []]


def test_a_removal_for_which_a_slow_attach_leaves_no_time_says_so(tmp_path: Path) -> None:
    result, access = remove_two(tmp_path, attach=BOUND)
    assert access.holds == ["worker", "sandbox"]
    assert [row.action for row in result.sandbox.projects] == [Action.FAILED] * 2
    assert all(f"took {BOUND:.0f} seconds until its pod was ready, and 0 were left for all work on it" in row.error for row in result.sandbox.projects)
    assert all(row.remedy.endswith("or raise option `max_hold`.") for row in result.sandbox.projects)
    assert sorted(path.name for path in (tmp_path / "sandbox").iterdir()) == ["one", "two"]


@pytest.mark.usefixtures("without_pauses")
@pytest.mark.parametrize("end", [DeadlineExceeded("The longest hold is over."), Interrupted("A consumer waits.")])
def test_a_removal_that_is_cut_off_while_it_deletes_goes_on_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: DeploymentError) -> None:
    """It is out of the consumers' sight by then, so the next turn finds nothing under its name."""
    remove, cuts = Repository.remove, [end, end]

    def removed(self: Repository, deadline: Deadline) -> bool:
        done = remove(self, deadline)
        if self.root.endswith("sandbox") and self.name == "one" and cuts:
            raise cuts.pop()
        return done

    monkeypatch.setattr(Repository, "remove", removed)
    result, access = remove_two(tmp_path, known=True)
    assert access.holds == ["worker", "sandbox", "sandbox", "sandbox"]
    assert [row.action for volume in result.volumes for row in volume.projects] == [Action.REMOVE] * 4


@pytest.mark.usefixtures("without_pauses")
def test_a_removal_whose_volume_is_used_after_a_turn_has_not_left_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold, turns_held = CountingAccess.hold, [0]

    def once(self: CountingAccess, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Any:
        turns_held[0] += volume.role is Role.SANDBOX
        if turns_held[0] > 1:
            raise VolumeSkipped("A pod uses it.")
        return hold(self, volume, deadline, news)

    monkeypatch.setattr(CountingAccess, "hold", once)
    result, _access = remove_two(tmp_path, interrupted=1)
    assert [row.action for row in result.sandbox.projects] == [Action.FAILED] * 2
    assert all("A pod uses it. A part of the projects may be gone by now" in row.error for row in result.sandbox.projects)


def test_what_is_mended_without_upstream_is_as_old_as_before(tmp_path: Path) -> None:
    """Its record says when it came from upstream: by that it is told whether it may be behind."""
    copied("five-commits", lambda path: make.make(path, commits=5), tmp_path / "upstream" / "one.git")
    then, access = datetime(2026, 1, 1, tzinfo=timezone.utc), LocalVolumeAccess(tmp_path)
    with GitServer(tmp_path / "upstream") as server:
        fill(tmp_path, server.url("one.git"), access=access, now=then)
        shutil.rmtree(tmp_path / "sandbox" / "one")
        del access.records[PAIR.sandbox]
        done = fill(tmp_path, server.url("one.git"), access=access, listed=False)
    (row,) = done.sandbox.projects
    assert (row.action, row.error) == (Action.ADD, "") and row.there is not None and row.there.time == "2026-01-01T00:00:00Z"
    assert row.there == access.records[PAIR.sandbox].projects["one"]
