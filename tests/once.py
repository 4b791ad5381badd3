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
    """Make a directory for a session. Its other processes inherit it: pytest-xdist's, and one for each test, as ansible-test has them."""
    if _VARIABLE not in os.environ:
        shared = tempfile.TemporaryDirectory(prefix="packit-tests-")
        os.environ[_VARIABLE] = shared.name
        config.add_cleanup(lambda: os.environ.pop(_VARIABLE))
        config.add_cleanup(shared.cleanup)


def copied(name: str, make: Callable[[Path], object], to: Path) -> Path:
    """Copy what ``make`` makes, a directory, to ``to``; all that ask for one ``name`` have the same."""
    kept = Path(os.environ[_VARIABLE]) / name
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            making = kept.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)  # a test that was ended in the middle
            make(making)
            making.rename(kept)
    shutil.copytree(kept, to, symlinks=True, dirs_exist_ok=True)
    return to
