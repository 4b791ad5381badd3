# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by both ways of copying by rsync: its arguments, and the meaning of its exit codes."""

from __future__ import annotations

import re
from collections.abc import Callable

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import KILLED, Completed, Shell, require_there
from ..git.environment import MORE_MEMORY

CONNECTION_LOST = (10, 12, 19, 20, 30, 35)
"""Exit codes after which a copy can go on where it was; 19 and 20 are also the other side's, when a signal ended it."""
IDLE_TIMEOUT = 60
"""Seconds without a byte after which rsync gives up."""
RESUMING = ("--times", "--append", "--chmod=D2775,F644")
"""A file that is there in part is gone on with. Packs are named after their content, which is checked afterwards."""

EXIT_MEANINGS = {
    1: "syntax or usage error",
    2: "protocol incompatibility (something else was printed into the stream)",
    3: "errors selecting input and output files",
    5: "error starting the protocol (refused by the other side, or no rsync in the pod's image)",
    10: "error in socket I/O",
    11: "error in file I/O (no space left, or no permission)",
    12: "error in the data stream (the connection was lost)",
    19: "ended by SIGUSR1",
    20: "ended by a signal, here or on the other side",
    23: "partial transfer",
    24: "files vanished while they were sent",
    30: "timeout: no data came for a while",
    35: "timeout while connecting to the daemon",
    127: "rsync is not installed in the pod's image",
    KILLED: "rsync was killed (out of memory?)",
}

# rsync writes a volume by two processes. Where the receiver is killed, the generator, which reads from it, is the only one of that
# side to say so (seen with rsync 3.5); a connection that is lost is lost for the receiver, which says that first.
_RECEIVER_KILLED = re.compile(r"connection unexpectedly closed \(\d+ bytes received so far\) \[generator\]")

# What --info=progress2 prints, without an end of line before the words of an error.
_PROGRESS = re.compile(r"[\d,.]+[KMGT]?\s+\d+%\s+\S+/s\s+[\d:]+(\s+\((xfr|ir-chk|to-chk)[^)]*\))?")

Lost = Callable[[Completed], bool]
"""True where rsync failed for want of the other side, which may be there again later."""


def killed(completed: Completed) -> bool:
    """Return whether a process that was to write was killed: for want of memory, or as its pod ends. Pure."""
    by_itself = _RECEIVER_KILLED.search(completed.stderr) is not None and "[receiver" not in completed.stderr.lower()
    return completed.returncode == KILLED or (completed.returncode != 0 and by_itself)


def connection_lost(completed: Completed) -> bool:
    """Return whether it was the connection. Pure."""
    return completed.returncode in CONNECTION_LOST and not killed(completed)


def persist(run: Callable[[], Completed], lost: Lost, place: Shell, tries: int, pause: float, deadline: Deadline) -> Completed:
    """Run an rsync until it ends otherwise than by losing the other side, ``tries`` times at the most, ``pause`` seconds apart.

    ``place``: where it writes. Raises PlaceLost where that was lost.
    """
    for attempt in range(tries):
        if attempt:
            deadline.sleep(pause)
        completed = run()
        if killed(completed):
            require_there(place, deadline)
        if not lost(completed):
            break
    return completed


def explained(completed: Completed, way: str, kind: type[DeploymentError] = DeploymentError) -> DeploymentError:
    """An rsync that failed, in words; ``way``: from where to where. Pure."""
    code = KILLED if killed(completed) else completed.returncode
    meaning = f"ended by signal {-code} on this machine" if code < 0 else EXIT_MEANINGS.get(code, "see EXIT VALUES in rsync(1)")
    lines = [line.strip() for line in re.split(r"[\r\n]+", _PROGRESS.sub("", completed.stderr)) if line.strip()]
    # The first of rsync's own lines says why; what follows is often what became of the other processes.
    first = next((line for line in lines if line.startswith("rsync: ")), "")
    words = " | ".join(dict.fromkeys(line for line in (first, *lines[-2:]) if line))
    lowered = completed.stderr.lower()
    remedy = "Run again."
    if "no space left" in lowered:
        remedy = "Grow the volume, or take projects off it (option `state: absent`)."
    elif "command not found" in lowered or code == 127:
        remedy = "Use an image with git and rsync (option `image`)."
    elif code == KILLED:
        remedy = MORE_MEMORY
    return kind(f"rsync {way} ended with code {completed.returncode} ({meaning}): {words or 'it printed nothing'}", remedy)
