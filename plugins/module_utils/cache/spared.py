# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The projects of which a worker's volume is looked at before upstream is read in full for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..deadline import Deadline
from .model import Method, Project, Volume
from .plan import Step
from .side import VolumeSide
from .snapshots import SnapshotBook
from .transfer import Transfer
from .transfer.sparing import Sparing


class Spared:
    """Those of a pair's projects whose planned transfers were not made ready, as what lies on the worker's volume may do."""

    def __init__(
        self,
        worker: VolumeSide,
        transfers: Mapping[tuple[Volume, str], Transfer],
        transfer_of: Callable[[Step], Transfer],
        book: SnapshotBook,
    ) -> None:
        self._worker = worker
        self._transfers = transfers
        self._transfer_of = transfer_of
        self._book = book
        self._asked: dict[str, Project] = {}
        self._ways: dict[str, Sparing] = {}

    def __contains__(self, project: Project) -> bool:
        return project.name in self._ways

    def among(self, pending: Sequence[Project]) -> list[Project]:
        """Those of the projects that are spared."""
        return [project for project in pending if project in self]

    def way(self, project: Project) -> Transfer | None:
        """What brings a spared project to the worker's volume."""
        return self._ways.get(project.name)

    def decide(self, project: Project, deadline: Deadline) -> bool:
        """Whether it is spared: where nothing is recorded of it on the worker's volume, and as long as nobody has seen that this does not do."""
        if project.name not in self._asked:
            self._asked[project.name] = project
            planned = self._transfers[self._worker.volume, project.name]
            reads_in_full = planned.method is not Method.GIT and not project.path
            if reads_in_full and not self._recorded(project) and self._book.looks_first(project, deadline):
                by_git = planned.method is Method.SEED and project.method is Method.AUTO
                step = replace(self._worker.steps[project.name], method=Method.GIT)
                self._ways[project.name] = Sparing(planned, self._transfer_of(step) if by_git else None)
        return project in self

    def _recorded(self, project: Project) -> bool:
        record = self._worker.recorded()
        absent = record is not None and project.name in record.absent
        return absent or self._worker.knows(project) or self._worker.damaged(project)

    def not_enough(self, project: Project) -> None:
        """What lies there does not do, so upstream is read in full: for others too."""
        del self._ways[project.name]
        self._book.looked(project, in_full=True)

    def end(self) -> None:
        """None is spared any more."""
        self._ways.clear()
        self.looked()

    def looked(self) -> None:
        """The worker's volume was looked at, or will not be: nobody waits for that any more."""
        for project in self._asked.values():
            self._book.looked(project)
