# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loose objects that are rotten, empty, cut short or others are found by ``verify``, and mended like damaged packs."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mending import doubted
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.volumes import poison
from ansible_collections.packit.deployment.tests.volumes.consumer import check_consumer

from .beginnings import a_dozen
from .driver import LocalVolumeAccess, fill
from .test_killed import check_rules

ALONE = b"no ref has it" * 50


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    with a_dozen(tmp_path) as server:
        yield server


def rotten(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut_short(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def another(file: Path) -> None:
    file.write_bytes(zlib.compress(b"blob 9\0another's"))


def ends_git_itself(file: Path) -> None:
    """Its header says a size for which there is no memory."""
    file.write_bytes(zlib.compress(b"commit 99999999999999999\0tree"))


def loose(entry: Path, value: str) -> Path:
    return entry / "objects" / value[:2] / value[2:]


def by_hand(tmp_path: Path, upstream: GitServer, access: LocalVolumeAccess) -> tuple[Path, Path]:
    """A pair whose worker's entry somebody made, all of it loose, with an object that no ref has."""
    worker = tmp_path / "worker/one"
    worker.parent.mkdir()
    make.git(tmp_path, "clone", "--quiet", "--bare", "--no-hardlinks", str(upstream.root / "one.git"), str(worker))
    make.git(worker, "hash-object", "-w", "--stdin", stdin=ALONE)
    poison.loosen(worker)
    first = fill(tmp_path, upstream.url("one.git"), access=access)
    assert not first.sandbox.failed and not first.worker.failed, first
    assert not list((worker / "objects/pack").iterdir())
    return tmp_path / "sandbox/one", worker


def mended(tmp_path: Path, upstream: GitServer, access: LocalVolumeAccess, side: str = "worker", number: int = 1) -> PairResult:
    """One run that looks at all, which says how many loose objects were not what their names say; a second one changes nothing."""
    url = upstream.url("one.git")
    result = fill(tmp_path, url, verify=True, access=access)
    assert not result.sandbox.failed and not result.worker.failed, result
    (project,) = getattr(result, side).projects
    words = f"one was mended, and its good objects kept: it is damaged: {number} of its loose objects are not what their names say"
    assert project.action is Action.REPAIR and words in project.warnings, project
    again = fill(tmp_path, url, verify=True, access=access)
    assert [volume.projects[0].action for volume in (again.sandbox, again.worker)] == [Action.NOTHING] * 2, again
    for role in ("sandbox", "worker"):
        make.git(tmp_path / role / "one", "fsck", "--full", "--no-dangling")
    check_rules(tmp_path, {})
    check_consumer(tmp_path, upstream.root / "one.git")
    shutil.rmtree(tmp_path / "checkout")
    return result


@pytest.mark.parametrize("harms", [(rotten, empty, cut_short, another), (rotten, ends_git_itself, empty)])
def test_each_that_is_not_what_its_name_says_is_found_and_no_other(tmp_path: Path, harms: Sequence[Callable[[Path], None]]) -> None:
    entry = make.make(tmp_path / "root/one", commits=4)
    poison.loosen(entry)
    values = sorted(path.parent.name + path.name for path in (entry / "objects").glob("??/*"))
    for value, harm in zip(values, harms, strict=False):
        harm(loose(entry, value))
    repository = Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits())
    limit = Deadline(BOUND, "this test")
    found = doubted(repository, repository.inspect(limit), limit)
    assert Path(repository.false_loose_file).read_text().split() == values[: len(harms)]
    assert found.false_loose == len(harms) and f"{len(harms)} of its loose objects are not what their names say" in found.reason
    repository.list_ids(found, None, limit)
    assert Path(repository.ids_file).read_text().split() == values[len(harms) :]


@pytest.mark.parametrize("harm", [rotten, ends_git_itself])
def test_a_loose_object_of_the_worker_comes_back_and_the_good_ones_stay(
    tmp_path: Path, upstream: GitServer, harm: Callable[[Path], None]
) -> None:
    """One comes from upstream, as a ref needs it; another from its sandbox, as none does."""
    access = LocalVolumeAccess(tmp_path)
    _sandbox, worker = by_hand(tmp_path, upstream, access)
    values = [make.git(worker, "rev-parse", "main~2"), make.git(worker, "hash-object", "--stdin", stdin=ALONE)]
    contents = [make.git(worker, "cat-file", "-p", value) for value in values]
    false = {loose(worker, value) for value in values}
    good = {path: path.read_bytes() for path in (worker / "objects").glob("??/*") if path not in false}
    for path in false:
        harm(path)
    mended(tmp_path, upstream, access, number=2)
    assert [make.git(worker, "cat-file", "-p", value) for value in values] == contents
    assert good == {path: path.read_bytes() for path in (worker / "objects").glob("??/*")}


@pytest.mark.parametrize("header", [b"blob 9999999999999999", b"commit 9999999999999999", b"blob 99999999999999999999999999"])
@pytest.mark.parametrize(("role", "which"), [("worker", "alone"), ("worker", "main~2"), ("sandbox", "alone")])
def test_a_plain_run_is_not_stopped_by_a_header_that_says_an_absurd_size(
    tmp_path: Path, upstream: GitServer, role: str, which: str, header: bytes
) -> None:
    access = LocalVolumeAccess(tmp_path)
    sandbox, worker = by_hand(tmp_path, upstream, access)
    value = make.git(worker, "hash-object", "--stdin", stdin=ALONE) if which == "alone" else make.git(worker, "rev-parse", which)
    harmed = loose(worker if role == "worker" else sandbox, value)
    harmed.parent.mkdir(exist_ok=True)
    harmed.write_bytes(zlib.compress(header + b"\0x"))
    make.commit(upstream.root / "one.git")
    access.records.clear()
    result = fill(tmp_path, upstream.url("one.git"), access=access)
    assert not result.sandbox.failed and not result.worker.failed, result
    if (role, which) == ("worker", "alone"):
        mended(tmp_path, upstream, access)


def test_what_is_nowhere_any_more_is_said(tmp_path: Path, upstream: GitServer) -> None:
    access = LocalVolumeAccess(tmp_path)
    _sandbox, worker = by_hand(tmp_path, upstream, access)
    only = make.git(worker, "hash-object", "-w", "--stdin", stdin=b"only here, and brought to no sandbox yet")
    loose(worker, only).chmod(0o644)
    rotten(loose(worker, only))
    result = mended(tmp_path, upstream, access)
    assert "1 damaged objects could not be brought back; no ref needs them" in result.worker.projects[0].warnings


def test_an_empty_loose_object_of_a_sandbox_is_damage(tmp_path: Path, upstream: GitServer) -> None:
    """A lost node leaves some: nobody has tampered with it, so that the entry is not replaced."""
    access = LocalVolumeAccess(tmp_path)
    sandbox, worker = by_hand(tmp_path, upstream, access)
    alone = make.git(worker, "hash-object", "--stdin", stdin=ALONE)
    packs = {path.name for path in (sandbox / "objects/pack").iterdir()}
    loose(sandbox, alone).parent.mkdir(exist_ok=True)
    loose(sandbox, alone).touch()
    mended(tmp_path, upstream, access, "sandbox")
    assert not loose(sandbox, alone).exists() and packs <= {path.name for path in (sandbox / "objects/pack").iterdir()}
