# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of a sandbox's turns: for how long its volume is held, and the pause in which its consumers can have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...deadline import Deadline
from ...errors import DeadlineExceeded, DeploymentError, Interrupted
from ..domain.model import Volume
from ..domain.projects import Project
from ..domain.rollout_options import Options
from .volume_access import HeldVolume
from .volume_run import VolumeRun

PAUSE = 2.0
"""Seconds between two turns."""
RELEASE_RESERVE = 5.0
"""Seconds of the longest hold that are kept for ending the work and deleting the pod."""


class TooLong(DeploymentError):
    """Something does not fit into one turn, so that no later one would do."""


def seconds_for_work(attach: float, options: Options) -> float:
    """Return the seconds of a turn that are left for work, where ``attach`` have passed until the volume was held."""
    return options.max_hold - attach - RELEASE_RESERVE


def require_time(volume: Volume, attach: float, options: Options, error: DeadlineExceeded) -> None:
    """Raise TooLong where the volume itself took more of the longest hold than it left for the work."""
    left = seconds_for_work(attach, options)
    if attach > left:
        raise TooLong(
            f"Volume {volume} took {attach:.0f} seconds until its pod was ready, and {max(0.0, left):.0f} were left for all work on it.",
            "Look why it attaches so slowly, and run again; or raise option `max_hold`.",
        ) from error


def work_limit(held: HeldVolume, attach: float, options: Options, deadline: Deadline) -> Deadline:
    """Return the deadline of the work of a turn, which also ends where a consumer waits for the volume."""
    return deadline.within(max(0.0, seconds_for_work(attach, options)), "the longest hold of a sandbox's volume", held.wanted)


def take_turns(
    side: VolumeRun,
    projects: Sequence[Project],
    options: Options,
    deadline: Deadline,
    work: Callable[[HeldVolume, Sequence[Project], Deadline], None],
) -> None:
    """Hold a sandbox's volume, turn by turn, until all projects have their results.

    ``work`` gets those that have none, and goes on where the turn before was cut off. Raises TooLong.
    """
    while pending := [project for project in projects if side.open(project)]:
        with side.held(deadline) as held:
            attach = held.held_seconds
            try:
                work(held, pending, work_limit(held, attach, options, deadline))
            except Interrupted as error:
                side.tell("", "is given back", error.message)
            except DeadlineExceeded as error:
                require_time(side.volume, attach, options, error)
        if any(side.open(project) for project in pending):
            deadline.sleep(PAUSE)
