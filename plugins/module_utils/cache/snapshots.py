# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots of a run: one a project, for every volume; renewed only where upstream has lost an object of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from ..errors import DeploymentError
from .model import Project, Snapshot

_RENEWALS = 5
"""An upstream that loses objects faster than a run can fetch them is not waited for."""


class SnapshotBook:
    """Which snapshot of each project the run works with. Safe for threads."""

    def __init__(self, snapshots: Mapping[str, Snapshot], read: Callable[[Project], Snapshot]) -> None:
        self._snapshots = dict(snapshots)
        self._read = read
        self._lock = threading.Lock()
        self._renewals = 0

    def current(self, project: Project) -> Snapshot:
        """The snapshot to work with now."""
        with self._lock:
            return self._snapshots[project.name]

    def renew(self, project: Project, stale: Snapshot) -> Snapshot:
        """A newer one than ``stale``, read once however many pairs found it stale. Raises DeploymentError."""
        with self._lock:
            if self._snapshots[project.name] == stale:
                self._renewals += 1
                if self._renewals > _RENEWALS:
                    raise DeploymentError(
                        f"Upstream {project.url} lost objects of its own refs {_RENEWALS} times during this run.",
                        "Run again when nobody force-pushes there, or use a local clone as `path`.",
                    )
                self._snapshots[project.name] = self._read(project)
            return self._snapshots[project.name]
