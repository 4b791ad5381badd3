# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many packs become one, no object is ever lost, and nobody who borrows notices."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain import compaction
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.compaction import (
    DEFAULT_GRACE,
    NO_COMPACTION,
    Compact,
    CompactionOptions,
)
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Change, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult, ProjectResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.space import NoSpace
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.join_packs import Dropped, drop_covered
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout import compacted, fill_pair
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import CommandFailed, Completed
from ansible_collections.packit.deployment.plugins.module_utils.times import time_text
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.forks import ForkServer
from ansible_collections.packit.deployment.tests.once import copied
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.volumes.consumer import check_consumer
from ansible_collections.packit.deployment.tests.volumes.poison import blobs, swap_offsets, writable

from . import driver
from .driver import PAIR, HeldDirectory, KeptRecords, LocalVolumeAccess, fill
from .test_killed import all_objects, check_rules

KILLS, SEED = (int(os.environ.get(f"COMPACTION_{name}", usual)) for name, usual in (("KILLS", 24), ("SEED", 11)))
"""Kills, and what chooses their moments; `make compaction-kills` does 500."""
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
GRACE = timedelta(seconds=DEFAULT_GRACE)
ALWAYS = CompactionOptions(Compact.ALWAYS)
UPDATES = 4
DROPS = "echo covers"
"""A line of the script by which packs go."""


class Life:
    """A pair of volumes, their claims, and an upstream that moves."""

    def __init__(self, directory: Path, url: str, upstream: Path, commits: int = 0) -> None:
        self.directory = directory
        self.access = KeptRecords(directory)
        self.upstream = upstream
        self.now = START
        self.url = url
        self._commits = commits

    def entry(self, role: str) -> Path:
        return self.directory / role / "one"

    def move(self) -> None:
        self._commits += 1
        make.commit(self.upstream, "main", 1, seed=self._commits)

    def run(self, compaction: CompactionOptions = ALWAYS, **options: object) -> PairResult:
        self.now += timedelta(minutes=1)
        result = fill(self.directory, self.url, access=self.access, compaction=compaction, now=self.now, **options)  # type: ignore[arg-type]
        assert not result.sandbox.failed and not result.worker.failed, result
        return result

    def update(self, compaction: CompactionOptions = ALWAYS) -> tuple[ProjectResult, ProjectResult]:
        """One more commit; what became of it on the sandbox's volume, and on the worker's."""
        self.move()
        result = self.run(compaction)
        return result.sandbox.projects[0], result.worker.projects[0]

    def packs(self, role: str) -> set[str]:
        directory = self.entry(role) / "objects/pack"
        packs, indexes = ({path.stem for path in directory.glob(f"*.{suffix}")} for suffix in ("pack", "idx"))
        assert packs == indexes
        return packs

    def age(self) -> None:
        self.now += GRACE


def several_packs(directory: Path) -> None:
    """An entry of several packs on both sides, in an empty directory, and its upstream."""
    upstream = make.make(directory / "upstream/one.git", commits=12)
    (directory / "volumes").mkdir()
    with GitServer(directory / "upstream") as server:
        lived = Life(directory / "volumes", server.url("one.git"), upstream)
        lived.run(NO_COMPACTION)
        for _update in range(UPDATES - 1):
            lived.update(NO_COMPACTION)
    (directory / "url").write_text(lived.url)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    """See ``several_packs``."""
    copied("several-packs", several_packs, tmp_path)
    with GitServer(tmp_path / "upstream") as server:
        url = server.url("one.git")
        for record in (tmp_path / "volumes").glob("*.record"):
            record.write_text(record.read_text().replace((tmp_path / "url").read_text(), url))
        yield Life(tmp_path / "volumes", url, tmp_path / "upstream/one.git", commits=UPDATES)


def test_many_packs_become_one_on_both_sides_and_the_old_ones_go_after_the_grace(life: Life) -> None:
    before = life.packs("worker")
    assert len(before) == UPDATES and before == life.packs("sandbox")
    held = check_rules(life.directory, {})
    sandbox, worker = life.update()
    assert (sandbox.action, worker.action) == (Action.UPDATE, Action.UPDATE)
    assert worker.notes == ("one pack was made of 4, which stay for the time of option `compact_grace`",)
    assert sandbox.notes == ("one pack came that has all of 4, which stay for the time of option `compact_grace`",)
    assert len(life.packs("worker")) == UPDATES + 2 and life.packs("worker") == life.packs("sandbox")
    held = check_rules(life.directory, held)
    sandbox, worker = life.update()  # too early
    assert not sandbox.notes and not worker.notes and before <= life.packs("worker")
    life.age()
    result = life.run()
    for volume in (result.sandbox, result.worker):
        assert volume.projects[0].action is Action.COMPACT
        assert volume.projects[0].notes == ("4 packs went, as a newer one has all of their objects",)
    assert life.packs("worker") == life.packs("sandbox") and not before & life.packs("worker")
    check_rules(life.directory, held)
    assert len(life.packs("worker")) == 3
    again = life.run()
    assert not again.sandbox.changed and not again.worker.changed and not again.worker.locks
    check_consumer(life.directory, life.upstream)


def test_unreachable_objects_and_what_is_somebodys_stay(life: Life) -> None:
    worker, value = life.entry("worker"), {}
    for name in ("packed", "loose", "kept"):
        value[name] = make.git(worker, "hash-object", "-w", "--stdin", stdin=f"under no ref, {name}".encode())
    packs = {}
    for name in ("packed", "kept"):
        packs[name] = make.git(worker, "pack-objects", "--quiet", str(worker / "objects/pack/pack"), stdin=f"{value[name]}\n".encode())
        (worker / "objects" / value[name][:2] / value[name][2:]).unlink()
    kept = worker / f"objects/pack/pack-{packs['kept']}.keep"
    kept.write_text("by hand")
    life.move()  # what nobody knew of comes to the sandbox first
    life.run()
    assert set(value.values()) <= all_objects(life.entry("sandbox"))
    before = check_rules(life.directory, {})
    life.age()
    life.run()
    check_rules(life.directory, before)
    assert f"pack-{packs['packed']}" not in life.packs("worker")
    assert f"pack-{packs['kept']}" in life.packs("worker") and kept.exists()
    assert (worker / "objects" / value["loose"][:2] / value["loose"][2:]).exists()


def test_what_came_by_hand_since_is_not_in_the_new_pack_and_stays(life: Life) -> None:
    life.update()
    entry = life.entry("worker")
    value = make.git(entry, "hash-object", "-w", "--stdin", stdin=b"later")
    old = make.git(entry, "rev-parse", "main")
    name = make.git(entry, "pack-objects", "--quiet", str(entry / "objects/pack/pack"), stdin=f"{value}\n{old}\n".encode())
    (entry / "objects" / value[:2] / value[2:]).unlink()
    before = check_rules_of_worker(life)
    life.age()
    life.run()
    assert f"pack-{name}" in life.packs("worker")
    assert before <= check_rules_of_worker(life)
    life.update()
    check_rules(life.directory, {})


def check_rules_of_worker(life: Life) -> set[str]:
    make.git(life.entry("worker"), "fsck", "--full", "--no-dangling")
    return all_objects(life.entry("worker"))


@pytest.mark.parametrize("how", ["gone", "a link", "a pipe", "other content", "a false index", "a flipped byte"])
def test_whatever_became_of_the_new_pack_no_object_goes_with_the_old_ones(life: Life, tmp_path: Path, how: str) -> None:
    """A stranger has the sandbox's volume. What goes there goes by what the claim says, and by what lies there at that moment."""
    before = life.packs("sandbox")
    life.update()
    new = f"pack-{life.access.records[PAIR.sandbox].projects['one'].covering.split()[0]}"
    assert new in life.packs("sandbox") - before
    entry = life.entry("sandbox")
    writable(entry)
    pack, index = (entry / f"objects/pack/{new}.{suffix}" for suffix in ("pack", "idx"))
    if how == "gone":
        pack.unlink()
        index.unlink()
    elif how == "a link":
        index.rename(tmp_path / "index")
        index.symlink_to(tmp_path / "index")
    elif how == "a pipe":
        index.unlink()
        os.mkfifo(index)
    elif how == "other content":
        other = next(path for path in entry.glob("objects/pack/*.pack") if path != pack)
        pack.write_bytes(other.read_bytes())
    elif how == "a false index":
        listed = {line.split()[1] for line in make.git(entry, "show-index", stdin=index.read_bytes()).splitlines()}
        swap_offsets(index, *[value for value in blobs(entry) if value in listed][:2])
    else:
        data = bytearray(pack.read_bytes())
        data[len(data) // 2] ^= 1
        pack.write_bytes(data)
    life.age()
    life.move()
    result = fill(life.directory, life.url, access=life.access, compaction=ALWAYS, now=life.now)
    assert before <= {path.stem for path in entry.glob("objects/pack/*.pack")} or result.sandbox.projects[0].action is Action.REPLACE
    life.run(verify=True)
    for _run in range(2):
        life.update()
    check_rules(life.directory, {})
    check_consumer(life.directory, life.upstream)


def test_a_record_has_the_time_of_the_clock_that_the_run_was_told(life: Life) -> None:
    life.now -= timedelta(days=2)
    life.update()
    assert {record.projects["one"].time for record in life.access.records.values()} == {time_text(life.now)}


@pytest.mark.parametrize("plant", ["a directory", "a pipe", "a link", "names"])
def test_what_a_stranger_plants_among_the_packs_leads_nowhere(life: Life, tmp_path: Path, plant: str) -> None:
    life.update()
    packs = life.entry("sandbox") / "objects/pack"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("stays")
    name = f"pack-{'5' * 40}"
    if plant == "a directory":
        (packs / f"{name}.idx").mkdir()
        (packs / f"{name}.pack").mkdir()
    elif plant == "a pipe":
        os.mkfifo(packs / f"{name}.idx")
    elif plant == "a link":
        (packs / f"{name}.idx").symlink_to(outside / "precious")
        (packs / f"{name}.pack").symlink_to(outside)
    else:
        for odd in ("pack-$(touch x).idx", "pack-\n.idx", f"{name} ..idx", "-rf.idx", f"{name}.idx\n.keep"):
            (packs / odd).write_text("")
    life.age()
    fill(life.directory, life.url, access=life.access, compaction=ALWAYS, now=life.now)
    assert (outside / "precious").read_text() == "stays"
    assert not list(tmp_path.rglob("x"))
    make.git(life.entry("worker"), "fsck", "--full", "--no-dangling")


def test_a_damaged_object_is_not_given_new_checksums(life: Life) -> None:
    """git copies what it does not look at. An index that is made of the new pack shows it, so all stays and is still seen as damage."""
    entry = life.entry("worker")
    value = make.git(entry, "hash-object", "-w", "--stdin", stdin=random.Random(1).randbytes(3000))
    name = make.git(entry, "pack-objects", "--quiet", str(entry / "objects/pack/pack"), stdin=f"{value}\n".encode())
    (entry / "objects" / value[:2] / value[2:]).unlink()
    life.update(NO_COMPACTION)  # its sandbox has it, too
    writable(entry)
    before = life.packs("worker")
    pack = entry / f"objects/pack/pack-{name}.pack"
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    sandbox, worker = life.update()
    assert not worker.notes and not sandbox.notes
    assert worker.warnings[0].startswith("the packs of one were not put together, and stay as they are: ")
    assert before < life.packs("worker") and len(life.packs("worker")) == len(before) + 1
    result = life.run(verify=True)
    assert result.worker.projects[0].action is Action.REPAIR
    check_rules(life.directory, {})


def drop(life: Life, role: str = "worker") -> Dropped:
    """Remove the packs that can go by the claim, without a run around it."""
    deadline = Deadline(BOUND, "the test")
    repository = Repository(LocalShell(), str(life.directory / role), "one", str(life.directory / "scratch-drop"), Limits())
    covering = life.access.records[PAIR.worker].projects["one"].covering
    return drop_covered(repository, repository.inspect(deadline), covering, (), deadline)


def with_objects_of_its_own(life: Life) -> set[str]:
    """The worker's entry gets packs of which the new one has one object, and another one not; all object ids there."""
    entry = life.entry("worker")
    old = make.git(entry, "rev-parse", "main")
    for number in range(4):
        value = make.git(entry, "hash-object", "-w", "--stdin", stdin=f"later {number}".encode())
        make.git(entry, "pack-objects", "--quiet", str(entry / "objects/pack/pack"), stdin=f"{old}\n{value}\n".encode())
        (entry / "objects" / value[:2] / value[2:]).unlink()
    return all_objects(entry)


def test_no_object_goes_where_a_part_of_the_comparison_is_killed(life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filler is small: any of its processes may be killed for want of memory, and one that reads it sees only an end."""
    life.update()
    before = with_objects_of_its_own(life)
    run, programs = LocalShell.run, tmp_path / "programs"

    def with_programs(self: LocalShell, argv: Sequence[str], **options: Any) -> Completed:
        if any(DROPS in argument for argument in argv):
            argv = ("sh", "-c", 'PATH=$1:$PATH; shift; exec "$@"', "sh", str(programs), *argv)
        return run(self, argv, **options)

    monkeypatch.setattr(LocalShell, "run", with_programs)
    for program, call in (("sed", 1), ("sort", 2), ("join", 1), ("cut", 2), ("git", 2)):
        programs.mkdir()
        fake, calls = programs / program, programs / "calls"
        fake.write_text(f'#!/bin/sh\necho >>{calls}\n[ "$(wc -l <{calls})" != {call} ] || kill -9 $$\nexec {shutil.which(program)} "$@"\n')
        fake.chmod(0o755)
        with suppress(CommandFailed):
            drop(life)
        assert calls.stat().st_size >= call, program
        assert before <= all_objects(life.entry("worker")), program
        shutil.rmtree(programs)


@pytest.mark.parametrize("step", ["joins", "drops"])
def test_a_filler_that_is_lost_by_a_compaction_costs_no_update(life: Life, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A pod whose process takes too much memory ends with it. The next try does without, and so do the next runs."""
    if step == "drops":
        life.update()
        life.age()
    script, lost, gone = {"joins": scripts.JOIN_PACKS, "drops": scripts.DROP_COVERED}[step], [0], PlaceLost("the pod is gone")

    def killed(self: Repository, text: str, *arguments: Any) -> Completed:
        if text == script and self.root.endswith("worker"):
            lost[0] += 1
            raise gone
        return whole(self, text, *arguments)

    def not_there(*_arguments: object) -> None:
        raise gone

    monkeypatch.setattr(fill_pair, "require_there", not_there)

    whole = Repository.script
    monkeypatch.setattr(Repository, "script", killed)
    before = life.packs("worker")
    _sandbox, worker = life.update()
    assert worker.warnings[-1].endswith(": an earlier try of this run was cut off")
    assert before < life.packs("worker") == life.packs("sandbox")
    check_rules(life.directory, {})
    held, times = life.access.records[PAIR.worker].projects["one"], lost[0]
    assert held.settled == len(life.packs("worker")) and not held.covering
    life.update(CompactionOptions())
    assert lost[0] == times


@pytest.mark.parametrize("step", ["receives", "drops"])
def test_a_compaction_for_which_a_hold_is_too_short_costs_no_update(life: Life, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    if step == "drops":
        life.update()
        life.age()
    entry = life.entry("sandbox")
    name = {"receives": "receive_joined", "drops": "drop_covered"}[step]
    whole = getattr(compacted, name)

    def slow(repository: Repository, *arguments: Any) -> object:
        if repository.root == str(entry.parent):
            raise DeadlineExceeded("the longest hold of a sandbox's volume took longer than 300 seconds")
        return whole(repository, *arguments)

    monkeypatch.setattr(compacted, name, slow)
    sandbox, worker = life.update()
    assert (sandbox.action, worker.action) == (Action.UPDATE, Action.UPDATE)
    check_rules(life.directory, {})


@pytest.mark.parametrize("full", ["worker", "sandbox"])
def test_where_there_is_no_room_all_else_goes_on(life: Life, monkeypatch: pytest.MonkeyPatch, full: str) -> None:
    expect = Repository.expect

    def without_room(self: Repository, packs: Sequence[str], size: int, deadline: Deadline) -> None:
        if self.root.endswith(full) and (full == "worker" or len(packs) > 1):
            raise NoSpace("one needs more on the volume.")
        expect(self, packs, size, deadline)

    monkeypatch.setattr(Repository, "expect", without_room)
    results = dict(zip(("sandbox", "worker"), life.update(), strict=True))
    assert {result.action for result in results.values()} == {Action.UPDATE}
    assert results[full].warnings[-1].endswith(": one needs more on the volume.")
    # Alone the worker's would become fewer, and its sandbox's would look like a stranger's one day.
    assert life.packs("worker") == life.packs("sandbox") and not life.access.records[PAIR.worker].projects["one"].covering
    check_rules(life.directory, {})
    assert not life.run().worker.locks
    monkeypatch.undo()
    for _update in range(3):
        life.update()
        life.age()
    check_rules(life.directory, {})
    check_consumer(life.directory, life.upstream)


def test_claims_that_say_nothing_lose_nothing_and_it_heals(life: Life) -> None:
    life.update()
    before = check_rules(life.directory, {})
    life.access.records.clear()
    life.age()
    for _update in range(2):
        life.update()
        before = check_rules(life.directory, before)
    life.age()
    life.update()
    check_rules(life.directory, before)
    assert len(life.packs("worker")) <= 4 and life.packs("worker") == life.packs("sandbox")


def test_never_makes_none_and_removes_none(life: Life) -> None:
    life.update()
    before = life.packs("worker")
    life.age()
    sandbox, worker = life.update(NO_COMPACTION)
    assert not sandbox.notes and not worker.notes and before < life.packs("worker")
    sandbox, worker = life.update()  # what waited still does, and goes now
    assert worker.notes == ("4 packs went, as a newer one has all of their objects",) == sandbox.notes


def test_without_an_update_a_volume_is_taken_only_for_many_packs(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not life.run().worker.locks
    monkeypatch.setattr(compaction, "MANY_PACKS", UPDATES)
    result = life.run(CompactionOptions())
    assert [volume.projects[0].action for volume in (result.sandbox, result.worker)] == [Action.COMPACT] * 2
    assert result.sandbox.projects[0].bytes > result.worker.projects[0].bytes == 0  # what was made there came from nowhere
    assert not life.run(CompactionOptions()).worker.locks
    life.age()
    assert life.run(CompactionOptions()).worker.projects[0].action is Action.COMPACT
    assert not life.run(CompactionOptions()).worker.locks
    assert len(life.packs("worker")) == 1


def test_where_nothing_is_gained_the_volume_is_not_taken_again(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY_PACKS", UPDATES)
    monkeypatch.setattr(compaction, "MOST_BYTES", 10)
    assert life.run(CompactionOptions()).worker.projects[0].action is Action.NOTHING
    assert not life.run(CompactionOptions()).worker.locks
    assert life.access.records[PAIR.worker].projects["one"].settled == UPDATES


def test_another_run_that_was_faster_is_not_repeated(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY_PACKS", UPDATES)
    slow = Overtaken(life)
    life.now += timedelta(minutes=1)
    result = fill(life.directory, life.url, access=slow, compaction=CompactionOptions(), now=life.now)
    assert slow.other is not None and slow.other.worker.projects[0].action is Action.COMPACT
    assert result.worker.projects[0].action is Action.NOTHING
    assert len(life.packs("worker")) == UPDATES + 1
    check_rules(life.directory, {})


class Overtaken(LocalVolumeAccess):
    """Another run has done its work when this one has planned, and gets the worker's volume."""

    def __init__(self, life: Life) -> None:
        super().__init__(life.directory)
        self.life = life
        self.records = dict(life.access.records)
        self.other: PairResult | None = None

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        if self.other is None:
            self.other = self.life.run(CompactionOptions())
            self.records = self.life.access.records
        with super().hold(volume, deadline, news) as held:
            yield held


def checkout(directory: Path, upstream: Path, to: Path) -> Path:
    """A checkout that borrows from the worker's volume."""
    argv = ("clone", "--quiet", "--tags", f"--reference={directory}/worker/one", "--", f"file://{upstream}", str(to))
    make.git(to.parent, "-c", "protocol.file.allow=always", *argv)
    assert (to / ".git/objects/info/alternates").read_text() == f"{directory}/worker/one/objects\n"
    return to


def test_a_git_that_runs_all_the_while_finds_each_object(life: Life, tmp_path: Path) -> None:
    """It has opened the old packs' indexes before there was a new one, and looks again when a pack is gone."""
    borrower = checkout(life.directory, life.upstream, tmp_path / "checkout")
    ids = sorted(all_objects(life.entry("worker")))
    argv = ["git", "-c", "safe.directory=*", "-C", str(borrower), "cat-file", "--batch-check=%(objectname) %(objecttype)"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=make.ENVIRONMENT, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        print("0" * 40, file=process.stdin, flush=True)
        assert process.stdout.readline().endswith(" missing\n")  # it has looked in all packs
        for compaction_step in ("joined", "gone"):
            life.age()
            _sandbox, worker = life.update()
            assert worker.notes, compaction_step
        assert len(life.packs("worker")) < UPDATES
        process.stdin.write("".join(f"{value}\n" for value in ids))
        process.stdin.close()
        found = dict(line.split() for line in process.stdout)
    assert sorted(value for value, kind in found.items() if kind != "missing") == ids


def require_whole(directory: Path, borrower: Path) -> None:
    """It is whole where it was made, and in a sandbox."""
    alternates = borrower / ".git/objects/info/alternates"
    for role in ("sandbox", "worker"):
        alternates.write_text(f"{directory}/{role}/one/objects\n")
        make.git(borrower, "fsck", "--full", "--no-dangling")


def test_killed_at_any_moment_every_checkout_that_borrows_stays_whole(tmp_path: Path) -> None:
    """Made before, in between and after; by any command of a run that joins packs or removes them."""
    chance = random.Random(SEED)
    directory = tmp_path / "volumes"
    directory.mkdir()
    names = itertools.count()
    upstream = copied("twelve-commits", lambda path: make.make(path, commits=12), tmp_path / "upstream" / "one.git")
    with GitServer(tmp_path / "upstream") as server, ForkServer(driver.__name__) as forks:
        url, minutes = server.url("one.git"), itertools.count(1)

        def run(at: int = -1, after: float = 0.0) -> tuple[int, list[float]]:
            place = tmp_path / str(next(names))
            place.mkdir()
            now = (START + timedelta(minutes=next(minutes))).timestamp()
            process = forks.start(place, volumes=str(directory), url=url, method="git", at=at, after=after, now=now, grace=90)
            code = process.wait(BOUND)
            assert code in (0, -signal.SIGKILL), process.printed
            return code, json.loads((place / "seconds").read_text()) if code == 0 else []

        run()
        unreachable = make.git(directory / "worker/one", "hash-object", "-w", "--stdin", stdin=b"under no ref")
        for _update in range(2):
            make.commit(upstream, "main", 1, seed=next(names))
            _code, usual = run()
        held: dict[str, set[str]] = {}
        borrowers = [checkout(directory, upstream, tmp_path / "before")]
        killed = 0
        while killed < KILLS:
            if chance.random() < 0.7:
                make.commit(upstream, "main", 1, seed=next(names))
            at = chance.randrange(len(usual))
            code, seconds = run(at, usual[at] * chance.random())
            killed += code != 0
            usual = seconds if len(seconds) > len(usual) else usual
            held = check_rules(directory, held)
            if killed % (KILLS // 4) == 1 and len(borrowers) <= killed // (KILLS // 4) + 1:
                borrowers.append(checkout(directory, upstream, tmp_path / f"between-{killed}"))
            for borrower in borrowers:
                require_whole(directory, borrower)
        for _run in range(8):  # two joins, with their graces of two runs each: the last kill may have left one in the middle
            code, _seconds = run()
            assert code == 0
        borrowers.append(checkout(directory, upstream, tmp_path / "after"))
        held = check_rules(directory, held)
        for borrower in borrowers:
            require_whole(directory, borrower)
        assert unreachable in held["worker"]
        packs = {role: {path.stem for path in (directory / role / "one/objects/pack").glob("*.pack")} for role in ("worker", "sandbox")}
        assert packs["worker"] <= packs["sandbox"] and len(packs["sandbox"]) <= 4
        for role in ("worker", "sandbox"):
            assert [path.name for path in (directory / role).iterdir()] == ["one"]
