# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes, foreign files and files of the wrong kind: none of them stops a fill or a removal for good, and none of the objects is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Entry, Use
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from .driver import LocalVolumeAccess, fill, remove
from .other_user import OTHER_UID, UID, UserShell, own, user_directory

WORK = ".packit-deployment#work"
NOT_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")


@dataclass(frozen=True)
class FilledPair:
    """Two filled volumes of an ordinary user, and their upstream."""

    directory: Path
    server: GitServer

    @property
    def sandbox(self) -> Path:
        return self.directory / "sandbox/one"

    def fill(self) -> PairResult:
        return fill(self.directory, self.server.url("one.git"), access=LocalVolumeAccess(self.directory, UserShell()))

    def remove(self) -> PairResult:
        return remove(self.directory, LocalVolumeAccess(self.directory, UserShell()))

    def move_upstream(self) -> None:
        make.commit(self.server.root / "one.git", "main", 1)
        make.delete_branch(self.server.root / "one.git", "feature")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[FilledPair]:
    (tmp_path / "upstream").mkdir()
    make.make(tmp_path / "upstream/one.git", commits=4)
    with GitServer(tmp_path / "upstream") as server, user_directory() as directory:
        pair = FilledPair(directory, server)
        for role in ("sandbox", "worker"):
            entry = directory / role / "one"
            shutil.copytree(tmp_path / "upstream/one.git", entry)
            make.git(entry, "repack", "-a", "-d", "-q")
            shutil.rmtree(entry / "hooks")
        own(directory)
        yield pair


def closed_loose_directory(pair: FilledPair) -> None:
    (pair.sandbox / "objects/aa").mkdir()
    (pair.sandbox / "objects/aa/x").write_text("x\n")
    (pair.sandbox / "objects/aa").chmod(0)


def closed_entry(pair: FilledPair) -> None:
    pair.sandbox.chmod(0)


def unwritable_directories(pair: FilledPair) -> None:
    for path in ("objects", "objects/pack", "refs", "refs/heads", "."):
        (pair.sandbox / path).chmod(0o555)


def directory_for_a_lock(pair: FilledPair) -> None:
    (pair.sandbox / "refs/heads/main.lock").mkdir(parents=True)
    (pair.sandbox / "packed-refs.lock/x").mkdir(parents=True)


def file_for_refs(pair: FilledPair) -> None:
    shutil.rmtree(pair.sandbox / "refs/heads")
    (pair.sandbox / "refs/heads").write_text("x")


def directory_for_config(pair: FilledPair) -> None:
    (pair.sandbox / "config").unlink()
    (pair.sandbox / "config").mkdir()


def setting_twice(pair: FilledPair) -> None:
    with (pair.sandbox / "config").open("a") as file:
        file.write("[gc]\n\tauto = 1\n\tauto = 2\n")


def something_below_a_ref(pair: FilledPair) -> None:
    (pair.sandbox / "refs/heads/main").unlink(missing_ok=True)
    (pair.sandbox / "refs/heads/main").mkdir()
    (pair.sandbox / "refs/heads/main/.hidden").write_text("x")


def closed_work_directory(pair: FilledPair) -> None:
    (pair.directory / "sandbox" / WORK / "one/objects/pack/x").mkdir(parents=True)
    (pair.directory / "sandbox" / WORK / "one/objects").chmod(0)


def directory_for_a_pack(pair: FilledPair) -> None:
    (pair.directory / "sandbox" / WORK / f"one/objects/pack/pack-{'1' * 40}.pack").mkdir(parents=True)


CHANGES: list[Callable[[FilledPair], None]] = [
    closed_loose_directory,
    closed_entry,
    unwritable_directories,
    directory_for_a_lock,
    file_for_refs,
    directory_for_config,
    setting_twice,
    something_below_a_ref,
    closed_work_directory,
    directory_for_a_pack,
]
MENDED = (file_for_refs, directory_for_config)


@pytest.mark.parametrize("change", CHANGES)
def test_closed_modes_and_files_of_the_wrong_kind_stop_no_fill_and_cost_no_object(
    pair: FilledPair, change: Callable[[FilledPair], None]
) -> None:
    packs = {path.name for path in (pair.sandbox / "objects/pack").glob("*.pack")}
    change(pair)
    own(pair.directory)
    pair.move_upstream()
    result = pair.fill()
    assert not result.sandbox.failed and not result.worker.failed, result
    assert result.sandbox.projects[0].action is (Action.REPAIR if change in MENDED else Action.UPDATE)
    assert packs < {path.name for path in (pair.sandbox / "objects/pack").glob("*.pack")}
    assert dict(make.refs(pair.sandbox)) == dict(make.refs(pair.server.root / "one.git"))
    assert [path.name for path in (pair.directory / "sandbox").iterdir()] == ["one"]


@pytest.mark.parametrize("change", [closed_loose_directory, closed_entry, unwritable_directories, closed_work_directory])
def test_it_stops_no_removal(pair: FilledPair, change: Callable[[FilledPair], None]) -> None:
    change(pair)
    own(pair.directory)
    result = pair.remove()
    assert not result.sandbox.failed and not result.worker.failed, result
    for role in ("sandbox", "worker"):
        assert list((pair.directory / role).iterdir()) == []


@pytest.mark.root
@NOT_ROOT
def test_a_removal_that_did_not_remove_says_what_is_left_whose_it_is_and_who_can_delete_it(pair: FilledPair) -> None:
    (pair.sandbox / "objects/bb").mkdir()
    (pair.sandbox / "objects/bb/x").write_text("x")
    (pair.sandbox / "objects/bb").chmod(0o700)
    own(pair.directory)
    own(pair.sandbox / "objects/bb", OTHER_UID)
    for _time in range(2):
        result = pair.remove()
        (project,) = result.sandbox.projects
        assert project.action is Action.FAILED and not result.worker.failed
        assert f"could not be deleted, and takes space: {pair.directory}/sandbox/.packit-deployment#left#* or" in project.error
        assert f"something of uid {OTHER_UID} with mode 700" in project.error
        assert project.remedy == f"Delete it as uid {OTHER_UID} or root."
        assert not pair.sandbox.exists()
    filled = pair.fill()  # it is in nobody's way
    assert not filled.sandbox.failed and not filled.worker.failed, filled
    assert any(f"something of uid {OTHER_UID}" in words for words in filled.sandbox.projects[0].warnings)


@pytest.mark.root
@NOT_ROOT
@pytest.mark.parametrize("act", [FilledPair.fill, FilledPair.remove])
def test_a_work_directory_of_another_user_is_moved_away(pair: FilledPair, act: Callable[[FilledPair], PairResult]) -> None:
    for role in ("sandbox", "worker"):
        work = pair.directory / role / WORK
        (work / "one/objects/pack").mkdir(parents=True)
        work.chmod(0o700)
        own(work, OTHER_UID)
    pair.move_upstream()
    result = act(pair)
    assert not result.sandbox.failed and not result.worker.failed, result
    left = [path.name for path in (pair.directory / "sandbox").iterdir() if path.name != "one"]
    assert len(left) == 1 and left[0].startswith(f".packit-deployment#left#{WORK}#{OTHER_UID}.")


@pytest.mark.root
@NOT_ROOT
def test_a_work_directory_that_cannot_be_moved_away_is_said_to_be_whose_it_is(pair: FilledPair) -> None:
    root = pair.directory / "sandbox"
    (root / WORK).mkdir(mode=0o700)
    own(root / WORK, OTHER_UID)
    os.chown(root, 0, UID)
    root.chmod(0o1777)
    (project,) = pair.fill().sandbox.projects
    assert f"{root}/{WORK} belongs to uid {OTHER_UID} with mode 700, and uid {UID} can neither work in it nor move it away" in project.error
    assert project.remedy == f"Delete {root}/{WORK} on the volume as uid {OTHER_UID} or root; a run that was killed has left it."


# Made by hand with a newer git, or broken: seen for what it is


def seen(path: Path) -> Entry:
    repository = Repository(LocalShell(), str(path.parent), path.name, f"{path.parent}-scratch", Limits())
    return repository.inspect(Deadline(30, "this test"))


def set_in(entry: Path, *settings: str) -> None:
    for setting in settings:
        make.git(entry.parent, "config", "--file", str(entry / "config"), *setting.split("="))


def head_directory(entry: Path) -> None:
    (entry / "HEAD").unlink()
    (entry / "HEAD").mkdir()


def reftable(entry: Path) -> None:
    """Make what `git init --ref-format=reftable` leaves for older gits to see."""
    set_in(entry, "core.repositoryformatversion=1", "extensions.refstorage=reftable")
    shutil.rmtree(entry / "refs")
    (entry / "packed-refs").unlink(missing_ok=True)
    (entry / "refs").mkdir()
    (entry / "refs/heads").write_text("this repository uses the reftable format\n")
    (entry / "HEAD").write_text("ref: refs/heads/.invalid\n")
    (entry / "reftable").mkdir()
    (entry / "reftable/tables.list").write_text("")


def fifo(entry: Path) -> None:
    (entry / "info").mkdir(exist_ok=True)
    (entry / "info/grafts").unlink(missing_ok=True)
    os.mkfifo(entry / "info/grafts")


@pytest.mark.parametrize(
    ("change", "use", "words"),
    [
        (lambda entry: set_in(entry, "core.repositoryformatversion=1", "extensions.relativeworktrees=true"), Use.BUILD_ON, ""),
        (reftable, Use.MEND, "it uses what only a newer git knows (refstorage)"),
        (head_directory, Use.MEND, "its HEAD names no ref and no commit"),
        (lambda entry: (entry / "HEAD").write_text("nonsense\n"), Use.MEND, "its HEAD names no ref and no commit"),
        (lambda entry: set_in(entry, "core.repositoryformatversion=99"), Use.MEND, "its format version is 99, which git does not know"),
        (lambda entry: set_in(entry, "extensions.relativeworktrees=true"), Use.MEND, "extensions that its format version must not have"),
        (lambda entry: (entry / "refs/heads/x").write_text("nonsense\n"), Use.MEND, "its refs cannot be read"),
        (fifo, Use.REPLACE_UNSHARED, "it has grafts"),
        (lambda entry: (entry / "info/grafts").mkdir(parents=True), Use.REPLACE_UNSHARED, "it has grafts"),
        (lambda entry: (entry / "shallow").write_text(""), Use.MEND, "it is a shallow clone"),
    ],
)
def test_what_was_made_by_hand_is_seen_for_what_it_is(tmp_path: Path, change: Callable[[Path], None], use: Use, words: str) -> None:
    entry = make.make(tmp_path / "root/one", commits=2)
    make.git(entry, "repack", "-a", "-d", "-q")
    change(entry)
    found = seen(entry)
    assert found.use is use, found
    assert words in found.reason and bool(words) == bool(found.reason)


@pytest.mark.parametrize("change", [reftable, head_directory])
@pytest.mark.parametrize("bare", [True, False])
def test_only_the_objects_of_such_an_entry_count_and_they_stay(pair: FilledPair, change: Callable[[Path], None], bare: bool) -> None:
    """Its refs are the snapshot's then, in a form that every git reads."""
    git_dirs = []
    for role in ("sandbox", "worker"):
        entry = pair.directory / role / "one"
        if not bare:
            entry.rename(entry.with_name("moved"))
            entry.mkdir()
            entry.with_name("moved").rename(entry / ".git")
            (entry / "file").write_text("a work tree's")
            entry = entry / ".git"
        change(entry)
        git_dirs.append(entry)
    own(pair.directory)
    only = {path.name for path in (git_dirs[0] / "objects/pack").glob("*.pack")}
    pair.move_upstream()
    result = pair.fill()
    assert [volume.projects[0].action for volume in (result.sandbox, result.worker)] == [Action.REPAIR, Action.REPAIR], (
        result.worker.projects
    )
    assert any(words.startswith("one was mended, and its good objects kept: it") for words in result.worker.projects[0].warnings)
    upstream = make.refs(pair.server.root / "one.git")
    names = "refs/" if bare else "refs/packit-cache/"
    for entry in git_dirs:
        assert only < {path.name for path in (entry / "objects/pack").glob("*.pack")}
        ours = {name: value for name, value in make.refs(entry).items() if name.startswith(names)}
        assert ours == {names + name.removeprefix("refs/"): value for name, value in upstream.items()}
        assert make.git(entry, "config", "--file", "config", "gc.auto") == "0"
    assert [project.action for project in pair.fill().sandbox.projects] == [Action.NOTHING]
