# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reckon how old a project on a volume is: by the claim's record, by what the last runs have checked, and by upstream. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..cache.domain.record import RecordedEntry
from ..times import parse_time
from .runs import SnapshotAt


@dataclass(frozen=True)
class Ages:
    """Ages of a project on a volume. None where something is not known.

    ``age`` is seconds since a run last brought it there from upstream; ``checked`` since it was last known to be what upstream has; ``behind`` whether
    upstream had something else when it was read last.
    """

    age: int | None = None
    checked: int | None = None
    behind: bool | None = None


def ages_of(entry: RecordedEntry, last: SnapshotAt | None, now: datetime, digest: str | None = None) -> Ages:
    """Return the ages of an entry. ``last`` is when a run last read its upstream, and what it had; ``digest`` what it has now, where it was read."""
    age = _seconds_since(entry.time, now)
    if digest is not None:
        behind = digest != entry.snapshot
        return Ages(age, age if behind else 0, behind)
    if last is None:
        return Ages(age, age)
    if last.snapshot != entry.snapshot:
        return Ages(age, age, behind=True)
    since = max(0, int((now - last.time).total_seconds()))
    return Ages(age, since if age is None else min(age, since), behind=False)


def _seconds_since(text: str, now: datetime) -> int | None:
    """Return the age of a time that a claim's annotation has, None where it has none."""
    try:
        time = parse_time(text)
    except ValueError:
        return None
    return max(0, int((now - time).total_seconds()))
