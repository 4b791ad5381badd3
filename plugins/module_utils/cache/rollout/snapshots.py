# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots of a run: one a project, for every volume; renewed only where upstream has lost an object of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from ...errors import DeploymentError
from ..domain.model import Snapshot
from ..domain.projects import Project
from ..git.fetch_errors import SnapshotGone
from .full_reads import FullReads

T = TypeVar("T")

_RENEWALS = 5
"""An upstream that loses objects faster than a run can fetch them is not waited for."""


class SnapshotStale(DeploymentError):
    """The snapshot that was worked with is not the run's any more, or upstream has lost some of it: the work starts again."""


class Snapshots:
    """The snapshots that the run works with, one a project. Safe for threads. ``full_reads`` goes with it to every pair."""

    def __init__(self, snapshots: Mapping[str, Snapshot], read: Callable[[Project], Snapshot]) -> None:
        self._snapshots = dict(snapshots)
        self._stale: dict[str, Snapshot] = {}
        self._read = read
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._renewals = 0
        self.full_reads = FullReads()

    def current(self, project: Project) -> Snapshot | None:
        """The snapshot to work with now; None for a project that nobody lists."""
        with self._lock:
            return self._snapshots.get(project.name)

    def with_current(self, project: Project, work: Callable[[Snapshot | None], T]) -> T:
        """Do ``work`` with the current snapshot, and again with a new one where upstream has lost an object of it."""
        while True:
            snapshot = self.current(project)
            try:
                return work(snapshot)
            except SnapshotGone:
                if snapshot is None:
                    raise
                self.renew(project, snapshot)

    def once_with_current(self, project: Project, work: Callable[[Snapshot | None], T]) -> T:
        """The same while a sandbox's volume is held, where nobody waits for upstream: raises SnapshotStale, and ``renew_if_stale`` renews."""
        snapshot = self.current(project)
        try:
            return work(snapshot)
        except SnapshotGone as error:
            with self._lock:
                if snapshot is not None and self._snapshots[project.name] == snapshot:
                    self._stale[project.name] = snapshot
            raise SnapshotStale(error.message, error.remedy) from error

    def renew_if_stale(self, project: Project) -> None:
        """Renew the snapshot if it was found stale while a sandbox's volume was held. Raises DeploymentError."""
        with self._lock:
            stale = self._stale.get(project.name)
        if stale is not None:  # not forgotten here: others wait in `renew` for the same, and one that failed is tried again
            self.renew(project, stale)

    def renew(self, project: Project, stale: Snapshot) -> Snapshot:
        """A newer one than ``stale``, read once however many pairs found it stale. Raises DeploymentError."""
        with self._reading:  # apart from the other lock: upstream may be slow, and `current` is asked while a volume is held
            if self.current(project) == stale:
                self._renewals += 1
                if self._renewals > _RENEWALS:
                    raise DeploymentError(
                        f"Upstream {project.url} lost objects of its own refs {_RENEWALS} times during this run.",
                        "Run again when nobody force-pushes there, or use a local clone as `path`.",
                    )
                newer = self._read(project)
                with self._lock:
                    self._snapshots[project.name] = newer
                    self._stale.pop(project.name, None)
            with self._lock:
                return self._snapshots[project.name]
