# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render what the space of each volume goes to, as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cache.domain.model import Volume
from ..cache.domain.space import size
from ..table import table

_COLUMNS = {
    "USED": "used_bytes",
    "PROJECTS": "project_bytes",
    "BY_HAND": "by_hand_bytes",
    "LEFTOVERS": "leftover_bytes",
    "FOREIGN": "foreign_bytes",
    "LEAVING": "leaving_bytes",
    "DUPLICATES": "duplicate_bytes",
    "COMPACTION": "compaction_bytes",
}
_ABOUT = ("LEAVING", "DUPLICATES", "COMPACTION")
"""These may be told by samples."""


def space_summary(inside: Mapping[Volume, Mapping[str, Any]]) -> list[str]:
    """Return a line for each volume that was looked into, with what its space goes to; nothing where there is none."""
    rows = [(str(volume), *_cells(seen["space"])) for volume, seen in sorted(inside.items()) if "space" in seen]
    return table(("VOLUME", *_COLUMNS), rows) if rows else []


def _cells(space: Mapping[str, Any]) -> list[str]:
    return [f"{'~' if space['estimated'] and column in _ABOUT else ''}{size(space[name]).replace(' ', '')}" for column, name in _COLUMNS.items()]
