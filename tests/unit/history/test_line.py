# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.history.line import run_line
from ansible_collections.packit.deployment.plugins.module_utils.history.runs import Run
from ansible_collections.packit.deployment.plugins.module_utils.words import duration

from .test_runs import NOW

IDLE = Run("1", NOW, "me", "present", 3, 4, 2.0)
BUSY = replace(
    IDLE, seconds=123.4, changed={"packit": 4, "ogr": 2}, failed={"kernel": "Upstream is dead. Mend it."}, longest_hold=7.41, held="s/x"
)


def test_what_was_done_what_failed_and_for_how_long_a_sandbox_was_held() -> None:
    line = "packit--prod: 4 volumes, 3 projects: 2 updated, 1 failed (kernel: Upstream is dead); longest sandbox hold 7.4 s; 2 min 3 s"
    assert run_line(BUSY, "packit--prod") == line


def test_other_runs_have_other_words() -> None:
    assert run_line(IDLE, "p") == "p: 4 volumes, 3 projects: nothing to do; 2 s"
    assert run_line(replace(IDLE, changed={"x": 2}), "p", planned=True) == "p: 4 volumes, 3 projects: 1 would be updated; 2 s"
    many = replace(IDLE, changed={"x": 2}, left_out=30)
    assert run_line(many, "p") == "p: 4 volumes, 3 projects: 1 updated, 30 more that are not named; 2 s"
    gone = replace(IDLE, projects=1, state="absent", changed={"x": 4})
    assert run_line(gone, "p") == "p: 4 volumes, 1 project: 1 removed; 2 s"
    assert run_line(replace(IDLE, volumes=0, error="Rights are missing."), "p") == "p: 0 volumes, 3 projects: Rights are missing; 2 s"


def test_it_stays_one_line_and_short_whatever_an_upstream_says() -> None:
    line = run_line(replace(BUSY, failed={"kernel": "\x1b[2Jno\n" + "x" * 5000}), "p")
    assert line.isprintable() and len(line) < 300


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (123, "2 min 3 s"), (3600, "1 h"), (3601, "1 h"), (7500, "2 h 5 min"), (446400, "5 d 4 h")],
)
def test_a_time_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words
