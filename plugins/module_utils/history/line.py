# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run in one line, fit for a chat message. Pure."""

from __future__ import annotations

from ..given_values import State
from ..printable import in_one_line
from ..words import counted, duration
from .runs import Run

_WORDS = 120
"""Characters of what failed."""


def run_line(run: Run, namespace: str, planned: bool = False) -> str:
    """Return what a run did in one line, or what it would do where it is only ``planned``."""
    done = f"{'would be ' * planned}{'removed' if run.state == State.ABSENT.value else 'updated'}"
    found = [f"{len(run.changed)} {done}"] if run.changed else []
    if run.failed:
        name, words = min(run.failed.items())
        found.append(f"{len(run.failed)} failed ({name}: {_shortened(words)})")
    if run.left_out:
        found.append(f"{run.left_out} more that are not named")
    if run.error:
        found.append(_shortened(run.error))
    what = ", ".join(found) or "nothing to do"
    held = f"; longest sandbox hold {run.longest_hold:.1f} s" if run.longest_hold else ""
    place = f"{namespace}: {counted(run.volumes, 'volume')}, {counted(run.projects, 'project')}"
    return f"{place}: {what}{held}; {duration(run.seconds)}"


def _shortened(words: str) -> str:
    """The first sentence of a text, or its beginning."""
    line = in_one_line(words)
    sentence = line.partition(". ")[0].rstrip(".")
    return sentence if len(sentence) <= _WORDS else f"{sentence[:_WORDS].rstrip()}…"
