# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects that a worker's volume is looked at for, before upstream is read in full: somebody may have filled it by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ...deadline import Deadline
from ..domain.methods import Method
from ..domain.model import AUTO, Volume
from ..domain.plan import Step
from ..domain.projects import Project
from ..transfer.missing_only import MissingOnly
from ..transfer.protocol import Transfer
from .snapshots import Snapshots
from .volume_run import VolumeRun


class UnrecordedProjects:
    """The projects of a pair of which the worker's claim records nothing. Their planned transfers are made ready only where a look shows the need.

    ``difference`` is the method that brings what such a volume lacks, where `auto` may choose it.
    """

    def __init__(
        self,
        worker: VolumeRun,
        transfers: Mapping[tuple[Volume, str], Transfer],
        transfer_of: Callable[[Step], Transfer],
        snapshots: Snapshots,
        difference: Method,
    ) -> None:
        self._worker = worker
        self._transfers = transfers
        self._transfer_of = transfer_of
        self._snapshots = snapshots
        self._difference = difference
        self._asked: dict[str, Project] = {}
        self._transfers_there: dict[str, MissingOnly] = {}

    def __contains__(self, project: Project) -> bool:
        return project.name in self._transfers_there

    def of(self, pending: Sequence[Project]) -> list[Project]:
        """Return those of ``pending`` for which the worker's volume is looked at first."""
        return [project for project in pending if project in self]

    def transfer_for(self, project: Project) -> Transfer | None:
        """Return what brings such a project to the worker's volume, or None for another one."""
        return self._transfers_there.get(project.name)

    def check(self, project: Project, deadline: Deadline) -> bool:
        """Return whether to look first: nothing is recorded of the project on the worker's volume, and no look has shown that all must be read."""
        if project.name not in self._asked:
            self._asked[project.name] = project
            planned = self._transfers[self._worker.volume, project.name]
            reads_in_full = not planned.method.on_volume and not project.path
            if reads_in_full and not self._recorded(project) and self._snapshots.full_reads.inspect_first(project, self, deadline):
                in_cluster = planned.method.in_cluster and project.method == AUTO
                step = replace(self._worker.steps[project.name], method=self._difference)
                self._transfers_there[project.name] = MissingOnly(planned, self._transfer_of(step) if in_cluster else None)
        return project in self

    def looking(self) -> None:
        """Wait for no other pair's look from now on."""
        self._snapshots.full_reads.looking(self)

    def _recorded(self, project: Project) -> bool:
        record = self._worker.recorded()
        absent = record is not None and project.name in record.absent
        return absent or self._worker.knows(project) or self._worker.damaged(project)

    def read_in_full(self, project: Project) -> None:
        """Read upstream in full: what lies there is empty or broken. Other pairs do not look first any more."""
        del self._transfers_there[project.name]
        self._snapshots.full_reads.report(project, in_full=True)

    def clear(self) -> None:
        """Give up looking first."""
        self._transfers_there.clear()
        self.looked()

    def looked(self) -> None:
        """Let the pairs that wait for this look go on."""
        for project in self._asked.values():
            self._snapshots.full_reads.report(project)
