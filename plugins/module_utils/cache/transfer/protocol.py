# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a snapshot reaches a volume. Each brings packs into a repository's quarantine, and publishes nothing."""

from __future__ import annotations

from typing import Protocol

from ...deadline import Deadline
from ...errors import DeploymentError
from ...progress import OnLine
from ..domain.model import Method, Snapshot
from ..git.entry import Entry
from ..git.repository import NOTHING, Incoming, Repository


class FullCopyNeeded(DeploymentError):
    """A volume's missing part cannot be brought alone: a full copy has to be made ready first."""


class Transfer(Protocol):
    """One method, for one project on one volume."""

    @property
    def method(self) -> Method:
        """Its name in options and results."""

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


class AsItIs:
    """Brings nothing: the volume has it already, gets it from its worker's, or nobody lists the project."""

    method = Method.GIT
    resumes = False

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """Nothing is to be done before."""
        return 0

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        """Return nothing."""
        return NOTHING
