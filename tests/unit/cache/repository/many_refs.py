# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates what ``prepare`` has made, a pair's two directories of whose many refs one has moved, and prints in JSON what went through
the exec and how much memory this process took: python many_refs.py DIRECTORY"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.progress import OnLine
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.repository import driver
from ansible_collections.packit.deployment.tests.upstream.server import GitServer


class MeteredShell(LocalShell):
    """Counts what an exec would carry, of every volume."""

    carried = 0

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        completed = super().run(argv, deadline=deadline, stdin=stdin, env=env, progress=progress)
        MeteredShell.carried += sum(map(len, argv)) + len(stdin) + len(completed.stdout) + len(completed.stderr)
        return completed

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        completed = super().download(argv, to, deadline=deadline)
        MeteredShell.carried += to.stat().st_size
        return completed

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        MeteredShell.carried += source.stat().st_size
        return super().upload(argv, source, deadline=deadline)


def upstream_with(directory: Path, refs: int) -> Path:
    """A bare repository with so many refs, each to a commit of its own."""
    path = make.make(directory / "one.git", commits=2, tags=())
    commits = (b"commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 0\n" % number for number in range(1, refs))
    start = f"from {make.git(path, 'rev-parse', 'main')}\n".encode()
    make.git(path, "fast-import", "--quiet", stdin=b"".join((next(commits), start, *commits)))
    ids = make.git(path, "rev-list", "main").split()
    lines = (f"{value} refs/heads/topic-{number:06}\n" for number, value in enumerate(ids))
    (path / "packed-refs").write_text("".join(("# pack-refs with: sorted\n", *lines)))
    return path


def prepare(directory: Path, refs: int) -> None:
    """The upstream, volumes that have it, and one ref that has moved since. Filled as by hand: fetching so many ids is git's business."""
    path = upstream_with(directory / "upstream", refs)
    for side in ("sandbox", "worker"):
        shutil.copytree(path, directory / side / "one")
    make.commit(path, "topic-000007", 1)


def memory_at_most() -> int:
    """The most that this process had, in bytes. Its ``ru_maxrss`` has what the process that started it had as well."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(directory: Path) -> None:
    with GitServer(directory / "upstream") as server:
        result = driver.fill(directory, server.url("one.git"), access=driver.LocalVolumeAccess(directory, MeteredShell()))
    sides = (result.sandbox, result.worker)
    figures = {
        "carried": MeteredShell.carried,
        "actions": [side.projects[0].action.value for side in sides],
        "refs": [side.projects[0].there.refs for side in sides if side.projects[0].there],
        "memory": memory_at_most(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
