# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transfer to a volume that is looked at before upstream is read in full."""

from __future__ import annotations

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import Progress
from ..entry import Entry
from ..model import Method, Snapshot
from ..repository import Incoming, Repository
from . import AsItIs, Transfer


class NeedsAll(DeploymentError):
    """The volume is empty or not whole, so that all has to be made ready first."""


class UseWhatIsThere:
    """Uses what lies on the volume, and fetches the rest by ``difference`` if there is one. The ``planned`` transfer is not made ready."""

    def __init__(self, planned: Transfer, difference: Transfer | None = None) -> None:
        self._difference = difference
        self._used = planned
        self._fetching = planned if difference is None else difference

    @property
    def method(self) -> Method:
        """Return the method of what is used."""
        return self._used.method

    @property
    def resumes(self) -> bool:
        """Return whether to keep what an earlier run has received by the planned transfer."""
        return self._used.resumes

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """See ``Transfer``."""
        return 0 if self._difference is None else self._difference.prepare(snapshot, deadline, False)

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: Progress | None = None
    ) -> Incoming:
        """See ``Transfer``. Raises NeedsAll too."""
        if not repository.lacks(entry, snapshot, deadline):
            self._used = AsItIs()
        elif self._difference is not None and repository.held_ids(entry):
            self._used = self._difference
        else:
            raise NeedsAll(f"It has nothing of {repository.name}, or not all.")
        return self._used.receive(repository, entry, snapshot, deadline, progress)
