# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's volume of which nothing is recorded is looked at before upstream is read in full."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoResultYet
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Change, Record, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Entry
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import PackMaker
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Incoming, Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout import full_reads
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.full_reads import FullReads
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GitTransfer
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.once import copied
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from . import driver
from .driver import PAIR, HeldDirectory, LocalVolumeAccess, OwnClone, fill
from .test_killed import all_objects, check_rules


class Noting(LocalVolumeAccess):
    """Notes when a volume is taken and given back, and, with ``access``, when upstream is read in full."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.story: list[str] = []

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        self.story.append(volume.role.value)
        try:
            with super().hold(volume, deadline, news) as held:
                yield held
        finally:
            self.story.append(f"{volume.role.value} is free")


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    copied("two-megabytes", lambda path: make.make_large(path, 2, commits=40, texts=20), tmp_path / "upstream" / "one.git")
    with GitServer(tmp_path / "upstream") as server:
        yield server


@pytest.fixture
def access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Noting:
    noting = Noting(tmp_path)
    ready = OwnClone.ready

    def noted(clone: OwnClone, snapshot: Snapshot, deadline: Deadline) -> PackMaker:
        if "in full" not in noting.story:  # it is asked for each of a pair's volumes
            noting.story.append("in full")
        return ready(clone, snapshot, deadline)

    monkeypatch.setattr(driver.OwnClone, "ready", noted)
    return noting


def by_hand(server: GitServer, volume: Path, *options: str) -> Path:
    """A clone that somebody has made on a volume."""
    volume.mkdir(exist_ok=True)
    make.git(volume, "clone", "--quiet", "--mirror", "--no-local", *options, f"file://{server.root / 'one.git'}", "one")
    return volume / "one"


def actions(result: PairResult) -> list[Action]:
    words = [project.error for side in (result.sandbox, result.worker) for project in side.projects if project.error]
    assert not words, words
    return [side.projects[0].action for side in (result.sandbox, result.worker)]


@pytest.mark.parametrize("packed", ["alike", "each in its own way"])
def test_of_volumes_that_were_filled_by_hand_the_difference_is_fetched_alone(
    tmp_path: Path, upstream: GitServer, access: Noting, packed: str
) -> None:
    worker = by_hand(upstream, tmp_path / "worker")
    shutil.copytree(tmp_path / "worker", tmp_path / "sandbox")
    if packed != "alike":
        make.git(tmp_path / "sandbox/one", "repack", "-a", "-d", "-f", "-q", "--window=0")
    make.commit(upstream.root / "one.git", "main", 3)
    size, before = sum(file.stat().st_size for file in worker.rglob("*.pack")), upstream.sent
    assert actions(fill(tmp_path, upstream.url("one.git"), method="as planned", access=access)) == [Action.UPDATE, Action.UPDATE]
    assert upstream.sent - before <= size / 100
    assert access.story == ["worker", "sandbox", "sandbox is free", "worker is free"]
    check_rules(tmp_path, {})


@pytest.mark.parametrize("method", ["as planned", "rsync"])
def test_of_volumes_that_lack_nothing_nothing_is_fetched(tmp_path: Path, upstream: GitServer, access: Noting, method: str) -> None:
    by_hand(upstream, tmp_path / "worker")
    by_hand(upstream, tmp_path / "sandbox")
    fill(tmp_path, upstream.url("one.git"), method=method, access=access)
    assert upstream.fetches == 0
    assert access.story == ["worker", "sandbox", "sandbox is free", "worker is free"]
    check_rules(tmp_path, {})


@pytest.mark.parametrize("method", ["as planned", "rsync"])
def test_empty_volumes_are_free_while_upstream_is_read_in_full(tmp_path: Path, upstream: GitServer, access: Noting, method: str) -> None:
    assert actions(fill(tmp_path, upstream.url("one.git"), method=method, access=access)) == [Action.ADD, Action.ADD]
    assert access.story == ["worker", "worker is free", "in full", "worker", "sandbox", "sandbox is free", "worker is free"]
    assert upstream.fetches == 1
    check_rules(tmp_path, {})


def test_a_volume_that_is_known_not_to_have_it_is_not_looked_at_for_that(tmp_path: Path, upstream: GitServer, access: Noting) -> None:
    access.records[PAIR.worker] = Record(PAIR.worker.claim, "local", absent=("one",))
    assert actions(fill(tmp_path, upstream.url("one.git"), method="as planned", access=access)) == [Action.ADD, Action.ADD]
    assert access.story == ["in full", "worker", "sandbox", "sandbox is free", "worker is free"]


def test_a_sandbox_that_turns_out_empty_is_free_while_all_is_made_ready(tmp_path: Path, upstream: GitServer, access: Noting) -> None:
    """Its worker's volume was filled by hand: what only that has would all come while the sandbox's is held."""
    worker = by_hand(upstream, tmp_path / "worker")
    value = make.git(worker, "hash-object", "-w", "--stdin", stdin=b"only here")
    make.commit(upstream.root / "one.git", "main", 1)
    assert actions(fill(tmp_path, upstream.url("one.git"), method="as planned", access=access)) == [Action.ADD, Action.UPDATE]
    assert access.story[:5] == ["worker", "sandbox", "sandbox is free", "worker is free", "in full"]
    assert access.story[5:] == ["worker", "sandbox", "sandbox is free", "worker is free"]
    assert value in all_objects(tmp_path / "sandbox/one")
    check_rules(tmp_path, {})


def test_a_shallow_clone_that_was_made_by_hand_gets_a_full_copy(tmp_path: Path, upstream: GitServer, access: Noting) -> None:
    by_hand(upstream, tmp_path / "worker", "--depth=2")
    assert actions(fill(tmp_path, upstream.url("one.git"), method="as planned", access=access)) == [Action.ADD, Action.REPAIR]
    assert access.story == ["worker", "worker is free", "in full", "worker", "sandbox", "sandbox is free", "worker is free"]
    check_rules(tmp_path, {})


def test_where_the_difference_cannot_be_brought_the_planned_way_is_taken(
    tmp_path: Path, upstream: GitServer, access: Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may need more memory than a filler has, or read what is broken there."""

    def too_much(_transfer: GitTransfer, repository: Repository, _entry: Entry, _snapshot: Snapshot, deadline: Deadline, *_: object) -> Incoming:
        repository.quarantine(deadline)
        (Path(repository.pack_directory) / "tmp_pack_1").write_bytes(bytes(1000))
        raise DeploymentError("git was killed for want of memory")

    def checked(clone: OwnClone, *arguments: Any) -> PackMaker:
        assert not list((tmp_path / "worker").glob(".packit*")), "the volume is given back as it was"
        return ready(clone, *arguments)

    ready = OwnClone.ready
    monkeypatch.setattr(driver.OwnClone, "ready", checked)
    monkeypatch.setattr(GitTransfer, "receive", too_much)
    by_hand(upstream, tmp_path / "worker")
    make.commit(upstream.root / "one.git", "main", 3)
    assert actions(fill(tmp_path, upstream.url("one.git"), method="as planned", access=access)) == [Action.ADD, Action.UPDATE]
    assert access.story == ["worker", "worker is free", "in full", "worker", "sandbox", "sandbox is free", "worker is free"]
    check_rules(tmp_path, {})


def test_others_wait_for_the_first_look_and_are_not_looked_at_for_nothing() -> None:
    looks, limit = FullReads(), Deadline(BOUND, "this test")
    one = driver.project_of("https://example.org/one.git")
    assert looks.inspect_first(one, "a pair", limit)
    with ThreadPoolExecutor(1) as executor:
        other = executor.submit(looks.inspect_first, one, "another pair", limit)
        with pytest.raises(NoResultYet):
            other.result(0.3)
        looks.report(one, in_full=True)
        assert other.result(BOUND) is False


def test_other_pairs_still_look_first_after_one_that_was_filled_by_hand() -> None:
    looks, limit = FullReads(), Deadline(BOUND, "this test")
    one = driver.project_of("https://example.org/one.git")
    assert looks.inspect_first(one, "a pair", limit)
    looks.report(one)
    assert looks.inspect_first(one, "another pair", limit)


def test_of_two_pairs_that_owe_each_other_a_look_none_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, limit = FullReads(), Deadline(BOUND, "this test")
    monkeypatch.setattr(full_reads, "_LOOK_SECONDS", BOUND)
    one, two = driver.project_of("https://example.org/one.git"), driver.project_of("https://example.org/two.git")
    two = replace(two, name="two")
    assert looks.inspect_first(one, "a pair", limit) and looks.inspect_first(two, "another pair", limit)
    assert looks.inspect_first(two, "a pair", limit) and looks.inspect_first(one, "another pair", limit)
    looks.looking("a third pair")
    assert looks.inspect_first(one, "a third pair", limit)


def test_a_first_look_that_does_not_end_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, limit = FullReads(), Deadline(BOUND, "this test")
    monkeypatch.setattr(full_reads, "_LOOK_SECONDS", 0.1)
    one = driver.project_of("https://example.org/one.git")
    assert looks.inspect_first(one, "a pair", limit)
    assert looks.inspect_first(one, "another pair", limit)
