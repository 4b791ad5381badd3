# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins an entry's small packs to one in the quarantine, and removes the packs that such a one covers.

The worker's volume makes the joined pack, and its sandbox's gets the same one. No object goes: a pack is removed when each of its ids was
seen, on that volume and at that moment, in the index of the covering pack, whose checksum is known from the claim.
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
"""Files that a pack of ours may have. One with another file beside it (keep, promisor, mtimes) is somebody's: it is not joined, and stays."""


@dataclass(frozen=True)
class Dropped:
    """The number of covered packs that were removed. ``why`` none could be, in half a sentence."""

    number: int
    why: str = ""


class NotJoined(DeploymentError):
    """Packs could not be joined, or the joined one could not be brought. All stays as it is."""


def join_packs(repository: Repository, entry: Entry, incoming: Incoming, deadline: Deadline) -> tuple[Incoming, JoinedPack | None]:
    """Join the entry's small packs in the quarantine; None where nothing is gained. Raises NotJoined, and leaves in the quarantine what was there."""
    found = [pack for pack in _stored_packs(repository, entry, deadline) if pack.bytes]
    chosen = packs_to_join(found)
    if not chosen:
        return incoming, None
    received = [pack.name for pack in incoming.packs]
    name = ""
    try:
        repository.expect(received, incoming.bytes + sum(pack.bytes + pack.index_bytes for pack in chosen), deadline)
        arguments = (repository.root, repository.slot, repository.below(entry), repository.scratch)
        lines = "".join(f"{pack.name}\n" for pack in chosen).encode()
        name = repository.script(scripts.JOIN_PACKS, arguments, deadline, lines).text()
        if name in received or name in (pack.name for pack in found):
            raise NotJoined(f"The new pack is {name}, which is there already.")
        if not repository.index(name, deadline):
            raise NotJoined(f"The new pack {name} could not be indexed.")
        repository.script(scripts.ALL_JOINED, (repository.root, repository.slot, name, repository.scratch), deadline)
        incoming = repository.incoming(incoming.connected, deadline, just_indexed=True, known=incoming.packs, warnings=incoming.warnings)
    except (CommandFailed, NoSpace, NotJoined) as error:
        if name and name not in received:
            repository.discard(name, deadline)
        raise NotJoined(error.message, error.remedy) from error
    made = next(pack for pack in incoming.packs if pack.name == name)
    return incoming, JoinedPack(made, len(chosen))


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
    """Remove the packs that the one with the checksums ``covering`` covers, but not those whose checksums are in ``kept``."""
    checksum, _space, index_sum = covering.partition(" ")
    packs = _stored_packs(repository, entry, deadline)
    joined = next((pack for pack in packs if pack.name == f"pack-{checksum}"), None)
    if joined is None:
        return Dropped(0, f"pack {checksum}, which has all of them, is not there any more")
    # Whatever has a larger index has more objects.
    names = sorted(pack.name for pack in packs if pack.index_bytes <= joined.index_bytes and pack.name.removeprefix("pack-") not in kept)
    arguments = (repository.root, repository.scratch, repository.below(entry), checksum, index_sum)
    lines = "".join(f"{name}\n" for name in names).encode()
    word, *gone = repository.script(scripts.DROP_COVERED, arguments, deadline, lines).text().splitlines()
    if word != "covers":
        return Dropped(0, f"pack {checksum}, which has all of them, is not {'there any more' if word == 'gone' else 'what it was'}")
    return Dropped(len(gone))


def _stored_packs(repository: Repository, entry: Entry, deadline: Deadline) -> list[StoredPack]:
    """Return the packs that have an index, and no file beside them that is somebody's. Raises NotUnderstood."""
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
    return [StoredPack(held.get("pack", 0), name, held["idx"]) for name, held in sizes.items() if "idx" in held and name not in foreign]
