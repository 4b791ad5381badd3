# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method git, for a sandbox whose worker has fetched already: the worker's own packs, so that no lock waits for upstream.

Upstream is read once a pair, nothing is indexed while the sandbox's volume is held, and both volumes have the same packs.
"""

from __future__ import annotations

from pathlib import Path

from ...deadline import Deadline
from ...shell import Progress
from ..brought import BroughtPacks
from ..entry import Entry
from ..model import Method, Snapshot, Volume
from ..objects import Side, bring_missing, fetch_file, send_file
from ..packs import files_of
from ..repository import Incoming, Repository


class FromWorker:
    """Brings what the worker's quarantine has, and of the worker's other packs what is lacking then."""

    method = Method.GIT
    resumes = False

    def __init__(self, worker: Side, sandbox: Volume, brought: BroughtPacks, scratch: Path) -> None:
        self._worker = worker
        self._sandbox = sandbox
        self._brought = brought
        self._scratch = scratch
        self.seconds = 0.0
        """What bringing the packs to this machine takes, once ``prepare`` has done it."""

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """Bring the worker's new packs to this machine, before the sandbox's volume is taken."""
        repository, received = self._worker.repository, self._worker.incoming

        def fetch(file: str, to: Path) -> None:
            fetch_file(repository, f"{repository.pack_directory}/{file}", to, deadline)

        self.seconds = sum(self._brought.bring(self._sandbox, pack.name, fetch, deadline) for pack in received.packs)
        return received.bytes if first else 0

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: Progress | None = None
    ) -> Incoming:
        """See ``Transfer``."""
        packs = self._worker.incoming.packs if repository.lacks(entry, snapshot, deadline) else ()
        files, there = files_of(pack.name for pack in packs), self._brought.directory
        repository.expect([pack.name for pack in packs], sum((there / name).stat().st_size for name in files), deadline)
        for name in files:
            send_file(repository, there / name, f"{repository.pack_directory}/{name}", deadline)
        # Into an empty entry git has proved the whole; else the new part is walked where it arrives.
        incoming = repository.incoming(connected=bool(packs) and not self._worker.entry.usable, deadline=deadline)
        if not incoming.connected and repository.absent(snapshot.ids, entry, incoming, deadline):
            mine = Side(repository, entry, incoming, repository.contents(entry, incoming, deadline))
            incoming = bring_missing(self._worker, mine, self._scratch, deadline).incoming
        return incoming
