# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method git: the pod fetches the pinned object ids from upstream. Best for a delta, and for small projects."""

from __future__ import annotations

from ...deadline import Deadline
from ...progress import OnLine
from ..domain.methods import Outlook
from ..domain.model import VOLUMES_OF_A_PAIR, Role, Snapshot, Volume
from ..domain.projects import Project
from ..domain.record import RecordedEntry
from ..git.entry import Entry
from ..git.repository import NOTHING, Incoming, Repository
from ..git.stall import STALL_TIMEOUT
from .protocol import Sources, Transfer, TransferMethod

MAX_BYTES = 16_000_000
"""Bytes up to which a seed pod costs one pair more time than it saves."""


class GitTransfer:
    """Fetches from one URL. ``strangers``: whether the volume is one to which they can write; ``stall_timeout`` as for ``fetch``."""

    resumes = False

    def __init__(self, url: str, strangers: bool = True, stall_timeout: int = STALL_TIMEOUT) -> None:
        self.method = GIT
        self._url = url
        self._strangers = strangers
        self._stall_timeout = stall_timeout

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """Do nothing: git fetches when the volume is held."""
        return 0

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        """Fetch what the entry lacks. Nothing is asked of upstream where all ids are there."""
        if not repository.lacks(entry, snapshot, deadline):
            return NOTHING
        repository.quarantine(deadline)
        repository.fetch(self._url, repository.new_ids(entry, snapshot), entry, deadline, progress, self._stall_timeout)
        return repository.incoming(connected=True, deadline=deadline, just_indexed=not self._strangers)


def _fits(_project: Project, recorded: RecordedEntry | None, outlook: Outlook) -> str:
    if recorded is not None and not outlook.seed_keeps:
        return "as only the difference is fetched"
    if recorded is None and outlook.volumes <= VOLUMES_OF_A_PAIR and 0 < outlook.size <= MAX_BYTES:
        return "as it is small"
    return ""


def _make(sources: Sources, project: Project, volume: Volume) -> Transfer:
    return GitTransfer(project.url, volume.role is Role.SANDBOX, sources.stall_timeout)


GIT = TransferMethod(
    name="git",
    in_cluster=True,
    on_volume=True,
    fits=_fits,
    make=_make,
    about="has the workers' filler pods fetch from upstream, and their packs copied to the sandboxes.",
    auto_for="where only a difference is to be fetched, or the project is known to be small",
)
