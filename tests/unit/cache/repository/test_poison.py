# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox in which git reads an attacker's content under the id of another object."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.volumes import poison
from ansible_collections.packit.deployment.tests.volumes.consumer import check_consumer

from .driver import LocalVolumeAccess, fill

EVIL = b"an attacker's"


NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "upstream").mkdir()
    make.make(tmp_path / "upstream" / "one.git", commits=6)
    with GitServer(tmp_path / "upstream") as server:
        assert not fill(tmp_path, server.url("one.git")).sandbox.failed
        yield server


def swapped(sandbox: Path) -> str:
    one, two = poison.blobs(sandbox)[:2]
    poison.swap_offsets(next((sandbox / "objects/pack").glob("*.idx")), one, two)
    return one


def loosened(sandbox: Path) -> str:
    value = poison.blobs(sandbox)[0]
    poison.loosen(sandbox)
    poison.write_loose(sandbox, value, EVIL)
    return value


def another_pack(sandbox: Path) -> str:
    value = poison.blobs(sandbox)[0]
    index = poison.pack_with_false_index(sandbox, value, EVIL)
    os.utime(index.with_suffix(".pack"), (4_000_000_000, 4_000_000_000))  # the newest is read first
    return value


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (swapped, "one was replaced: it was tampered with: the index of pack"),
        (loosened, "one was replaced: it was tampered with or is damaged: 1 of its loose objects are not what their names say"),
        (another_pack, "one was replaced: it was tampered with: the index of pack"),
    ],
)
def test_verify_reports_false_objects_and_replaces_the_entry(
    tmp_path: Path, upstream: GitServer, act: Callable[[Path], str], words: str
) -> None:
    sandbox, worker = tmp_path / "sandbox/one", tmp_path / "worker/one"
    value = act(sandbox)
    good = make.git(worker, "cat-file", "blob", value)
    assert make.git(sandbox, "cat-file", "blob", value) != good
    result = fill(tmp_path, upstream.url("one.git"), verify=True)
    (project,) = result.sandbox.projects
    assert project.action is Action.REPLACE and any(warning.startswith(words) for warning in project.warnings), project
    assert make.git(sandbox, "cat-file", "blob", value) == good
    check_consumer(tmp_path, upstream.root / "one.git")
    again = fill(tmp_path, upstream.url("one.git"), verify=True)
    assert again.sandbox.projects[0].action is Action.NOTHING and again.sandbox.projects[0].warnings == ()


@pytest.mark.parametrize("act", [swapped, loosened])
def test_a_plain_run_copies_good_packs_over_false_ones(tmp_path: Path, upstream: GitServer, act: Callable[[Path], str]) -> None:
    sandbox, worker = tmp_path / "sandbox/one", tmp_path / "worker/one"
    value = act(sandbox)
    assert not fill(tmp_path, upstream.url("one.git")).sandbox.failed
    (sandbox / "objects" / value[:2] / value[2:]).unlink(missing_ok=True)  # which git 2.53 reads before packs; `verify` finds it
    assert make.git(sandbox, "cat-file", "blob", value) == make.git(worker, "cat-file", "blob", value)


def test_a_pack_whose_end_alone_is_right_does_not_count(tmp_path: Path, upstream: GitServer) -> None:
    sandbox = tmp_path / "sandbox/one"
    pack = next((sandbox / "objects/pack").glob("*.pack"))
    whole = pack.read_bytes()
    pack.chmod(0o644)
    pack.write_bytes(whole[:12] + bytes(len(whole) - 32) + whole[-20:])
    assert not fill(tmp_path, upstream.url("one.git")).sandbox.failed
    assert pack.read_bytes() == whole


def test_packs_that_the_claim_has_on_record_count_until_a_file_is_changed(tmp_path: Path, upstream: GitServer) -> None:
    """A sandbox that has the same objects in other packs gets its worker's packs once, and reads its own no second time.

    That they are proved is written down though nothing else has changed, the time neither.
    """
    access = LocalVolumeAccess(tmp_path)
    sandbox = tmp_path / "sandbox/one"
    make.git(sandbox, "repack", "-a", "-d", "-f", "--depth=1", "-q")
    url = upstream.url("one.git")
    first = fill(tmp_path, url, access=access, now=NOW).sandbox.projects[0]
    assert any("copied from the worker's volume, with objects that the sandbox's was not proved to have" in words for words in first.warnings)
    (recorded,) = (record.projects["one"].inventory for volume, record in access.records.items() if volume.claim == "sandbox")
    assert recorded.stamp == "" and recorded.packs == 2  # one of the two was not proved: nobody needed it
    fill(tmp_path, url, verify=True, access=access, now=NOW)
    (recorded,) = (record.projects["one"].inventory for volume, record in access.records.items() if volume.claim == "sandbox")
    assert recorded.stamp != ""
    make.commit(upstream.root / "one.git", "main", 1)
    again = fill(tmp_path, url, access=access, now=NOW).sandbox.projects[0]
    assert again.action is Action.UPDATE and again.warnings == ()


def test_a_file_that_was_written_to_is_not_the_one_on_record_whatever_its_times_say(tmp_path: Path, upstream: GitServer) -> None:
    access = LocalVolumeAccess(tmp_path)
    url = upstream.url("one.git")
    fill(tmp_path, url, access=access)
    pack = next((tmp_path / "sandbox/one/objects/pack").glob("*.pack"))
    status, whole = pack.stat(), pack.read_bytes()
    pack.chmod(0o644)
    pack.write_bytes(whole[:12] + bytes(len(whole) - 32) + whole[-20:])
    pack.chmod(0o444)
    os.utime(pack, ns=(status.st_atime_ns, status.st_mtime_ns))
    make.commit(upstream.root / "one.git", "main", 1)
    assert not fill(tmp_path, url, access=access).sandbox.failed
    assert pack.read_bytes() == whole


class Stranger(LocalShell):
    """Does something on the sandbox's volume when a published entry is looked at."""

    def __init__(self, act: Callable[[], object], script: str) -> None:
        self._act = act
        self._script = script

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        if argv[2:3] == (self._script,) and any("sandbox" in word for word in argv):
            self._act()
        return super().run(argv, **more)


@pytest.mark.parametrize("script", ["INSPECT", "PUBLISH_NEW"])
def test_what_came_after_the_proof_is_not_on_record_as_proved(tmp_path: Path, upstream: GitServer, script: str) -> None:
    """A stranger plants a false pack as the published entry is looked at, or in the quarantine that is about to be one."""
    sandbox, url = tmp_path / "sandbox/one", upstream.url("one.git")
    access = LocalVolumeAccess(tmp_path)
    fill(tmp_path, url, verify=True, access=access)
    value = poison.blobs(sandbox)[0]
    if script == "INSPECT":
        make.commit(upstream.root / "one.git", "main", 1)
        access.shell = Stranger(lambda: poison.pack_with_false_index(sandbox, value, EVIL), scripts.INSPECT)
    else:
        shutil.rmtree(sandbox)

        def plant() -> None:
            packs = tmp_path / "sandbox" / ".packit-deployment#work/one/objects/pack"
            poison.pack_with_false_index(tmp_path / "worker/one", value, EVIL).rename(packs / f"pack-{'1' * 40}.idx")
            newest = max((tmp_path / "worker/one/objects/pack").glob("*.pack"), key=lambda path: path.stat().st_mtime_ns)
            newest.rename(packs / f"pack-{'1' * 40}.pack")

        access.shell = Stranger(plant, scripts.PUBLISH_NEW)
        access.records.clear()
    assert not fill(tmp_path, url, access=access).sandbox.failed
    (recorded,) = (record.projects["one"].inventory for volume, record in access.records.items() if volume.claim == "sandbox")
    assert recorded.stamp
    repository = Repository(LocalShell(), str(tmp_path / "sandbox"), "one", str(tmp_path / "own-scratch"), Limits())
    entry, _removed = repository.take(Deadline(BOUND, "this test"))
    if script == "INSPECT":
        assert entry.stamp != recorded.stamp
    else:
        assert entry.stamp == recorded.stamp and not (sandbox / f"objects/pack/pack-{'1' * 40}.pack").exists()


@pytest.mark.parametrize("gone_again", [False, True])
def test_a_pack_planted_while_the_volume_is_held_is_not_the_workers_because_it_says_so(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch, gone_again: bool
) -> None:
    """A stranger plants it when the files were found to be those on record, and perhaps takes it away again when it was listed."""
    access, url = LocalVolumeAccess(tmp_path), upstream.url("one.git")
    fill(tmp_path, url, verify=True, access=access)
    sandbox, worker = tmp_path / "sandbox/one", tmp_path / "worker/one"
    only = make.git(worker, "hash-object", "-w", "--stdin", stdin=b"only here")
    name = make.git(worker, "pack-objects", "--quiet", str(worker / "objects/pack/pack"), stdin=f"{only}\n".encode())
    (worker / "objects" / only[:2] / only[2:]).unlink()
    good, false = (side / f"objects/pack/pack-{name}.pack" for side in (worker, sandbox))
    acted: list[str] = []

    def plant() -> None:
        if not acted:
            content = good.read_bytes()
            false.write_bytes(content[:12] + bytes(len(content) - 32) + content[-20:])
            shutil.copy(good.with_suffix(".idx"), false.with_suffix(".idx"))
        acted.append(name)

    if gone_again:
        stranger = tmp_path / "bin/find"
        stranger.parent.mkdir()
        stranger.write_text(
            f'#!/bin/sh\n[ "$1 $2" != "-L ." ] || rm -f {false} {false.with_suffix(".idx")}\nexec {shutil.which("find")} "$@"\n'
        )
        stranger.chmod(0o755)
        monkeypatch.setenv("PATH", f"{stranger.parent}:{os.environ['PATH']}")
    access.shell = Stranger(plant, scripts.INVENTORY)
    make.commit(upstream.root / "one.git", "main", 1)
    result = fill(tmp_path, url, access=access)
    assert acted and not result.sandbox.failed and not result.worker.failed, result
    assert make.git(sandbox, "cat-file", "blob", only) == "only here"


@pytest.mark.parametrize("side", ["sandbox", "worker"])
def test_files_that_speak_for_objects_are_removed_at_every_take(tmp_path: Path, upstream: GitServer, side: str) -> None:
    entry = tmp_path / side / "one"
    make.git(entry, "commit-graph", "write", "--reachable")
    make.git(entry, "multi-pack-index", "write")
    (entry / "objects/pack/pack-x.bitmap").write_text("x")
    make.commit(upstream.root / "one.git", "main", 1)
    result = fill(tmp_path, upstream.url("one.git"))
    (project,) = getattr(result, side).projects
    assert any(words.startswith("3 files that git would believe instead of the objects") for words in project.warnings), project
    assert sorted({path.suffix for path in (entry / "objects/pack").iterdir()}) == [".idx", ".pack"]
    assert list((entry / "objects/info").iterdir()) == []


def test_replace_refs_are_reported_and_a_file_for_a_directory_is_removed(tmp_path: Path, upstream: GitServer) -> None:
    sandbox = tmp_path / "sandbox/one"
    one, two = poison.blobs(sandbox)[:2]
    make.git(sandbox, "update-ref", f"refs/replace/{one}", two)
    (sandbox / "objects/info").rmdir()
    (sandbox / "objects/info").write_text("/elsewhere\n")
    (project,) = fill(tmp_path, upstream.url("one.git")).sandbox.projects
    assert "one has 1 replace refs (refs/replace): git there shows other objects; they were not used" in project.warnings
    assert any(words.startswith("1 files that git would believe") for words in project.warnings)
    assert not (sandbox / "objects/info").exists()


def test_a_garbage_object_on_the_worker_is_no_object_and_blocks_nothing(tmp_path: Path, upstream: GitServer) -> None:
    worker = tmp_path / "worker/one"
    only = make.git(worker, "hash-object", "-w", "--stdin", stdin=b"only here")
    poison.write_loose(worker, "0f" + "1" * 38, EVIL).write_bytes(b"garbage")
    poison.write_loose(worker, "0f" + "2" * 38, EVIL)
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed and not result.worker.failed, result
    assert make.git(tmp_path / "sandbox/one", "cat-file", "blob", only) == "only here"


def test_an_index_that_only_says_whose_it_is_stands_for_no_object(tmp_path: Path, upstream: GitServer) -> None:
    """The sandbox's user takes an object away, and plants an index that lists it and ends as that of a proved pack does."""
    access, url = LocalVolumeAccess(tmp_path), upstream.url("one.git")
    old = make.git(upstream.root / "one.git", "rev-parse", "main")
    make.commit(upstream.root / "one.git", "main", 1)
    fill(tmp_path, url, access=access)
    sandbox, packs = tmp_path / "sandbox/one", tmp_path / "sandbox/one/objects/pack"
    small, big = sorted(packs.glob("*.pack"), key=lambda pack: pack.stat().st_size)
    index = big.with_suffix(".idx").read_bytes()
    held = [line.split()[0] for line in make.git(sandbox, "verify-pack", "-v", str(big)).splitlines() if line[40:41] == " "]
    assert old in held
    rest = "".join(f"{value}\n" for value in held if value != old)
    make.git(sandbox, "pack-objects", "--quiet", "--window=0", str(packs / "pack"), stdin=rest.encode())
    end = small.with_suffix(".idx").read_bytes()[-40:]
    size = big.stat().st_size
    for file in (big, big.with_suffix(".idx")):
        file.unlink()
    (packs / "x.idx").write_bytes(index[:-40] + end)
    (packs / "x.pack").write_bytes(b"PACK" + bytes(size - 24) + end[:20])
    make.commit(upstream.root / "one.git", "main", 1)
    assert not fill(tmp_path, url, access=access).sandbox.failed
    assert make.git(sandbox, "cat-file", "commit", old) == make.git(tmp_path / "worker/one", "cat-file", "commit", old)


def test_a_pack_whose_name_is_only_its_suffix_is_seen(tmp_path: Path, upstream: GitServer) -> None:
    sandbox = tmp_path / "sandbox/one"
    value = poison.blobs(sandbox)[0]
    index = poison.pack_with_false_index(sandbox, value, EVIL)
    index.with_suffix(".pack").rename(index.with_name(".pack"))
    index.rename(index.with_name(".idx"))
    os.utime(index.with_name(".pack"), (4_000_000_000, 4_000_000_000))
    (project,) = fill(tmp_path, upstream.url("one.git"), verify=True).sandbox.projects
    assert project.action is Action.REPLACE, project
    assert make.git(sandbox, "cat-file", "blob", value) == make.git(tmp_path / "worker/one", "cat-file", "blob", value)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_no_link_leads_a_bridges_hand_outside_and_no_pipe_holds_it(tmp_path: Path, upstream: GitServer, kind: str) -> None:
    sandbox, outside = tmp_path / "sandbox/one", tmp_path / "outside"
    outside.write_text("precious")
    sandbox.rename(sandbox.with_name("moved"))
    sandbox.mkdir()
    sandbox.with_name("moved").rename(sandbox / ".git")
    exclude = sandbox / ".git/info/exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.unlink(missing_ok=True)
    if kind == "link":
        exclude.symlink_to(outside)
    else:
        os.mkfifo(exclude)
    make.commit(upstream.root / "one.git", "main", 1)
    assert not fill(tmp_path, upstream.url("one.git")).sandbox.failed
    assert outside.read_text() == "precious"
    assert exclude.is_file() and not exclude.is_symlink()


def test_a_directory_that_looks_like_a_promise_of_objects_stops_nobody(tmp_path: Path, upstream: GitServer) -> None:
    pack = next((tmp_path / "sandbox/one/objects/pack").glob("*.pack"))
    (pack.with_suffix(".promisor") / "x").mkdir(parents=True)
    make.commit(upstream.root / "one.git", "main", 1)
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed and not result.worker.failed, result
    assert not pack.with_suffix(".promisor").exists()


def test_a_loose_object_of_no_known_type_on_the_worker_is_none(tmp_path: Path, upstream: GitServer) -> None:
    named = hashlib.sha1(b"strange 7\0garbage", usedforsecurity=False).hexdigest()
    poison.write_loose(tmp_path / "worker/one", named, b"garbage", kind="strange")
    make.commit(upstream.root / "one.git", "main", 1)
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.sandbox.failed and not result.worker.failed, result
