# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory that all processes of a session of tests share: in memory where there is room, and gone at the session's end.

What many tests begin with is made there once, by whichever process is the first, and copied.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

_VARIABLE = "PACKIT_TESTS_SHARED"
_MEMORY = "/dev/shm"
_ROOM = 8 * 1024**3
"""Bytes that must be free there, of which a session takes about a third."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the session's directory. Its other processes, pytest-xdist's, inherit it.

    All temporary files are below it: tests make and delete very many small ones, which takes a disk's file system up to a fourth of all
    the time. Whoever names a TMPDIR has them there.
    """
    if _VARIABLE not in os.environ:
        shared = tempfile.TemporaryDirectory(prefix="packit-tests-", dir=in_memory())
        Path(shared.name).chmod(0o711)  # as root, some tests work as another user in there
        names = (_VARIABLE, "TMPDIR")
        before = {name: os.environ.get(name) for name in names}
        _set(dict.fromkeys(names, shared.name))
        config.add_cleanup(lambda: _set(before))
        config.add_cleanup(shared.cleanup)


def in_memory() -> str | None:
    """Return a directory whose files are in memory, or None where there is none for us."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return None
    there = os.statvfs(_MEMORY)
    available = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    free = min(there.f_bavail * there.f_frsize, int(available[1]) * 1024 if available else 0)
    return None if free < _ROOM or there.f_flag & os.ST_NOEXEC else _MEMORY


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = None  # it is read anew


def made(name: str, make: Callable[[Path], object]) -> Path:
    """Return the directory that ``make`` makes; all that ask for one ``name`` have the same, and only read it."""
    kept = Path(os.environ[_VARIABLE]) / name
    done = kept.with_suffix(".done")
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(kept, ignore_errors=True)  # of a test that was ended in the middle
            make(kept)
            done.touch()
    return kept


def copied(name: str, make: Callable[[Path], object], to: Path) -> Path:
    """Copy what ``make`` makes, a directory, to ``to``."""
    shutil.copytree(made(name, make), to, symlinks=True, dirs_exist_ok=True)
    return to
