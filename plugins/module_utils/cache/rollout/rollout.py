# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a plan: pairs concurrently, each in its own order, and every result collected."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

from ...background import unexpected
from ...errors import Cancelled, DeploymentError
from ...given_values import State
from ...progress import PAIR_ENDED, Progress, Report
from ..domain.model import VOLUMES_OF_A_PAIR, Volume
from ..domain.plan import Action, PairPlan, Plan, Step
from ..domain.results import PairResult, ProjectResult, VolumeResult
from ..domain.rollout_options import Options
from ..transfer.protocol import Transfer
from .fill_pair import FillPair
from .remove_pair import RemovePair
from .snapshots import Snapshots
from .volume_access import VolumeAccess


def roll_out(
    plan: Plan,
    access: VolumeAccess,
    snapshots: Snapshots,
    transfer: Callable[[Step], Transfer],
    options: Options,
    concurrency: int,
    report: Report,
    stop: threading.Event,
) -> tuple[PairResult, ...]:
    """Carry out the plan with at most ``concurrency`` volumes held at once; results in the plan's order.

    Whatever ends the work on a pair, expected or not, or as ``stop`` is set, is in that pair's result; every volume is released by then.
    """

    def work_on(pair: PairPlan) -> FillPair | RemovePair:
        if plan.state is State.ABSENT:
            return RemovePair(pair, access, options, report, stop)
        return FillPair(pair, access, snapshots, transfer, options, report, stop)

    def run(pair: PairPlan) -> PairResult:
        work: FillPair | RemovePair | None = None
        try:
            work = work_on(pair)
            return work.run()
        except Cancelled:
            return _ended(pair, work, stopped)
        except Exception as error:  # noqa: BLE001  (a thread's outermost frame: it is this pair's result)
            failure = unexpected(f"The work on the volumes of {pair.pair.name}", error)
            fault = "" if isinstance(error, DeploymentError) else traceback.format_exc()
            return replace(_ended(pair, work, failure), fault=fault)
        finally:
            report(Progress(str(pair.pair.worker), PAIR_ENDED))

    stopped = Cancelled("The run was asked to stop; every volume that was held has been released.", "Run again to do the rest.")
    at_once = max(1, concurrency // VOLUMES_OF_A_PAIR)
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="pair") as executor:
        futures: list[Future[PairResult]] = [executor.submit(run, pair) for pair in plan.pairs]
        waiting = set(futures)
        while waiting:
            # Short waits, so that a stop is seen.
            _done, waiting = wait(waiting, timeout=0.5)
            if stop.is_set():
                for future in waiting:
                    future.cancel()
                break
    pairs = zip(plan.pairs, futures, strict=True)
    return tuple(_ended(pair, None, stopped) if future.cancelled() else future.result() for pair, future in pairs)


def _ended(pair: PairPlan, work: FillPair | RemovePair | None, failure: DeploymentError) -> PairResult:
    """The result of a pair's work that was ended, or never begun."""
    if work is not None:
        return work.failed(failure)

    def untouched(steps: Sequence[Step], volume: Volume) -> VolumeResult:
        rows = [ProjectResult(volume, step.project.name, Action.FAILED, error=failure.message, remedy=failure.remedy) for step in steps]
        return VolumeResult(volume, tuple(rows))

    return PairResult(pair.pair, untouched(pair.sandbox, pair.pair.sandbox), untouched(pair.worker, pair.pair.worker))
