# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of the work on a volume, with a limit of its own: whoever puts a pipe where a file was does not decide how long a volume is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...deadline import Deadline, Step
from ...errors import DeadlineExceeded, DeploymentError, Interrupted
from ...shell import Completed, Shell, require_there

SECONDS = 60.0
"""Seconds for a step that reads nothing large: far more than it needs where nothing stands still."""
BYTES_A_SECOND = 2_000_000
"""The least rate at which a step reads: the slowest is to index a pack anew with half a processor."""


class StoodStill(DeploymentError):
    """A step took far longer than what it had to do."""


def run_step(
    shell: Shell, argv: Sequence[str], deadline: Deadline, size: int, *, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> Completed:
    """Run an argv that reads ``size`` bytes at the most. Raises StoodStill where the process hung, and as ``Shell.run`` does."""
    limit = SECONDS + size / BYTES_A_SECOND
    try:
        return shell.run(argv, deadline=Step(deadline, limit, "one step"), stdin=stdin, env=env)
    except Interrupted:
        raise
    except DeadlineExceeded as error:
        deadline.left()  # raises where it is the caller's time that is over
        require_there(shell, deadline)  # it may be another run's by now, where this one was stopped, or cut off
        raise StoodStill(
            f"A step of the work in {shell.where} stood still: it was ended after {limit:.0f} seconds, which is far more than it needs.",
            "Run again. If it happens again, look for what is no plain file (a pipe) in the project's directory on the volume, or run while no "
            "sandbox has it mounted.",
        ) from error
