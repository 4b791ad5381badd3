# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shell whose processes are not root's, as in a filler: mode bits count for them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.progress import OnLine
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed

UID = 54321 if os.geteuid() == 0 else os.geteuid()
"""The volumes' owner in these tests."""
OTHER_UID = 54322
"""Another user; only root can give files to them."""


class UserShell(LocalShell):
    """Runs processes as ``UID``."""

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        return super().run(_as_user(argv), deadline=deadline, stdin=stdin, env=env, progress=progress)

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        return super().download(_as_user(argv), to, deadline=deadline)

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        return super().upload(_as_user(argv), source, deadline=deadline)


def _as_user(argv: Sequence[str]) -> tuple[str, ...]:
    if os.geteuid() != 0:
        return tuple(argv)
    return ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", "--", *argv)


def own(path: Path, uid: int = UID) -> None:
    """Give a file, or a directory and all in it, to a user, where this is root; a link is given away itself."""
    if os.geteuid() != 0:
        return
    os.chown(path, uid, uid, follow_symlinks=False)
    if path.is_dir() and not path.is_symlink():
        for entry in os.scandir(os.fsencode(path)):
            own(Path(os.fsdecode(entry.path)), uid)


@contextmanager
def user_directory() -> Iterator[Path]:
    """A directory of theirs, which they can reach (pytest's own are closed to others)."""
    path = Path(tempfile.mkdtemp(prefix="packit-cache-"))
    try:
        path.chmod(0o755)
        own(path)
        yield path
    finally:
        for at, directories, _files in os.walk(path):  # from above: each is opened before it is read
            for name in directories:
                if not os.path.islink(os.path.join(at, name)):
                    os.chmod(os.path.join(at, name), 0o700)
        shutil.rmtree(path)
