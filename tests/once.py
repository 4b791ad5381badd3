# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many tests begin with: made once in a session, by whichever of its processes is the first, and copied."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

_VARIABLE = "PACKIT_TESTS_SHARED"


def pytest_configure(config: pytest.Config) -> None:
    """Make a directory for a session. Its other processes, pytest-xdist's, inherit it."""
    if _VARIABLE not in os.environ:
        shared = tempfile.TemporaryDirectory(prefix="packit-tests-")
        os.environ[_VARIABLE] = shared.name
        config.add_cleanup(lambda: os.environ.pop(_VARIABLE))
        config.add_cleanup(shared.cleanup)


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
