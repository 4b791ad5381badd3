# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stranger who changes a pack or an index of the quarantine between two steps of ours, on a sandbox's volume."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.progress import OnLine
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.volumes import poison

from .driver import BY_NAME, LocalVolumeAccess, fill
from .programs import put_in_place
from .test_worker_unknown import WorkerInUse


class Stranger(LocalShell):
    """Acts before a script of ours that works on the sandbox's volume, once."""

    def __init__(self, root: Path, before: str, act: Callable[[Path], None]) -> None:
        super().__init__()
        self.acted = False
        self._root = root
        self._before = before
        self._act = act

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        packs = self._root / scripts.WORK / "one/objects/pack"
        if not self.acted and self._before in argv and any(str(self._root) in word for word in argv) and list(packs.glob("*.idx")):
            self.acted = True
            self._act(packs)
        return super().run(argv, deadline=deadline, stdin=stdin, env=env, progress=progress)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    make.make(tmp_path / "upstream/one.git", commits=6)
    with GitServer(tmp_path / "upstream") as server:
        yield server


def swapping(upstream: GitServer) -> Callable[[Path], None]:
    """Two blobs of one of the indexes trade places; its own checksum is right again."""

    def swap(packs: Path) -> None:
        for index in packs.glob("*.idx"):
            listed = make.git(upstream.root / "one.git", "show-index", "--object-format=sha1", stdin=index.read_bytes()).splitlines()
            here = {line.split()[1] for line in listed}
            one, two = [value for value in poison.blobs(upstream.root / "one.git") if value in here][:2]
            poison.swap_offsets(index, one, two)

    return swap


def rewrite(packs: Path) -> None:
    """A byte of a pack is another one, in the same file with the same time of its last change."""
    pack = next(packs.glob("*.pack"))
    before = pack.stat()
    pack.chmod(0o644)
    with pack.open("r+b") as file:
        file.seek(40)
        byte = file.read(1)
        file.seek(40)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(pack, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("access", "method"), [(LocalVolumeAccess, "git"), (WorkerInUse, "git"), (LocalVolumeAccess, "rsync")], ids=["from the worker", "git", "rsync"]
)
def test_an_index_that_is_changed_before_it_is_looked_at_is_found(
    tmp_path: Path, upstream: GitServer, access: type[LocalVolumeAccess], method: str
) -> None:
    before = scripts.SUMS if method == "rsync" else scripts.CHECK_PACKS
    stranger = Stranger(tmp_path / "sandbox", before, swapping(upstream))
    result = fill(tmp_path, upstream.url("one.git"), method=method, access=access(tmp_path, stranger))
    assert stranger.acted
    entry = tmp_path / "sandbox/one"
    if entry.exists():
        make.git(entry, "fsck", "--full")
    else:
        assert "somebody changed pack-" in result.sandbox.projects[0].error


@pytest.mark.parametrize("method", BY_NAME)
@pytest.mark.parametrize("act", [swapping, lambda _upstream: rewrite], ids=["index", "pack"])
def test_what_is_changed_after_it_was_looked_at_is_not_published(
    tmp_path: Path, upstream: GitServer, act: Callable[[GitServer], Callable[[Path], None]], method: str
) -> None:
    stranger = Stranger(tmp_path / "sandbox", scripts.PUBLISH_NEW, act(upstream))
    access = LocalVolumeAccess(tmp_path, stranger)
    result = fill(tmp_path, upstream.url("one.git"), method=method, access=access)
    assert stranger.acted and "somebody changed pack-" in result.sandbox.projects[0].error
    make.git(tmp_path / "sandbox/one", "fsck", "--full")  # what the worker has came instead, by way of this machine
    assert not fill(tmp_path, upstream.url("one.git"), method=method, access=access).sandbox.failed

    make.commit(upstream.root / "one.git", number=3)
    again = Stranger(tmp_path / "sandbox", scripts.MOVE_PACKS, act(upstream))
    access.shell = again
    result = fill(tmp_path, upstream.url("one.git"), method=method, access=access)
    assert again.acted and "somebody changed pack-" in result.sandbox.projects[0].error
    make.git(tmp_path / "sandbox/one", "fsck", "--full")
    assert not fill(tmp_path, upstream.url("one.git"), method=method, access=access).sandbox.failed
    make.git(tmp_path / "sandbox/one", "fsck", "--full")


def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool = False, **texts: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Publish a pack that the entry has already, with some programs replaced; how that ended, and the entry's packs.

    ``known``: the sum of the whole pack is known, as of one that came finished.
    """
    root, scratch = tmp_path / "volume", tmp_path / "scratch"
    entry = make.make(root / "one", commits=3)
    make.git(entry, "repack", "-a", "-d", "-q")
    there = entry / "objects/pack"
    slot = root / scripts.WORK / "one"
    shutil.copytree(there, slot / "objects/pack")
    scratch.mkdir()
    put_in_place(tmp_path, monkeypatch, **texts)
    index = next(there.glob("*.idx"))
    whole = hashlib.sha1(index.with_suffix(".pack").read_bytes()).hexdigest() if known else ""
    pack = f"{index.stem}.{hashlib.sha1(index.read_bytes()).hexdigest()}.{whole}"
    argv = scripts.argv(scripts.MOVE_PACKS, str(root), str(scratch), f"{scripts.WORK}/one", "one", pack)
    return subprocess.run(argv, capture_output=True, text=True, check=False), there


@pytest.mark.parametrize("known", [False, True])
def test_what_was_there_and_right_stays_where_it_cannot_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """A disk, or a want of memory, that fails once: the pack is the entry's own, and checkouts need it."""
    sha1sum = shutil.which("sha1sum")
    second_fails = f"#!/bin/sh\n[ ! -e {tmp_path}/asked ] || exit 1\n: >{tmp_path}/asked\nexec {sha1sum} \"$@\"\n"
    done, there = settled(tmp_path, monkeypatch, known, sha1sum=second_fails)
    assert done.returncode == 6 and "which was right a moment ago, cannot be read" in done.stderr, done
    assert {".idx", ".pack"} <= {path.suffix for path in there.iterdir()}
    make.git(tmp_path / "volume/one", "fsck", "--full")


def test_a_file_that_is_not_right_is_there_until_ours_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a rename, so that where that fails it is there as it was. Here nothing is right, as no sum can be made."""
    programs = "#!/bin/sh\nexit 1\n"
    done, there = settled(tmp_path, monkeypatch, sha1sum=programs, mv=programs)
    assert done.returncode == 6
    assert {".idx", ".pack"} <= {path.suffix for path in there.iterdir()}
