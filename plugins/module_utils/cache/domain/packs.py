# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs as they lie on a volume, and whether they are whole. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ...errors import DeploymentError
from ...printable import printable
from .record import Inventory

INDEX_BYTES = 28
"""An object's bytes in the index of a pack: id, checksum, offset."""
INDEX_LEAST = 8 + 256 * 4 + 2 * 20
"""Bytes of an index without objects: its version, the table of first bytes, and two checksums."""
RECEIVE_AGAIN = "Run again: it is received anew. If it happens again, suspect the volume or the network."


class Damaged(DeploymentError):
    """An entry is damaged: objects are missing, or are not what they were. It is looked at in whole then, and mended."""


class BadPack(Damaged):
    """The pack named ``pack``, or its index, is not what its checksums say."""

    def __init__(self, pack: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.pack = pack


@dataclass(frozen=True)
class Pack:
    """A pack's base name, ``pack-`` and 40 hexadecimal digits, its size in bytes, and the SHA-1 of its whole index.

    ``pack_sum`` is that of the whole pack, where it is known: to sum up a whole file takes less than all but its last bytes.
    """

    name: str
    bytes: int
    index_sum: str
    pack_sum: str = field(default="", compare=False)


@dataclass(frozen=True)
class HeldPack:
    """A pack that lies somewhere at ``path``, without suffix, under any name: ``name`` is what its index says that it should be."""

    name: str
    path: str
    pack_bytes: int
    index_bytes: int


@dataclass(frozen=True)
class FinishedPack:
    """A pack as it was made: its base name, the bytes of pack and index, and the SHA-1 of each of the two files as a whole."""

    name: str
    pack_bytes: int
    index_bytes: int
    pack_sum: str
    index_sum: str


def files_of(names: Iterable[str]) -> tuple[str, ...]:
    """The names of these packs' files."""
    return tuple(f"{name}{suffix}" for name in names for suffix in (".pack", ".idx"))


def parse_sums(output: str) -> dict[str, str]:
    """Name → SHA-1, of what ``scripts.SUMS`` printed."""
    found = {}
    for line in output.splitlines():
        value, _space, name = line.partition(" ")
        found[name.lstrip(" *")] = value
    return found


def compare_sums(output: str, made: Iterable[FinishedPack], where: str) -> tuple[Pack, ...]:
    """The packs, where what ``scripts.SUMS`` printed of them are the sums with which they were made. Raises BadPack."""
    found = parse_sums(output)
    for pack in made:
        for words, name, wanted in (
            ("Pack", f"{pack.name}.pack", pack.pack_sum),
            ("The index of pack", f"{pack.name}.idx", pack.index_sum),
        ):
            if name not in found:
                raise BadPack(pack.name, f"{words} {pack.name} is not in {where} any more.", RECEIVE_AGAIN)
            if found[name] != wanted:
                message = f"{words} {pack.name} in {where} is damaged: its SHA-1 is {found[name]}, and {wanted} where it was made."
                raise BadPack(pack.name, message, RECEIVE_AGAIN)
    return tuple(Pack(pack.name, pack.pack_bytes, pack.index_sum, pack.pack_sum) for pack in made)


def require_same(found: Iterable[Pack], known: Iterable[Pack], where: str) -> None:
    """Raises BadPack where one of the ``known`` packs is not among those that were found, or has another index."""
    packs = frozenset(found)
    for pack in known:
        if pack not in packs:
            raise BadPack(pack.name, f"Pack {pack.name} or its index in {where} is not what it was when it came there.", RECEIVE_AGAIN)


def parse_checks(output: str, where: str, received: bool = False, remedy: str = RECEIVE_AGAIN) -> tuple[Pack, ...]:
    """The packs in what ``scripts.CHECK_PACKS`` printed. Raises BadPack, naming the first one that is wrong.

    The last 20 bytes of a pack and of an index are the SHA-1 of what is before them; the index has the pack's too
    (gitformat-pack(5)). A pack's name need not be its checksum in old versions of git; of one that we have ``received`` it is,
    and another whole pack under its name is not it. ``remedy``: what to do, where it is not a matter of receiving it anew.
    """
    return tuple(_checked(line, where, received, remedy) for line in output.splitlines())


def _checked(line: str, where: str, received: bool, remedy: str) -> Pack:
    words = line.split()
    if len(words) != 8 or not words[1].isdecimal():
        raise BadPack(words[0] if words else "", f"A pack in {where} could not be read: {line!r}.", remedy)
    name, size, pack_sum, pack_end, index_names, index_sum, index_end, whole_index = words
    if pack_sum != pack_end:
        raise BadPack(name, f"Pack {name} in {where} is damaged: its checksum is {pack_sum}, and it says {pack_end}.", remedy)
    if index_names != pack_end:
        raise BadPack(name, f"The index of pack {name} in {where} belongs to another pack ({index_names}).", remedy)
    if index_sum != index_end:
        raise BadPack(name, f"The index of pack {name} in {where} is damaged.", remedy)
    if received and name != f"pack-{pack_end}":
        raise BadPack(name, f"Pack {name} in {where} is another pack: its checksum is {pack_end}.", remedy)
    return Pack(name, int(size), whole_index)


@dataclass(frozen=True)
class Contents:
    """The files of all objects of an entry: packs, each by the checksums of itself and its index, and loose objects by id.

    Equal checksums mean the same objects, where they are the files' own: this is what the files say, and anybody may have written
    that. ``doubtful``: there are packs of which that cannot be told (cut short, or with an index of another pack). ``received``: those of
    the packs that are in the quarantine, whose checksums were computed when they had come. ``stamp`` is of the files of the entry's packs, as
    ``Entry.stamp``, when they had been listed.
    """

    packs: frozenset[str]
    loose: frozenset[str]
    doubtful: bool = False
    received: frozenset[str] = frozenset()
    stamp: str = ""

    def includes(self, other: Contents) -> bool:
        """Return whether all of the other's objects are here, as far as names can tell; False where only the ids can."""
        return not other.doubtful and other.packs <= self.packs and other.loose <= self.loose

    @property
    def inventory(self) -> Inventory:
        """The sum of it, for the record."""
        lines = [*sorted(self.packs), *sorted(self.loose)]
        return Inventory(len(self.packs), len(self.loose), hashlib.sha256("\n".join(lines).encode()).hexdigest())

    @property
    def before(self) -> Inventory:
        """Return the inventory without what this run has received."""
        return replace(self, packs=self.packs - self.received).inventory


def parse_contents(output: str, received: Iterable[Pack] = ()) -> Contents:
    """Return what ``scripts.INVENTORY`` printed, last of the quarantine where packs were ``received``.

    A pack that its index does not belong to counts for nothing, but is doubtful.
    """
    stores: list[set[str]] = []
    loose, doubtful = set(), False
    stamps: list[str] = []
    for line in output.splitlines():
        words = line.split()
        if words == ["store"]:
            stores.append(set())
        elif words[:1] == ["loose"] and len(words) == 2:
            loose.add(words[1])
        elif words[:1] == ["stamp"] and len(words) == 2:
            stamps.append(words[1])
        elif len(words) == 4 and words[1] == words[3] and stores:
            stores[-1].add(f"{words[1]} {words[2]}")
        else:
            doubtful = True
    names = {pack.name for pack in received}
    checked = (sums for sums in (stores[-1] if stores else ()) if f"pack-{sums.split()[0]}" in names)
    return Contents(frozenset[str]().union(*stores), frozenset(loose), doubtful, frozenset(checked), stamps[0] if stamps else "")


@dataclass(frozen=True)
class DamagedPack:
    """A pack that does not match its own checksum, whose index does not, or that has no index. ``name`` is ``-`` if it has unusual characters."""

    checksum: str
    name: str

    @property
    def words(self) -> str:
        """Return what is wrong with it."""
        pack = self.checksum if self.name == "-" else self.name.removeprefix("pack-")
        return f"pack {printable(pack)[:40]} or its index does not match its own checksum"


def loose_words(number: int) -> str:
    """Return what is wrong with so many loose objects."""
    return f"{number} of its loose objects are not what their names say"


@dataclass(frozen=True)
class Checksums:
    """The result of reading all packs and loose objects.

    ``holds``: packs that match their checksums. ``damaged``: packs that do not. ``false``: checksums of packs whose index does not
    belong to their content. ``loose``: how many loose objects are not what their names say. ``empty``: how many are
    empty files.
    """

    holds: frozenset[str] = frozenset()
    damaged: tuple[DamagedPack, ...] = ()
    false: tuple[str, ...] = ()
    loose: int = 0
    empty: int = 0

    @property
    def false_loose(self) -> int:
        """Return how many loose objects are none, or others."""
        return self.loose + self.empty


def parse_checksums(output: str) -> Checksums:
    """Return what ``scripts.CHECKSUMS`` printed. Raises BadPack."""
    found: dict[str, list[str]] = {"holds": [], "damaged": [], "false": [], "loose": [], "empty": []}
    for line in output.splitlines():
        word, _space, value = line.partition(" ")
        if (
            word not in found
            or len(value.split()) != (1 if word in ("false", "loose", "empty") else 2)
            or (word in ("loose", "empty") and not value.isdecimal())
        ):
            raise BadPack("", f"What was read of the packs cannot be understood: {line!r}.", RECEIVE_AGAIN)
        found[word].append(value)
    return Checksums(
        frozenset(found["holds"]),
        tuple(DamagedPack(*value.split()) for value in sorted(found["damaged"])),
        tuple(sorted(found["false"])),
        sum(int(value) for value in found["loose"]),
        sum(int(value) for value in found["empty"]),
    )
