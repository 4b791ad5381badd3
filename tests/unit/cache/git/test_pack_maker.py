# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs of a repository of the user's own: made beside it, wherever it lies."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Snapshot, make_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.local_clone import ENVIRONMENT
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import FinishedPacks, PackMaker
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make


def snapshot_of(repository: Path) -> Snapshot:
    return make_snapshot(dict(make.refs(repository)), "refs/heads/main")


def packed(git_dir: Path, snapshot: Snapshot, scratch: str) -> FinishedPacks:
    """All of a repository as packs in ``scratch``."""
    return PackMaker(LocalShell(), str(git_dir), scratch, ENVIRONMENT, whole=False).make(snapshot, (), Deadline(BOUND))


def test_a_repository_on_another_file_system_is_packed(tmp_path: Path) -> None:
    here = tmp_path.stat().st_dev
    other = next((place for place in ("/var/tmp", "/dev/shm", "/tmp") if os.access(place, os.W_OK) and Path(place).stat().st_dev != here), None)
    if other is None:
        pytest.skip("one file system only")
    source = make.make(tmp_path / "one.git")
    before = sorted(source.rglob("*"))
    with tempfile.TemporaryDirectory(dir=other) as scratch:
        made = packed(source, snapshot_of(source), scratch)
        written = {path.name for path in Path(made.directory).iterdir()}
        assert written == {f"{name}.{kind}" for name in made.names for kind in ("pack", "idx")}
    assert len(made.names) == 1
    assert sorted(source.rglob("*")) == before


def test_a_linked_worktree_is_packed(tmp_path: Path) -> None:
    source = make.make(tmp_path / "one.git")
    make.git(source, "worktree", "add", "--quiet", str(tmp_path / "linked"), "feature")
    git_dir = Path(make.git(tmp_path / "linked", "rev-parse", "--absolute-git-dir"))
    assert len(packed(git_dir, snapshot_of(source), str(tmp_path / "scratch")).names) == 1
