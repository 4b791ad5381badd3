# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a process a root file system of its own, which is this machine's with a volume at /repository-cache."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# From <sched.h> and <sys/mount.h>. os.unshare has the first two from Python 3.12 on.
_NEW_MOUNTS = 0x00020000
_NEW_USERS = 0x10000000
_BIND, _RECURSIVE, _PRIVATE = 1 << 12, 1 << 14, 1 << 18


def enter(volume: Path, root: Path) -> None:
    """Move this process, which has one thread, there for good. ``root`` is made. Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    flags = _NEW_MOUNTS if user == 0 else _NEW_MOUNTS | _NEW_USERS
    _called("unshare", flags)
    if flags & _NEW_USERS:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", Path("/"), "", _RECURSIVE | _PRIVATE)
    root.mkdir()
    _mount("none", root, "tmpfs", 0)
    for path in Path("/").iterdir():
        if path.name == "repository-cache":
            continue
        if path.is_symlink():
            (root / path.name).symlink_to(path.readlink())
        elif path.is_dir():
            (root / path.name).mkdir()
            _mount(str(path), root / path.name, "", _BIND | _RECURSIVE)
    (root / "repository-cache").mkdir()
    _mount(str(volume), root / "repository-cache", "", _BIND)
    os.chroot(root)
    os.chdir("/")


def _mount(source: str, target: Path, kind: str, flags: int) -> None:
    _called("mount", os.fsencode(source), os.fsencode(target), os.fsencode(kind), ctypes.c_ulong(flags), None)


def _called(function: str, *arguments: object) -> None:
    """Call a function of the C library, which must not fail."""
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)
