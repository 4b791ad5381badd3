# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table at the end of a run."""

from __future__ import annotations

import yaml

from ansible_collections.packit.deployment.plugins.module_utils.cache.model import Pair, Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.results import Lock, PairResult, ProjectResult, VolumeResult
from ansible_collections.packit.deployment.plugins.module_utils.populate.report import summary

SANDBOX = Volume("packit-prod-sandbox", "sandcastle-repository-cache-packit-worker-long-running-0", Role.SANDBOX)
WORKER = Volume("packit-prod", "packit-worker-repository-cache-packit-worker-long-running-0", Role.WORKER)


def lines() -> list[str]:
    """Of a sandbox that was held twice, and a worker that was not."""
    filled = ProjectResult(SANDBOX, "packit", Action.ADD, "seed", bytes=22_000_000)
    idle = ProjectResult(WORKER, "packit", Action.NOTHING)
    held = VolumeResult(SANDBOX, (filled,), (Lock(0.5, 2.0, 0.5), Lock(0.5, 0.1, 0.3)))
    return summary([PairResult(Pair(WORKER, SANDBOX), held, VolumeResult(WORKER, (idle,)))])


def test_a_row_has_what_was_done_how_much_came_and_for_how_long_the_volume_was_held_in_all() -> None:
    head, sandbox, worker = (line.split() for line in lines())
    assert head == ["VOLUME", "PROJECT", "ACTION", "METHOD", "RECEIVED", "HELD"]
    assert sandbox == [str(SANDBOX), "packit", "add", "seed", "22MB", "3.9s"]
    assert worker == [str(WORKER), "packit", "unchanged", "-", "0B", "-"]


def test_the_table_stays_a_table_where_results_are_printed_as_yaml() -> None:
    assert yaml.safe_dump(lines(), width=80).splitlines() == [f"- {line}" for line in lines()]
