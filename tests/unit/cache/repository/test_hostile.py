# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a stranger leaves on a sandbox's volume: nothing of it runs, nothing else is changed, and the pair is whole again."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.volumes.consumer import check_consumer
from ansible_collections.packit.deployment.tests.volumes.hostile import WORK, Hostile

from .driver import LocalVolumeAccess, fill
from .other_user import UserShell, own, user_directory

STATES = int(os.environ.get("HOSTILE_STATES", "8"))
"""`make hostile` tries 200."""
FIRST = int(os.environ.get("HOSTILE_FIRST", "0"))


@dataclass(frozen=True)
class Filled:
    """A pair of volumes, filled, and its upstream, which has moved since."""

    directory: Path
    url: str
    upstream: Path


@pytest.fixture(scope="module")
def filled() -> Iterator[Filled]:
    with user_directory() as directory:
        (directory / "upstream").mkdir()
        upstream = make.make(directory / "upstream/one.git", commits=8, branches=("dev", "x/y"))
        with GitServer(directory / "upstream") as server:
            volumes = directory / "volumes"
            volumes.mkdir()
            assert not fill(volumes, server.url("one.git")).sandbox.failed
            make.make(volumes / "sandbox/two", commits=1)
            (volumes / "outside/objects/pack").mkdir(parents=True)
            (volumes / "outside/config").write_text("[user]\n\tname = theirs\n")
            (volumes / "outside/objects/pack/pack-x.pack").write_text("theirs")
            make.commit(upstream, "main", 2)
            make.delete_branch(upstream, "x/y")
            yield Filled(volumes, server.url("one.git"), upstream)


def tree(path: Path) -> dict[str, tuple[int, int, str]]:
    """Everything in a directory: kind and mode, owner, and content."""
    found = {}
    for file in sorted((path, *path.rglob("*"))):
        status = file.lstat()
        content = str(file.readlink()) if file.is_symlink() else hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        found[str(file.relative_to(path))] = (status.st_mode, status.st_uid, content)
    return found


def explained(result: PairResult) -> None:
    """Each failure has words and a remedy."""
    for project in (*result.sandbox.projects, *result.worker.projects):
        assert not project.failed or (project.error and project.remedy), project


@pytest.mark.parametrize("seed", range(FIRST, FIRST + STATES))
def test_a_volume_that_a_stranger_has_had(filled: Filled, seed: int) -> None:
    with user_directory() as parent:
        directory = parent / "volumes"
        shutil.copytree(filled.directory, directory, symlinks=True)
        marker = directory / "marker"
        hostile = Hostile(directory / "sandbox", directory / "outside", marker, seed)
        done = hostile.act()
        marker.unlink(missing_ok=True)  # where a hook ran as the state was made
        own(directory)
        before = {name: tree(directory / name) for name in ("outside", "sandbox/two") if name != "sandbox/two" or "modes" not in done}
        verify = hostile.chance.random() < 0.5
        access = LocalVolumeAccess(directory, UserShell())
        result = fill(directory, filled.url, verify=verify, access=access)
        explained(result)
        assert not result.sandbox.failed and not result.worker.failed, (done, result)
        if not verify:
            result = fill(directory, filled.url, verify=True, access=access)
            assert not result.sandbox.failed and not result.worker.failed, (done, result)
        assert not marker.exists(), done
        assert before == {name: tree(directory / name) for name in before}, done
        left = {path.name for path in (directory / "sandbox").iterdir()} - {"one", "two"}
        assert left <= {WORK} and (not left or any("work_directory" in name for name in done)), (done, left)  # young, so it may be in use
        check_consumer(directory, filled.upstream)
        again = fill(directory, filled.url, verify=True, access=access)
        assert [project.action.value for project in (*again.sandbox.projects, *again.worker.projects)] == ["unchanged"] * 2, (done, again)
