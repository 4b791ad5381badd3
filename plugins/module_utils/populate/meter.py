# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the progress that git and rsync print. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"": 1, "k": 1000, "K": 1000, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

# `Receiving objects:  42% (126/300), 12.30 MiB | 5.00 MiB/s`
_GIT = re.compile(
    r"(?:remote: )?(?P<step>[A-Z][a-z]+ [a-z]+):\s+(?P<percent>\d+)% \((?P<done>\d+)/(?P<all>\d+)\)"
    r"(?:, [\d.]+ (?:[KMG]i)?B(?:ytes|ytes)? \| (?P<rate>[\d.]+) (?P<unit>[KMG]i)?B(?:ytes)?/s)?"
)
# `     32,768,000  10%   31.25MB/s    0:00:09 (xfr#1, to-chk=0/2)`
_RSYNC = re.compile(r"\s*[\d,.]+\s+(?P<percent>\d+)%\s+(?P<rate>[\d.]+)(?P<unit>[kKMG]?)B/s\s+(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)")


@dataclass(frozen=True)
class Meter:
    """``percent`` of ``step`` (empty: of the whole); ``rate`` in bytes a second and ``left`` in seconds, None where not known."""

    percent: int
    step: str = ""
    rate: float | None = None
    left: int | None = None

    def __str__(self) -> str:
        words = [f"{self.step.lower()} {self.percent} %".strip()]
        if self.rate:
            words.append(f"{self.rate / 1e6:.1f} MB/s")
        if self.left is not None and self.percent < 100:
            words.append(f"{self.left} s left")
        return ", ".join(words)


def is_figures(line: str) -> bool:
    """Return whether a line only tells figures that change, of whatever program."""
    return "%" in line or parse_meter(line) is not None


def parse_meter(line: str) -> Meter | None:
    """Return what a line tells, or None where it tells nothing of that kind."""
    found = _RSYNC.match(line)
    if found:
        left = int(found["h"]) * 3600 + int(found["m"]) * 60 + int(found["s"])
        return Meter(int(found["percent"]), "", float(found["rate"]) * _UNITS[found["unit"]], left)
    found = _GIT.search(line)
    if found:
        rate = float(found["rate"]) * _UNITS[found["unit"] or ""] if found["rate"] else None
        return Meter(int(found["percent"]), found["step"], rate)
    return None
