# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides on compaction: when an entry's packs are joined, which, and when the packs that are covered go. Pure.

Each update brings a pack, and consumers open every one of them. A compaction only adds: one pack with all objects of many small ones,
published like any other. It covers them. They stay for a grace, as a process that was started before may read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from ...times import parse_time
from .packs import INDEX_BYTES, INDEX_LEAST, Pack
from .record import RecordedEntry

MANY_PACKS = 50
"""So many packs beside the settled ones are compacted by `auto`: a consumer's clone and our own update cost more with each."""
MOST_BYTES = 256_000_000
"""Bytes of the packs that are joined at once: a small filler does it, and the joined pack comes to a sandbox's volume while that is held."""
MOST_PACKS = 1_000
"""Packs that are joined at once: with so many more than its worker's, a sandbox's entry does not look tampered with yet."""
MOST_OBJECTS = 800_000
"""Objects of the packs that are joined at once: git's own memory grows with them, and is 162 MB for so many. Twice of that kills a filler with 256 MiB."""
DEFAULT_GRACE = 2 * 24 * 3600
"""Seconds, longer than any task lives."""
_FACTOR = 2
"""A pack that is so many times larger than all smaller ones together is not joined, so that no byte is written again often."""
_CLOCKS = timedelta(hours=1)
"""The clocks of several API servers may differ by so much."""


class Compact(str, Enum):
    """The choices of option `compact`: when packs are joined."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class CompactionOptions:
    """The options that say when packs are joined. ``grace`` is the number of seconds for which covered packs stay."""

    compact: Compact = Compact.AUTO
    grace: float = DEFAULT_GRACE


NO_COMPACTION = CompactionOptions(Compact.NEVER)


@dataclass(frozen=True, order=True)
class StoredPack:
    """A pack on a volume: its bytes (0 where only its index is left), its base name, ``pack-`` and 40 hexadecimal digits, and its index's bytes."""

    bytes: int
    name: str
    index_bytes: int = 0

    @property
    def objects(self) -> int:
        """Return how many objects the pack has at the most."""
        return max(0, self.index_bytes - INDEX_LEAST) // INDEX_BYTES


@dataclass(frozen=True)
class JoinedPack:
    """A pack in the quarantine that was made of other packs; ``of`` is their number."""

    pack: Pack
    of: int


def packs_to_join(packs: Iterable[StoredPack]) -> tuple[StoredPack, ...]:
    """Return the packs to join, small ones first; none where nothing is gained.

    Each other pack is at least twice as large as all smaller ones together, or too large to be brought to a sandbox's volume again.
    """
    smallest_first = sorted(packs)[:MOST_PACKS]
    total = objects = number = 0
    for position, pack in enumerate(smallest_first, 1):
        objects += pack.objects
        if total + pack.bytes > MOST_BYTES or objects > MOST_OBJECTS:
            break
        if pack.bytes < _FACTOR * total:
            number = position
        total += pack.bytes
    return tuple(smallest_first[:number])


def joins(packs: int, recorded: RecordedEntry | None, options: CompactionOptions, now: datetime) -> bool:
    """Return whether packs of an entry that has so many are joined while its volume is held; ``recorded`` is what its record says.

    They are not joined during the grace of an earlier compaction, as the covered packs are still among them.
    """
    if options.compact is Compact.NEVER or (recorded is not None and _covered_for(recorded, now) is not None):
        return False
    return options.compact is Compact.ALWAYS or packs - _settled(recorded) >= MANY_PACKS


def why_joined(recorded: RecordedEntry | None, options: CompactionOptions, now: datetime) -> str:
    """Return why a worker's volume is taken to join packs, in half a sentence; empty where it is not."""
    packs = 0 if recorded is None else recorded.inventory.packs
    if packs - _settled(recorded) < MANY_PACKS or not joins(packs, recorded, options, now):
        return ""
    return f"{packs} packs, of which the small ones become one"


def drops(recorded: RecordedEntry | None, options: CompactionOptions, now: datetime) -> bool:
    """Return whether the grace is over since the pack was published that covers others."""
    if recorded is None or options.compact is Compact.NEVER:
        return False
    passed = _covered_for(recorded, now)
    return passed is not None and passed >= timedelta(seconds=options.grace)


def _settled(recorded: RecordedEntry | None) -> int:
    return 0 if recorded is None else recorded.settled


def _covered_for(recorded: RecordedEntry, now: datetime) -> timedelta | None:
    """Return for how long the pack has been there that covers others; None where there is none, or its time is unreadable or to come."""
    if not recorded.covering:
        return None
    try:
        passed = now - parse_time(recorded.covering_since)
    except ValueError:
        return None
    return passed if passed > -_CLOCKS else None
