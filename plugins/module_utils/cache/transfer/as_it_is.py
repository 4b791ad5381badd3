# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transfer that brings nothing."""

from __future__ import annotations

from ...deadline import Deadline
from ...progress import OnLine
from ..domain.model import Snapshot
from ..git.entry import Entry
from ..git.repository import NOTHING, Incoming, Repository
from .by_git import GIT


class AsItIs:
    """Brings nothing: the volume has it already, gets it from its worker's, or nobody lists the project."""

    method = GIT
    resumes = False

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """Do nothing: no volume will receive a byte."""
        return 0

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        """Return nothing."""
        return NOTHING
