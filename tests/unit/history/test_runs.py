# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of runs, written and read again, whoever wrote it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.packit.deployment.plugins.module_utils.history.runs import (
    RUNS,
    History,
    HistoryUpdate,
    Run,
    SnapshotAt,
    UsedAt,
    parse,
    render,
    run_facts,
    surplus,
    used_at,
)

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=timezone.utc)
DIGEST = "3f" * 32
RUN = Run(
    id="0a1b2c3d4e5f",
    started=NOW - timedelta(minutes=5),
    by="system:serviceaccount:packit:schedule (packit on node1)",
    state="present",
    projects=2,
    volumes=4,
    seconds=123.4,
    changed={"kernel": 3, "gtk+": 4},
    failed={"kernel": "No space. Grow it."},
    longest_hold=7.4,
    held="s/sandbox0",
)


def run_at(number: int) -> Run:
    """A run, later the higher its number."""
    return Run(f"{number:012x}", NOW - timedelta(days=200) + timedelta(hours=number), "me", "present", 1)


def written(*update: HistoryUpdate) -> dict[str, Any]:
    """The data after some runs, each merged as the API merges."""
    data: dict[str, Any] = {}
    for one in update:
        data = {key: value for key, value in {**data, **render(one)}.items() if value is not None}
    return data


def test_what_is_written_is_read_again() -> None:
    checked, changed = {"gtk+": SnapshotAt(NOW, DIGEST)}, {"gtk+": SnapshotAt(NOW - timedelta(days=1), DIGEST)}
    assert parse(written(HistoryUpdate(RUN, checked, changed)), NOW) == History((RUN,), checked, changed)


def test_a_volumes_size_is_kept_for_each_week_and_the_last_run_of_a_week_has_the_last_word() -> None:
    sizes = {NOW - timedelta(days=days): {"one": 1000 - days} for days in (50, 15, 14, 7, 0)}  # NOW is a Saturday
    data = written(*(HistoryUpdate(RUN, used={"p/worker0": used_at(time, size)}) for time, size in sizes.items()))
    found = parse(data, NOW)
    assert [used.bytes for used in found.used["p/worker0"]] == [986, 993, 1000]
    assert set(found.used) == {"p/worker0"}
    old = next(iter(surplus(data, NOW)))
    assert data[old].split()[2] == "950" and len(surplus(data, NOW)) == 1
    assert surplus({**data, "used.0.202601": "junk", "used.1.202601": 5}, NOW).keys() == {old, "used.0.202601", "used.1.202601"}


def test_sizes_of_other_projects_are_told_apart() -> None:
    assert used_at(NOW, {"a": 1, "b": 2}) == used_at(NOW, {"b": 2, "a": 1}) == UsedAt(NOW, 3, used_at(NOW, {"a": 9, "b": 9}).projects)
    assert used_at(NOW, {"a": 1}).projects != used_at(NOW, {"b": 1}).projects


def test_junk_under_a_runs_key_hides_no_run_and_goes_first() -> None:
    data = {**written(HistoryUpdate(RUN)), **{f"run.zzz{number}": "junk" for number in range(80)}}
    assert parse(data, NOW).runs == (RUN,)
    assert set(surplus(data, NOW)) == {key for key in data if "zzz" in key}


def test_two_runs_that_end_together_lose_nothing_of_each_other() -> None:
    earlier = HistoryUpdate(run_at(1), {"one": SnapshotAt(NOW - timedelta(hours=2), DIGEST)}, {"one": SnapshotAt(NOW - timedelta(hours=2), DIGEST)})
    later = HistoryUpdate(run_at(2), {"one": SnapshotAt(NOW, DIGEST), "two": SnapshotAt(NOW, DIGEST)})
    found = parse(written(earlier, later), NOW)
    assert [run.id for run in found.runs] == [later.run.id, earlier.run.id]
    assert found.checked == later.checked and found.changed == earlier.changed
    assert {run.id for run in parse(written(later, earlier), NOW).runs} == {earlier.run.id, later.run.id}


def test_a_project_that_is_removed_leaves_its_runs_alone() -> None:
    moments = {"one": SnapshotAt(NOW, DIGEST)}
    found = parse(written(HistoryUpdate(run_at(1), moments, moments), HistoryUpdate(run_at(2), removed=["one"])), NOW)
    assert (len(found.runs), found.checked, found.changed) == (2, {}, {})


def test_of_many_runs_the_newest_stay_and_removal_is_rare() -> None:
    data: dict[str, Any] = {}
    removals = 0
    for number in range(3 * RUNS):
        data |= render(HistoryUpdate(run_at(number)))
        gone = surplus(data, NOW)
        removals += bool(gone)
        data = {key: value for key, value in data.items() if key not in gone}
        assert parse(data, NOW).runs[0].id == run_at(number).id
    assert removals <= 2
    assert [run.id for run in parse(data, NOW).runs] == [run_at(number).id for number in reversed(range(2 * RUNS, 3 * RUNS))]


def test_all_of_it_fits_into_a_config_map_whatever_its_runs_have_to_tell() -> None:
    names = [f"{number:03}{'x' * 197}" for number in range(510)]
    moments = {name: SnapshotAt(NOW, DIGEST) for name in names}
    data: dict[str, Any] = {}
    for number in range(3 * RUNS):
        run = run_at(number)
        words = dict.fromkeys(names, "\N{CROSS MARK}" * 1000)
        large = Run(run.id, run.started, "me" * 5000, "present", 510, 400, 1.0, dict.fromkeys(names, 400), words, "no " * 5000)
        data |= render(HistoryUpdate(large, moments, moments))
        most = sum(len(key) + len(value.encode()) for key, value in data.items())
        assert most < 2**20
        gone = surplus(data, NOW)
        data = {key: value for key, value in data.items() if key not in gone}
    newest = parse(data, NOW).runs[0]
    assert newest.left_out + len(newest.changed) + len(newest.failed) == 1020
    assert newest.failed, "that something failed is never left out"


def test_projects_that_nobody_has_checked_for_longest_go_first() -> None:
    data: dict[str, Any] = {}
    for days in range(2):
        moments = {f"p{number}": SnapshotAt(NOW - timedelta(days=1 - days), DIGEST) for number in range(300 * days, 300 * (days + 1))}
        data |= render(HistoryUpdate(run_at(0), moments, moments))
    gone = surplus(data, NOW)
    left = parse({key: value for key, value in data.items() if key not in gone}, NOW)
    assert len(left.checked) == len(left.changed) == 500
    assert {f"p{number}" for number in range(300, 600)} <= set(left.checked)


BROKEN: list[Any] = [
    None,
    3,
    "",
    "[" * 100_000,
    "null",
    "{}",
    json.dumps({**run_facts(RUN), "started": "tomorrow"}),
    json.dumps({**run_facts(RUN), "started": "9999-01-01T00:00:00Z"}),
    json.dumps({**run_facts(RUN), "seconds": -1}),
    json.dumps({**run_facts(RUN), "seconds": float("nan")}),
    json.dumps({**run_facts(RUN), "seconds": True}),
    json.dumps({**run_facts(RUN), "failed": {"../../etc": "x"}}),
    json.dumps({**run_facts(RUN), "changed": ["one"]}),
    json.dumps({**run_facts(RUN), "by": ["me"]}),
    json.dumps({**run_facts(RUN), "error": "x" * 100_000}),
]


@pytest.mark.parametrize("value", BROKEN, ids=lambda value: str(value)[:30])
def test_a_run_that_nobody_of_ours_wrote_is_none(value: Any) -> None:
    assert parse({"run.20261128T120000Z.x": value, **written(HistoryUpdate(RUN))}, NOW).runs == (RUN,)


def test_a_stranger_can_neither_forge_a_line_nor_keep_a_project_fresh_for_ever() -> None:
    data = written(HistoryUpdate(RUN, {"one": SnapshotAt(NOW + timedelta(days=1), DIGEST), "two": SnapshotAt(NOW, DIGEST)}))
    data = {key: value.replace("No space.", "\x1b[2JNo\\u202e\\nspace.") if key.startswith("run.") else value for key, value in data.items()}
    found = parse({**data, "checked.another": data[next(key for key in data if "two" in data[key])]}, NOW)
    assert set(found.checked) == {"two"}
    assert all(words.isprintable() for run in found.runs for words in run.failed.values())


@given(st.dictionaries(st.sampled_from(["run.1", "run.2", "checked.1", "changed.x", "other"]), st.text() | st.none() | st.integers()))
def test_whatever_is_there_is_read(data: dict[str, Any]) -> None:
    assert parse(data, NOW) == History()
    assert surplus(data, NOW) == {}
