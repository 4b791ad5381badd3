# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Something planted in a sandbox's entry that makes it look like another one: it stops no pair, and the objects stay."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts.selections import Sums
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.tampering import PACKS_MOST
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.volumes.consumer import check_consumer

from .beginnings import a_dozen, filled
from .driver import LocalVolumeAccess, fill
from .test_killed import all_objects


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    with a_dozen(tmp_path) as server:
        yield server


def an_empty_repository(entry: Path) -> None:
    make.git(entry, "init", "--quiet", "--bare", str(entry / ".git"))


def a_whole_repository(entry: Path) -> None:
    shutil.copytree(entry, entry.parent / ".copy")
    (entry.parent / ".copy").rename(entry / ".git")


def a_link(entry: Path) -> None:
    (entry / ".git").symlink_to("..")


def a_file(entry: Path) -> None:
    (entry / ".git").write_text("gitdir: ../elsewhere\n")


def a_repository_around_the_bridge(entry: Path) -> None:
    an_empty_repository(entry)
    shutil.rmtree(entry / ".git/objects")
    (entry / ".git/objects").symlink_to("../objects")
    (entry / ".git/shallow").write_text("")


def instead_of_its_head(entry: Path) -> None:
    (entry / "HEAD").unlink()
    an_empty_repository(entry)


def instead_of_its_refs(entry: Path) -> None:
    a_whole_repository(entry)
    shutil.rmtree(entry / "refs")


BESIDE: list[Callable[[Path], None]] = [an_empty_repository, a_whole_repository, a_link, a_file, a_repository_around_the_bridge]
INSTEAD: list[Callable[[Path], None]] = [instead_of_its_head, instead_of_its_refs]


@pytest.mark.parametrize("plant", [*BESIDE, *INSTEAD])
@pytest.mark.parametrize("verify", [False, True])
def test_a_git_directory_planted_in_a_bare_entry_blocks_no_pair(
    tmp_path: Path, upstream: GitServer, plant: Callable[[Path], None], verify: bool
) -> None:
    """Consumers' git would read it as the repository itself."""
    sandbox, worker = filled(tmp_path)
    packs = {path.name for path in (sandbox / "objects/pack").iterdir()}
    plant(sandbox)
    make.commit(upstream.root / "one.git", "main", 1)
    access = LocalVolumeAccess(tmp_path)
    result = fill(tmp_path, upstream.url("one.git"), verify=verify, access=access)
    assert not result.sandbox.failed and not result.worker.failed, result
    (project,) = result.sandbox.projects
    if plant in BESIDE:
        assert project.action is Action.UPDATE and packs < {path.name for path in (sandbox / "objects/pack").iterdir()}
        assert any("files that git would believe instead of the objects" in words for words in project.warnings), project
    else:
        assert project.action is Action.REPLACE
        assert any("`objects` of its own, and the worker's entry is bare" in words for words in project.warnings), project
    assert not (sandbox / ".git").exists() or [path.name for path in (sandbox / ".git").iterdir()] == ["objects"]
    assert not (sandbox / ".git").is_symlink()
    assert all_objects(worker) <= all_objects(sandbox)
    check_consumer(tmp_path, upstream.root / "one.git")
    again = fill(tmp_path, upstream.url("one.git"), verify=True, access=access)
    assert [side.projects[0].action for side in (again.sandbox, again.worker)] == [Action.NOTHING] * 2


def test_packs_without_number_are_not_looked_at_one_by_one(tmp_path: Path, upstream: GitServer) -> None:
    sandbox, worker = filled(tmp_path)
    for number in range(PACKS_MOST + 2):
        (sandbox / f"objects/pack/{number}.idx").write_bytes(b"x" * 60)
        (sandbox / f"objects/pack/{number}.pack").touch()
    make.commit(upstream.root / "one.git", "main", 1)
    result = fill(tmp_path, upstream.url("one.git"))
    (project,) = result.sandbox.projects
    words = f"one was replaced: it has {PACKS_MOST + 3} packs, which is over {PACKS_MOST} more than its worker's entry has"
    assert project.action is Action.REPLACE and words in project.warnings, project
    assert not result.worker.failed and all_objects(worker) <= all_objects(sandbox)


@pytest.mark.parametrize("verify", [False, True])
def test_packs_that_are_none_hide_no_other(tmp_path: Path, upstream: GitServer, verify: bool) -> None:
    """They are shorter than any is: what is read of many files at once stays in step. Nothing is copied in vain."""
    sandbox, worker = filled(tmp_path)
    for name in ("0", "pack-x\ny", ".hidden", "zz"):
        (sandbox / f"objects/pack/{name}.idx").write_bytes(b"x" * 35)
        (sandbox / f"objects/pack/{name}.pack").touch()
    shell, limit = LocalShell(), Deadline(BOUND, "this test")
    found = []
    for role in ("sandbox", "worker"):
        repository = Repository(shell, str(tmp_path / role), "one", str(tmp_path / f"own-{role}"), Limits())
        found.append(repository.contents(repository.inspect(limit), None, limit))
    assert found[0].includes(found[1]) and found[0].packs == found[1].packs
    make.commit(upstream.root / "one.git", "main", 1)
    result = fill(tmp_path, upstream.url("one.git"), verify=verify)
    assert not result.sandbox.failed and not result.worker.failed, result
    assert all_objects(worker) <= all_objects(sandbox)


def test_locks_without_number_are_removed_at_once_and_young_ones_are_counted(tmp_path: Path, upstream: GitServer) -> None:
    """Their names together are more than a process may have words."""
    sandbox, _worker = filled(tmp_path)
    for number in range(10_000):
        (sandbox / f"{'a' * 240}{number}.lock").touch()
    shell, limit = LocalShell(), Deadline(BOUND, "this test")
    shared = Repository(shell, str(tmp_path / "sandbox"), "one", str(tmp_path / "own"), Limits(), shared=True)
    assert any("has 10000 fresh lock files" in warning for warning in shared.take(limit)[0].warnings)
    alone = Repository(shell, str(tmp_path / "sandbox"), "one", str(tmp_path / "own"), Limits(), shared=False)
    entry, removed = alone.take(limit)
    assert entry.warnings == () and len(removed) == 1000  # so many are told
    assert not list(sandbox.glob("*.lock"))


def test_a_link_that_takes_a_directorys_place_while_locks_are_removed_leads_nowhere(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, _worker = filled(tmp_path)
    outside, bin_directory = tmp_path / "outside", tmp_path / "bin"
    (sandbox / "info").mkdir(exist_ok=True)
    for directory in (outside, bin_directory):
        directory.mkdir()
    for directory in (outside, sandbox / "info"):
        (directory / "a.lock").touch()
    swapping = f"""#!/bin/sh
    if [ -d info ] && [ ! -L info ]; then mv info info.away && ln -s {outside} info; fi
    exec {shutil.which("find")} "$@"
    """
    (bin_directory / "find").write_text(swapping)
    (bin_directory / "find").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_directory}:{os.environ['PATH']}")
    repository = Repository(LocalShell(), str(tmp_path / "sandbox"), "one", str(tmp_path / "own"), Limits(), shared=False)
    repository.take(Deadline(BOUND, "this test"))
    assert (sandbox / "info").is_symlink() and (outside / "a.lock").exists()


def test_a_link_to_nowhere_beside_loose_objects_hides_none(tmp_path: Path, upstream: GitServer) -> None:
    sandbox, _worker = filled(tmp_path)
    value = make.git(sandbox, "hash-object", "-w", "--stdin", stdin=b"loose 3")
    assert value[:2] != "00"
    limit = Deadline(BOUND, "this test")
    repository = Repository(LocalShell(), str(tmp_path / "sandbox"), "one", str(tmp_path / "own"), Limits())
    entry = repository.inspect(limit)
    (sandbox / "objects/00").symlink_to("nowhere")
    (sandbox / f"objects/{value[:2]}/{'0' * 38}").write_bytes(b"none")
    assert value in repository.contents(entry, None, limit).loose
    assert repository.checksums(entry, (), limit, Sums.STORED).loose == 1
