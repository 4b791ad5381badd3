# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table at the end of a run."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import yaml

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action, Wanted, make_plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import parse_project
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import RecordedEntry
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import (
    HoldTimes,
    PairResult,
    ProjectResult,
    VolumeResult,
)
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.populate.report import planned_summary, summary
from ansible_collections.packit.deployment.plugins.module_utils.table import ROWS_MOST
from ansible_collections.packit.deployment.tests.unit.recorded import recorded_entry

SANDBOX = Volume("packit-prod-sandbox", "sandcastle-repository-cache-packit-worker-long-running-0", Role.SANDBOX)
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
WORKER = Volume("packit-prod", "packit-worker-repository-cache-packit-worker-long-running-0", Role.WORKER)


def there(method: str) -> RecordedEntry:
    """Return an entry that came by a method."""
    return recorded_entry(method=method)


def lines(*more: ProjectResult) -> list[str]:
    """Of a sandbox that was held twice, and a worker on which one project was filled and one was there."""
    filled = ProjectResult(SANDBOX, "packit", Action.ADD, there("seed"), bytes=22_000_000)
    unchanged = ProjectResult(WORKER, "ogr", Action.NOTHING)
    sandbox = VolumeResult(SANDBOX, (filled, *more), (HoldTimes(0.5, 2.0, 0.5), HoldTimes(0.5, 0.1, 0.3)))
    worker = VolumeResult(WORKER, (ProjectResult(WORKER, "packit", Action.UPDATE, there("git")), unchanged), (HoldTimes(0.5, 2.0, 0.5),))
    return summary([PairResult(Pair(WORKER, SANDBOX), sandbox, worker)], State.PRESENT)


def test_a_row_has_what_was_done_how_much_came_and_for_how_long_a_sandbox_was_locked_out() -> None:
    head, sandbox, worker, rest = lines()
    assert head.split() == ["VOLUME", "PROJECT", "ACTION", "METHOD", "RECEIVED", "HELD"]
    assert sandbox.split() == [str(SANDBOX), "packit", "add", "seed", "22MB", "3.9s"]
    assert worker.split() == [str(WORKER), "packit", "update", "git", "0B", "-"]
    assert rest == "Unchanged: 1 of 3."


def test_the_table_stays_a_table_where_results_are_printed_as_yaml() -> None:
    assert yaml.safe_dump(lines()[:-1], width=80).splitlines() == [f"- {line}" for line in lines()[:-1]]


def test_a_hundred_pairs_with_nothing_to_do_are_one_line() -> None:
    idle = VolumeResult(WORKER, tuple(ProjectResult(WORKER, f"p{number}", Action.NOTHING) for number in range(50)))
    nothing = ["Nothing to do: every volume holds every project, as upstream has it."]
    assert summary([PairResult(Pair(WORKER, SANDBOX), idle, idle)] * 100, State.PRESENT) == nothing
    assert summary([], State.ABSENT) == ["Nothing to do: no volume holds any of the projects."]
    wanted = Wanted(State.PRESENT, (), {}, METHODS, NOW)
    assert planned_summary(make_plan(wanted, (Pair(WORKER, SANDBOX),), {})) == nothing


def test_where_all_fails_nobody_says_that_all_is_there() -> None:
    failed = VolumeResult(WORKER, (ProjectResult(WORKER, "packit", Action.FAILED, error="no upstream"),))
    plan = make_plan(Wanted(State.PRESENT, (), {}, METHODS, NOW), (Pair(WORKER, SANDBOX),), {})
    assert planned_summary(plan, [PairResult(Pair(WORKER, SANDBOX), VolumeResult(SANDBOX, ()), failed)]) == ["Nothing could be done."]


def test_of_a_long_table_the_beginning_is_shown() -> None:
    many = [ProjectResult(SANDBOX, f"p{number}", Action.ADD, there("seed")) for number in range(1500)]
    shown = lines(*many)
    assert len(shown) == 1 + ROWS_MOST + 2
    assert shown[-2:] == ["and 1,302 rows more, which are in the task's result", "Unchanged: 1 of 1,503."]


def test_what_check_mode_would_do_is_a_table_in_usual_words() -> None:
    project = parse_project({"url": "https://example.org/packit.git"})
    plan = make_plan(Wanted(State.PRESENT, (project,), {"packit": Snapshot((), "")}, METHODS, NOW), (Pair(WORKER, SANDBOX),), {})
    head, *rows = (re.split("  +", line) for line in planned_summary(plan))
    assert head == ["VOLUME", "PROJECT", "WOULD", "METHOD", "WHY"]
    assert [row[:3] for row in rows] == [[str(SANDBOX), "packit", "check"], [str(WORKER), "packit", "check"]]
    assert all(row[4] for row in rows)
