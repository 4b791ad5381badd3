# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several projects' scripts are one job, and each has its own end."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action, Wanted, make_plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.rollout_options import Options
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts import OUTPUT_MOST
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout import batches, sandbox
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.batches import BatchFailed, BatchingShell
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.fill_pair import FillPair
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.snapshots import Snapshots
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GitTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, DeploymentError, Interrupted, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import STDERR_LIMIT, Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.repository.beginnings import a_dozen
from ansible_collections.packit.deployment.tests.unit.cache.repository.driver import PAIR, LocalVolumeAccess, project_of
from ansible_collections.packit.deployment.tests.waiting import until


class Counting(LocalShell):
    """Counts jobs."""

    def __init__(self) -> None:
        self.jobs = 0

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        self.jobs += 1
        return super().run(argv, **more)


Wish = tuple[Sequence[str], dict[str, Any]]


def ask(shell: LocalShell, tmp_path: Path, *overrides: Wish, limit: Deadline | None = None) -> list[Completed | DeploymentError]:
    """Have each of these run, all by one ``BatchingShell``; how each ended."""
    limit = limit or Deadline(BOUND, "this test")
    shared = BatchingShell(shell, str(tmp_path / "batch"), len(overrides), limit, wait_seconds=BOUND)

    def one(wish: Wish) -> Completed | DeploymentError:
        argv, more = wish
        try:
            return shared.run(argv, **{"deadline": limit, **more})
        except DeploymentError as error:
            return error
        finally:
            shared.thread_done()

    with ThreadPoolExecutor(len(overrides)) as executor:
        return list(executor.map(one, overrides))


def test_each_has_its_own_input_output_and_exit_code(tmp_path: Path) -> None:
    shell = Counting()
    script = 'cat\nprintf "%s\\n" "$A" "$@"; echo said >&2; exit "$1"'
    words = ("@1", "+A=b", "=", "", "two\nlines", "$(echo no)", "a  b*")
    first, second, third = ask(
        shell,
        tmp_path,
        (("sh", "-c", script, "x", "0", *words), {"stdin": b"one\0\n", "env": {"A": "first"}}),
        (("sh", "-c", script, "x", "7"), {"env": {"A": "second=2"}}),
        (("sh", "-c", script, "x", "128"), {"stdin": b"three\n"}),
    )
    assert shell.jobs == 1
    assert isinstance(first, Completed) and isinstance(second, Completed) and isinstance(third, Completed)
    printed = "".join(f"{word}\n" for word in ("first", "0", *words)).encode()
    assert (first.returncode, first.stdout, first.stderr) == (0, b"one\0\n" + printed, "said\n")
    assert (second.returncode, second.stdout, second.stderr) == (7, b"second=2\n7\n", "said\n")
    assert (third.returncode, third.stdout, third.argv[0]) == (128, b"three\n\n128\n", "sh")


def test_one_that_stands_still_costs_the_others_nothing_but_time(tmp_path: Path) -> None:
    shell = Counting()
    still, other = ask(
        shell, tmp_path, (("sh", "-c", "sleep 1000 & wait"), {"deadline": Deadline(0.5, "one step")}), (("echo", "done"), {})
    )
    assert isinstance(still, DeadlineExceeded) and "sh -c in this machine did not end in time: one step took longer than" in still.message
    assert isinstance(other, Completed) and other.stdout == b"done\n"
    assert shell.jobs == 1


@pytest.mark.parametrize("beside", [True, False])
def test_only_scripts_that_may_run_at_once_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool) -> None:
    """Each waits for a moment until the other one is there too, and says whether it was."""
    script = """
    : >"$1"
    for _ in $(seq "$3"); do [ ! -e "$2" ] || break; sleep 0.05; done
    if [ -e "$2" ]; then echo both; elif [ "$3" -lt 9 ]; then rm "$1"; fi
    """
    if beside:
        monkeypatch.setattr(scripts, "PARALLEL", frozenset((script,)))
    one, two, looks = str(tmp_path / "one"), str(tmp_path / "two"), str(int(BOUND / 0.05)) if beside else "3"
    ended = ask(LocalShell(), tmp_path, (("sh", "-c", script, "x", one, two, looks), {}), (("sh", "-c", script, "x", two, one, looks), {}))
    assert [done.stdout for done in ended if isinstance(done, Completed)] == [b"both\n" if beside else b""] * 2


def test_what_a_process_left_running_writes_into_no_others_output(tmp_path: Path) -> None:
    still = '(trap "" TERM; while :; do echo noise; echo noise >&2; done) & wait'
    late, first, second = ask(
        LocalShell(),
        tmp_path,
        (("sh", "-c", still), {"deadline": Deadline(0.3, "one step")}),
        (("echo", "right"), {}),
        (("echo", "0123456789"), {}),
    )
    assert isinstance(late, DeadlineExceeded)
    assert isinstance(first, Completed) and first.stdout == b"right\n"
    assert isinstance(second, Completed) and second.stdout == b"0123456789\n"


def test_of_many_words_of_error_the_end_is_kept(tmp_path: Path) -> None:
    script = 'head -c 50000 /dev/zero | tr "\\0" a >&2; echo "the end" >&2; echo out; exit 3'
    first, second = ask(LocalShell(), tmp_path, (("sh", "-c", script), {}), (("echo", "done"), {}))
    assert isinstance(first, Completed) and (first.returncode, first.stdout) == (3, b"out\n")
    assert len(first.stderr) == STDERR_LIMIT and first.stderr.endswith("aathe end\n")
    assert isinstance(second, Completed) and second.stdout == b"done\n"


def test_a_large_output_comes_by_itself(tmp_path: Path) -> None:
    size = OUTPUT_MOST + 1
    shell = Counting()
    large, small = ask(shell, tmp_path, (("head", "-c", str(size), "/dev/zero"), {}), (("echo", "small"), {}))
    assert isinstance(large, Completed) and large.stdout == b"\0" * size
    assert isinstance(small, Completed) and small.stdout == b"small\n"
    assert shell.jobs == 2


def test_a_batch_does_not_wait_for_a_thread_that_is_done(tmp_path: Path) -> None:
    shared = BatchingShell(Counting(), str(tmp_path / "batch"), 2, Deadline(BOUND, "this test"), wait_seconds=BOUND)
    shared.thread_done()
    assert shared.run(("echo", "alone"), deadline=Deadline(BOUND, "this test")).stdout == b"alone\n"


def test_a_batch_does_not_wait_without_end_for_a_thread_that_is_busy_elsewhere(tmp_path: Path) -> None:
    shared = BatchingShell(Counting(), str(tmp_path / "batch"), 2, Deadline(BOUND, "this test"), wait_seconds=0.0)
    assert shared.run(("echo", "alone"), deadline=Deadline(BOUND, "this test")).stdout == b"alone\n"


class Lost(LocalShell):
    """A place that is lost."""

    def run(self, argv: Sequence[str], **_more: Any) -> Completed:
        raise PlaceLost("the pod is gone")


class Killed(LocalShell):
    """A place whose processes are all killed."""

    def run(self, argv: Sequence[str], **_more: Any) -> Completed:
        return Completed(tuple(argv), 137, b"", "")


class Faulty(LocalShell):
    """A fault of ours."""

    def run(self, argv: Sequence[str], **_more: Any) -> Completed:
        raise KeyError("what")


def test_a_lost_place_ends_every_command_of_the_batch(tmp_path: Path) -> None:
    for ended in ask(Lost(), tmp_path, (("true",), {}), (("true",), {})):
        assert isinstance(ended, PlaceLost) and ended.message == "the pod is gone"
    for ended in ask(Killed(), tmp_path, (("one", "more"), {}), (("two",), {})):
        assert isinstance(ended, BatchFailed) and ended.message.endswith("were killed or could not start: exit code 137.")
    for ended in ask(Faulty(), tmp_path, (("true",), {}), (("true",), {})):
        assert isinstance(ended, DeploymentError) and "KeyError: 'what'" in ended.message


def test_a_place_without_room_for_the_outputs_says_nothing_of_any(tmp_path: Path) -> None:
    """An exit code of ours would be taken for the process's own."""
    (tmp_path / "full").touch()
    for ended in ask(LocalShell(), tmp_path / "full", (("true",), {}), (("true",), {})):
        assert isinstance(ended, BatchFailed) and "Not a directory" in ended.message


def test_one_that_is_killed_beside_others_says_nothing_and_the_others_have_their_ends(tmp_path: Path) -> None:
    killed, other = ask(LocalShell(), tmp_path, (("sh", "-c", "kill -9 $$"), {}), (("echo", "done"), {}))
    assert isinstance(killed, BatchFailed) and "(sh -c) in this machine was killed while others ran" in killed.message
    assert isinstance(other, Completed) and other.stdout == b"done\n"


class NoHead(LocalShell):
    """A place in which there is room for one input. Whoever stores another one waits until the first process has begun."""

    def __init__(self, directory: Path, begun: Path) -> None:
        directory.mkdir()
        head = directory / "head"
        first = f"mkdir {directory}/first 2>&- && exec {shutil.which('head')} \"$@\""
        head.write_text(f"#!/bin/sh\n{first}\nuntil [ -s {begun} ]; do sleep 0.05; done\nexit 1\n")
        head.chmod(0o755)
        self.path = f"{directory}:{os.environ['PATH']}"

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        return super().run(argv, **{**more, "env": {"PATH": self.path}})


def test_what_has_begun_ends_where_another_cannot_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = tmp_path / "begun"
    script = 'echo $$ >"$1.new" && mv "$1.new" "$1"; exec sleep 1000'
    monkeypatch.setattr(scripts, "PARALLEL", frozenset((script,)))
    shell = NoHead(tmp_path / "bin", begun)
    words = ("sh", "-c", script, "x", str(begun))
    ended = ask(shell, tmp_path, (words, {"stdin": b"x"}), (words, {"stdin": b"x"}))
    assert all(isinstance(one, BatchFailed) for one in ended), ended
    process = Path("/proc", begun.read_text().strip())
    until(lambda: not process.exists(), "the end of what has begun")  # it was told to end, which is not yet its end


def test_a_consumer_that_waits_ends_all_of_it(tmp_path: Path) -> None:
    wanted = threading.Event()

    class Waits(LocalShell):
        def run(self, argv: Sequence[str], **more: Any) -> Completed:
            wanted.set()
            return super().run(argv, **more)

    limit = Deadline(BOUND, "this test", wanted=wanted)
    for ended in ask(Waits(), tmp_path, (("sleep", "1000"), {}), (("sleep", "1000"), {}), limit=limit):
        assert isinstance(ended, Interrupted)


class VolumeAccess(LocalVolumeAccess):
    """Counts the jobs of the holds of each sandbox's volume."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.counting = Counting()
        self.holds = 0

    @contextmanager
    def hold(self, volume, deadline, *news):  # type: ignore[no-untyped-def]
        sandbox = volume == PAIR.sandbox
        self.shell = self.counting if sandbox else LocalShell()
        self.counting.jobs = 0 if sandbox else self.counting.jobs
        self.holds += sandbox
        with super().hold(volume, deadline, *news) as held:
            yield held


def fill(access: VolumeAccess, url: str, number: int) -> PairResult:
    """Bring so many projects, which are one upstream's, to a pair of volumes."""
    projects = tuple(replace(project_of(url), name=f"project-{index}") for index in range(number))
    snapshot = read_snapshot(LocalShell(), projects[0], Deadline(BOUND, "this test"))
    snapshots = dict.fromkeys((project.name for project in projects), snapshot)
    plan = make_plan(Wanted(State.PRESENT, projects, snapshots, METHODS, datetime.now(timezone.utc)), (PAIR,), access.records)
    scratch = access.directory / "scratch"
    scratch.mkdir(exist_ok=True, parents=True)
    options = Options(timeout=BOUND, max_hold=BOUND, verify=False, scratch=scratch)
    shared = Snapshots(snapshots, lambda _project: snapshot)
    return FillPair(plan.pairs[0], access, shared, lambda _step: GitTransfer(url), options, lambda _progress: None, threading.Event()).run()


def test_the_jobs_of_a_hold_do_not_grow_with_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_WAIT_SECONDS", BOUND)
    with a_dozen(tmp_path) as server:
        url = server.url("one.git")
        jobs: dict[int, list[int]] = {}
        accesses = {number: VolumeAccess(tmp_path / str(number)) for number in (1, batches.PROJECTS_AT_ONCE)}
        for action in (Action.ADD, Action.UPDATE):
            for number, access in accesses.items():
                access.directory.mkdir(exist_ok=True)
                result = fill(access, url, number)
                done = (*result.sandbox.projects, *result.worker.projects)
                assert [project.action for project in done] == [action] * 2 * number, [project.error for project in done]
                jobs.setdefault(number, []).append(access.counting.jobs)
            make.commit(tmp_path / "upstream/one.git", "main", 13)
    assert all(access.holds == 2 for access in accesses.values())
    assert jobs[batches.PROJECTS_AT_ONCE] == jobs[1], "each stage is one job for all of them"
    for number in range(batches.PROJECTS_AT_ONCE):
        for role in ("sandbox", "worker"):
            entry = tmp_path / f"{batches.PROJECTS_AT_ONCE}/{role}/project-{number}"
            assert make.refs(entry) == make.refs(tmp_path / f"1/{role}/project-0")
            make.git(entry, "fsck", "--full")
            assert not [path.name for path in entry.parent.iterdir() if path.name.startswith(".packit")]


def test_projects_are_made_ready_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One may wait for its upstream, or for its packs."""
    both = threading.Barrier(2)

    def prepare(_transfer: GitTransfer, _snapshot: Snapshot, _deadline: Deadline, first: bool) -> int:
        if first and threading.current_thread().name.startswith("ready"):
            both.wait(BOUND)
        return 0

    monkeypatch.setattr(GitTransfer, "prepare", prepare)
    with a_dozen(tmp_path) as server:
        result = fill(VolumeAccess(tmp_path), server.url("one.git"), 2)
    assert [project.action for project in (*result.sandbox.projects, *result.worker.projects)] == [Action.ADD] * 4


class TooMuch(Counting):
    """A place for which several at once are too much."""

    def __init__(self, lost: bool) -> None:
        super().__init__()
        self.lost = lost

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        if scripts.BATCH not in argv:
            return super().run(argv, **more)
        if self.lost:
            raise PlaceLost("the pod is gone")
        return Completed(tuple(argv), 137, b"", "")


@pytest.mark.parametrize("lost", [False, True])
def test_where_several_at_once_are_too_much_each_is_brought_alone(tmp_path: Path, lost: bool) -> None:
    access = VolumeAccess(tmp_path)
    access.counting = TooMuch(lost)
    with a_dozen(tmp_path) as server:
        result = fill(access, server.url("one.git"), 3)
    assert [project.action for project in (*result.sandbox.projects, *result.worker.projects)] == [Action.ADD] * 6
    assert access.holds == 2


class TooSlow(Counting):
    """A place in which one project takes longer than a sandbox's volume may be held."""

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        if any("project-0" in word for word in argv):
            raise DeadlineExceeded("the longest hold of a sandbox's volume took longer than 60 seconds")
        return super().upload(argv, source, deadline=deadline)


@pytest.mark.parametrize("large", [True, False])
def test_a_project_that_does_not_fit_in_a_hold_fails_once_and_the_others_get_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(sandbox, "MAX_BATCHED_BYTES", -1)
    access = VolumeAccess(tmp_path)
    access.counting = TooSlow()
    with a_dozen(tmp_path) as server:
        result = fill(access, server.url("one.git"), 3)
    assert [project.action for project in result.sandbox.projects] == [Action.FAILED, Action.ADD, Action.ADD]
    assert "could not be brought to the volume while it was held" in result.sandbox.projects[0].error
    assert access.holds <= 3


def test_one_projects_failure_is_its_own_also_where_several_are_worked_on(tmp_path: Path) -> None:
    class Shared(VolumeAccess):
        """Its volumes are shared."""

        @contextmanager
        def hold(self, volume: Any, deadline: Any, *news: Any) -> Iterator[Any]:
            with super().hold(volume, deadline, *news) as held:
                held.shared = True
                yield held

    access = Shared(tmp_path)
    with a_dozen(tmp_path) as server:
        (tmp_path / "sandbox").mkdir()
        (tmp_path / "sandbox/project-1").symlink_to(tmp_path)
        result = fill(access, server.url("one.git"), 4)
    assert access.holds == 1
    assert [project.action for project in result.sandbox.projects] == [Action.ADD, Action.FAILED, Action.ADD, Action.ADD]
    assert "symbolic link" in result.sandbox.projects[1].error
    assert [project.action for project in result.worker.projects] == [Action.ADD, Action.BLOCKED, Action.ADD, Action.ADD]
