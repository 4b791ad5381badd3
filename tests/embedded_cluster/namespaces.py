"""Linux namespaces by their system calls: what the server and each container live in. Standard library only.

Source of facts: unshare(2), mount(2), user_namespaces(7), pid_namespaces(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

NEW_MOUNTS = 0x00020000
NEW_HOSTNAME = 0x04000000
NEW_IPC = 0x08000000
NEW_USERS = 0x10000000
NEW_PIDS = 0x20000000

READ_ONLY, NO_SETUID, NO_DEVICES, REMOUNT, BIND, MOVE, RECURSIVE, PRIVATE = 1, 2, 4, 32, 4096, 8192, 16384, 1 << 18
_KEPT_FLAGS = {"ro": READ_ONLY, "nosuid": NO_SETUID, "nodev": NO_DEVICES, "noexec": 8, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21}
_SET_PARENT_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the parent's namespaces. Raises OSError where the system forbids it."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def map_user(inside_uid: int, inside_gid: int, outside_uid: int, outside_gid: int) -> None:
    """Say who this process is in the user namespace that it has just made: one user, one group."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside_uid} {outside_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{inside_gid} {outside_gid} 1")


def mount(source: str | None, target: str | Path, kind: str | None, flags: int = 0, options: str | None = None) -> None:
    """mount(2). Raises OSError with the target's name."""
    arguments = [None if value is None else os.fsencode(value) for value in (source, target, kind, options)]
    _check(_libc.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3]), f"mount {target}")


def unmount(target: str | Path) -> None:
    """Detach a mount, also while it is used. Raises OSError."""
    _check(_libc.umount2(os.fsencode(target), ctypes.c_int(2)), f"unmount {target}")


def bind(source: str | Path, target: str | Path, *, read_only: bool) -> None:
    """Show a directory or file at a second place, with what is mounted below it. Raises OSError."""
    mount(str(source), target, None, BIND | RECURSIVE)
    if read_only:
        for below in sorted(_mounts_below(str(target))):
            make_read_only(below)


def make_read_only(target: str) -> None:
    """Remount read-only, keeping the flags that a user namespace may not clear. Raises OSError."""
    options = next((found for path, found in reversed(_mounts()) if path == target), "")
    kept = sum(_KEPT_FLAGS.get(option, 0) for option in options.split(","))
    mount(None, target, None, REMOUNT | BIND | (kept | READ_ONLY))


def _mounts() -> list[tuple[str, str]]:
    """(mount point, options) of every mount, oldest first."""
    fields = [line.split() for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()]
    return [(field[4].encode("latin-1", "surrogateescape").decode("unicode_escape"), field[5]) for field in fields]


def _mounts_below(target: str) -> set[str]:
    return {path for path, _ in _mounts() if path == target or path.startswith(target + "/")}


def die_with_parent(signal_number: int) -> None:
    """Be killed when the parent ends in whatever way."""
    _check(_libc.prctl(_SET_PARENT_DEATH_SIGNAL, int(signal_number), 0, 0, 0), "prctl")


def no_new_privileges() -> None:
    """No set-uid program helps from here on."""
    _check(_libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
