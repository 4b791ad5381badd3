# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method git, for a sandbox whose worker has fetched already: the worker's own packs, so that no lock waits for upstream.

Upstream is read once a pair, nothing is indexed while the sandbox's volume is held, and both volumes have the same packs.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from ...deadline import Deadline
from ...progress import OnLine
from ..domain.model import Snapshot
from ..domain.packs import files_of
from ..git.entry import Entry
from ..git.repository import NOTHING, Incoming, Repository
from ..git.superset import StagedEntry, fetch_file, receive_file
from .by_git import GIT
from .protocol import FullCopyNeeded


class FromWorker:
    """Brings what the worker's quarantine has. What of the worker's other packs is lacking is brought after every transfer.

    ``brought``: the files that are whole on this machine, with the seconds that each took; one for all projects and turns. ``needs_entry``: raise
    FullCopyNeeded for a volume that has nothing of the project; there is another way, which is better than to have it wait for all of the worker's packs.
    """

    method = GIT
    resumes = False

    def __init__(self, worker: StagedEntry, scratch: Path, brought: dict[Path, float], needs_entry: bool = False) -> None:
        self._worker = worker
        self._scratch = scratch
        self._brought = brought
        self._needs_entry = needs_entry

    @property
    def seconds(self) -> float:
        """Return how long bringing the packs to this machine took, without what was cut and began anew."""
        return sum(self._brought[self._scratch / name] for name in files_of(pack.name for pack in self._worker.fetched))

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """Bring the worker's new packs to this machine, before the sandbox's volume is taken."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        repository = self._worker.repository
        for name in files_of(pack.name for pack in self._worker.fetched):
            file = self._scratch / name
            if file not in self._brought:
                started = monotonic()
                fetch_file(repository, f"{repository.pack_directory}/{name}", file, deadline)
                self._brought[file] = monotonic() - started
        return sum(pack.bytes for pack in self._worker.fetched) if first else 0

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        """See ``Transfer``. Raises FullCopyNeeded too."""
        if self._needs_entry and self._worker.entry.usable and not entry.usable:
            raise FullCopyNeeded(f"It has nothing of {repository.name}.")
        packs = self._worker.fetched
        if not packs or not repository.lacks(entry, snapshot, deadline):
            return NOTHING
        files = files_of(pack.name for pack in packs)
        repository.expect([pack.name for pack in packs], sum((self._scratch / name).stat().st_size for name in files), deadline)
        for name in files:
            receive_file(repository, self._scratch / name, name, deadline)
        # Into an empty entry git has proved the whole; else the new part is walked where it arrives.
        return repository.incoming(connected=not self._worker.entry.usable, deadline=deadline, known=packs)
