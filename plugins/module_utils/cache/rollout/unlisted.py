# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects on a volume that nobody lists: the rules hold for them too."""

from __future__ import annotations

from ...deadline import Deadline
from ...errors import InvalidOption
from ...shell import checked
from ..domain.projects import Project, check_name
from ..git import scripts
from .volume_access import HeldVolume
from .volume_run import VolumeRun


def unlisted_on(held: HeldVolume, side: VolumeRun, deadline: Deadline) -> tuple[Project, ...]:
    """The directories of a held volume of which ``side`` has no step, with the URL from which they were filled where that is known.

    What cannot be a project's name is in the side's warnings. Raises CommandFailed, PlaceLost.
    """
    names = checked(held.shell, held.shell.run(scripts.argv(scripts.NAMES, held.root), deadline=deadline)).stdout.split(b"\0")
    record = side.recorded()
    known = {} if record is None else record.projects
    found = []
    for name in sorted(raw.decode("utf-8", "surrogateescape") for raw in names if raw):
        if name in side.steps:
            continue
        try:
            check_name(name)
        except InvalidOption:
            side.warn(f"{name!a} is there, which is no project's name; whether its sandbox has all of it was not looked at")
            continue
        found.append(Project(name, known[name].url if name in known else ""))
    return tuple(found)
