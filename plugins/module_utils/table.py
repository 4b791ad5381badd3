# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for people, as lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .words import duration

UNKNOWN = "-"
"""The cell of what is not known."""
ROWS_MOST = 200
"""Rows of a table that are printed."""


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows in columns below their heads, so many as a person reads, and a line on the rest.

    No cell may have a space in it, but in the last column: where results are printed as YAML, long lines are broken at single spaces.
    """
    shown = [head, *rows[:ROWS_MOST]]
    widths = [max(len(row[column]) for row in shown) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in shown]
    if len(rows) > ROWS_MOST:
        lines.append(f"and {len(rows) - ROWS_MOST:,} rows more, which are in the task's result")
    return lines


def age_cell(seconds: int | None) -> str:
    """Return the cell of an age."""
    return UNKNOWN if seconds is None else duration(seconds).replace(" ", "")
