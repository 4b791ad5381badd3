# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a plan: pairs concurrently, each in its own order, and every result collected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ..background import unexpected
from ..errors import Cancelled, DeploymentError
from .keeper import Keeper
from .model import Volume
from .pair import PairRun
from .pair_options import Options
from .plan import Action, PairPlan, Plan, State, Step
from .removal import RemovalRun
from .results import PairResult, ProjectResult, VolumeResult
from .side import Report
from .snapshots import SnapshotBook
from .transfer import Transfer

VOLUMES_OF_A_PAIR = 2
"""A pair holds both of its volumes while its sandbox is filled."""


def roll_out(
    plan: Plan,
    keeper: Keeper,
    book: SnapshotBook,
    transfer: Callable[[Step], Transfer],
    options: Options,
    concurrency: int,
    report: Report,
    stop: threading.Event,
) -> tuple[PairResult, ...]:
    """Carry out the plan with at most ``concurrency`` volumes held at once; results in the plan's order.

    Raises Cancelled when ``stop`` is set, after every pair that had begun has released its volumes.
    """

    def run(pair: PairPlan) -> PairResult:
        try:
            if plan.state is State.ABSENT:
                return RemovalRun(pair, keeper, options, report, stop).run()
            return PairRun(pair, keeper, book, transfer, options, report, stop).run()
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001  (the thread's outermost frame: one pair's failure is that pair's)
            return _failed(pair, unexpected(f"Pair {pair.pair.name}", error))

    at_once = max(1, concurrency // VOLUMES_OF_A_PAIR)
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="pair") as executor:
        futures: list[Future[PairResult]] = [executor.submit(run, pair) for pair in plan.pairs]
        waiting = set(futures)
        while waiting:
            # Short waits, so that the signals' handlers of the main thread run.
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            if stop.is_set() or any(future.exception() is not None for future in done):
                for future in waiting:
                    future.cancel()
                stop.set()
                break
    if any(future.cancelled() or isinstance(future.exception(), Cancelled) for future in futures):
        bugs = [
            error
            for future in futures
            if not future.cancelled() and (error := future.exception()) is not None and not isinstance(error, Cancelled)
        ]
        raise (
            bugs[0]
            if bugs
            else Cancelled("The run was asked to stop; every volume that was held has been released.", "Run again to do the rest.")
        )
    return tuple(future.result() for future in futures)


def _failed(plan: PairPlan, error: DeploymentError) -> PairResult:
    """The result of a pair whose work was ended by a fault of ours."""

    def of(steps: Iterable[Step], volume: Volume) -> VolumeResult:
        words = [
            ProjectResult(volume, step.project.name, Action.FAILED, error=error.message, remedy=error.remedy)
            for step in steps
            if step.listed
        ]
        return VolumeResult(volume, tuple(words))

    return PairResult(plan.pair, of(plan.sandbox, plan.pair.sandbox), of(plan.worker, plan.pair.worker), plan.unlisted)
