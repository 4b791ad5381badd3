# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell of each project on each volume how old it is, and whether upstream has something newer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..cache.domain.model import Volume
from ..cache.domain.record import Record, RecordedEntry
from ..cache.domain.space import size
from ..errors import DeploymentError
from ..given_values import State
from ..history.ages import Ages, ages_of
from ..history.line import run_line
from ..history.runs import History
from ..table import UNKNOWN, age_cell, table
from ..words import counted, duration

_REMEDY = (
    "Fill them again, and look at what failed. A project that nobody lists any more is removed by a run of the role, or of the module "
    "`repository_cache`, whose state is absent."
)


Upstream = tuple[str, str, str]
"""A project's name, its URL, and the patterns of its refs, in a row: two volumes may have a project by different ones."""


@dataclass(frozen=True)
class Copy:
    """A project on a volume. None where something is not known; ``bytes`` on disk."""

    volume: Volume
    project: str
    ages: Ages
    bytes: int | None = None
    packs: int | None = None


@dataclass(frozen=True)
class Known:
    """The facts that are known: of volumes by their claims, and where somebody looked, from inside; of projects by the history and by upstreams."""

    records: Mapping[Volume, Record | None]
    inside: Mapping[Volume, Mapping[str, Any]]
    history: History
    upstreams: Mapping[Upstream, str | DeploymentError]
    now: datetime


def upstreams_of(records: Mapping[Volume, Record | None]) -> set[Upstream]:
    """Return which upstreams the volumes were filled from."""
    entries = [item for record in records.values() if record is not None for item in record.projects.items()]
    return {_upstream(name, entry) for name, entry in entries if entry.url}


def _upstream(name: str, entry: RecordedEntry) -> Upstream:
    return (name, entry.url, entry.patterns)


def copies(known: Known) -> list[Copy]:
    """Return all copies, also of what should be on a volume and is not."""
    newest = max((moment.time for moment in known.history.checked.values()), default=None)
    wanted = {name for name, moment in known.history.checked.items() if moment.time == newest}
    wanted.update(*(run.failed for run in known.history.runs[:1] if run.state == State.PRESENT.value))
    found = []
    for volume, record in sorted(known.records.items()):
        entries = {} if record is None else record.projects
        seen = known.inside.get(volume, {}).get("entries", {})
        for name in sorted({*entries, *seen, *wanted}):
            found.append(_copy(known, volume, name, entries.get(name), seen.get(name)))
    return found


def _copy(known: Known, volume: Volume, name: str, entry: RecordedEntry | None, seen: Mapping[str, Any] | None) -> Copy:
    sizes = {"bytes": seen["bytes"], "packs": seen["packs"]} if seen is not None else {}
    if entry is None:
        return Copy(volume, name, Ages(behind=None if seen is not None else True), **sizes)
    if not sizes:
        sizes = {"bytes": entry.bytes, "packs": entry.inventory.packs}
    upstream = known.upstreams.get(_upstream(name, entry))
    digest = upstream if isinstance(upstream, str) else None
    return Copy(volume, name, ages_of(entry, known.history.checked.get(name), known.now, digest), **sizes)


def copy_facts(copy: Copy) -> dict[str, Any]:
    """Return a copy as the module tells it: what is not known is not there."""
    values = {
        "project": copy.project,
        "age": copy.ages.age,
        "checked": copy.ages.checked,
        "behind": copy.ages.behind,
        "bytes": copy.bytes,
        "packs": copy.packs,
    }
    place = {"namespace": copy.volume.namespace, "claim": copy.volume.claim, "role": copy.volume.role.value}
    return {**place, **{name: value for name, value in values.items() if value is not None}}


def summary(found: Iterable[Copy], free: Mapping[Volume, str]) -> list[str]:
    """Return a table of the copies, a line each."""
    rows = [
        (
            str(copy.volume),
            copy.project,
            age_cell(copy.ages.age),
            age_cell(copy.ages.checked),
            UNKNOWN if copy.ages.behind is None else "yes" if copy.ages.behind else "no",
            UNKNOWN if copy.bytes is None else size(copy.bytes).replace(" ", ""),
            free.get(copy.volume, UNKNOWN),
            UNKNOWN if copy.packs is None else str(copy.packs),
        )
        for copy in found
    ]
    return table(("VOLUME", "PROJECT", "AGE", "CHECKED", "BEHIND", "SIZE", "FREE", "PACKS"), rows) if rows else ["No volume holds anything that is known."]


def free_space(capacity: int, record: Record | None, inside: Mapping[str, Any]) -> str:
    """Return what is free on a volume: as it was seen, or about, by what is known to be there."""
    if "free_bytes" in inside:
        return size(inside["free_bytes"]).replace(" ", "")
    if not capacity or record is None:
        return UNKNOWN
    used = sum(entry.bytes for entry in record.projects.values())
    return f"~{size(max(0, capacity - used)).replace(' ', '')}"


def too_old(found: Iterable[Copy], most: int, history: History, namespace: str, unpaired: Sequence[Volume] = ()) -> str:
    """Return which copies were not known to be as upstream has them for more than ``most`` seconds; empty where none is.

    ``unpaired`` are volumes of workers whose sandboxes have none: what is on them serves nobody, whatever its age.
    """
    everything = list(found)
    old: dict[str, list[Copy]] = {}
    for copy in everything:
        if copy.ages.checked is None or copy.ages.checked > most:
            old.setdefault(copy.project, []).append(copy)
    last = f" The last run: {run_line(history.runs[0], namespace)}." if history.runs else " No run is known."
    lacking = f"No claim for the sandboxes of {', '.join(map(str, unpaired[:10]))}. " if unpaired else ""
    if not everything:
        return f"{lacking}No volume holds anything that is known.{last}"
    if not old:
        return f"{lacking.rstrip()}{last}" if lacking else ""
    number = sum(map(len, old.values()))
    shown = ", ".join(f"{name} ({counted(len(copies), 'volume')}, {_oldest(copies)})" for name, copies in sorted(old.items())[:10])
    more = f" and {len(old) - 10} more projects" if len(old) > 10 else ""
    return f"{lacking}{number} of {len(everything)} copies are older than {duration(most)}: {shown}{more}.{last} {_REMEDY}"


def _oldest(copies: Iterable[Copy]) -> str:
    ages = [copy.ages.checked for copy in copies]
    return "not known since when" if None in ages else duration(max(age for age in ages if age is not None))
