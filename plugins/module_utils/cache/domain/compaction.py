# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compaction: which packs of an entry become one, when, and when those go of which the new one has all objects. Pure.

Each update brings a pack, and consumers open every one of them. A compaction only adds: one pack with all that many small ones hold,
published like any other. The small ones stay for a grace, as a process that was started before may read them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum

from .packs import Pack
from .record import RecordedEntry

MANY_PACKS = 50
"""Packs from which `auto` makes one of them: the cost of a consumer's clone and of our own update grows with each."""
MOST_BYTES = 256_000_000
"""Bytes of the packs that become one: it is made by a small filler, and has to come to a sandbox's volume while that is held."""
MOST_PACKS = 1_000
"""Packs that become one at once, far fewer than those for which a sandbox's entry would look tampered with, should it keep them for longer."""
MOST_OBJECTS = 800_000
"""Objects of the packs that become one: git's own memory grows with them (162 MB for so many), and a filler with 256 MiB is killed beyond twice of that."""
DEFAULT_GRACE = 2 * 24 * 3600
"""Seconds, longer than any task lives."""
_FACTOR = 2
"""A pack that is so many times larger than all smaller ones together stays: so each byte is written again a few times in all its life."""
_CLOCKS = timedelta(hours=1)
"""By so much the clocks of several API servers may differ."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Compact(str, Enum):
    """When packs are put together."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class CompactionOptions:
    """``grace`` is the number of seconds for which packs stay after a newer one has all of their objects."""

    compact: Compact = Compact.AUTO
    grace: float = DEFAULT_GRACE


NO_COMPACTION = CompactionOptions(Compact.NEVER)


@dataclass(frozen=True, order=True)
class StoredPack:
    """A pack on a volume: its size in bytes, its base name there, ``pack-`` and 40 hexadecimal digits, and the number of its objects."""

    bytes: int
    name: str
    objects: int = 0


@dataclass(frozen=True)
class JoinedPack:
    """A pack that was made of so many others, and is in the quarantine."""

    pack: Pack
    of: int


def packs_to_join(packs: Iterable[StoredPack]) -> tuple[StoredPack, ...]:
    """Return the packs that become one, small ones first; none where nothing is gained.

    Each pack that stays is at least twice as large as all smaller ones together, or too large to be brought to a sandbox's volume again.
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


def joins(packs: int, held: RecordedEntry | None, options: CompactionOptions, now: datetime) -> bool:
    """Return whether an entry that has so many packs is to be compacted in a hold that takes place anyway; ``held`` is what its record says.

    Not while packs wait for the end of a grace: those are many still.
    """
    if options.compact is Compact.NEVER or (held is not None and _covered_for(held, now) is not None):
        return False
    return options.compact is Compact.ALWAYS or packs - _settled(held) >= MANY_PACKS


def why_joined(held: RecordedEntry | None, options: CompactionOptions, now: datetime) -> str:
    """Return why a worker's volume is taken for a compaction, in half a sentence; empty where it is not."""
    if options.compact is Compact.NEVER or held is None or held.inventory.packs - held.settled < MANY_PACKS:
        return ""
    return f"{held.inventory.packs} packs; compacts" if joins(held.inventory.packs, held, options, now) else ""


def drops(held: RecordedEntry | None, options: CompactionOptions, now: datetime) -> bool:
    """Return whether packs of which a newer one has all objects have stayed for the whole grace since that one was published."""
    if held is None or options.compact is Compact.NEVER:
        return False
    passed = _covered_for(held, now)
    return passed is not None and passed >= timedelta(seconds=options.grace)


def written(now: datetime) -> str:
    """A time, as a record has it."""
    return now.astimezone(timezone.utc).strftime(_TIME)


def _settled(held: RecordedEntry | None) -> int:
    return 0 if held is None else held.settled


def _covered_for(held: RecordedEntry, now: datetime) -> timedelta | None:
    """Return for how long the pack that covers others has been there; None where there is none, or no time that can be."""
    if not held.covering:
        return None
    try:
        since = datetime.strptime(held.covering_since, _TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    passed = now - since
    return passed if passed > -_CLOCKS else None
