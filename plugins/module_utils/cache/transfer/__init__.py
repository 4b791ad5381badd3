# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a snapshot reaches a volume. Each brings packs into a repository's quarantine, and publishes nothing."""

from __future__ import annotations

from typing import Protocol

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import Progress
from ..entry import Entry
from ..model import Method, Snapshot
from ..repository import Incoming, Repository


class SnapshotGone(DeploymentError):
    """Upstream has no longer an object that the snapshot names: a new snapshot is to be taken."""


class Transfer(Protocol):
    """One method."""

    @property
    def method(self) -> Method:
        """Its name in options and results."""

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: Progress | None = None
    ) -> Incoming:
        """Bring what the entry lacks of the snapshot into the quarantine. Raises SnapshotGone and DeploymentError."""
