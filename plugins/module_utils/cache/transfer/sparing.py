# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume of which nothing is recorded is looked at before upstream is read in full: somebody may have filled it by hand."""

from __future__ import annotations

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import Progress
from ..entry import Entry
from ..model import Method, Snapshot
from ..repository import Incoming, Repository
from . import AsItIs, Transfer


class NotReady(DeploymentError):
    """What lies on the volume does not do: all has to come, by a way that was not made ready."""


class Sparing:
    """Takes what lies there as it is, or asks upstream for the difference alone, where ``difference`` can; the ``planned`` way is not made ready."""

    def __init__(self, planned: Transfer, difference: Transfer | None = None) -> None:
        self._difference = difference
        self._used = planned
        self._way = planned if difference is None else difference

    @property
    def method(self) -> Method:
        """That of the way by which more would come."""
        return self._way.method

    @property
    def resumes(self) -> bool:
        """What an earlier run has received by the planned way stays as long as that may be needed."""
        return self._used.resumes

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """See ``Transfer``."""
        return 0 if self._difference is None else self._difference.prepare(snapshot, deadline, False)

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: Progress | None = None
    ) -> Incoming:
        """See ``Transfer``. Raises NotReady too."""
        if not repository.lacks(entry, snapshot, deadline):
            self._used = AsItIs()
        elif self._difference is not None and repository.held_ids(entry):
            self._used = self._difference
        else:
            raise NotReady(f"The volume in {repository.shell.where} does not have {repository.name}, or not whole.", "Run again.")
        return self._used.receive(repository, entry, snapshot, deadline, progress)
