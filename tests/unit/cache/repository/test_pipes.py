# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pipe in the place of a file, made after the look: whoever opened it would wait for the whole hold."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts, steps
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Entry
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts.selections import Ids
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.steps import StoodStill
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.superset import fetch_file
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import CommandFailed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer


def deadline() -> Deadline:
    return Deadline(BOUND, "this test")


@pytest.fixture
def there(tmp_path: Path) -> Repository:
    entry = make.make(tmp_path / "volume/one", commits=2)
    make.git(entry, "repack", "-adq")
    return Repository(LocalShell(), str(tmp_path / "volume"), "one", str(tmp_path / "scratch"), Limits())


@pytest.fixture
def entry(there: Repository) -> Entry:
    """Whole when it was looked at; with a pipe as its only index since."""
    found = there.inspect(deadline())
    (index,) = Path(there.path).glob("objects/pack/*.idx")
    index.unlink()
    os.mkfifo(index)
    return found


@pytest.mark.parametrize("limit", [None, 100])
def test_a_file_that_is_to_be_brought_is_not_waited_for(tmp_path: Path, there: Repository, limit: int | None) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(CommandFailed, match="is no plain file"):
            fetch_file(there, str(tmp_path / name), tmp_path / "to", deadline(), limit)


@pytest.mark.parametrize(("limit", "size"), [(None, 30_000), (100, 100), (10, 10), (40_000, 30_000)])
def test_a_file_is_brought_whole_or_its_beginning(tmp_path: Path, there: Repository, limit: int | None, size: int) -> None:
    (tmp_path / "file").write_bytes(bytes(30_000))
    fetch_file(there, str(tmp_path / "file"), tmp_path / "to", deadline(), limit)
    assert (tmp_path / "to").stat().st_size == size


def test_an_index_that_is_listed_is_not_waited_for(there: Repository, entry: Entry) -> None:
    there.list_ids(entry, None, deadline())
    assert Path(there.ids_file).read_text() == ""
    wanted = Path(there.scratch) / "missing"
    wanted.write_text(f"{'1' * 40}\n")
    assert there.script(scripts.HOLDING, (str(wanted), there.scratch, "any", entry.objects), deadline()).text() == "single 0"


def test_a_damaged_packs_index_is_not_waited_for(there: Repository, entry: Entry) -> None:
    there.quarantine(deadline())
    there.list_ids(entry, None, deadline())
    stem = next(Path(there.path).glob("objects/pack/*.pack")).with_suffix("")
    Path(f"{stem}.pack").chmod(0o644)
    os.truncate(f"{stem}.pack", 100)
    there.script(scripts.SALVAGE, (there.root, there.slot, there.scratch, str(stem)), deadline())
    assert not list(Path(there.pack_directory).iterdir())


def test_an_index_that_is_exchanged_after_its_sum_is_not_listed(tmp_path: Path, there: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    found = there.inspect(deadline())
    (index,) = Path(there.path).glob("objects/pack/*.idx")
    data = index.read_bytes()
    ids = sorted(line.split()[1] for line in make.git(tmp_path, "show-index", "--object-format=sha1", stdin=data).splitlines())
    last = bytes.fromhex(ids[-1])
    (tmp_path / "forged").write_bytes(data.replace(last, last[:-1] + bytes([last[-1] ^ 1])))
    program = tmp_path / "bin/sha1sum"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n{shutil.which("sha1sum")} "$@"\ncp {tmp_path}/forged {index}.new && mv -f {index}.new {index}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    there.list_ids(found, None, deadline(), Ids.THESE, frozenset({f"{data[-40:-20].hex()} {data[-20:].hex()}"}))
    assert Path(there.ids_file).read_text().split() == ids
    assert index.read_bytes() != data


def test_a_ref_that_is_planted_after_the_look_is_not_waited_for(tmp_path: Path, there: Repository) -> None:
    upstream = shutil.copytree(there.path, tmp_path / "upstream/one.git")
    new = make.commit(upstream, "main", 3)
    found = there.inspect(deadline())
    os.mkfifo(Path(there.path) / "refs/heads/pipe")
    there.quarantine(deadline())
    with GitServer(tmp_path / "upstream") as server:
        there.fetch(server.url("one.git"), (new,), found, deadline(), None)
    assert not there.gap(found, deadline())
    assert there.incoming(True, deadline(), just_indexed=True).packs


def test_the_walk_through_a_history_has_a_limit_of_its_own(there: Repository, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(Path(there.path) / "refs/heads/pipe")
    monkeypatch.setattr(steps, "SECONDS", 0.1)
    monkeypatch.setattr(steps, "BYTES_A_SECOND", 10**12)
    with pytest.raises(StoodStill):
        there.gap(replace(entry, store=""), deadline())
