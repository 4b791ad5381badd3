# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One repository on a local directory, against the real git."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Layout, Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.packs import BadPack, parse_checks
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Change, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Use
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.lock_files import stopped_by_a_lock
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.publication import bridge, own_snapshot, publish
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts.tidy import TIDY
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer import from_worker
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import KILLED, CommandFailed, Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from .beginnings import a_dozen, filled
from .driver import HeldDirectory, LocalVolumeAccess, fill, remove

OLD, YEAR_2100 = 1_000_000, 4_102_444_800
"""Times of files, in seconds since 1970."""


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    with a_dozen(tmp_path) as server:
        yield server


def repository(tmp_path: Path, root: Path, name: str = "one") -> Repository:
    return Repository(LocalShell(), str(root), name, str(tmp_path / "scratch"), Limits())


def deadline() -> Deadline:
    return Deadline(BOUND, "this test")


def test_a_fill_and_a_second_one_that_changes_nothing(tmp_path: Path, upstream: GitServer) -> None:
    first = fill(tmp_path, upstream.url("one.git"))
    assert [volume.projects[0].action for volume in (first.sandbox, first.worker)] == [Action.ADD, Action.ADD]
    assert list((tmp_path / "scratch").glob("from-*")) == []  # the copies of many pairs would fill this machine
    second = fill(tmp_path, upstream.url("one.git"), verify=True)
    assert [volume.projects[0].action for volume in (second.sandbox, second.worker)] == [Action.NOTHING, Action.NOTHING]


def test_a_detached_head_is_kept(tmp_path: Path, upstream: GitServer) -> None:
    source = upstream.root / "one.git"
    detached = make.git(source, "rev-parse", "main~3")
    (source / "HEAD").write_text(f"{detached}\n")
    fill(tmp_path, upstream.url("one.git"))
    assert (tmp_path / "worker/one/HEAD").read_text().strip() == detached


def test_upstream_is_waited_for_by_the_worker_and_never_by_a_held_sandbox(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Role] = []
    seen: list[list[Role]] = []
    hold = LocalVolumeAccess.hold

    @contextmanager
    def noted(access: LocalVolumeAccess, volume: Volume, limit: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        with hold(access, volume, limit, news) as found:
            held.append(volume.role)
            try:
                yield found
            finally:
                held.remove(volume.role)

    monkeypatch.setattr(LocalVolumeAccess, "hold", noted)
    upstream.before_fetch = lambda: seen.append([*held])
    result = fill(tmp_path, upstream.url("one.git"))
    assert [volume.projects[0].action for volume in (result.sandbox, result.worker)] == [Action.ADD, Action.ADD]
    assert seen == [[Role.WORKER]]


def test_a_copy_that_took_longer_than_a_sandbox_may_be_held_is_refused_with_the_figures(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    milliseconds = itertools.count()
    monkeypatch.setattr(from_worker, "monotonic", lambda: next(milliseconds) / 1000)
    result = fill(tmp_path, upstream.url("one.git"), max_hold=5)
    assert result.sandbox.projects[0].action is Action.FAILED
    assert "from the worker's volume took 0 seconds, and a sandbox's volume may be held for 5." in result.sandbox.projects[0].error
    assert "Use option `method: seed`, or option `method: rsync` with a local clone" in result.sandbox.projects[0].remedy
    assert result.sandbox.locks == ()
    assert result.worker.projects[0].action is Action.BLOCKED
    assert not (tmp_path / "worker/one").exists()


def test_a_flipped_bit_in_a_sandbox_is_found_named_and_mended(tmp_path: Path, upstream: GitServer) -> None:
    filled(tmp_path)
    pack = next((tmp_path / "sandbox/one/objects/pack").glob("*.pack"))
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    result = fill(tmp_path, upstream.url("one.git"), verify=True)
    (project,) = result.sandbox.projects
    words = f"it is damaged: {pack.stem.replace('-', ' ')} or its index does not match its own checksum"
    assert project.action is Action.REPAIR
    assert f"one was mended, and its good objects kept: {words}" in project.warnings
    make.git(tmp_path / "sandbox/one", "fsck", "--full")
    assert fill(tmp_path, upstream.url("one.git"), verify=True).sandbox.projects[0].action is Action.NOTHING


@pytest.mark.parametrize("left", [0, 15, 30])
def test_an_index_that_was_cut_short_is_found_and_mended(tmp_path: Path, upstream: GitServer, left: int) -> None:
    filled(tmp_path)
    index = next((tmp_path / "sandbox/one/objects/pack").glob("*.idx"))
    index.chmod(0o644)
    os.truncate(index, left)
    result = fill(tmp_path, upstream.url("one.git"), verify=True)
    assert result.sandbox.projects[0].action is Action.REPAIR and not result.worker.failed, result
    make.git(tmp_path / "sandbox/one", "fsck", "--full")


def test_an_index_of_another_pack_is_found() -> None:
    line = f"pack-x 10 {'a' * 40} {'a' * 40} {'b' * 40} {'c' * 40} {'c' * 40} {'d' * 40}"
    with pytest.raises(BadPack, match="The index of pack pack-x in here belongs to another pack"):
        parse_checks(line, "here")


@pytest.mark.parametrize(
    ("make_entry", "use", "reason"),
    [
        (lambda _path: None, Use.ABSENT, ""),
        (lambda path: path.mkdir(), Use.ABSENT, "an empty directory"),
        (lambda path: path.write_text("x"), Use.REPLACE_UNSHARED, "it is no directory"),
        (lambda path: path.symlink_to("/nowhere"), Use.REPLACE_UNSHARED, "symbolic link"),
        (lambda path: (path / "objects").mkdir(parents=True), Use.REPLACE, "it is no whole git repository"),
        (lambda path: (path.mkdir(), (path / ".git").write_text("gitdir: /x")), Use.REPLACE_UNSHARED, "leads to a repository elsewhere"),
    ],
)
def test_what_is_no_repository_is_recognised(tmp_path: Path, make_entry, use: Use, reason: str) -> None:  # type: ignore[no-untyped-def]
    root = tmp_path / "root"
    root.mkdir()
    make_entry(root / "one")
    entry = repository(tmp_path, root).inspect(deadline())
    assert entry.use is use
    assert reason in entry.reason


@pytest.mark.parametrize(
    ("settings", "use", "words"),
    [
        (("extensions.partialclone", "origin"), Use.MEND, "partial clone"),
        (("remote.origin.promisor", "true"), Use.MEND, "partial clone"),
    ],
)
def test_settings_that_make_an_entry_unusable(tmp_path: Path, settings: tuple[str, str], use: Use, words: str) -> None:
    entry = make.make(tmp_path / "root" / "one", commits=2)
    make.git(tmp_path, "config", "--file", str(entry / "config"), *settings)
    found = repository(tmp_path, tmp_path / "root").inspect(deadline())
    assert found.use is use
    assert words in found.reason


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [("shallow", "0" * 40, "shallow clone"), ("objects/info/alternates", "/x", "borrows objects"), ("info/grafts", "0" * 40, "grafts")],
)
def test_files_that_make_an_entry_unusable(tmp_path: Path, path: str, content: str, words: str) -> None:
    entry = make.make(tmp_path / "root" / "one", commits=2)
    (entry / path).parent.mkdir(exist_ok=True)
    (entry / path).write_text(content + "\n")
    found = repository(tmp_path, tmp_path / "root").inspect(deadline())
    assert words in found.reason and not found.whole


@pytest.mark.parametrize("tag", ["", "#run"])
def test_what_this_hold_has_received_outlives_the_takes_of_a_long_hold(tmp_path: Path, tag: str) -> None:
    (tmp_path / "root").mkdir()
    one, two = (
        Repository(LocalShell(), str(tmp_path / "root"), name, str(tmp_path / "scratch"), Limits(), tag=tag) for name in ("one", "two")
    )
    one.take(deadline())
    one.expect(["pack-x"], 1, deadline())
    for slot in ("one", "earlier"):
        at = tmp_path / f"root/.packit-deployment#work/{slot}{tag}"
        at.mkdir(exist_ok=True)
        os.utime(at, (OLD, OLD))
    two.take(deadline())
    assert [path.name for path in (tmp_path / "root/.packit-deployment#work").iterdir()] == [f"one{tag}"]


def test_a_take_during_which_somebody_changes_the_place_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "root").mkdir()
    monkeypatch.setattr(scripts, "TAKE", scripts.TAKE.replace("clear_work\n", "changed one\n"))
    with pytest.raises(CommandFailed, match="somebody changed one in the middle of the work"):
        repository(tmp_path, tmp_path / "root").take(deadline())


def test_an_old_quarantine_that_is_gone_on_with_outlives_the_next_projects_take(tmp_path: Path) -> None:
    """The worker's volume receives all projects before the first one is published."""
    one, two = (repository(tmp_path, tmp_path / "root", name) for name in ("one", "two"))
    pack = Path(one.pack_directory) / f"pack-{'1' * 40}.pack"
    pack.parent.mkdir(parents=True)
    pack.write_bytes(b"received by yesterday's run")
    for path in (pack, pack.parent, Path(one.work) / "objects", Path(one.work)):
        os.utime(path, (1_000_000, 1_000_000))
    one.take(deadline(), keep_received=True)
    two.take(deadline(), keep_received=True)
    assert pack.exists()


@pytest.mark.parametrize(
    ("left", "dated"),
    [
        ("packed-refs.lock", OLD),
        ("packed-refs.lock", YEAR_2100),
        ("packed-refs.new", OLD),
        ("config.lock", OLD),
        ("config.lock", YEAR_2100),
    ],
)
def test_the_lock_of_another_git_is_left_alone_until_it_is_old_and_the_error_names_it(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch, left: str, dated: int
) -> None:
    """git makes both while it packs refs, and refuses to work while either is there. A date in the future never grows old."""
    monkeypatch.setattr(HeldDirectory, "shared", True)
    filled(tmp_path)
    make.git(tmp_path / "sandbox/one", "config", "--unset", "gc.auto")  # a setting that is to be made again
    lock = tmp_path / "sandbox/one" / left
    lock.write_text("")
    half_an_hour_ago = time.time() - 30 * 60
    os.utime(lock, (half_an_hour_ago, half_an_hour_ago))
    (tmp_path / "sandbox/one/other.lock").write_text("")  # is in nobody's way
    make.delete_branch(upstream.root / "one.git", "feature")
    (project,) = fill(tmp_path, upstream.url("one.git")).sandbox.projects
    assert left.removesuffix(".lock") in project.error and "File exists" in project.error
    age = re.search(rf"again\. {re.escape(left)} is (\d+) minutes old, and is removed by a run in (\d+) minutes\. A run", project.remedy)
    assert age is not None and int(age[1]) >= 30 and int(age[1]) + int(age[2]) == 60, project.remedy
    assert project.remedy.startswith("Another git may work there: wait for it, and run again. ")
    assert project.remedy.endswith(" A run while no other pod has the volume mounted removes any lock at once.")
    assert lock.exists()
    os.utime(lock, (dated, dated))
    (project,) = fill(tmp_path, upstream.url("one.git")).sandbox.projects
    assert project.error == ""
    assert not lock.exists()


@pytest.mark.parametrize("left", ["packed-refs.lock", "packed-refs.new", "config.lock", "HEAD.lock", "refs/heads/main.lock"])
def test_a_young_lock_on_a_volume_that_nobody_else_has_stops_nobody(tmp_path: Path, upstream: GitServer, left: str) -> None:
    """Each job in a sandbox could plant one; when the job has ended it is nobody's."""
    filled(tmp_path)
    make.git(tmp_path / "sandbox/one", "config", "--unset", "gc.auto")
    (tmp_path / "sandbox/one" / left).write_text("")
    make.commit(upstream.root / "one.git", "main", 1)
    make.delete_branch(upstream.root / "one.git", "feature")
    result = fill(tmp_path, upstream.url("one.git"))
    assert [volume.projects[0].action for volume in (result.sandbox, result.worker)] == [Action.UPDATE, Action.UPDATE], result
    assert not (tmp_path / "sandbox/one" / left).exists()


def test_a_lock_that_was_made_since_the_take_is_told(tmp_path: Path, upstream: GitServer) -> None:
    filled(tmp_path)
    lock = tmp_path / "sandbox/one/packed-refs.lock"
    make.delete_branch(upstream.root / "one.git", "feature")

    access = LocalVolumeAccess(tmp_path, Planting(lock.touch))
    (project,) = fill(tmp_path, upstream.url("one.git"), access=access).sandbox.projects
    assert "packed-refs.lock" in project.error and project.remedy == (
        "Run again: what has made that file since the volume was taken is nobody's, as no other pod has it mounted, and is removed then."
    )
    access.shell = LocalShell()
    assert not fill(tmp_path, upstream.url("one.git"), access=access).sandbox.failed


class Planting(LocalShell):
    """Something is made in the sandbox's entry before the refs are changed."""

    def __init__(self, plant: Callable[[], None]) -> None:
        super().__init__()
        self._plant = plant

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        if argv[2:3] == (scripts.LOCKING,) and scripts.CHANGE_REFS in argv and any("sandbox" in word for word in argv):
            self._plant()
        return super().run(argv, **more)


@pytest.mark.parametrize(
    ("name", "told"), [(b"caf\xe9.lock", "caf?.lock"), (b"a\nb.lock", "a?b.lock"), (b"a b\x1b.lock", "a?b?.lock")], ids=ascii
)
def test_a_lock_of_an_oddly_named_ref_is_told_as_a_lock(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch, name: bytes, told: str
) -> None:
    monkeypatch.setattr(HeldDirectory, "shared", True)
    filled(tmp_path)
    lock = os.fsencode(tmp_path / "sandbox/one/refs/heads") + b"/" + name
    make.commit(upstream.root / "one.git")
    access = LocalVolumeAccess(tmp_path, Planting(lambda: os.close(os.open(lock, os.O_CREAT))))
    (project,) = fill(tmp_path, upstream.url("one.git"), access=access).sandbox.projects
    assert f"Unable to create './refs/heads/{told}': File exists" in project.error
    assert f"refs/heads/{told} is " in project.remedy and " minutes old, and is removed by a run in " in project.remedy
    assert Path(os.fsdecode(lock)).exists()


@pytest.mark.parametrize("name", ["refs/heads/x.lock", "packed-refs.lock", "HEAD.lock"])
def test_a_directory_with_a_locks_name_is_in_nobodys_way(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(HeldDirectory, "shared", True)
    filled(tmp_path)
    make.commit(upstream.root / "one.git")
    access = LocalVolumeAccess(tmp_path, Planting(lambda: (tmp_path / "sandbox/one" / name / "x").mkdir(parents=True)))
    (project,) = fill(tmp_path, upstream.url("one.git"), access=access).sandbox.projects
    assert project.error == ""


@pytest.mark.parametrize(
    ("words", "lock"),
    [
        ("fatal: Unable to create '/v/one/HEAD.lock': File exists.", True),
        ("dd: failed to open './packed-refs.lock': File exists", True),
        ("mv: cannot move './block' to '/proc/self/fd/6/block': File exists", False),
        ("mkdir: cannot create directory './x.lock/y': File exists", False),
    ],
)
def test_what_gits_locks_are_told_by(words: str, lock: bool) -> None:
    assert stopped_by_a_lock(Completed((), 1, b"", words)) is lock


class Killed(LocalShell):
    """Is killed where it has made its lock, in a script on the sandbox's volume."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        killed = self._text.replace('flush "./$2.lock"', "kill -KILL $$")
        assert killed != self._text
        here = any("sandbox" in word for word in argv)
        return super().run([killed if here and word == self._text else word for word in argv], **more)


@pytest.mark.parametrize("text", [scripts.HEAD, scripts.BRIDGE], ids=["HEAD", "exclude"])
def test_a_run_that_is_killed_at_its_lock_stops_no_later_one(tmp_path: Path, text: str) -> None:
    """On a volume that another pod has mounted, a lock without a mark is left alone until it is old."""
    make.make(tmp_path / "sandbox/one/.git" if text == scripts.BRIDGE else tmp_path / "sandbox/one", commits=2)
    killed = Repository(Killed(text), str(tmp_path / "sandbox"), "one", str(tmp_path / "scratch"), Limits())
    entry, _removed = killed.take(deadline())
    with pytest.raises(CommandFailed) as caught:
        if text == scripts.BRIDGE:
            bridge(killed, entry, Layout.BARE, deadline())
        else:
            snapshot = replace(own_snapshot(entry), head="refs/heads/feature")
            publish(killed, entry, killed.incoming(False, deadline()), snapshot, lambda _name: True, True, deadline())
    assert caught.value.completed.returncode == KILLED
    (lock,) = (tmp_path / "sandbox/one").rglob("*.lock")
    repository(tmp_path, tmp_path / "sandbox").take(deadline())
    assert not lock.exists()


def test_a_volume_that_is_full_gets_no_lock_that_stays(tmp_path: Path) -> None:
    (tmp_path / "root/one").mkdir(parents=True)
    text = f"{TIDY}\nroot=$1\nat one\nput $2 packed-refs"
    argv = scripts.argv(f"ulimit -f 1; {text}", str(tmp_path / "root"), str(tmp_path / "large"))
    (tmp_path / "large").write_bytes(bytes(100_000))
    assert LocalShell().run(argv, deadline=deadline()).returncode
    assert not list((tmp_path / "root/one").iterdir())


@pytest.mark.parametrize("left", ["packed-refs.lock", "packed-refs.new", "config.lock", "info/exclude.lock", "refs/heads/main.lock"])
def test_what_our_own_git_left_when_it_was_killed_stops_nobody(tmp_path: Path, upstream: GitServer, left: str) -> None:
    filled(tmp_path)
    for side in ("sandbox", "worker"):
        (tmp_path / side / "one" / left).parent.mkdir(exist_ok=True)
        (tmp_path / side / "one" / left).write_text("")
        slot = tmp_path / side / ".packit-deployment#work/one"
        slot.mkdir(parents=True)
        (slot / "locks").write_text("")
    make.commit(upstream.root / "one.git", "main", 1)
    make.delete_branch(upstream.root / "one.git", "feature")
    result = fill(tmp_path, upstream.url("one.git"))
    assert [volume.projects[0].action for volume in (result.sandbox, result.worker)] == [Action.UPDATE, Action.UPDATE]
    assert not (tmp_path / "sandbox/one" / left).exists()


@pytest.mark.parametrize("act", [fill, lambda tmp_path, _url: remove(tmp_path)], ids=["fill", "removal"])
def test_what_a_dead_run_left_that_worked_in_anothers_pod_goes_at_once(
    tmp_path: Path, upstream: GitServer, act: Callable[[Path, str], PairResult]
) -> None:
    """Whoever has the lock on the claim is alone. What a later run goes on with stays until it is old."""
    filled(tmp_path)
    work = tmp_path / "sandbox/.packit-deployment#work"
    for name in ("one%0123456789ab", "two%ba9876543210", "three"):
        (work / name / "objects/pack").mkdir(parents=True)
    make.commit(upstream.root / "one.git", "main", 1)
    act(tmp_path, upstream.url("one.git"))
    assert [path.name for path in work.iterdir()] == ["three"]


def test_what_may_be_alive_stays(tmp_path: Path) -> None:
    """A task without a lock on the claim may be at work, and a project's name may look like a run's."""
    (tmp_path / "root").mkdir()
    work, names = tmp_path / "root/.packit-deployment#work", {"two@0123456789ab", "two%unlocked-0123456789ab"}
    for name in names:
        (work / name / "objects/pack").mkdir(parents=True)
    for tag in ("", "%ba9876543210"):
        Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits(), tag=tag).take(deadline())
    (work / "two%0123456789ab").mkdir()
    Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits(), tag="%unlocked-ba9876543210").take(deadline())
    assert {path.name for path in work.iterdir()} == {*names, "two%0123456789ab"}


def test_what_this_run_received_of_other_projects_in_anothers_pod_stays(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    work = tmp_path / "root/.packit-deployment#work"
    for name in ("one%0123456789ab", "two%0123456789ab"):
        (work / name / "objects/pack").mkdir(parents=True)
    mine = Repository(LocalShell(), str(tmp_path / "root"), "one", str(tmp_path / "scratch"), Limits(), tag="%0123456789ab")
    mine.take(deadline())
    mine.remove(deadline())
    assert [path.name for path in work.iterdir()] == ["two%0123456789ab"]


def test_nor_does_it_when_the_run_that_removes_it_is_killed_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark of whose it is goes last."""
    entry = make.make(tmp_path / "root/one", commits=2)
    (entry / "packed-refs.lock").touch()
    slot = tmp_path / "root/.packit-deployment#work/one"
    slot.mkdir(parents=True)
    (slot / "locks").touch()
    program = tmp_path / "bin/rm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n{shutil.which("rm")} "$@"\ncase "$*" in *" ./one") kill -KILL 0 ;; esac\n')
    program.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        with pytest.raises(CommandFailed):
            repository(tmp_path, tmp_path / "root").take(deadline())
    assert not slot.exists()
    repository(tmp_path, tmp_path / "root").take(deadline())
    assert not (entry / "packed-refs.lock").exists()


def test_a_ref_to_an_absent_object_is_found(tmp_path: Path) -> None:
    entry = make.make(tmp_path / "root" / "one", commits=2)
    (entry / "refs/heads/bad").write_text("1" * 40 + "\n")
    found = repository(tmp_path, tmp_path / "root").inspect(deadline())
    assert "refs name objects that are not there, so every clone fails" in found.reason


def test_a_fifo_where_git_looks_hangs_nobody(tmp_path: Path) -> None:
    entry = make.make(tmp_path / "root" / "one", commits=2)
    (entry / "packed-refs").unlink(missing_ok=True)
    os.mkfifo(entry / "packed-refs")
    found = repository(tmp_path, tmp_path / "root").inspect(deadline())
    assert found.use is Use.REPLACE_UNSHARED
