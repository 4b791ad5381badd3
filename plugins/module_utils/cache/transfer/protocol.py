# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a snapshot reaches a volume. Each brings packs into a repository's quarantine, and publishes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...deadline import Deadline
from ...errors import DeploymentError
from ...progress import OnLine
from ...shell import Shell
from ..domain.methods import Method
from ..domain.model import Snapshot, Volume
from ..domain.projects import Project
from ..git.entry import Entry
from ..git.repository import Incoming, Repository
from ..git.upstream import read_snapshot
from .finished_packs import PackSource, Transport


class FullCopyNeeded(DeploymentError):
    """A volume's missing part cannot be brought alone: a full copy has to be made ready first."""


class Transfer(Protocol):
    """One method, for one project on one volume."""

    @property
    def method(self) -> Method:
        """Return the method, whose name options and results have."""

    @property
    def resumes(self) -> bool:
        """Return whether what was received before a cut is used by the next try."""

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """Do what is slow before a volume is taken. ``first``: a volume may have nothing yet.

        Returns the bytes that a volume which has nothing will receive; 0 where that is not known. Raises SnapshotGone and
        DeploymentError.
        """

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        """Bring what the entry lacks of the snapshot into the quarantine. Raises SnapshotGone, PlaceLost, DeploymentError."""


class Sources(Protocol):
    """The sources of packs that a run offers to its methods, and the ways of those packs to a volume."""

    @property
    def stall_timeout(self) -> int:
        """Return the seconds without a byte from upstream after which a fetch is given up."""

    def given(self, project: Project, make: Callable[[Shell, Path], PackSource]) -> PackSource:
        """Return the source of the packs of the project's `path`.

        ``make`` is called once a run, with the controller's shell and a scratch directory, which does not exist yet and goes after the run.
        """

    def clone(self, project: Project) -> PackSource:
        """Return the packs of a clone on the controller that is kept for the next run."""

    def clone_transport(self) -> Transport:
        """Return the way of packs from the controller to a volume."""

    def seed(self, project: Project) -> PackSource:
        """Return the packs that the seed pod makes."""

    def seed_transport(self, volume: Volume) -> Transport:
        """Return the way of the seed's packs to a volume."""


@dataclass(frozen=True, kw_only=True)
class TransferMethod(Method):
    """A method, and how its transfer of one project to one volume is made.

    ``read`` returns the snapshot of what it is to bring, with the controller's shell: upstream's, or that of what the user names as `path`.
    It raises InvalidOption where that is of no use, and what ``read_snapshot`` raises.
    """

    make: Callable[[Sources, Project, Volume], Transfer]
    read: Callable[[Shell, Project, Deadline], Snapshot] = read_snapshot
