# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes and repositories that tests of one repository begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.packit.deployment.tests.once import copied
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from .driver import fill


def a_dozen(directory: Path) -> GitServer:
    """An upstream `one.git` of twelve commits below a test's directory."""
    copied("twelve-commits", lambda path: make.make(path, commits=12), directory / "upstream" / "one.git")
    return GitServer(directory / "upstream")


def filled(directory: Path) -> tuple[Path, Path]:
    """Fill both volumes below a test's directory from that upstream; the entries, sandbox's and worker's."""
    copied("pair-with-twelve-commits", _fill, directory)
    return directory / "sandbox/one", directory / "worker/one"


def _fill(directory: Path) -> None:
    with a_dozen(directory) as server:
        result = fill(directory, server.url("one.git"))
    assert not result.sandbox.failed and not result.worker.failed
    for name in ("upstream", "scratch"):
        shutil.rmtree(directory / name)
