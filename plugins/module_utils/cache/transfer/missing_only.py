# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transfer to a volume that is looked at before upstream is read in full."""

from __future__ import annotations

from ...deadline import Deadline
from ...progress import OnLine
from ..domain.methods import Method
from ..domain.model import Snapshot
from ..git.entry import Entry
from ..git.repository import Incoming, Repository
from .as_it_is import AsItIs
from .protocol import FullCopyNeeded, Transfer


class MissingOnly:
    """Fetches only what the volume lacks, by ``difference`` if there is one. The ``planned`` transfer is not made ready.

    Raises FullCopyNeeded where that cannot be done.
    """

    def __init__(self, planned: Transfer, difference: Transfer | None = None) -> None:
        self._difference = difference
        self._current = planned

    @property
    def method(self) -> Method:
        """Return the method of what is used."""
        return self._current.method

    @property
    def resumes(self) -> bool:
        """Return whether to keep what an earlier run has received by the planned transfer."""
        return self._current.resumes

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """See ``Transfer``."""
        return 0 if self._difference is None else self._difference.prepare(snapshot, deadline, False)

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        """See ``Transfer``. Raises FullCopyNeeded too."""
        if not repository.lacks(entry, snapshot, deadline):
            self._current = AsItIs()
        elif self._difference is not None and repository.held_ids(entry):
            self._current = self._difference
        else:
            raise FullCopyNeeded(f"It has nothing of {repository.name}, or not all.")
        return self._current.receive(repository, entry, snapshot, deadline, progress)
