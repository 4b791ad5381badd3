# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""git's lock files that stop a git of ours: which, how old, and when they go."""

from __future__ import annotations

import re

from ...deadline import Deadline
from ...shell import Completed, Shell
from . import scripts
from .steps import run_step

_SAID = re.compile(r"(\.lock|packed-refs\.new)': file exists", re.IGNORECASE)
_NAMED = 3
"""Most locks that are named."""
AGAIN = "Run again: what has made that file since the volume was taken is nobody's, as no other pod has it mounted, and is removed then."
"""The remedy for a lock on a volume that only we have."""


def stopped_by_a_lock(completed: Completed) -> bool:
    """Return whether git gave up because a lock file was there."""
    return _SAID.search(completed.stderr) is not None


def shown(name: bytes) -> str:
    """Return a lock's name as the scripts tell it: bytes that are unusual in names are question marks."""
    return re.sub(rb"[^0-9A-Za-z./_-]", b"?", name).decode("ascii")


def wait_for_locks(shell: Shell, path: str, completed: Completed, minutes: int, deadline: Deadline) -> str:
    """Return what to do about the locks in the entry at ``path`` that stopped git. They count as left behind when they are ``minutes`` old."""
    listed = run_step(shell, scripts.argv(scripts.LOCKS, path), deadline, 0)
    now, *lines = listed.stdout.split(b"\0")
    words = []
    for line in lines:
        made, _space, raw = line.partition(b" ")
        name = shown(raw)
        if f"/{name.removeprefix('info/')}'" in completed.stderr and made.isdigit() and now.isdigit():
            age = (int(now) - int(made)) // 60
            words.append(f"{name[:80]} is {max(0, age)} minutes old, and is removed by a run in {max(0, minutes - age)} minutes")
    named = "; ".join(words[:_NAMED]) or f"A lock is removed by a run that finds it {minutes} minutes old"
    return f"Another git may work there: wait for it, and run again. {named}. A run while no other pod has the volume mounted removes any lock at once."
