# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare packs by the beginnings of their indexes: tell what is there twice, and what goes by itself. Pure.

The ids in an index are sorted, and spread evenly. So where all indexes are too large to be read while a volume is held, the ids below some id are a fair
sample of each, and lie together at its beginning.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .compaction import MOST_PACKS, StoredPack, packs_to_join
from .packs import INDEX_BYTES, INDEX_LEAST

_HEADER = b"\xfftOc\x00\x00\x00\x02"
_IDS_AT = len(_HEADER) + 256 * 4
_ID = 20
_TRAILER = INDEX_LEAST - _IDS_AT
_LEAST = 4096
"""Bytes of an index that are always read."""
_BLOCK = 4096
"""Bytes of which a file system gives no less to a file."""
_MOST_BYTES = 1_500_000
"""Bytes of the indexes of one project that are read: some 50,000 objects."""
_LARGE = 2**31
"""From this offset on an index of version 2 has it elsewhere."""


@dataclass(frozen=True)
class PackFiles:
    """A pack on a volume: its base name, the bytes of pack and index, and the bytes on disk of all its files."""

    name: str
    pack_bytes: int
    index_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class Read:
    """A reading of several packs' indexes: the first ``most`` bytes of each."""

    most: int
    packs: tuple[PackFiles, ...]

    def length(self, pack: PackFiles) -> int:
        """Return how many bytes that is of one of them."""
        return min(self.most, pack.index_bytes)


@dataclass(frozen=True)
class Overlap:
    """Bytes that the packs of a project have in common.

    ``leaving`` is on disk, of packs of which a newer one has all objects: they go when their grace is over. Of the others, ``duplicates`` is what objects
    take that a larger pack has too, and ``compaction`` what putting packs together would give back on disk. ``estimated`` where that was told by samples.
    """

    leaving: int = 0
    duplicates: int = 0
    compaction: int = 0
    estimated: bool = False


@dataclass(frozen=True)
class _Index:
    """The first ids in a pack's index, the bytes that each of these objects takes (none where they are not known), and the number of all."""

    pack: PackFiles
    ids: Sequence[bytes]
    sizes: Sequence[int]
    count: int

    def below(self, cut: bytes) -> _Index:
        """The same, without the ids from ``cut`` on."""
        number = sum(1 for object_id in self.ids if object_id < cut)
        return replace(self, ids=self.ids[:number], sizes=self.sizes[:number])

    def bytes_of(self, positions: Sequence[int]) -> float:
        """Return about what these objects take, with their share of those that were not read."""
        if not self.ids:
            return 0.0
        known = sum(self.sizes[position] for position in positions) if self.sizes else self.pack.pack_bytes / self.count * len(positions)
        return known * self.count / len(self.ids)


class NoIndex(ValueError):
    """This is not the beginning of an index as git writes them."""


def to_read(packs: Sequence[PackFiles], covering: str) -> list[Read]:
    """Return what is to be read of the indexes: all, or about the same part of each. ``covering`` is a pack's name. Nothing where there is one pack."""
    known = sorted((pack for pack in packs if pack.pack_bytes and pack.index_bytes > INDEX_LEAST), key=_by_size)
    if len(known) < 2:
        return []
    chosen = [pack for number, pack in enumerate(known, 1) if number <= MOST_PACKS or number == len(known) or pack.name == covering]
    total = sum(pack.index_bytes for pack in chosen)
    if total <= _MOST_BYTES:
        return [Read(max(pack.index_bytes for pack in chosen), tuple(chosen))]
    groups: dict[int, list[PackFiles]] = {}
    for pack in chosen:
        groups.setdefault(_power_of_two(_IDS_AT + pack.index_bytes * _MOST_BYTES // total), []).append(pack)
    return [Read(most, tuple(group)) for most, group in sorted(groups.items())]


def _by_size(pack: PackFiles) -> tuple[int, str]:
    return pack.pack_bytes, pack.name


def _power_of_two(number: int) -> int:
    """Return the next one, so that one process reads many files."""
    return max(_LEAST, 1 << number.bit_length())


def overlap(packs: Sequence[PackFiles], starts: Mapping[str, bytes], covering: str) -> Overlap:
    """Return what packs have in common, by the beginnings of their indexes. Raises NoIndex."""
    read = [_parsed(pack, starts[pack.name]) for pack in packs if pack.name in starts]
    cuts = [index.ids[-1] if index.ids else b"" for index in read if len(index.ids) < index.count]
    if cuts:
        read = [index.below(min(cuts)) for index in read]
    newer = next((index for index in read if index.pack.name == covering), None)
    leaving = [] if newer is None else _covered(read, newer)
    staying = [index for index in read if index not in leaving]
    smaller = packs_to_join(StoredPack(index.pack.pack_bytes, index.pack.name, index.pack.index_bytes) for index in staying)
    names = {pack.name for pack in smaller}
    return Overlap(
        sum(index.pack.disk_bytes for index in leaving),
        round(_doubled(staying)),
        _given_back([index for index in staying if index.pack.name in names]),
        bool(cuts) or len(read) < len(packs),
    )


def added(overlaps: Iterable[Overlap]) -> Overlap:
    """Return the sum of several projects."""
    total = Overlap()
    for one in overlaps:
        total = Overlap(
            total.leaving + one.leaving, total.duplicates + one.duplicates, total.compaction + one.compaction, total.estimated or one.estimated
        )
    return total


def _covered(read: Iterable[_Index], newer: _Index) -> list[_Index]:
    """Return those of which all ids that were read are in the newer one, by which a compaction's old packs go."""
    has = frozenset(newer.ids)
    return [index for index in read if index is not newer and index.ids and index.pack.index_bytes <= newer.pack.index_bytes and has.issuperset(index.ids)]


def _doubled(read: Iterable[_Index]) -> float:
    """Return the bytes of objects that a larger pack has too."""
    seen: set[bytes] = set()
    total = 0.0
    for index in sorted(read, key=lambda index: _by_size(index.pack), reverse=True):
        total += index.bytes_of([position for position, object_id in enumerate(index.ids) if object_id in seen])
        seen.update(index.ids)
    return total


def _given_back(joined: Sequence[_Index]) -> int:
    """Return what one pack instead of these takes less: each object once, and each file's last block."""
    if not joined:
        return 0
    now = sum(index.pack.disk_bytes for index in joined)
    doubled = _doubled(joined)
    packed = sum(index.pack.pack_bytes for index in joined)
    objects = sum(index.count for index in joined) * (1 - doubled / packed)
    then = packed - doubled + INDEX_LEAST + INDEX_BYTES * objects + _BLOCK
    return max(0, round(now - then))


def _parsed(pack: PackFiles, data: bytes) -> _Index:
    count = int.from_bytes(data[_IDS_AT - 4 : _IDS_AT], "big")
    if not data.startswith(_HEADER) or not 0 < count <= pack.index_bytes // INDEX_BYTES:
        raise NoIndex(pack.name)
    number = min(count, (len(data) - _IDS_AT) // _ID)
    ids = [data[at : at + _ID] for at in range(_IDS_AT, _IDS_AT + number * _ID, _ID)]
    return _Index(pack, ids, _sizes(pack, data, count), count)


def _sizes(pack: PackFiles, data: bytes, count: int) -> list[int]:
    """Return what each object takes: up to where the next one begins. Nothing where that is not all there."""
    at = _IDS_AT + count * (_ID + 4)
    if len(data) < at + 4 * count + _TRAILER:
        return []
    offsets = struct.unpack_from(f">{count}I", data, at)
    if max(offsets) >= _LARGE:
        return []
    ends = {begin: end - begin for begin, end in pairwise([*sorted(offsets), pack.pack_bytes - _ID])}
    return [ends[offset] for offset in offsets]
