# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a process a root file system of its own, which is this machine's with a volume at /repository-cache."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

from tests.bounds import BOUND

# From <sched.h>. os.unshare has them from Python 3.12 on.
_NEW_MOUNTS = 0x00020000
_NEW_USERS = 0x10000000

_MOUNTS = r"""
set -e
volume=$1 root=$2
mount --make-rprivate /
mkdir "$root"
mount -t tmpfs none "$root"
for d in /*; do
    case $d in /proc|/repository-cache) continue ;; esac
    if [ -L "$d" ]; then cp -P "$d" "$root$d"
    elif [ -d "$d" ]; then mkdir "$root$d"; mount --rbind "$d" "$root$d"; fi
done
mkdir "$root/proc" "$root/repository-cache"
mount --rbind /proc "$root/proc"
mount --bind "$volume" "$root/repository-cache"
"""


def enter(volume: Path, root: Path) -> None:
    """Move this process, which has one thread, there for good. ``root`` is made. Raises OSError and CalledProcessError."""
    user, group = os.geteuid(), os.getegid()
    flags = _NEW_MOUNTS if user == 0 else _NEW_MOUNTS | _NEW_USERS
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if flags & _NEW_USERS:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    subprocess.run(["sh", "-c", _MOUNTS, "mounts", str(volume), str(root)], check=True, timeout=BOUND)
    os.chroot(root)
    os.chdir("/")
