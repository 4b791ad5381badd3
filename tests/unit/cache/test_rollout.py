# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs are independent of each other, whatever becomes of one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.cache.keeper import HeldVolume
from ansible_collections.packit.deployment.plugins.module_utils.cache.model import Pair, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.pair_options import Options
from ansible_collections.packit.deployment.plugins.module_utils.cache.plan import State, Step, Wanted, make_plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.record import Change, Record, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout import roll_out
from ansible_collections.packit.deployment.plugins.module_utils.cache.snapshots import SnapshotBook
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer import AsItIs, Transfer
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cache.repository.driver import LocalKeeper, project_of


def pair(name: str) -> Pair:
    return Pair(Volume("w", f"worker-{name}", Role.WORKER, name), Volume("s", f"sandbox-{name}", Role.SANDBOX, name))


class Faulty(LocalKeeper):
    """Holding a volume of pair `a` meets a fault of ours."""

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldVolume]:
        if volume.serves == "a":
            raise ValueError("invalid literal for int() with base 10: ''")
        with super().hold(volume, deadline, news) as held:
            yield held


def test_a_fault_of_ours_in_one_pair_is_that_pairs_failure(tmp_path: Path) -> None:
    project = project_of("https://example.org/one.git")
    pairs = (pair("a"), pair("b"))
    plan = make_plan(Wanted(State.ABSENT, (project,), {}), pairs, {})
    options = Options(timeout=BOUND, max_hold=BOUND, verify=False, scratch=tmp_path / "scratch")
    keeper = Faulty(tmp_path)

    def transfer(_step: Step) -> Transfer:
        return AsItIs()

    book = SnapshotBook({}, lambda _project: Snapshot(()))
    failed, done = roll_out(plan, keeper, book, transfer, options, 2, lambda _progress: None, threading.Event())
    assert not done.sandbox.failed and not done.worker.failed
    assert keeper.records[pairs[1].worker] == Record(pairs[1].worker.claim, "local", {}, ("one",))
    for volume in (failed.sandbox, failed.worker):
        assert volume.projects[0].error == (
            "Pair a ended by an error that was not expected: ValueError: invalid literal for int() with base 10: ''."
        )
        assert volume.projects[0].remedy == "A fault of this collection, please report it with what -vvv shows."
