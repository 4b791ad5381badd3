# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the work on pairs of volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from .compaction import NO_COMPACTION, CompactionOptions

LEFTOVERS_AGE = 3600.0
"""The least age in seconds from which temporary files of others count as left behind."""


@dataclass(frozen=True)
class Options:
    """Options of the work on a pair. ``timeout`` (one volume in all) and ``max_hold`` (a sandbox's volume at a time) are seconds;
    ``leftovers_age`` is the age in seconds from which temporary files of others count as left behind; ``tries`` is how often
    a project that lost its connection is gone on with; ``now`` tells the time by the clock that records are written by."""

    timeout: float
    max_hold: float
    verify: bool
    scratch: Path
    leftovers_age: float = LEFTOVERS_AGE
    tries: int = 3
    compaction: CompactionOptions = NO_COMPACTION
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
