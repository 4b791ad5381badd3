# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkout of packit's, made with the worker's volume and used with the sandbox's."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..repositories import make


def check_consumer(directory: Path, upstream: Path) -> None:
    """A checkout made as packit does it with the worker's volume is whole with the sandbox's, where every object is what it says."""
    checkout = directory / "checkout"
    argv = [
        "git",
        "-c",
        "safe.directory=*",
        "clone",
        "--quiet",
        "--tags",
        f"--reference={directory}/worker/one",
        "--",
        f"file://{upstream}",
    ]
    subprocess.run([*argv, str(checkout)], check=True, capture_output=True, env=make.ENVIRONMENT, timeout=60)
    alternates = checkout / ".git/objects/info/alternates"
    assert "/worker/one/objects" in alternates.read_text()
    alternates.write_text(f"{directory}/sandbox/one/objects\n")
    assert not list((checkout / ".git/objects").glob("??/*"))
    make.git(checkout, "fsck", "--full", "--strict")
    assert make.git(checkout, "status", "--porcelain") == ""
    there = set(make.git(directory / "sandbox/one", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    assert set(make.git(directory / "worker/one", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()) <= there
