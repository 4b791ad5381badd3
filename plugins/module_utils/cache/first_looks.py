# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pairs of a run tell each other of worker's volumes of which nothing is recorded."""

from __future__ import annotations

import threading
import time

from ..deadline import Deadline
from .model import Project

_LOOK_SECONDS = 60.0
"""Seconds that other pairs wait for the first look at a volume: about one pod's start, where that has to wait for nothing."""
_PAUSE = 0.1


class FirstLooks:
    """For which projects upstream has to be read in full, as the first look at a worker's volume shows. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, tuple[threading.Event, float]] = {}
        self._in_full: set[str] = set()

    def looks_first(self, project: Project, deadline: Deadline) -> bool:
        """Return whether a worker's volume is looked at before upstream is read in full: not where it is read in full anyway.

        The first pair that asks looks at once. The others wait for what that shows (``looked``), so that not each of many empty volumes is
        taken twice.
        """
        with self._lock:
            first = project.name not in self._looks
            seen, since = self._looks.setdefault(project.name, (threading.Event(), time.monotonic()))
        while not first and not seen.is_set() and time.monotonic() < since + _LOOK_SECONDS:
            deadline.sleep(_PAUSE)
        with self._lock:
            return project.name not in self._in_full

    def looked(self, project: Project, in_full: bool = False) -> None:
        """Let the others go on: a volume was looked at, or could not be. With ``in_full``, upstream has to be read in full for it."""
        with self._lock:
            if in_full:
                self._in_full.add(project.name)
            look = self._looks.get(project.name)
        if look is not None:
            look[0].set()
