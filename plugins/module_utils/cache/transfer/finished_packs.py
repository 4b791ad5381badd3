# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Methods seed and rsync: finished packs, made outside of every lock, are copied to the volume as they are.

The two differ in where the packs are made (``PackSource``) and how they travel (``Transport``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from ...deadline import Deadline
from ...errors import PlaceLost
from ...local_shell import require_program
from ...progress import OnLine
from ..domain.methods import Method
from ..domain.model import Snapshot
from ..domain.packs import BadPack
from ..git.entry import Entry
from ..git.pack_maker import FinishedPacks, PackMaker
from ..git.repository import NOTHING, Incoming, Repository

_COPIES = 3
"""Copies of a pack that arrives damaged."""
_TRIES, _PAUSE = 4, 1.0
"""Tries to make packs and bring them on their way, where that is lost each time though their source is there; seconds between."""


class PackSource(Protocol):
    """A place where a project's packs are made."""

    def ready(self, snapshot: Snapshot, deadline: Deadline) -> PackMaker:
        """Return what makes them, once the snapshot is there: slow, so never while a sandbox's volume is held.

        Raises SnapshotGone, OutOfReach, PlaceLost, DeploymentError.
        """

    def maker(self, snapshot: Snapshot) -> PackMaker:
        """Return what makes them, at once. Raises PlaceLost where it is not ready (any more)."""

    def lost(self) -> None:
        """Something was not to be had: ``ready`` is to look what became of it."""


class Transport(Protocol):
    """A way of packs from where they were made to a volume's quarantine."""

    def prepare(self, packs: FinishedPacks, deadline: Deadline) -> None:
        """Do what can be done before a volume is taken."""

    def copy(self, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        """Copy them; what is there already, whole or in part, is not copied again. Raises PlaceLost, DeploymentError."""


class PackTransfer:
    """Brings finished packs. A full pack to a volume that has nothing, else the difference to what it has."""

    resumes = True

    def __init__(self, method: Method, source: PackSource, transport: Transport) -> None:
        self.method = method
        self._source = source
        self._transport = transport

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """Have the snapshot where packs are made, and the full packs, where they may be needed."""
        for program in self.method.programs:
            require_program(program)
        for attempt in range(_TRIES):
            if attempt:
                deadline.sleep(_PAUSE)
            maker = self._source.ready(snapshot, deadline)
            if not first:
                return 0
            try:
                packs = maker.make(snapshot, (), deadline)
                self._transport.prepare(packs, deadline)
                return packs.bytes
            except PlaceLost as error:
                self._source.lost()
                lost = error
        raise lost

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        """The quarantine with the packs in it, their checksums checked there. A damaged one is copied again, it alone."""
        try:
            return self._receive(repository, entry, snapshot, deadline, progress)
        except PlaceLost:
            self._source.lost()
            raise

    def _receive(self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None) -> Incoming:
        maker = self._source.maker(snapshot)
        base = maker.known(repository.held_ids(entry), snapshot, deadline)
        packs = maker.make(snapshot, base, deadline)
        if not packs.names:
            return replace(NOTHING, connected=packs.complete)
        repository.expect(packs.names, packs.bytes, deadline)
        warnings: list[str] = []
        while True:
            self._transport.copy(packs, repository, deadline, progress)
            try:
                return repository.arrived(packs.packs, packs.complete, deadline, tuple(warnings))
            except BadPack as error:
                if len(warnings) + 1 >= _COPIES:
                    raise
                warnings.append(f"pack {error.pack} of {repository.name} arrived damaged and was copied again")
                repository.discard(error.pack, deadline)
