# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of volumes, from plan to result: the order that keeps the sandbox's objects a superset of the worker's.

For each project the worker's volume, whose own pod is not locked out, receives the snapshot first, into a quarantine
that no consumer sees. Then the sandbox's volume is taken, receives it too, gets what of *all* the worker's objects it
lacks (the quarantine's included), is published, verified and released; and only then the worker's quarantine is published.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..deadline import Deadline
from ..errors import Cancelled, DeadlineExceeded, DeploymentError
from .fill import Prepared, finish, prepare, repository_on, with_side
from .keeper import HeldVolume, Keeper, VolumeSkipped
from .model import Layout, Method, Project
from .objects import bring_missing
from .plan import Action, PairPlan
from .repository import Repository
from .results import PairResult
from .side import Report, VolumeSide
from .snapshots import SnapshotBook
from .transfer import SnapshotGone, Transfer

RELEASE_RESERVE = 5.0
"""Seconds of the longest hold that are kept for ending the work and deleting the pod."""
_CLEANING_SECONDS = 30.0


@dataclass(frozen=True)
class Options:
    """How a pair is worked on. ``timeout`` (one volume in all) and ``max_hold`` (a sandbox's volume at a time) are seconds;
    ``leftovers_age`` is the age in seconds from which temporary files of others count as left behind."""

    timeout: float
    max_hold: float
    verify: bool
    scratch: Path
    leftovers_age: float = 3600.0


class TooLong(DeploymentError):
    """A project cannot be brought to a sandbox's volume within the longest hold."""


class PairRun:
    """Carries out the plan of one pair, for projects that are to be present."""

    def __init__(
        self,
        plan: PairPlan,
        keeper: Keeper,
        book: SnapshotBook,
        transfer: Callable[[Project], Transfer],
        options: Options,
        report: Report,
        stop: threading.Event,
    ) -> None:
        self._plan = plan
        self._book = book
        self._transfer = transfer
        self._options = options
        self._stop = stop
        self._sandbox = VolumeSide(plan.pair.sandbox, plan.sandbox, keeper, report)
        self._worker = VolumeSide(plan.pair.worker, plan.worker, keeper, report)
        self._prepared: dict[str, Prepared] = {}

    def run(self) -> PairResult:
        """Do it. What fails is in the result; only Cancelled is raised."""
        projects = [step.project for step in self._plan.worker]
        pending = [project for project in projects if self._has_work(project)]
        for side in (self._sandbox, self._worker):
            side.end([project for project in projects if project not in pending], Action.NOTHING)
        if pending:
            try:
                with ExitStack() as stack:
                    self._rounds(self._take_worker(stack, pending), pending)
            except Cancelled:
                raise
            except DeploymentError as error:  # the worker's volume could not be released or written down
                self._worker.end(pending, Action.FAILED, error)
        return PairResult(self._plan.pair, self._sandbox.result(), self._worker.result())

    def _has_work(self, project: Project) -> bool:
        name = project.name
        return any(side.steps[name].action is not Action.NOTHING for side in (self._sandbox, self._worker))

    def _take_worker(self, stack: ExitStack, pending: Sequence[Project]) -> HeldVolume | None:
        """The worker's volume, for the whole of the pair; None where it cannot be had: its sandbox is filled all the same."""
        # Its sandbox's turns are inside, so it has the time of both.
        deadline = Deadline(2 * self._options.timeout, f"volume {self._worker.volume}", self._stop)
        try:
            return stack.enter_context(self._worker.held(deadline))
        except Cancelled:
            raise
        except VolumeSkipped as error:
            self._worker.end(pending, Action.SKIPPED, error)
        except DeploymentError as error:
            self._worker.end(pending, Action.FAILED, error)
        return None

    def _rounds(self, worker: HeldVolume | None, pending: Sequence[Project]) -> None:
        deadline = Deadline(self._options.timeout, f"volume {self._sandbox.volume}", self._stop)
        try:
            while pending:
                if worker is not None:
                    for project in pending:
                        self._prepare_worker(worker, project)
                later = self._sandbox_turn(pending, deadline)
                for project in pending:
                    if project not in later:
                        self._finish_worker(project)
                pending = later
        finally:
            if worker is not None:
                self._clean_worker()
                self._worker.write_record()

    def _clean_worker(self) -> None:
        """Remove the quarantines of projects that were not published."""
        for prepared in self._prepared.values():
            if not self._worker.published(prepared.project):
                self._clean(self._worker, prepared.project, prepared.side.repository)

    def _clean(self, side: VolumeSide, project: Project, repository: Repository) -> None:
        """Remove what was received in vain. What cannot be removed now is removed at the next take."""
        try:
            repository.clean(Deadline(_CLEANING_SECONDS, "cleaning up", self._stop))
        except DeploymentError as error:
            side.tell(project.name, "could not be cleaned up", error.message)

    def _prepare_worker(self, worker: HeldVolume, project: Project) -> None:
        deadline = Deadline(self._options.timeout, f"volume {self._worker.volume}", self._stop)
        side = self._worker
        while side.open(project):
            snapshot = self._book.current(project)
            try:
                self._prepared[project.name] = prepare(
                    worker,
                    side.volume,
                    project,
                    snapshot,
                    self._transfer(project),
                    self._options.leftovers_age,
                    deadline,
                    lambda words: side.tell(project.name, words),
                )
                return
            except Cancelled:
                raise
            except SnapshotGone:
                self._renew(project)
            except DeploymentError as error:
                side.end([project], Action.FAILED, error)

    def _renew(self, project: Project) -> None:
        """Take a new snapshot; where that fails, so do both volumes."""
        try:
            self._book.renew(project, self._book.current(project))
        except Cancelled:
            raise
        except DeploymentError as error:
            self._sandbox.end([project], Action.FAILED, error)
            self._worker.end([project], Action.BLOCKED, error)

    def _sandbox_turn(self, pending: Sequence[Project], deadline: Deadline) -> list[Project]:
        """Hold the sandbox's volume once, for as many projects as fit; returns those for a later turn."""
        needed = []
        for project in pending:
            if self._proved(project):
                self._sandbox.end([project], Action.NOTHING)
            elif self._sandbox.open(project) and self._fits(project):
                needed.append(project)
        if not needed:
            return []
        later: list[Project] = []
        try:
            with self._sandbox.held(deadline) as held:
                limit = deadline.within(
                    self._options.max_hold - held.held_seconds - RELEASE_RESERVE, "the longest hold of a sandbox's volume"
                )
                try:
                    later = self._fill_sandbox(held, needed, limit)
                finally:
                    self._sandbox.write_record()
        except Cancelled:
            raise
        except VolumeSkipped as error:
            self._sandbox.end(needed, Action.SKIPPED, error)
            return []
        except DeploymentError as error:
            self._sandbox.end(needed, Action.FAILED, error)
            return []
        return later

    def _fill_sandbox(self, held: HeldVolume, needed: Sequence[Project], limit: Deadline) -> list[Project]:
        later: list[Project] = []
        for number, project in enumerate(needed):
            try:
                self._fill_one(held, project, limit)
            except Cancelled:
                raise
            except SnapshotGone:
                self._renew(project)
                if self._sandbox.open(project):
                    later.append(project)
            except DeadlineExceeded as error:
                if number == 0:
                    self._sandbox.end([project], Action.FAILED, self._too_long(project, error))
                    later += needed[1:]
                else:
                    later += needed[number:]
                return later
            except DeploymentError as error:
                self._sandbox.end([project], Action.FAILED, error)
                self._clean(self._sandbox, project, repository_on(held, project.name, self._options.leftovers_age))
        return later

    def _fill_one(self, held: HeldVolume, project: Project, limit: Deadline) -> None:
        """One project on the sandbox's volume: received, completed with what the worker has, published, verified."""
        side = self._sandbox
        mine = prepare(
            held,
            side.volume,
            project,
            self._book.current(project),
            self._transfer(project),
            self._options.leftovers_age,
            limit,
            lambda words: side.tell(project.name, words),
        )
        worker = self._prepared.get(project.name)
        layout: Layout | None = None
        copied = 0
        if worker is not None:
            completed, copied = bring_missing(worker.side, mine.side, self._options.scratch, limit)
            mine, layout = with_side(mine, completed), worker.layout
        if not mine.side.entry.usable:
            side.forget(project)
        side.tell(project.name, "publishes")
        side.done(project, *finish(mine, self._options.verify, layout, limit))
        if copied:
            side.add_warning(project, f"{copied} packs with objects that only the worker had were copied from its volume")

    def _fits(self, project: Project) -> bool:
        """Refuse, before the sandbox's volume is taken, what has just been seen to take longer than it may be held."""
        prepared = self._prepared.get(project.name)
        budget = self._options.max_hold - RELEASE_RESERVE
        if prepared is None or prepared.transfer.method is not Method.GIT or prepared.seconds <= budget:
            return True
        error = TooLong(
            f"Receiving {project.name} by git took {prepared.seconds:.0f} seconds ({prepared.side.incoming.bytes / 1e6:.0f} MB) on the worker's "
            f"volume; a sandbox's volume may be held for {self._options.max_hold:.0f}.",
            "Use method rsync with a local clone, or raise repository_cache_max_hold.",
        )
        self._sandbox.end([project], Action.FAILED, error)
        return False

    def _too_long(self, project: Project, error: DeadlineExceeded) -> DeploymentError:
        return TooLong(
            f"{project.name} could not be brought to the volume while it was held: {error}",
            "Use method rsync with a local clone, or raise repository_cache_max_hold or repository_cache_timeout.",
        )

    def _proved(self, project: Project) -> bool:
        """Whether the sandbox's claim says that it holds the snapshot and exactly the worker's objects: it is not taken then."""
        prepared, record = self._prepared.get(project.name), self._sandbox.recorded()
        held = None if record is None else record.projects.get(project.name)
        if self._sandbox.steps[project.name].action is not Action.NOTHING or prepared is None or held is None:
            return False
        return held.snapshot == prepared.snapshot.digest and held.objects == prepared.side.objects

    def _finish_worker(self, project: Project) -> None:
        side, prepared = self._worker, self._prepared.get(project.name)
        if not side.open(project):
            return
        sandbox = next(result for result in self._sandbox.result().projects if result.project == project.name)
        if sandbox.failed or sandbox.action is Action.SKIPPED or prepared is None:
            blocked = Action.SKIPPED if sandbox.action is Action.SKIPPED else Action.BLOCKED
            words = DeploymentError(
                f"Its sandbox's volume {self._sandbox.volume} is not filled, so this one must not be.", "See the sandbox's volume."
            )
            side.end([project], blocked, words)
            return
        deadline = Deadline(self._options.timeout, f"volume {side.volume}", self._stop)
        try:
            if not prepared.side.entry.usable:
                side.forget(project)
            result, held = finish(prepared, self._options.verify, None, deadline)
        except Cancelled:
            raise
        except DeploymentError as error:
            side.end([project], Action.FAILED, error)
            return
        side.done(project, result, held)
