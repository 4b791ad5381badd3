# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream with a part of its history only is never published, and what was published of one is found and mended."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetching import ShallowUpstream
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mirror import Mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from .driver import BY_NAME, fill, project_of

METHODS = pytest.mark.parametrize("method", BY_NAME)


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "upstream").mkdir()
    make.make(tmp_path / "upstream" / "whole.git", commits=40)
    with GitServer(tmp_path / "upstream") as server:
        yield server


def become_shallow(upstream: GitServer) -> None:
    make.shallow_copy(upstream.root / "whole.git", upstream.root / "one.git")


def become_whole(upstream: GitServer, commits: int = 1) -> None:
    """The same history, and some more commits on top."""
    source = upstream.root / "one.git"
    make.git(source, "fetch", "--quiet", "--unshallow", f"file://{upstream.root / 'whole.git'}")
    assert not (source / "shallow").exists()
    make.commit(source, "main", commits)


def published_by_an_earlier_version(place: Path, upstream: GitServer) -> None:
    """Make an entry as an earlier version took it from a shallow upstream: all of its objects and refs, and no word of where its history ends."""
    make.shallow_copy(upstream.root / "one.git", place, depth=1000)
    (place / "shallow").unlink()
    make.git(place, "config", "--remove-section", "remote.origin")


def packits_clone(tmp_path: Path, upstream: GitServer) -> int:
    target = tmp_path / f"clone-{len(list(tmp_path.glob('clone-*')))}"
    argv = ["git", "clone", "--quiet", "--tags", f"--reference={tmp_path / 'worker/one'}", "--", upstream.url("one.git"), str(target)]
    return subprocess.run(argv, check=False, capture_output=True, env=make.ENVIRONMENT, timeout=60).returncode


def actions(result: PairResult) -> list[Action]:
    return [volume.projects[0].action for volume in (result.sandbox, result.worker)]


def errors(result: PairResult) -> str:
    return " ".join(project.error for volume in (result.sandbox, result.worker) for project in volume.projects)


@METHODS
@pytest.mark.parametrize("only_main", [True, False])
def test_a_shallow_upstream_is_refused_before_anything_is_published(
    tmp_path: Path, upstream: GitServer, method: str, only_main: bool
) -> None:
    become_shallow(upstream)
    if only_main:  # git's own fetch ends with 0 then
        make.delete_branch(upstream.root / "one.git", "feature")
        make.git(upstream.root / "one.git", "tag", "-d", "v1")
    result = fill(tmp_path, upstream.url("one.git"), method=method)
    assert all(action in (Action.FAILED, Action.BLOCKED) for action in actions(result))
    assert f"{upstream.url('one.git')} is a shallow repository: its history ends at commit " in errors(result)
    remedies = [project.remedy for project in result.sandbox.projects]
    assert remedies == [
        "Have upstream made whole (`git fetch --unshallow` in it), or use the URL of a whole repository. Nothing was published."
    ]
    assert not (tmp_path / "sandbox/one").exists() and not (tmp_path / "worker/one").exists()
    if method == "git":  # nobody goes on with what came
        assert list((tmp_path / "sandbox").iterdir()) == list((tmp_path / "worker").iterdir()) == []


@METHODS
def test_an_upstream_that_is_whole_again_is_taken(tmp_path: Path, upstream: GitServer, method: str) -> None:
    become_shallow(upstream)
    fill(tmp_path, upstream.url("one.git"), method=method)
    become_whole(upstream)
    assert actions(fill(tmp_path, upstream.url("one.git"), method=method)) == [Action.ADD, Action.ADD]
    make.commit(upstream.root / "one.git", "main", 2)
    assert packits_clone(tmp_path, upstream) == 0


@METHODS
@pytest.mark.parametrize("verify", [True, False])
def test_what_an_earlier_version_published_is_found_and_mended(tmp_path: Path, upstream: GitServer, method: str, verify: bool) -> None:
    become_shallow(upstream)
    for side in ("sandbox", "worker"):
        published_by_an_earlier_version(tmp_path / side / "one", upstream)
    before = {pack.name for pack in (tmp_path / "worker/one/objects/pack").glob("*.pack")}
    become_whole(upstream, 0 if verify else 1)  # `verify` finds it where upstream has not moved, an update where it has
    result = fill(tmp_path, upstream.url("one.git"), verify=verify, method=method)
    assert errors(result).strip() == ""
    assert result.worker.projects[0].action is Action.REPAIR
    mended = "one was mended, and its good objects kept: objects behind its refs are missing ("
    assert any(words.startswith(mended) for words in result.worker.projects[0].warnings)
    assert before <= {pack.name for pack in (tmp_path / "worker/one/objects/pack").glob("*.pack")}  # running checkouts borrow from them
    for side in ("sandbox", "worker"):
        make.git(tmp_path / side / "one", "rev-list", "--quiet", "--objects", "--all")
    make.commit(upstream.root / "one.git", "main", 2)
    assert packits_clone(tmp_path, upstream) == 0
    if method == "git":
        assert actions(fill(tmp_path, upstream.url("one.git"))) == [Action.UPDATE, Action.UPDATE]


def test_a_sandbox_that_was_filled_from_a_shallow_upstream_is_mended_from_its_worker(tmp_path: Path, upstream: GitServer) -> None:
    become_shallow(upstream)
    published_by_an_earlier_version(tmp_path / "sandbox/one", upstream)
    become_whole(upstream)
    assert errors(fill(tmp_path, upstream.url("one.git"))).strip() == ""
    make.git(tmp_path / "sandbox/one", "rev-list", "--quiet", "--objects", "--all")


def test_where_upstream_is_shallow_still_what_was_published_is_told(tmp_path: Path, upstream: GitServer) -> None:
    become_shallow(upstream)
    for side in ("sandbox", "worker"):
        published_by_an_earlier_version(tmp_path / side / "one", upstream)
    result = fill(tmp_path, upstream.url("one.git"), verify=True)
    assert result.worker.failed and result.sandbox.failed
    assert "is a shallow repository" in errors(result)


def test_other_refs_behind_which_something_is_missing_are_told(tmp_path: Path, upstream: GitServer) -> None:
    become_shallow(upstream)
    for side in ("sandbox", "worker"):
        published_by_an_earlier_version(tmp_path / side / "one", upstream)
    old = make.git(tmp_path / "worker/one", "rev-parse", "main")
    make.git(tmp_path / "worker/one", "update-ref", "refs/mine/old", old)
    (tmp_path / "upstream/one.git").rename(tmp_path / "upstream/gone.git")
    make.make(upstream.root / "one.git", commits=5, seed=77)
    result = fill(tmp_path, upstream.url("one.git"))
    assert result.worker.projects[0].action is Action.FAILED
    assert "has other refs than the project's, and something is missing behind them" in result.worker.projects[0].error
    assert result.worker.projects[0].remedy.startswith("Delete those refs there")


def test_a_kept_clone_of_a_shallow_upstream_is_discarded(tmp_path: Path, upstream: GitServer) -> None:
    become_shallow(upstream)
    published_by_an_earlier_version(tmp_path / "clone.git", upstream)
    become_whole(upstream)
    mirror = Mirror(LocalShell(), str(tmp_path / "clone.git"), str(tmp_path / "packs"), "", None)
    deadline = Deadline(60, "this test")
    project = project_of(upstream.url("one.git"))
    mirror.fetch(project, read_snapshot(LocalShell(), project, deadline), deadline)
    make.git(tmp_path / "clone.git", "rev-list", "--quiet", "--objects", "--all")


def test_a_whole_clone_stays_when_upstream_becomes_shallow(tmp_path: Path, upstream: GitServer) -> None:
    deadline = Deadline(60, "this test")
    mirror = Mirror(LocalShell(), str(tmp_path / "clone.git"), str(tmp_path / "packs"), "", None)
    whole = project_of(upstream.url("whole.git"))
    mirror.fetch(whole, read_snapshot(LocalShell(), whole, deadline), deadline)
    make.make(upstream.root / "other.git", commits=9, seed=5)
    make.shallow_copy(upstream.root / "other.git", upstream.root / "one.git")
    shallow = project_of(upstream.url("one.git"))
    with pytest.raises(ShallowUpstream):
        mirror.fetch(shallow, read_snapshot(LocalShell(), shallow, deadline), deadline)
    assert make.refs(tmp_path / "clone.git") == make.refs(upstream.root / "whole.git")
    assert not (tmp_path / "clone.git/shallow").exists()
