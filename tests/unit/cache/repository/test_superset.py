# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever lies on the volumes, what is published on the worker's can be read on the sandbox's, and both are whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Incomplete, Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts.selections import Ids, Sums
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import CommandFailed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.volumes.poison import writable

from .beginnings import a_dozen, filled
from .driver import fill
from .test_killed import all_objects, check_rules


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    with a_dozen(tmp_path) as server:
        yield server


def alone(entry: Path, content: bytes) -> tuple[str, Path]:
    """A blob that only this entry has, under no ref: its id and its file."""
    value = make.git(entry, "hash-object", "-w", "--stdin", stdin=content)
    return value, entry / "objects" / value[:2] / value[2:]


def test_a_workers_pack_of_another_name_counts_as_well(tmp_path: Path, upstream: GitServer) -> None:
    """git reads every pack that has an index, whatever they are called."""
    _sandbox, worker = filled(tmp_path)
    value, loose = alone(worker, b"only here")
    name = make.git(worker, "pack-objects", str(worker / "objects/pack/pack"), stdin=f"{value}\n".encode())
    loose.unlink()
    for suffix in (".pack", ".idx"):
        (worker / f"objects/pack/pack-{name}{suffix}").rename(worker / f"objects/pack/by-hand{suffix}")
    assert value in all_objects(worker)
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed, result.sandbox.projects[0].error
    check_rules(tmp_path, {})


@pytest.mark.parametrize("where", ["pack", "loose"])
def test_what_only_a_worker_has_that_is_to_be_mended_counts_as_well(tmp_path: Path, upstream: GitServer, where: str) -> None:
    """Its good objects are read through a view of ours, which has links to them."""
    _sandbox, worker = filled(tmp_path)
    value, loose = alone(worker, b"only here")
    if where == "pack":
        make.git(worker, "pack-objects", str(worker / "objects/pack/pack"), stdin=f"{value}\n".encode())
        loose.unlink()
    (worker / "refs/heads/bad").write_text(f"{'1' * 40}\n")
    result = fill(tmp_path, upstream.url("one.git"))
    assert result.worker.projects[0].action is Action.REPAIR, result
    assert value in all_objects(tmp_path / "sandbox/one")
    check_rules(tmp_path, {})


@pytest.mark.parametrize("where", ["pack", "loose"])
def test_a_file_name_on_the_sandbox_cannot_speak_for_objects(tmp_path: Path, upstream: GitServer, where: str) -> None:
    sandbox, worker = filled(tmp_path)
    value, loose = alone(worker, b"only the worker has it")
    if where == "loose":
        (sandbox / "objects/aa").mkdir(exist_ok=True)
        (sandbox / f"objects/aa/x\n{value}").write_text("x")
        (sandbox / f"objects/aa/x\nloose {value}").write_text("x")
    else:
        name = make.git(worker, "pack-objects", str(worker / "objects/pack/pack"), stdin=f"{value}\n".encode())
        loose.unlink()
        index = (worker / f"objects/pack/pack-{name}.idx").read_bytes()
        planted = sandbox / f"objects/pack/pack-x\n{index[-40:-20].hex()} {index[-20:].hex()} {index[-40:-20].hex()} y"
        for suffix in (".pack", ".idx"):
            planted.with_name(planted.name + suffix).write_text("x")
    fill(tmp_path, upstream.url("one.git"))
    assert (tmp_path / "sandbox/one").exists()
    for file in sandbox.rglob("*\n*"):
        file.unlink()
    assert all_objects(worker) <= all_objects(sandbox)


def test_ids_are_listed_of_what_differs_alone(tmp_path: Path) -> None:
    """The worker's lists cross the API server, and are of its loose objects and of the packs that its sandbox does not have too."""
    path = make.make(tmp_path / "root/one", commits=3)
    make.git(path, "repack", "-a", "-d", "-q")
    repository = Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits())
    limit = Deadline(BOUND, "this test")
    entry = repository.inspect(limit)
    before, packs = all_objects(path), repository.contents(entry, None, limit).packs
    packed, file = alone(path, b"in a pack")
    make.git(path, "pack-objects", str(path / "objects/pack/pack"), stdin=f"{packed}\n".encode())
    file.unlink()
    loose, _file = alone(path, b"loose")
    for which, ids in ((Ids.ALL, before | {packed, loose}), (Ids.THESE, before), (Ids.OTHERS, {packed, loose})):
        repository.list_ids(entry, None, limit, which, packs)
        assert set(Path(repository.ids_file).read_text().split()) == ids


def test_an_object_that_ends_git_itself_is_as_little_there_as_any_loose_one_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its header says a size for which there is no memory, and git gives up at once."""
    path = make.make(tmp_path / "root/one", commits=3)
    make.git(path, "repack", "-a", "-d", "-q")
    before = all_objects(path)
    _value, file = alone(path, b"loose")
    file.chmod(0o644)
    file.write_bytes(zlib.compress(b"commit 99999999999999999\0tree"))
    repository = Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits())
    limit = Deadline(BOUND, "this test")
    entry = repository.inspect(limit)
    repository.list_ids(entry, None, limit)
    assert set(Path(repository.ids_file).read_text().split()) == before
    assert repository.checksums(entry, (), limit, Sums.ALL).loose == 1
    good, _file = alone(path, b"good")
    repository.list_ids(entry, None, limit, Ids.OTHERS, repository.contents(entry, None, limit).packs)
    assert Path(repository.ids_file).read_text().split() == [good]
    (file.parent / ("1" * 38)).write_bytes(b"x")
    monkeypatch.setattr(scripts, "IDS", scripts.IDS.replace(" 1000 ", " 1 "))
    with pytest.raises(CommandFailed, match="loose objects stop git, and too many lie beside them"):
        repository.list_ids(entry, None, limit, Ids.OTHERS)


def test_an_empty_file_is_no_object(tmp_path: Path, upstream: GitServer) -> None:
    """A lost node leaves such a file of a loose object that was not on disk yet."""
    sandbox, worker = filled(tmp_path)
    value, _loose = alone(worker, b"only the worker has it whole")
    (sandbox / "objects" / value[:2]).mkdir(exist_ok=True)
    (sandbox / "objects" / value[:2] / value[2:]).touch()
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed, result.sandbox.projects[0].error
    assert make.git(sandbox, "cat-file", "blob", value) == "only the worker has it whole"


def test_an_index_that_hides_objects_is_replaced(tmp_path: Path, upstream: GitServer) -> None:
    """Its checksums and its number of objects are right, so that git reads it; but for the refs' own its ids are wrong."""
    sandbox, _worker = filled(tmp_path)
    writable(sandbox / "objects/pack")
    file = next((sandbox / "objects/pack").glob("*.idx"))
    index = bytearray(file.read_bytes())
    tips = set(make.refs(sandbox).values())
    for at in range(8 + 1024, 8 + 1024 + 20 * int.from_bytes(index[8 + 1020 : 8 + 1024], "big"), 20):
        if index[at : at + 20].hex() not in tips:
            index[at + 19] ^= 1
    index[-20:] = hashlib.sha1(index[:-20]).digest()
    file.write_bytes(index)
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed, result.sandbox.projects[0].error
    check_rules(tmp_path, {})


def test_a_tip_without_its_history_is_not_believed(tmp_path: Path, upstream: GitServer) -> None:
    """A node that is lost between two packs of one publication leaves that."""
    sandbox, worker = filled(tmp_path)
    tip = make.commit(upstream.root / "one.git", "main", 3)
    for entry in (sandbox, worker):
        raw = subprocess.run(
            ["git", "-C", str(upstream.root / "one.git"), "cat-file", "commit", tip], capture_output=True, check=True
        ).stdout
        assert make.git(entry, "hash-object", "-w", "-t", "commit", "--stdin", stdin=raw) == tip
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed and not result.worker.failed
    check_rules(tmp_path, {})


def test_a_pack_that_was_cut_short_does_not_hide_the_workers_others(tmp_path: Path, upstream: GitServer) -> None:
    _sandbox, worker = filled(tmp_path)
    value, loose = alone(worker, b"only here")
    make.git(worker, "pack-objects", str(worker / "objects/pack/pack"), stdin=f"{value}\n".encode())
    loose.unlink()
    for suffix in (".pack", ".idx"):
        (worker / f"objects/pack/pack-{'0' * 40}{suffix}").write_bytes(b"PACK")
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed, result.sandbox.projects[0].error
    assert all_objects(worker) <= all_objects(tmp_path / "sandbox/one")


def test_a_commit_graph_does_not_stand_for_commits_in_a_full_verification(tmp_path: Path) -> None:
    entry = make.make(tmp_path / "root/one", commits=12)
    make.git(entry, "commit-graph", "write", "--reachable")
    lost = make.git(entry, "rev-parse", "main~4")
    writable(entry / "objects/pack")
    for pack in (entry / "objects/pack").glob("*.pack"):
        data = pack.read_bytes()
        pack.unlink()
        pack.with_suffix(".idx").unlink()
        make.git(entry, "unpack-objects", "-q", stdin=data)
    (entry / "objects" / lost[:2] / lost[2:]).unlink()
    repository = Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits())
    limit = Deadline(BOUND, "this test")
    with pytest.raises(Incomplete, match="is not whole"):
        repository.verify_whole(repository.inspect(limit), limit)


@pytest.mark.parametrize(("word", "code"), [("cat-file", 137), ("for-each-ref", 137), ("for-each-ref", 127)])
def test_a_git_that_was_killed_says_nothing_about_the_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, code: int) -> None:
    """It is not replaced, and so not deleted, because the memory was short for a moment."""
    make.make(tmp_path / "root/one", commits=3)
    real = shutil.which("git")
    script = tmp_path / "bin/git"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\n[ "$1" != {word} ] || exit {code}\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    repository = Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits())
    with pytest.raises(CommandFailed, match=f"code {code}"):
        repository.take(Deadline(BOUND, "this test"))


def test_nothing_is_published_while_git_cannot_look_for_the_objects(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.which("git")
    script = tmp_path / "bin/git"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\ncase "$GIT_DIR $1" in */new\\ cat-file) exit 137 ;; esac\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    result = fill(tmp_path, upstream.url("one.git"))
    assert result.sandbox.failed
    assert not (tmp_path / "sandbox/one").exists() and not (tmp_path / "worker/one").exists()


@pytest.mark.parametrize("target", [".", "one/objects"])
def test_a_link_in_place_of_our_directory_leads_nowhere(tmp_path: Path, upstream: GitServer, target: str) -> None:
    sandbox, _worker = filled(tmp_path)
    before = all_objects(sandbox)
    (tmp_path / "sandbox/.packit-deployment#work").symlink_to(target)
    make.commit(upstream.root / "one.git", "main", 1)
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed, result.sandbox.projects[0].error
    assert before <= all_objects(sandbox)
    check_rules(tmp_path, {})
