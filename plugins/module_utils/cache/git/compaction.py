# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compaction of an entry: a new pack of what small ones hold, in the quarantine, and the end of packs of which it has all objects.

The worker's volume makes the pack, and its sandbox's gets the same one. What goes is never an object: which ids are in the new pack is
seen on that volume when it goes, in an index whose checksum is known from the claim.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import CommandFailed
from ..domain.compaction import JoinedPack, StoredPack, packs_to_join
from ..domain.packs import files_of
from ..domain.space import NoSpace
from . import scripts
from .entry import Entry, NotUnderstood
from .repository import Incoming, Repository
from .superset import receive_file

_BESIDE = frozenset(("pack", "idx", "rev", "bitmap"))
"""A pack's files without which it is one of many. With another beside it (keep, promisor, mtimes) it is somebody's, and stays."""


@dataclass(frozen=True)
class Dropped:
    """How many packs went. ``why``: why none could, in half a sentence."""

    number: int
    why: str = ""


class NotJoined(DeploymentError):
    """Packs could not be put together, or the new one could not be brought. All stays as it is."""


@dataclass(frozen=True)
class _Files:
    """A pack's files: the bytes of its pack (0 where that is gone) and of its index."""

    pack_bytes: int
    index_bytes: int

    @property
    def objects(self) -> int:
        """Return how many objects the index has at the most: 28 bytes each, behind a table and checksums."""
        return max(0, self.index_bytes - 1072) // 28


def join_packs(repository: Repository, entry: Entry, incoming: Incoming, deadline: Deadline) -> tuple[Incoming, JoinedPack | None]:
    """Make one pack of the entry's small ones, in the quarantine; None where nothing is gained. Raises NotJoined; what came before is there still."""
    found = {name: files for name, files in _pack_files(repository, entry, deadline).items() if files.pack_bytes}
    chosen = packs_to_join(StoredPack(files.pack_bytes, name, files.objects) for name, files in found.items())
    if not chosen:
        return incoming, None
    came = [pack.name for pack in incoming.packs]
    needs = sum(found[pack.name].pack_bytes + found[pack.name].index_bytes for pack in chosen)
    before = frozenset(came)
    name = ""
    try:
        repository.expect(came, incoming.bytes + needs, deadline)
        arguments = (repository.root, repository.slot, repository.below(entry), repository.scratch)
        lines = "".join(f"{pack.name}\n" for pack in chosen).encode()
        name = repository.script(scripts.JOIN_PACKS, arguments, deadline, lines).text()
        if name in before or name in found:
            raise NotJoined(f"The new pack is {name}, which is there already.")
        if not repository.index(name, deadline):
            raise NotJoined(f"The new pack {name} could not be indexed.")
        repository.script(scripts.ALL_JOINED, (repository.root, repository.slot, name, repository.scratch), deadline)
        received = repository.incoming(incoming.connected, deadline, just_indexed=True, known=incoming.packs, warnings=incoming.warnings)
    except (CommandFailed, NoSpace, NotJoined) as error:
        if name and name not in before:
            repository.discard(name, deadline)
        raise NotJoined(error.message, error.remedy) from error
    made = next(pack for pack in received.packs if pack.name == name)
    return received, JoinedPack(made, len(chosen))


def receive_joined(repository: Repository, incoming: Incoming, joined: JoinedPack, directory: Path, deadline: Deadline) -> Incoming:
    """Bring into the quarantine of a sandbox's volume the pack that was made on its worker's, whose files are in ``directory`` on this machine.

    Raises NotJoined where there is no room for it.
    """
    names = files_of((joined.pack.name,))
    size = sum((directory / name).stat().st_size for name in names)
    present = [*(pack.name for pack in incoming.packs), joined.pack.name]
    try:
        repository.expect(present, incoming.bytes + size, deadline)
    except NoSpace as error:
        raise NotJoined(error.message, error.remedy) from error
    for name in names:
        receive_file(repository, directory / name, name, deadline)
    return repository.incoming(incoming.connected, deadline, known=(*incoming.packs, joined.pack), warnings=incoming.warnings)


def drop_covered(repository: Repository, entry: Entry, covering: str, kept: Collection[str], deadline: Deadline) -> Dropped:
    """Remove packs of which the one with the checksums ``covering`` has all objects, but not those whose checksums are in ``kept``."""
    checksum, _space, index_sum = covering.partition(" ")
    files = _pack_files(repository, entry, deadline)
    newer = files.get(f"pack-{checksum}")
    if newer is None:
        return Dropped(0, f"pack {checksum}, which has all of them, is not there any more")
    names = [name for name, held in files.items() if held.index_bytes <= newer.index_bytes and name.removeprefix("pack-") not in kept]
    arguments = (repository.root, repository.scratch, repository.below(entry), checksum, index_sum)
    lines = "".join(f"{name}\n" for name in sorted(names)).encode()
    word, *gone = repository.script(scripts.DROP_COVERED, arguments, deadline, lines).text().splitlines()
    if word != "covers":
        return Dropped(0, f"pack {checksum}, which has all of them, is not {'there any more' if word == 'gone' else 'what it was'}")
    return Dropped(len(gone))


def _pack_files(repository: Repository, entry: Entry, deadline: Deadline) -> dict[str, _Files]:
    """The packs that have an index and no other file beside them that is somebody's, by their base names. Raises NotUnderstood."""
    output = repository.script(scripts.PACK_FILES, (repository.root, repository.below(entry)), deadline)
    sizes: dict[str, dict[str, int]] = {}
    foreign = set()
    for line in output.text().splitlines():
        words = line.split()
        if len(words) != 3 or not words[1].isdecimal():
            raise NotUnderstood(repository.name, output.stdout)
        kind, size, file = words
        name, _dot, suffix = file.partition(".")
        if kind != "f" or suffix not in _BESIDE:
            foreign.add(name)
        else:
            sizes.setdefault(name, {})[suffix] = int(size)
    return {
        name: _Files(held.get("pack", 0), held["idx"]) for name, held in sizes.items() if "idx" in held and name not in foreign
    }
