# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that a test has started, and all below them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def kill_tree(process: int) -> None:
    """SIGKILL for a process and everything below it, whatever session it is in.

    All of them are stopped first, until there are no new ones: what runs could start another one that is not known yet.
    """
    found: set[int] = set()
    while new := _tree(process) - found:
        _signal(new, signal.SIGSTOP)
        found |= new
    _signal(found, signal.SIGKILL)


def _tree(process: int) -> set[int]:
    found, pending = set(), [process]
    while pending:
        found.add(current := pending.pop())
        for file in Path(f"/proc/{current}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):
                pending += map(int, file.read_text().split())
    return found


def _signal(processes: set[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
