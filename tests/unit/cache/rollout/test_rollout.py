# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to one pair, expected or not, the others are filled and every pair has its rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action, Step, Wanted, make_plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Change, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.rollout_options import Options
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.rollout import roll_out
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.snapshots import Snapshots
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GitTransfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.protocol import Transfer
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import Cancelled
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.once import copied
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.repository.driver import HeldDirectory, LocalVolumeAccess, project_of
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

PAIRS = tuple(Pair(Volume("w", f"worker{n}", Role.WORKER, f"w{n}"), Volume("s", f"sandbox{n}", Role.SANDBOX, f"w{n}")) for n in range(3))


class Accesses(LocalVolumeAccess):
    """Each pair's volumes in a directory of its own; what is done with those of one pair is an error, at one point."""

    def __init__(self, directory: Path, error: BaseException | None, role: Role, stop: threading.Event) -> None:
        super().__init__(directory)
        self._error, self._role, self._stop = error, role, stop
        self.pairs = {pair.name: LocalVolumeAccess(directory / pair.name) for pair in PAIRS}
        for access in self.pairs.values():
            access.directory.mkdir()

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        if volume.serves == "w1" and volume.role is self._role and self._error is not None:
            if isinstance(self._error, Cancelled):
                self._stop.set()
            raise self._error
        with self.pairs[volume.serves].hold(volume, deadline, news) as held:
            yield held


Run = Callable[..., tuple[PairResult, ...]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    copied("five-commits", lambda path: make.make(path, commits=5), tmp_path / "upstream" / "one.git")
    with GitServer(tmp_path / "upstream") as server:
        url = server.url("one.git")

        def go(error: BaseException | None, role: Role = Role.SANDBOX, transfer: Callable[[Step], Transfer] | None = None):  # type: ignore[no-untyped-def]
            stop = threading.Event()
            snapshots = {"one": read_snapshot(LocalShell(), project_of(url), Deadline(BOUND, "this test"))}
            plan = make_plan(Wanted(State.PRESENT, (project_of(url),), snapshots, METHODS, datetime.now(timezone.utc)), PAIRS, {})
            (tmp_path / "scratch").mkdir()
            return roll_out(
                plan,
                Accesses(tmp_path, error, role, stop),
                Snapshots(snapshots, lambda _project: snapshots["one"]),
                transfer or (lambda _step: GitTransfer(url)),
                Options(BOUND, BOUND, False, tmp_path / "scratch"),
                2,
                lambda _progress: None,
                stop,
            )

        yield go


def actions(result: PairResult) -> list[str]:
    return [row.action.value for side in (result.sandbox, result.worker) for row in side.projects]


@pytest.mark.parametrize("role", [Role.WORKER, Role.SANDBOX])
def test_an_exception_that_nobody_expected_is_its_pairs_result(run: Run, role: Role) -> None:
    first, broken, last = run(KeyError("metadata"), role)
    assert actions(first) == actions(last) == ["add", "add"]
    rows = [row for side in (broken.sandbox, broken.worker) for row in side.projects]
    assert len(rows) == 2 and all(row.failed for row in rows)
    assert "The work on the volumes of w1 ended by an error that was not expected: KeyError: 'metadata'" in rows[0].error
    assert rows[0].remedy and "Traceback" not in rows[0].error
    assert broken.fault.startswith("Traceback (most recent call last):")


def test_a_pair_that_cannot_be_begun_has_its_rows_too(run: Run) -> None:
    def transfer(step: Step) -> Transfer:
        if step.volume.serves == "w1":
            raise OSError(28, "No space left on device")
        return GitTransfer(step.project.url)

    first, broken, last = run(None, transfer=transfer)
    assert actions(first) == actions(last) == ["add", "add"]
    assert actions(broken) == ["failed", "failed"]
    assert broken.sandbox.projects[0].remedy == "Look at this machine's disk and limits, and run again."


def test_a_run_that_is_stopped_has_all_its_rows(run: Run) -> None:
    first, stopped, never = run(Cancelled("the run was asked to stop"))
    assert actions(first) == ["add", "add"]
    for result in (stopped, never):
        assert {row.action for side in (result.sandbox, result.worker) for row in side.projects} == {Action.FAILED}
        assert result.worker.projects[0].error.startswith("The run was asked to stop; every volume that was held has been released.")
