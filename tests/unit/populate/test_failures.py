# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of failures: each cause once, with all its places."""

from __future__ import annotations

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult, ProjectResult, VolumeResult
from ansible_collections.packit.deployment.plugins.module_utils.populate.failures import failures, headline

PAIRS = [Pair(Volume("w", f"worker{n}", Role.WORKER, f"w{n}"), Volume("s", f"sandbox{n}", Role.SANDBOX, f"w{n}")) for n in range(2)]


def rows(volume: Volume, *told: tuple[str, Action, str, str]) -> VolumeResult:
    return VolumeResult(
        volume, tuple(ProjectResult(volume, name, action, error=error, remedy=remedy) for name, action, error, remedy in told)
    )


def test_one_cause_on_all_volumes_is_one_paragraph() -> None:
    dead = [(name, Action.FAILED, "Upstream is dead.", "Mend it.") for name in ("one", "two", "three")]
    results = [PairResult(pair, rows(pair.sandbox, *dead), rows(pair.worker, *dead)) for pair in PAIRS]
    assert failures(results) == ["one, two, three, on all 4 volumes: Upstream is dead. Mend it."]
    assert headline(results, failures(results)) == (
        "4 of 4 volumes are not as wanted; what was there before is as it was. "
        "one, two, three, on all 4 volumes: Upstream is dead. Mend it."
    )


def test_two_failures_at_once_are_two_paragraphs_and_what_is_blocked_has_its_partners() -> None:
    dead = ("one", Action.FAILED, "Upstream is dead.", "Mend it.")
    done = ("two", Action.ADD, "", "")
    full = ("two", Action.FAILED, "two needs 9 MB more.", "Grow it.")
    blocked = ("two", Action.BLOCKED, "Its sandbox's volume s/sandbox1 is not filled.", "See it.")
    results = [
        PairResult(PAIRS[0], rows(PAIRS[0].sandbox, dead, done), rows(PAIRS[0].worker, dead, done)),
        PairResult(PAIRS[1], rows(PAIRS[1].sandbox, dead, full), rows(PAIRS[1].worker, dead, blocked)),
    ]
    assert failures(results) == [
        "one, on all 4 volumes: Upstream is dead. Mend it.",
        "two, on s/sandbox1 (so not on w/worker1 either): two needs 9 MB more. Grow it.",
    ]
    assert headline(results, failures(results)) == (
        "6 of 8 copies of projects are not as wanted; the others are, and a second run does only the rest. "
        "There are 2 causes, see `failures`."
    )


def test_names_of_the_place_alone_make_no_cause_of_their_own() -> None:
    def failed(volume: Volume, number: int) -> VolumeResult:
        words = f"Pod {volume.namespace}/packit-cache-filler-0a{number}-4 of {volume} cannot be placed."
        return rows(volume, ("one", Action.FAILED, words, ""))

    results = [PairResult(PAIRS[n], failed(PAIRS[n].sandbox, n), rows(PAIRS[n].worker, ("one", Action.ADD, "", ""))) for n in (0, 1)]
    assert failures(results) == ["one, on s/sandbox0, s/sandbox1: Pod s/packit-cache-filler-0a0-4 of s/sandbox0 cannot be placed."]
    assert headline(results, failures(results)).startswith("2 of 4 volumes are not as wanted; the others are,")


def test_different_projects_of_one_cause_are_named_by_place() -> None:
    def failed(volume: Volume, *names: str) -> VolumeResult:
        return rows(volume, *((name, Action.FAILED, "No.", "") for name in names))

    results = [PairResult(PAIRS[0], failed(PAIRS[0].sandbox, "one"), failed(PAIRS[0].worker, "one", "two"))]
    assert failures(results) == ["one on s/sandbox0; one, two on w/worker0: No."]


def test_where_nothing_failed_nothing_is_said() -> None:
    done = ("one", Action.ADD, "", "")
    results = [PairResult(PAIRS[0], rows(PAIRS[0].sandbox, done), rows(PAIRS[0].worker, done))]
    assert failures(results) == []
    assert headline(results, []) == ""
