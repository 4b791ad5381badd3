# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker's pack is damaged, and what it has lost is on the sandbox: it comes back, whatever a stranger has put beside it there."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Incomplete, Repository
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.volumes import poison

from .beginnings import a_dozen, filled
from .driver import LocalVolumeAccess, fill
from .test_killed import check_rules


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    with a_dozen(tmp_path) as server:
        yield server


def lone_pack(worker: Path, sandbox: Path) -> tuple[str, Path]:
    """A blob that no ref has, in a pack of its own on both sides: its id and the worker's pack."""
    value = make.git(worker, "hash-object", "-w", "--stdin", stdin=b"only here" * 500)
    name = make.git(worker, "pack-objects", "--quiet", str(worker / "objects/pack/pack"), stdin=f"{value}\n".encode())
    (worker / "objects" / value[:2] / value[2:]).unlink()
    for suffix in (".pack", ".idx"):
        shutil.copy(worker / f"objects/pack/pack-{name}{suffix}", sandbox / "objects/pack")
    return value, worker / f"objects/pack/pack-{name}.pack"


def damage(pack: Path, start: int = 12) -> None:
    data = bytearray(pack.read_bytes())
    pack.chmod(0o644)
    for at in range(start, len(data) - 20):
        data[at] ^= 0x55
    pack.write_bytes(data)


def false_pack(good: Path, path: Path, *, same_end: bool = False, size: int = 532) -> None:
    """A pack of zeros at ``path``; its index has the objects of a good one. Each has a right checksum, or, with ``same_end``, the good one's."""
    body = b"PACK" + struct.pack(">II", 2, 9) + bytes(size - 32)
    end = good.read_bytes()[-20:] if same_end else hashlib.sha1(body).digest()
    path.write_bytes(body + end)
    index = good.with_suffix(".idx").read_bytes()[:-40] + end
    path.with_name(path.name[: -len(".pack")] + ".idx").write_bytes(index + hashlib.sha1(index).digest())


def zeros(good: Path, packs: Path) -> None:
    false_pack(good, packs / f"pack-{'0' * 40}.pack")


def said_to_be_the_good_one(good: Path, packs: Path) -> None:
    false_pack(good, packs / "a.pack", same_end=True)


def a_name_of_two_lines(good: Path, packs: Path) -> None:
    false_pack(good, packs / f"pack-x\npack {'1' * 40} 5 5 7.pack")


def a_name_of_any_bytes(good: Path, packs: Path) -> None:
    false_pack(good, Path(os.fsdecode(bytes(packs) + b"/\xff\x1b[31m.pack")))


def larger_than_the_room(good: Path, packs: Path) -> None:
    false_pack(good, packs / f"pack-{'0' * 40}.pack", size=3_000_000)


def another_good_pack(good: Path, packs: Path) -> None:
    """The pack is a good one, and another than its index says."""
    zeros(good, packs)
    main = max((path for path in packs.glob("*.pack") if path.stem != good.stem), key=lambda path: path.stat().st_size)
    shutil.copy(main, packs / f"pack-{'0' * 40}.pack")


PLANTS: list[tuple[Callable[[Path, Path], None], str]] = [
    (zeros, "1 packs of the sandbox's volume that say they have such objects are no packs, or others, and were left out"),
    (said_to_be_the_good_one, ""),  # it has not even its own checksum, and is not asked
    (a_name_of_two_lines, "1 packs of the sandbox's volume that say they have such objects are no packs"),
    (a_name_of_any_bytes, "1 packs of the sandbox's volume that say they have such objects are no packs"),
    (another_good_pack, ""),
    (larger_than_the_room, "1 packs of the sandbox's volume that say they have such objects are larger than the room that is left"),
]


def back(tmp_path: Path, upstream: GitServer, value: str) -> PairResult:
    """One run that looks at all, after which the lost blob is on both volumes, and both are whole."""
    result = fill(tmp_path, upstream.url("one.git"), verify=True)
    assert not result.sandbox.failed and not result.worker.failed, [
        project.error for side in (result.worker, result.sandbox) for project in side.projects
    ]
    for role in ("worker", "sandbox"):
        assert make.git(tmp_path / role / "one", "cat-file", "blob", value) == "only here" * 500
        make.git(tmp_path / role / "one", "fsck", "--full", "--no-dangling")
    check_rules(tmp_path, {})
    return result


@pytest.mark.parametrize(("plant", "words"), PLANTS)
def test_a_false_pack_is_left_out_and_the_good_one_comes(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch, plant: Callable[[Path, Path], None], words: str
) -> None:
    sandbox, worker = filled(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/df").write_text(
        f'#!/bin/sh\ncase $* in *=avail*) echo Avail; echo 10000000 ;; *) exec {shutil.which("df")} "$@" ;; esac\n'
    )
    (tmp_path / "bin/df").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    value, pack = lone_pack(worker, sandbox)
    plant(pack, sandbox / "objects/pack")
    damage(pack)
    result = back(tmp_path, upstream, value)
    (project,) = result.worker.projects
    assert project.action is Action.REPAIR
    assert any(said.startswith(words) for said in project.warnings), project


def test_an_entry_that_is_replaced_is_looked_into(tmp_path: Path, upstream: GitServer) -> None:
    """It was tampered with, and has yet what is nowhere else."""
    sandbox, worker = filled(tmp_path)
    value, pack = lone_pack(worker, sandbox)
    poison.pack_with_false_index(sandbox, poison.blobs(sandbox)[0], b"an attacker's")
    damage(pack)
    result = back(tmp_path, upstream, value)
    assert result.sandbox.projects[0].action is Action.REPLACE


def test_a_false_index_does_not_hide_a_good_loose_object(tmp_path: Path, upstream: GitServer) -> None:
    sandbox, worker = filled(tmp_path)
    value, pack = lone_pack(worker, sandbox)
    packs = sandbox / "objects/pack"
    make.git(sandbox, "unpack-objects", "-q", stdin=pack.read_bytes())
    for file in packs.glob(f"{pack.stem}.*"):
        file.unlink()
    make.git(sandbox, "hash-object", "-w", "--stdin", stdin=b"only here" * 500)
    assert (sandbox / "objects" / value[:2] / value[2:]).exists()
    zeros(pack, packs)
    damage(pack)
    back(tmp_path, upstream, value)


@pytest.mark.parametrize("start", [12, 1000])
def test_the_main_pack_of_the_worker_is_damaged_while_a_stranger_says_to_have_it(tmp_path: Path, upstream: GitServer, start: int) -> None:
    sandbox, worker = filled(tmp_path)
    pack = next((worker / "objects/pack").glob("*.pack"))
    zeros(pack, sandbox / "objects/pack")
    damage(pack, start)
    access = LocalVolumeAccess(tmp_path)
    for verify in (False, True):
        result = fill(tmp_path, upstream.url("one.git"), verify=verify, access=access)
        assert not result.sandbox.failed and not result.worker.failed, (verify, result)
    check_rules(tmp_path, {})
    make.git(worker, "fsck", "--full")


@pytest.mark.parametrize("verify", [False, True])
def test_files_that_say_they_are_larger_than_the_volume_are_not_read(tmp_path: Path, upstream: GitServer, verify: bool) -> None:
    sandbox, worker = filled(tmp_path)
    false = sandbox / f"objects/pack/pack-{'0' * 40}.pack"
    false_pack(next((worker / "objects/pack").glob("*.pack")), false)
    os.truncate(false, 2**43)
    make.commit(upstream.root / "one.git", "main", 1)
    result = fill(tmp_path, upstream.url("one.git"), verify=verify)
    (project,) = result.sandbox.projects
    assert project.action is Action.REPLACE and not result.worker.failed, result
    assert any("its files say that they have more bytes than the volume" in words for words in project.warnings)
    check_rules(tmp_path, {})


def test_an_entry_that_ends_git_is_damaged_and_not_an_error_of_the_run(tmp_path: Path) -> None:
    path = make.make(tmp_path / "root/one", commits=2)
    repository = Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits())
    limit = Deadline(BOUND, "this test")
    entry = repository.inspect(limit)
    shutil.rmtree(path / "objects")
    with pytest.raises(Incomplete, match=r"git cannot read .*/root/one in this machine: fatal: "):
        repository.absent(("1" * 40,), entry, None, limit)
