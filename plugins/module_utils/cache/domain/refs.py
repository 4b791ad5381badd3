# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The refs of an entry, learnt by what they differ in from those that are expected there: 100,000 refs are 7 MB. Pure.

Where there are many, a volume answers with sums (``scripts.INSPECT``): its lines ``id name`` lie in buckets by the first digits of
the id, and each bucket has a checksum. Only the buckets that are not as expected are asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .model import Layout, Ref, Snapshot, encoded

OURS = "refs/packit-cache/"
"""The place of a snapshot's refs in an entry that is non-bare: its own stay as they are."""

BUCKETS = (256, 4096)
"""Buckets that a volume makes of its refs: the more refs, the more buckets."""


def refs_of(snapshot: Snapshot, layout: Layout) -> dict[str, str]:
    """Return name → id, as an entry of this layout has them when it holds the snapshot."""
    if layout is not Layout.NON_BARE:
        return {ref.name: ref.id for ref in snapshot.refs}
    refs = {OURS + ref.name[len("refs/") :]: ref.id for ref in snapshot.refs}
    return {**refs, f"{OURS}HEAD": snapshot.head} if snapshot.detached else refs


class Expected:
    """The refs that are expected in an entry, in as many buckets as the volume has made."""

    def __init__(self, refs: Mapping[str, str], number: int) -> None:
        self._refs = refs
        self._digits = len(f"{number - 1:x}")
        self._buckets: list[list[str]] = [[] for _bucket in range(number)]
        for name, value in refs.items():
            self._buckets[int(value[: self._digits], 16)].append(name)

    def differing(self, sums: Sequence[str]) -> tuple[int, ...]:
        """The numbers of the buckets whose checksums are others there."""
        return tuple(number for number, value in enumerate(sums) if value != self._sum(number))

    def others(self, differing: Iterable[int]) -> Iterator[Ref]:
        """The refs in all other buckets: they are there as expected."""
        left_out = set(differing)
        for number, bucket in enumerate(self._buckets):
            if number not in left_out:
                yield from (Ref(name, self._refs[name]) for name in bucket)

    def _sum(self, number: int) -> str:
        lines = sorted(encoded(f"{self._refs[name]} {name}\n") for name in self._buckets[number])
        return hashlib.sha256(b"".join((f"{number:0{self._digits}x}\n".encode(), *lines))).hexdigest()[:32]


def parse_ref(line: bytes) -> Ref:
    """Return the ref in a line ``id name``."""
    value, _space, name = line.partition(b" ")
    return Ref(name.decode("utf-8", "surrogateescape"), value.decode("ascii", "replace"))
