# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that a test has started, and all below them."""

from __future__ import annotations

import os
import signal
import subprocess


def kill_tree(process: int) -> None:
    """SIGKILL for a process and everything below it, whatever session it is in."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.splitlines()
    pairs = [tuple(map(int, line.split())) for line in listed if line.strip()]
    pending = [process]
    while pending:
        current = pending.pop()
        pending += [child for child, parent in pairs if parent == current]
        try:
            os.kill(current, signal.SIGKILL)
        except ProcessLookupError:
            continue
