# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of volumes, from plan to result: the order that keeps the sandbox's objects a superset of the worker's.

For each project the worker's volume, whose own pod is not locked out, receives the snapshot first, into a quarantine
that no consumer sees. Then the sandbox is taken, filled, compared with *all* objects of the worker (what is in the
quarantine included), verified, published and released; and only then the worker's quarantine is published.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from ..deadline import Deadline
from ..errors import Cancelled, DeadlineExceeded, DeploymentError
from .entry import Entry
from .git import Limits
from .keeper import HeldVolume, Keeper, VolumeSkipped
from .model import Layout, Method, Project, Role, Snapshot, Volume
from .objects import bring_missing
from .plan import Action, PairPlan, Step
from .record import Held, Objects, Record
from .repository import Incoming, Repository
from .results import Lock, PairResult, Progress, ProjectResult, VolumeResult
from .snapshots import SnapshotBook
from .transfer import SnapshotGone, Transfer

RELEASE_RESERVE = 5.0
"""Seconds of the longest hold that are kept for ending the work and deleting the pod."""


@dataclass(frozen=True)
class Options:
    """How a pair is worked on. ``timeout`` and ``max_hold`` are seconds; ``leftovers_age`` is the age in seconds from
    which temporary files of others count as left behind."""

    timeout: float
    max_hold: float
    verify: bool
    scratch: Path
    leftovers_age: float = 3600.0


@dataclass
class _Side:
    """What has become of one volume of the pair so far."""

    volume: Volume
    steps: Mapping[str, Step]
    results: dict[str, ProjectResult] = field(default_factory=dict)
    locks: list[Lock] = field(default_factory=list)

    def result(self) -> VolumeResult:
        return VolumeResult(self.volume, tuple(self.results.values()), tuple(self.locks))

    def open(self, project: Project) -> bool:
        """Whether the project has no result yet."""
        return project.name not in self.results


@dataclass(frozen=True)
class _Prepared:
    """A project received into the worker's quarantine."""

    repository: Repository
    entry: Entry
    snapshot: Snapshot
    incoming: Incoming
    objects: Objects
    seconds: float


class PairRun:
    """Carries out the plan of one pair for projects that are to be present."""

    def __init__(
        self,
        plan: PairPlan,
        keeper: Keeper,
        book: SnapshotBook,
        transfer: Callable[[Project, Limits], Transfer],
        options: Options,
        report: Callable[[Progress], None],
        deadline: Deadline,
    ) -> None:
        self._plan = plan
        self._keeper = keeper
        self._book = book
        self._transfer = transfer
        self._options = options
        self._report = report
        self._deadline = deadline
        self._sandbox = _Side(plan.pair.sandbox, {step.project.name: step for step in plan.sandbox})
        self._worker = _Side(plan.pair.worker, {step.project.name: step for step in plan.worker})
        self._prepared: dict[str, _Prepared] = {}

    def run(self) -> PairResult:
        """Do it. Failures are in the result; only Cancelled is raised."""
        pending = [step.project for step in self._plan.worker if self._has_work(step.project)]
        for step in self._plan.steps:
            if step.project not in pending:
                self._settle(step.volume, step.project, Action.NOTHING)
        if pending:
            with ExitStack() as stack:
                worker = self._take_worker(stack, pending)
                self._turns(worker, pending)
        return PairResult(self._plan.pair, self._sandbox.result(), self._worker.result())
