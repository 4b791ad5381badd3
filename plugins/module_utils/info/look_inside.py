# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look into the volumes, each by a filler for as long as the look takes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..cache.domain.model import Volume
from ..cache.domain.overlap import NoIndex, Overlap, PackFiles, Read, added, overlap, to_read
from ..cache.domain.record import RecordedEntry
from ..cache.domain.rollout_options import LEFTOVERS_AGE
from ..cache.domain.usage import Listing, usage
from ..cache.git.entry import Entry
from ..cache.git.scripts import LEFT, NAMES_MOST, WORK
from ..cache.git.volume_listing import list_volume, read_starts
from ..cache.rollout.staged_project import repository_on
from ..deadline import Deadline
from ..errors import DeploymentError
from ..printable import printable
from ..volumes.holding import ClusterVolumeAccess

_OURS = (WORK, LEFT)
"""The first parts of names in a volume's root that are of runs: of one that works there, or that was interrupted."""


def look_inside(access: ClusterVolumeAccess, volumes: Sequence[Volume], timeout: int, at_once: int, stop: threading.Event) -> dict[Volume, dict[str, Any]]:
    """Return what lies on each of the volumes, as the module tells it; ``timeout`` in seconds for one of them."""

    def look(volume: Volume) -> dict[str, Any]:
        deadline = Deadline(timeout, f"looking into {volume}", stop)
        try:
            with access.hold(volume, deadline) as held:
                listing = list_volume(held.shell, held.root, deadline)
                names = [name for name in listing.names[:NAMES_MOST] if not name.startswith(_OURS)]
                entries = {name: repository_on(held, name, LEFTOVERS_AGE).glance(deadline) for name in names}
                record = access.recorded(volume)
                recorded = {} if record is None else record.projects
                shared = _Shared(held.root, listing, entries, recorded)
                starts = read_starts(held.shell, held.root, shared.wanted(), deadline)
                held_seconds = round(held.held_seconds, 3)
            overlaps = {name: found for name in entries if (found := shared.found(name, starts)) is not None}
            return {
                "entries": {printable(name): _entry_facts(entry) | _overlap_facts(overlaps.get(name)) for name, entry in entries.items()},
                "error": " ".join(_not_seen(listing)),
                "held_seconds": held_seconds,
                **({} if listing.free is None else {"free_bytes": listing.free}),
                **_space(listing, entries, recorded, overlaps.values()),
            }
        except DeploymentError as error:
            return {"entries": {}, "error": str(error), "held_seconds": 0.0}

    with ThreadPoolExecutor(max(1, at_once)) as executor:
        return dict(zip(volumes, executor.map(look, volumes), strict=True))


@dataclass(frozen=True)
class _Shared:
    """The packs that entries have in common."""

    root: str
    listing: Listing
    entries: Mapping[str, Entry]
    recorded: Mapping[str, RecordedEntry]

    def wanted(self) -> dict[str, list[Read]]:
        """Return what is to be read for it."""
        found = {}
        for name in self.entries:
            reads = to_read(self._packs(name), self._covering(name))
            if reads:
                found[self._directory(name)] = reads
        return found

    def found(self, name: str, starts: Mapping[str, Mapping[str, bytes]]) -> Overlap | None:
        """Return it of one entry, None where that was not read."""
        packs = self._packs(name)
        read = starts.get(self._directory(name), {})
        if not read and len(packs) > 1:
            return None
        try:
            return overlap(packs, read, self._covering(name))
        except NoIndex:
            return None

    def _directory(self, name: str) -> str:
        return f"{self.entries[name].git_dir.removeprefix(f'{self.root}/')}/objects/pack"

    def _packs(self, name: str) -> tuple[PackFiles, ...]:
        return self.listing.packs.get(self._directory(name), ())

    def _covering(self, name: str) -> str:
        recorded = self.recorded.get(name)
        return f"pack-{recorded.covering.split()[0]}" if recorded is not None and recorded.covering else ""


def _space(listing: Listing, entries: Mapping[str, Entry], recorded: Mapping[str, RecordedEntry], overlaps: Iterable[Overlap]) -> dict[str, Any]:
    """Return what the space goes to; nothing where it took too long to sum that up."""
    if listing.names and not listing.sizes:
        return {}
    filled = {name for name, entry in recorded.items() if entry.url}
    found = usage(listing, filled, {name for name, entry in entries.items() if entry.layout is not None}, _OURS)
    return {
        "space": {
            "used_bytes": found.used,
            "project_bytes": found.projects,
            "by_hand_bytes": found.by_hand,
            "leftover_bytes": found.leftovers,
            "foreign_bytes": found.foreign,
            **_overlap_facts(added(overlaps)),
        }
    }


def _overlap_facts(found: Overlap | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {
        "leaving_bytes": found.leaving,
        "duplicate_bytes": found.duplicates,
        "compaction_bytes": found.compaction,
        "estimated": found.estimated,
    }


def _not_seen(listing: Listing) -> Iterator[str]:
    """Yield what was not looked at, in sentences."""
    if len(listing.names) > NAMES_MOST:
        yield f"It has more than {NAMES_MOST} directories; the first ones were looked into."
    if listing.names and not listing.sizes:
        yield "What its space goes to is not told: to sum up the sizes of its files took too long, and a sandbox may wait for it."


def _entry_facts(entry: Entry) -> dict[str, Any]:
    return {
        "usable": entry.usable,
        "layout": entry.layout.value if entry.layout is not None else "",
        "reason": entry.reason,
        "remedy": entry.remedy,
        "bytes": entry.bytes,
        "packs": entry.packs,
        "loose_objects": entry.loose,
        "owner": entry.owner,
        "warnings": list(entry.warnings),
    }
