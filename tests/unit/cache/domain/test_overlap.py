# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that packs have in common, by the beginnings of their indexes."""

from __future__ import annotations

import hashlib
import struct
from itertools import pairwise

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain import overlap as module
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.overlap import NoIndex, Overlap, PackFiles, overlap, to_read


def ids(*numbers: int) -> list[bytes]:
    return [hashlib.sha1(str(number).encode()).digest() for number in numbers]


def index_of(objects: dict[bytes, int]) -> tuple[bytes, int]:
    """The index of a pack with objects of these sizes, in the order in which they are given, and the pack's size."""
    starts, at = {}, 12
    for object_id, size in objects.items():
        starts[object_id] = at
        at += size
    names = sorted(objects)
    fan = [sum(name[0] <= first for name in names) for first in range(256)]
    body = b"\xfftOc\x00\x00\x00\x02" + struct.pack(">256I", *fan) + b"".join(names) + bytes(4 * len(names))
    return body + struct.pack(f">{len(names)}I", *(starts[name] for name in names)) + bytes(40), at + 20


class Packs:
    """Packs on a volume, with their indexes."""

    def __init__(self) -> None:
        self.packs: list[PackFiles] = []
        self.indexes: dict[str, bytes] = {}

    def add(self, objects: dict[bytes, int]) -> str:
        index, size = index_of(objects)
        name = f"pack-{len(self.packs):040}"
        self.packs.append(PackFiles(name, size, len(index), -(-size // 4096) * 4096 + -(-len(index) // 4096) * 4096))
        self.indexes[name] = index
        return name

    def read(self, covering: str = "") -> Overlap:
        reads = to_read(self.packs, covering)
        starts = {pack.name: self.indexes[pack.name][: read.length(pack)] for read in reads for pack in read.packs}
        return overlap(self.packs, starts, covering)


def test_what_is_in_two_packs_is_told_to_the_byte() -> None:
    packs = Packs()
    packs.add(dict.fromkeys(ids(*range(200)), 100) | {ids(500)[0]: 7000})
    packs.add(dict.fromkeys(ids(*range(300, 310)), 50) | {ids(500)[0]: 5000, ids(5)[0]: 11})
    found = packs.read()
    assert (found.leaving, found.duplicates, found.estimated) == (0, 5011, False)
    assert found.compaction == 0, "the larger one stays as it is"


def test_packs_of_which_a_newer_one_has_all_go_by_themselves_and_are_no_duplicates() -> None:
    packs = Packs()
    packs.add(dict.fromkeys(ids(*range(200)), 100))
    packs.add(dict.fromkeys(ids(*range(300, 310)), 50))
    packs.add(dict.fromkeys(ids(*range(310, 320)), 50))
    covering = packs.add(dict.fromkeys(ids(*range(300, 320)), 50))
    came_later = packs.add(dict.fromkeys(ids(319, 400), 50))
    assert packs.read(covering) == Overlap(leaving=2 * 8192, duplicates=50, compaction=packs.read(covering).compaction)
    assert packs.read("pack-gone").leaving == 0
    assert came_later


def test_many_small_packs_give_back_their_last_blocks() -> None:
    packs = Packs()
    for number in range(55):
        packs.add(dict.fromkeys(ids(number), 60))
    found = packs.read()
    assert found.duplicates == 0
    new = 12 + 55 * 60 + 20 + 1072 + 55 * 28
    assert 55 * 8192 - new - 3 * 4096 < found.compaction <= 55 * 8192 - new


def test_of_many_objects_a_part_is_read_and_what_they_share_is_about_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 60_000)
    packs = Packs()
    packs.add(dict.fromkeys(ids(*range(20_000)), 100))
    packs.add(dict.fromkeys(ids(*range(18_000, 22_000)), 100))
    packs.add(dict.fromkeys(ids(30_000), 100))
    reads = to_read(packs.packs, "")
    assert sum(read.length(pack) for read in reads for pack in read.packs) < 2 * 60_000 < sum(pack.index_bytes for pack in packs.packs)
    found = packs.read()
    assert found.estimated
    assert 150_000 < found.duplicates < 250_000


def test_one_pack_is_not_read_and_shares_nothing() -> None:
    packs = Packs()
    packs.add(dict.fromkeys(ids(1), 100))
    assert to_read(packs.packs, "") == []
    assert overlap(packs.packs, {}, "").duplicates == 0


@pytest.mark.parametrize("spoiled", [b"", b"x" * 3000, b"\xfftOc\x00\x00\x00\x02" + b"\xff" * 3000])
def test_what_is_no_index_is_told_apart(spoiled: bytes) -> None:
    packs = Packs()
    names = [packs.add(dict.fromkeys(ids(number), 100)) for number in range(2)]
    with pytest.raises(NoIndex):
        overlap(packs.packs, packs.indexes | {names[0]: spoiled}, "")


def test_the_objects_of_the_test_are_as_git_has_them() -> None:
    index, size = index_of(dict.fromkeys(ids(3, 1, 2), 10))
    assert (len(index), size) == (1072 + 3 * 28, 12 + 30 + 20)
    assert all(one < other for one, other in pairwise(index[1032 + at : 1052 + at] for at in (0, 20, 40)))
