# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full reads: what pairs of a run share about projects that no worker's claim records."""

from __future__ import annotations

import threading
import time

from ...deadline import Deadline
from ..domain.projects import Project

_LOOK_SECONDS = 60.0
"""Seconds that other pairs wait for the first look at a volume: about one pod's start, where that has to wait for nothing."""
_PAUSE = 0.1


class FullReads:
    """Projects for which one pair found that upstream must be read in full. Shared by all pairs; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, tuple[threading.Event, float]] = {}
        self._in_full: set[str] = set()
        self._looking: set[object] = set()

    def inspect_first(self, project: Project, pair: object, deadline: Deadline) -> bool:
        """Return whether to look at a worker's volume before upstream is read in full; False where it is read in full anyway.

        The first pair that asks looks at once. The others wait for its report, for up to a minute, so that not each of many empty volumes
        is taken twice. A pair that owes a look itself, or holds a volume, waits for no other one: two would wait for each other.
        """
        with self._lock:
            first = project.name not in self._looks
            seen, since = self._looks.setdefault(project.name, (threading.Event(), time.monotonic()))
            waits = not first and pair not in self._looking
            if first:
                self._looking.add(pair)
        while waits and not seen.is_set() and time.monotonic() < since + _LOOK_SECONDS:
            deadline.sleep(_PAUSE)
        with self._lock:
            return project.name not in self._in_full

    def looking(self, pair: object) -> None:
        """Have a pair wait for no other one from now on: it is about to look, and others may wait for it."""
        with self._lock:
            self._looking.add(pair)

    def report(self, project: Project, in_full: bool = False) -> None:
        """Let the others go on: a volume was looked at, or could not be. With ``in_full``, upstream has to be read in full for it."""
        with self._lock:
            if in_full:
                self._in_full.add(project.name)
            look = self._looks.get(project.name)
        if look is not None:
            look[0].set()
