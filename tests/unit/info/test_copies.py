# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The age of each project on each volume, and whether upstream has something newer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Inventory, Record, RecordedEntry
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.history.ages import Ages
from ansible_collections.packit.deployment.plugins.module_utils.history.runs import History, Run, SnapshotAt
from ansible_collections.packit.deployment.plugins.module_utils.info.copies import (
    Copy,
    Known,
    copies,
    copy_facts,
    free_space,
    summary,
    too_old,
    upstreams_of,
)
from ansible_collections.packit.deployment.plugins.module_utils.times import time_text
from ansible_collections.packit.deployment.tests.unit.history.test_runs import DIGEST, NOW
from ansible_collections.packit.deployment.tests.unit.recorded import recorded_entry

VOLUME = Volume("p", "worker0", Role.WORKER, "w0")
DAY, HOUR = 86400, 3600


def held(seconds: int, snapshot: str = DIGEST) -> RecordedEntry:
    """An entry that was filled so many seconds ago."""
    time = time_text(NOW - timedelta(seconds=seconds))
    return recorded_entry(url="https://h/one.git", snapshot=snapshot, bytes=22_000_000, time=time, inventory=Inventory(3, 0, "x"), patterns="refs/heads/*")


def known(*entries: tuple[str, RecordedEntry], checked: dict[str, int] | None = None) -> Known:
    """Of one volume; ``checked`` is so many seconds ago, by project."""
    moments = {name: SnapshotAt(NOW - timedelta(seconds=seconds), DIGEST) for name, seconds in (checked or {}).items()}
    return Known({VOLUME: Record("uid", "pv", dict(entries))}, {}, History((), moments), {}, NOW)


def copy(of: Known) -> Copy:
    (found,) = copies(of)
    return found


def test_what_was_checked_an_hour_ago_and_has_nothing_new_is_an_hour_old() -> None:
    found = copy(known(("one", held(5 * DAY)), checked={"one": HOUR}))
    assert found == Copy(VOLUME, "one", Ages(5 * DAY, HOUR, False), 22_000_000, 3)
    assert copy_facts(found)["checked"] == HOUR


def test_what_a_run_could_not_bring_gets_old_though_upstream_is_read_every_day() -> None:
    found = copy(known(("one", held(5 * DAY, "another")), checked={"one": HOUR}))
    assert found.ages == Ages(5 * DAY, 5 * DAY, True)


def test_what_nobody_has_checked_is_as_old_as_it_was_filled() -> None:
    found = copy(known(("one", held(5 * DAY))))
    assert found.ages == Ages(5 * DAY, 5 * DAY, None)
    assert "behind" not in copy_facts(found)
    assert copy(known(("one", held(HOUR)), checked={"one": 5 * DAY})).ages.checked == HOUR


def test_upstream_itself_outweighs_what_runs_have_read() -> None:
    of = known(("one", held(5 * DAY)), checked={"one": HOUR})
    (upstream,) = upstreams_of(of.records)
    assert upstream == ("one", "https://h/one.git", "refs/heads/*")
    assert copy(replace(of, upstreams={upstream: DIGEST})).ages.checked == 0
    moved = copy(replace(of, upstreams={upstream: "newer"}))
    assert (moved.ages.checked, moved.ages.behind) == (5 * DAY, True)
    assert copy(replace(of, upstreams={upstream: DeploymentError("dead")})).ages.checked == HOUR


def test_what_should_be_there_and_is_not_is_missing() -> None:
    run = Run("1", NOW, "me", "present", 3, failed={"dead": "No upstream."})
    of = known(checked={"one": HOUR, "of-an-older-list": DAY})
    found = copies(replace(of, history=replace(of.history, runs=(run,))))
    assert found == [Copy(VOLUME, "dead", Ages(behind=True)), Copy(VOLUME, "one", Ages(behind=True))]
    removal = replace(run, state="absent")
    assert [one.project for one in copies(replace(of, history=replace(of.history, runs=(removal,))))] == ["one"]
    assert copies(Known({VOLUME: None}, {}, History(), {}, NOW)) == []


def test_what_was_seen_inside_counts_more_than_what_is_written_on_the_claim() -> None:
    entries = {"one": {"bytes": 5, "packs": 1}, "by-hand": {"bytes": 7, "packs": 2}}
    hand, one = copies(replace(known(("one", held(DAY))), inside={VOLUME: {"entries": entries}}))
    assert (one.bytes, one.packs, one.ages.age) == (5, 1, DAY)
    assert hand == Copy(VOLUME, "by-hand", Ages(), 7, 2)


def test_times_that_nobody_of_ours_wrote_are_not_believed() -> None:
    assert copy(known(("one", replace(held(0), time="yesterday")))).ages.age is None
    assert copy(known(("one", held(-DAY)))).ages.age == 0


def test_the_table_has_what_is_asked_for_and_no_cell_with_a_space() -> None:
    lines = summary(copies(known(("one", held(5 * DAY)), ("two", held(DAY, "x")), checked={"one": HOUR, "two": HOUR, "three": HOUR})), {VOLUME: "~4.2GB"})
    assert [line.split() for line in lines] == [
        ["VOLUME", "PROJECT", "AGE", "CHECKED", "BEHIND", "SIZE", "FREE", "PACKS"],
        ["p/worker0", "one", "5d", "1h", "no", "22MB", "~4.2GB", "3"],
        ["p/worker0", "three", "-", "-", "yes", "-", "~4.2GB", "-"],
        ["p/worker0", "two", "1d", "1d", "yes", "22MB", "~4.2GB", "3"],
    ]
    assert summary([], {}) == ["No volume holds anything that is known."]


def test_free_space_is_seen_or_about() -> None:
    record = Record("uid", "pv", {"one": held(0), "two": held(0)})
    assert free_space(50_000_000, record, {"free_bytes": 5_000_000}) == "5MB"
    assert free_space(50_000_000, record, {}) == "~6MB"
    assert (free_space(1, record, {}), free_space(0, record, {}), free_space(1, None, {})) == ("~0B", "-", "-")


def test_a_worker_whose_sandboxes_have_no_claim_is_told_whatever_the_ages() -> None:
    of = known(("one", held(HOUR)), checked={"one": HOUR})
    alone = [Volume("p", "packit-worker-repository-cache-w1", Role.WORKER, "w1")]
    assert too_old(copies(of), DAY, of.history, "p") == ""
    told = too_old(copies(of), DAY, of.history, "p", alone)
    assert told == "No claim for the sandboxes of p/packit-worker-repository-cache-w1. No run is known."


def test_what_is_too_old_is_named_by_project_with_the_last_run() -> None:
    run = Run("1", NOW, "me", "present", 1, 2, 3.0, failed={"kernel": "Upstream is dead. Mend it."})
    of = known(("one", held(DAY)), ("kernel", held(5 * DAY)), checked={"one": HOUR})
    history = replace(of.history, runs=(run,))
    told = too_old(copies(replace(of, history=history)), 3 * DAY, history, "p")
    assert told.startswith(
        "1 of 2 copies are older than 3 d: kernel (1 volume, 5 d). "
        "The last run: p: 2 volumes, 1 project: 1 failed (kernel: Upstream is dead); 3 s. Fill them again,"
    )
    assert too_old(copies(of), 6 * DAY, of.history, "p") == ""
    assert "one (1 volume, not known since when)" in too_old([Copy(VOLUME, "one", Ages())], DAY, History(), "p")
    assert too_old([], DAY, History(), "p") == "No volume holds anything that is known. No run is known."
