# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ref names are bytes: they arrive, are published, compared and recorded as upstream has them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import encoded
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.local_clone import read_clone
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from .driver import BY_NAME, LocalVolumeAccess, fill

NAMES = (
    *(b"refs/heads/caf\xe9", "refs/heads/caf\u00e9".encode(), b"refs/heads/\x80", "refs/heads/topic\u2028x".encode(), b"refs/heads/topic"),
    *("refs/heads/\U0001f600".encode(), "refs/heads/a\u0085b".encode(), b"refs/tags/\xff\xfe", "refs/heads/\u202egnp".encode()),
)


def run(repository: Path, *words: bytes) -> bytes:
    argv = [b"git", b"-c", b"safe.directory=*", b"-C", bytes(repository), *words]
    return subprocess.run(argv, check=True, capture_output=True, env=make.ENVIRONMENT, timeout=60).stdout


def listed(repository: Path) -> set[bytes]:
    return set(run(repository, b"for-each-ref", b"--format=%(objectname) %(refname)").split(b"\n"))


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "upstream").mkdir()
    source = make.make(tmp_path / "upstream" / "one.git", commits=12)
    for number, name in enumerate(NAMES):
        run(source, b"update-ref", name, f"main~{number}".encode())
    run(source, b"symbolic-ref", b"HEAD", NAMES[0])
    with GitServer(tmp_path / "upstream") as server:
        yield server


@pytest.mark.parametrize("method", BY_NAME)
def test_names_of_any_bytes_arrive_and_move(tmp_path: Path, upstream: GitServer, method: str) -> None:
    source = upstream.root / "one.git"
    for expected in (Action.ADD, Action.UPDATE):
        result = fill(tmp_path, upstream.url("one.git"), method=method)
        assert [volume.projects[0].action for volume in (result.sandbox, result.worker)] == [expected, expected]
        for side in ("sandbox", "worker"):
            assert listed(tmp_path / side / "one") == listed(source)
            assert (tmp_path / side / "one/HEAD").read_bytes() == b"ref: " + NAMES[0] + b"\n"
            for name in NAMES[:-1]:  # one by one, as git looks a name up in packed-refs by its place there
                assert run(tmp_path / side / "one", b"rev-parse", name) == run(source, b"rev-parse", name)
        again = fill(tmp_path, upstream.url("one.git"), method=method)
        assert [volume.projects[0].action for volume in (again.sandbox, again.worker)] == [Action.NOTHING, Action.NOTHING]
        for number, name in enumerate(NAMES[:-1]):
            run(source, b"update-ref", name, f"main~{number + 1}".encode())
        run(source, b"update-ref", b"-d", NAMES[-1])


class ByInputAlone(LocalShell):
    """Takes no argument that is not UTF-8, as the way to a pod does not."""

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        "".join(argv).encode()
        return super().run(argv, **more)


def a_directory_for_head(entry: Path) -> None:
    (entry / "HEAD").unlink()
    (entry / "HEAD").mkdir()


def another_head(entry: Path) -> None:
    (entry / "HEAD").write_text("ref: refs/heads/other\n")
    run(entry, b"update-ref", b"-d", b"refs/heads/topic")


@pytest.mark.parametrize("broken", [shutil.rmtree, a_directory_for_head, another_head])
def test_no_name_is_an_argument(tmp_path: Path, upstream: GitServer, broken: Callable[[Path], None]) -> None:
    access = LocalVolumeAccess(tmp_path, ByInputAlone())
    for change in (lambda _entry: None, broken):
        for side in ("sandbox", "worker"):
            change(tmp_path / side / "one")
        result = fill(tmp_path, upstream.url("one.git"), verify=True, access=access)
        assert not result.sandbox.failed and not result.worker.failed, result
        for side in ("sandbox", "worker"):
            assert (tmp_path / side / "one/HEAD").read_bytes() == b"ref: " + NAMES[0] + b"\n"
            assert listed(tmp_path / side / "one") == listed(upstream.root / "one.git")


@pytest.mark.parametrize("method", BY_NAME)
def test_names_that_git_refuses_are_not_even_fetched(tmp_path: Path, upstream: GitServer, method: str) -> None:
    """The ids behind them exist nowhere: a fetch of one would fail."""
    upstream.more_refs = [
        ("1" * 40, name) for name in (b"refs/heads/a..b", b"refs/heads/x.lock", b"refs/heads/x@{1}", b"refs/heads/main/x")
    ]
    result = fill(tmp_path, upstream.url("one.git"), method=method)
    assert [volume.projects[0].action for volume in (result.sandbox, result.worker)] == [Action.ADD, Action.ADD]
    assert listed(tmp_path / "worker/one") == listed(upstream.root / "one.git")


def test_a_local_clones_names_are_bytes_too(tmp_path: Path, upstream: GitServer) -> None:
    project = Project("one", "https://host/one", path=str(upstream.root / "one.git"))
    deadline = Deadline(60, "this test")
    snapshot = read_clone(LocalShell(), project, deadline)
    assert {f"{ref.id} ".encode() + encoded(ref.name) for ref in snapshot.refs} == listed(upstream.root / "one.git") - {b""}
    assert encoded(snapshot.head) == NAMES[0]
    assert len(snapshot.digest) == 64
