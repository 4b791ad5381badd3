# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox's volume gets what it lacks, however much more its worker's volume has just received."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Change, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.once import copied
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from .driver import PAIR, HeldDirectory, LocalVolumeAccess, fill
from .test_killed import all_objects, check_rules

_NEW = 60


class Counting(LocalShell):
    """Counts the bytes that come by standard input. What an rsync of this machine writes is seen on the disk."""

    def __init__(self) -> None:
        self.received = 0

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", **more: Any) -> Completed:
        self.received += len(stdin)
        return super().run(argv, stdin=stdin, **more)

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        self.received += source.stat().st_size
        return super().upload(argv, source, deadline=deadline)


class CountingAccess(LocalVolumeAccess):
    """Counts what comes to the sandbox's volume."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.sandbox = Counting()

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        with super().hold(volume, deadline, news) as held:
            if volume.role is Role.SANDBOX:
                held.shell = self.sandbox
            yield held


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    def made(path: Path) -> None:
        make.make(path, commits=600)
        make.git(path, "repack", "-a", "-d", "-q")

    copied("six-hundred-commits", made, tmp_path / "upstream" / "one.git")
    with GitServer(tmp_path / "upstream") as server:
        yield server


def size(entry: Path) -> int:
    return sum(file.stat().st_size for file in (entry / "objects").rglob("*") if file.is_file())


def lacked(path: Path, before: str, directory: Path) -> int:
    """The bytes of a pack of what is new on a branch, and of its index."""
    new = f"main\n^{before}\n".encode()
    make.git(path, "pack-objects", "--revs", "--delta-base-offset", "--quiet", str(directory / "lacked"), stdin=new)
    return sum(file.stat().st_size for file in directory.glob("lacked-*") if file.suffix in (".pack", ".idx"))


@pytest.mark.parametrize("method", ["git", "as planned", "rsync"])
def test_a_sandbox_that_has_the_objects_gets_the_new_ones_alone(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Its worker's volume is a new one, and receives all."""
    access = CountingAccess(tmp_path)
    url, path = upstream.url("one.git"), upstream.root / "one.git"
    assert not fill(tmp_path, url, method=method, access=access).sandbox.failed
    (tmp_path / "worker/one").rename(tmp_path / "gone")
    del access.records[PAIR.worker]
    before = make.git(path, "rev-parse", "main")
    make.commit(path, "main", _NEW)
    small, was = lacked(path, before, tmp_path), size(tmp_path / "sandbox/one")
    assert small < was / 4
    access.sandbox.received = 0
    result = fill(tmp_path, url, method=method, access=access)
    assert [side.projects[0].action for side in (result.sandbox, result.worker)] == [Action.UPDATE, Action.ADD], result
    assert access.sandbox.received <= 1.5 * small
    assert size(tmp_path / "sandbox/one") - was <= 1.5 * small
    check_rules(tmp_path, {})
    assert all_objects(tmp_path / "worker/one") <= all_objects(tmp_path / "sandbox/one")

    # The two have other packs now, and the claims say that nothing is missing: ids are not compared each time.
    make.commit(path, "main", 1)
    monkeypatch.setattr(Repository, "list_ids", lambda *_, **_options: pytest.fail("ids were listed"))
    result = fill(tmp_path, url, method=method, access=access)
    assert [side.projects[0].action for side in (result.sandbox, result.worker)] == [Action.UPDATE, Action.UPDATE], result
    check_rules(tmp_path, {})


def test_of_a_workers_pack_the_objects_that_a_sandbox_lacks_are_brought_alone(tmp_path: Path, upstream: GitServer) -> None:
    """It was made anew by hand, with one object more."""
    access = CountingAccess(tmp_path)
    url = upstream.url("one.git")
    assert not fill(tmp_path, url, method="git", access=access).sandbox.failed
    worker, sandbox = tmp_path / "worker/one", tmp_path / "sandbox/one"
    value = make.git(worker, "hash-object", "-w", "--stdin", stdin=b"only here")
    make.git(worker, "update-ref", "refs/keep/it", value)
    make.git(worker, "repack", "-a", "-d", "-q")
    access.records[PAIR.worker] = replace(access.records[PAIR.worker], projects={})
    was, access.sandbox.received = size(sandbox), 0
    result = fill(tmp_path, url, method="git", access=access)
    assert not result.sandbox.failed, result
    assert value in all_objects(sandbox)
    assert max(access.sandbox.received, size(sandbox) - was) < 10_000
    check_rules(tmp_path, {})


def test_of_a_workers_damaged_pack_the_rest_comes_and_it_is_mended(tmp_path: Path, upstream: GitServer) -> None:
    """The object that is lacking cannot be read there, so no pack of it alone can be made."""
    access = CountingAccess(tmp_path)
    url = upstream.url("one.git")
    assert not fill(tmp_path, url, method="git", access=access).sandbox.failed
    worker = tmp_path / "worker/one"
    value = make.git(worker, "hash-object", "-w", "--stdin", stdin=b"only here")
    make.git(worker, "update-ref", "refs/keep/it", value)
    make.git(worker, "repack", "-a", "-d", "-q")
    (pack,) = (worker / "objects/pack").glob("*.pack")
    listed = make.git(worker, "verify-pack", "-v", str(pack))
    (offset,) = (int(line.split()[4]) for line in listed.splitlines() if line.startswith(value))
    pack.chmod(0o644)
    with pack.open("r+b") as opened:
        opened.seek(offset + 4)
        opened.write(b"\xff\xff\xff")
    access.records[PAIR.worker] = replace(access.records[PAIR.worker], projects={})
    results = [fill(tmp_path, url, method="git", access=access) for _run in (1, 2)]
    assert not results[-1].sandbox.failed and not results[-1].worker.failed, results
    check_rules(tmp_path, {})


def test_an_index_of_the_worker_that_names_what_is_not_there_is_found_and_mended_in_one_run(tmp_path: Path, upstream: GitServer) -> None:
    access = CountingAccess(tmp_path)
    url = upstream.url("one.git")
    assert not fill(tmp_path, url, method="git", access=access).sandbox.failed
    packs = tmp_path / "worker/one/objects/pack"
    value = make.git(tmp_path / "worker/one", "hash-object", "-w", "--stdin", stdin=b"only here")
    make.git(tmp_path / "worker/one", "pack-objects", "--quiet", str(packs / "pack"), stdin=f"{value}\n".encode())
    make.git(tmp_path / "worker/one", "prune-packed", "-q")
    (index,) = (file for file in packs.glob("*.idx") if value in make.git(packs, "show-index", "--object-format=sha1", stdin=file.read_bytes()))
    data = index.read_bytes().replace(bytes.fromhex(value), bytes.fromhex(value)[:-1] + bytes([bytes.fromhex(value)[-1] ^ 1]))[:-20]
    index.chmod(0o644)
    index.write_bytes(data + hashlib.sha1(data).digest())
    access.records[PAIR.worker] = replace(access.records[PAIR.worker], projects={})
    result = fill(tmp_path, url, method="git", access=access)
    assert not result.sandbox.failed and not result.worker.failed, result
    check_rules(tmp_path, {})
