# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that will soon be full, by what the last weeks' runs have left of their sizes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from ..cache.domain.space import MORE_SPACE, size
from .runs import History, UsedAt

SOON = timedelta(days=30)
"""A volume that is full by then is told: time to grow a claim."""
_LEAST = timedelta(days=3)
"""Between two sizes by which it is told how fast a volume grows; what came in one day says nothing of the others."""
_WEEK = timedelta(weeks=1)


def full_soon(history: History, free: Mapping[str, int]) -> list[str]:
    """Return a warning for each volume that will be full within ``SOON`` at the present rate. ``free`` are bytes by volume."""
    return [words for volume, room in sorted(free.items()) if (words := _warning(volume, history.used.get(volume, ()), room))]


def _warning(volume: str, sizes: Sequence[UsedAt], free: int) -> str:
    same = [used for used in sizes if used.projects == sizes[-1].projects]
    if not same:
        return ""
    passed, grown = same[-1].time - same[0].time, same[-1].bytes - same[0].bytes
    if passed < _LEAST or grown <= 0:
        return ""
    left = max(0, free) / grown * passed
    if left > SOON:
        return ""
    weekly = grown * (_WEEK / passed)
    return (
        f"Volume {volume} will be full in {left.days} days at the present rate: it grew by {size(weekly)} a week, and has about {size(max(0, free))} free. "
        f"{MORE_SPACE} What its space goes to is told by `repository_cache_info` with `look_inside`."
    )
