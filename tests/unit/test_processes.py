# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree of processes that a test ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.processes import kill_tree
from ansible_collections.packit.deployment.tests.waiting import until

# Starts processes in sessions of their own as fast as it can; each notes itself, and lasts.
STARTING = 'while :; do setsid sh -c "echo \\$\\$ >>\\"$0\\"; exec sleep 1000" & sleep 0.01; done'


def runs(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_nothing_is_left_of_a_tree_that_grows_while_it_is_ended(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    with subprocess.Popen(["sh", "-c", STARTING, str(noted)]) as process:
        until(lambda: noted.exists() and len(noted.read_text().split()) > 20, "some processes")
        kill_tree(process.pid)
        process.wait(BOUND)
    until(lambda: not any(map(runs, noted.read_text().split())), "the end of all")
