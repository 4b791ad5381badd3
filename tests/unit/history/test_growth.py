# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that will soon be full are told in time, and no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.history.growth import full_soon
from ansible_collections.packit.deployment.plugins.module_utils.history.runs import History, UsedAt

from .test_runs import NOW

VOLUME = "p/worker0"


def grown(*sizes: tuple[float, int, str]) -> History:
    """A volume's sizes in MB, so many days ago, of these projects."""
    return History(used={VOLUME: tuple(UsedAt(NOW - timedelta(days=days), size * 1_000_000, projects) for days, size, projects in sizes)})


def test_a_volume_that_will_be_full_within_a_month_is_told_with_what_to_do() -> None:
    (words,) = full_soon(grown((14, 1000, "a"), (7, 1100, "a"), (0, 1200, "a")), {VOLUME: 400_000_000})
    assert words == (
        "Volume p/worker0 will be full in 28 days at the present rate: it grew by 100 MB a week, and has about 400 MB free. "
        "Grow the claim, or take projects off it (option `state: absent`). What its space goes to is told by `repository_cache_info` with `look_inside`."
    )
    assert full_soon(grown((14, 1000, "a"), (0, 1200, "a")), {VOLUME: 430_000_000}) == []


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [(0, 1000, "a")],
        [(2, 1000, "a"), (0, 1900, "a")],
        [(14, 1000, "a"), (0, 1900, "ab")],
        [(14, 1000, "a"), (0, 1000, "a")],
        [(14, 1000, "a"), (0, 900, "a")],
    ],
    ids=["none", "one", "too near", "another project", "the same", "less"],
)
def test_where_nothing_can_be_said_of_the_rate_nothing_is_said(sizes: list[tuple[float, int, str]]) -> None:
    assert full_soon(grown(*sizes), {VOLUME: 1000}) == []


def test_a_full_volume_is_told_and_one_that_is_not_there_any_more_is_not() -> None:
    history = grown((14, 1000, "a"), (0, 1200, "a"))
    assert "will be full in 0 days" in full_soon(history, {VOLUME: -5})[0] and "about 0 B free" in full_soon(history, {VOLUME: -5})[0]
    assert full_soon(history, {}) == [] == full_soon(history, {"p/other": 5})
