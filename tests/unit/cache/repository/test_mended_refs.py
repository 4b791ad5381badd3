# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry is killed while its refs are made anew: the names that are its own are not lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from .beginnings import a_dozen, filled
from .driver import fill


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    with a_dozen(tmp_path) as server:
        yield server


def by_hand(entry: Path) -> Path:
    """Makes an entry non-bare, with a branch of its own; its git directory."""
    entry.rename(entry.with_name("moved"))
    entry.mkdir()
    entry.with_name("moved").rename(entry / ".git")
    make.git(entry / ".git", "update-ref", "refs/heads/mine", "main~1")
    return entry / ".git"


@pytest.mark.parametrize("at", range(1, 4))
def test_a_kill_as_refs_are_made_anew_loses_no_branch_of_the_entrys_own(
    tmp_path: Path, upstream: GitServer, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    _sandbox, worker = filled(tmp_path)
    git_dir = by_hand(worker)
    own = {name: value for name, value in make.refs(git_dir).items() if name.startswith("refs/heads/")}
    assert "refs/heads/mine" in own
    (git_dir / "config").write_text("[[\n")
    (tmp_path / "bin").mkdir()
    script = f"""#!/bin/sh
case $* in *.lock*|*/fd/6*) ;; *) exec {shutil.which("mv")} "$@" ;; esac
echo >>{tmp_path}/moves
[ "$(wc -l <{tmp_path}/moves)" != {at} ] || kill -9 0
exec {shutil.which("mv")} "$@"
"""
    (tmp_path / "bin/mv").write_text(script)
    (tmp_path / "bin/mv").chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        fill(tmp_path, upstream.url("one.git"))
    assert (tmp_path / "moves").exists()
    result = fill(tmp_path, upstream.url("one.git"))
    assert not result.worker.failed and not result.sandbox.failed, result
    assert {name: value for name, value in make.refs(git_dir).items() if name.startswith("refs/heads/")} == own


def test_refs_in_one_file_are_read_where_the_directory_of_the_others_is_gone(tmp_path: Path, upstream: GitServer) -> None:
    """As an earlier version left it when it was killed."""
    _sandbox, worker = filled(tmp_path)
    git_dir = by_hand(worker)
    make.git(git_dir, "pack-refs", "--all")
    shutil.rmtree(git_dir / "refs")
    assert not fill(tmp_path, upstream.url("one.git")).worker.failed
    assert "refs/heads/mine" in make.refs(git_dir)
