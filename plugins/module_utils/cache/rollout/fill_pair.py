# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of volumes, from plan to result: the order that keeps the sandbox's objects a superset of the worker's.

For each project the worker's volume, whose own pod is not locked out, receives the snapshot first, into a quarantine
that no consumer sees; what the sandbox's volume needs before it is taken is done beside that. Then the sandbox's volume is
taken (``sandbox``), receives it too, gets what of *all* the worker's objects it lacks (the quarantine's included), is
published, verified and released; and only then the worker's quarantine is published.

Where nothing is recorded of a project on the worker's volume, that volume is looked at before upstream is read in full (``unrecorded``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from ...deadline import Deadline
from ...errors import Cancelled, DeploymentError, PlaceLost
from ...progress import Report, Tell
from ...shell import require_there
from ..domain.methods import by_difference
from ..domain.model import Snapshot, Volume
from ..domain.packs import Damaged
from ..domain.plan import Action, PairPlan, Step, decide_again, proved
from ..domain.projects import Project
from ..domain.results import PairResult, ProjectResult
from ..domain.rollout_options import Options
from ..domain.space import check_capacity
from ..transfer.protocol import FullCopyNeeded, Transfer
from . import turns
from .sandbox import AS_IT_IS, SandboxFiller, work_on
from .snapshots import Snapshots
from .staged_project import NotThere, StagedProject, publish_project, repository_on, stage_project
from .unlisted import unlisted_on
from .unrecorded import UnrecordedProjects
from .volume_access import HeldVolume, VolumeAccess, VolumeSkipped
from .volume_run import CLEANING_SECONDS, VolumeRun

_READY_AT_ONCE = 3
"""Projects of a pair that are made ready at once: one may wait for its upstream while another one's packs are made."""
_FILLING_ACTIONS = (Action.ADD, Action.LOOK, Action.REPLACE)


class _WorkerLost(DeploymentError):
    """The place where the worker's volume was held is gone."""


class FillPair:
    """Carries out the plan of one pair, for projects that are to be present."""

    def __init__(
        self,
        plan: PairPlan,
        access: VolumeAccess,
        snapshots: Snapshots,
        transfer: Callable[[Step], Transfer],
        options: Options,
        report: Report,
        stop: threading.Event,
    ) -> None:
        self._plan = plan
        self._difference = by_difference(plan.wanted.methods)
        self._access = access
        self._snapshots = snapshots
        self._options = options
        self._stop = stop
        self._sandbox = VolumeRun(plan.pair.sandbox, plan.sandbox, access, report)
        self._worker = VolumeRun(plan.pair.worker, plan.worker, access, report)
        self._staged: dict[str, StagedProject] = {}
        self._not_compacted: set[str] = set()
        self._transfers: Mapping[tuple[Volume, str], Transfer] = {
            (step.volume, step.project.name): transfer(step) for step in plan.steps if step.listed and not plan.idle
        }
        self._unlisted = set(plan.unlisted)
        self._unrecorded = UnrecordedProjects(self._worker, self._transfers, transfer, snapshots, self._difference)
        self._turn = SandboxFiller(self._sandbox, self._staged, self._transfers, self._snapshots, self._options, self._unrecorded)

    def run(self) -> PairResult:
        """Do it. What fails is in the result; only Cancelled is raised."""
        projects = [step.project for step in self._plan.worker]
        pending = [project for project in projects if self._has_work(project)]
        for side in (self._sandbox, self._worker):
            side.end([project for project in projects if project not in pending], Action.NOTHING)
        try:
            pending = self._ready(pending)
            self._unrecorded.looking()
            failure = self._with_sandbox_prepared(pending)
        finally:
            self._unrecorded.looked()
        return self._result() if failure is None else self.failed(failure)

    def failed(self, failure: DeploymentError) -> PairResult:
        """Return what has become of the pair where this has ended the work; what was finished before has its result already."""
        for side in (self._sandbox, self._worker):
            side.end([step.project for step in side.steps.values() if step.listed], Action.FAILED, failure)
        return self._result()

    def _result(self) -> PairResult:
        return PairResult(self._plan.pair, self._sandbox.result(), self._worker.result(), tuple(sorted(self._unlisted)))

    def _with_sandbox_prepared(self, pending: list[Project]) -> DeploymentError | None:
        """Everything for the pending projects, with the sandbox's volume prepared beside it for as long as somebody needs that."""
        unneeded = threading.Event()
        with ThreadPoolExecutor(1, "prepare") as executor:
            prepared = executor.submit(self._prepare_sandbox, pending, unneeded)
            try:
                failure = self._tries(pending, prepared)
            finally:
                unneeded.set()
            prepared.result()
        return failure

    def _tries(self, pending: list[Project], prepared: Future[None]) -> DeploymentError | None:
        """Everything for the pending projects; what stopped all that has no result by then."""
        failure: DeploymentError | None = None
        tries = self._options.tries
        while pending and tries:
            tries -= 1
            try:
                with ExitStack() as stack:
                    worker = self._take_worker(stack, pending)
                    if worker is not None:
                        pending = [*self._decided_again(pending), *self._found(worker)]
                    pending = self._receive_unrecorded(worker, pending)
                    self._rounds(worker, pending, prepared)
                return None
            except Cancelled:
                raise
            except FullCopyNeeded as error:  # not counted: each time at least one project fewer is looked at first
                tries += 1
                self._worker.tell("", "is released until its packs are ready", error.message)
                pending = self._start_over(pending)
            except _WorkerLost as error:
                failure = error
                self._worker.tell("", "was lost, and is taken again where there are tries left", error.message)
                pending = self._start_over(pending)
            except DeploymentError as error:  # the worker's volume could not be released
                return error
        return failure

    def _start_over(self, pending: Sequence[Project]) -> list[Project]:
        """Return the projects with work to do once the worker's volume is taken again, made ready for that."""
        self._staged.clear()
        pending = [project for project in pending if self._worker.open(project) or self._sandbox.open(project)]
        for project in pending:
            if self._worker.open(project):
                self._sandbox.reopen(project)
        return self._ready(pending)

    def _receive_unrecorded(self, worker: HeldVolume | None, pending: list[Project]) -> list[Project]:
        """Receive first what may be there already. Raises FullCopyNeeded where it is not: the worker's volume is free while all is made ready."""
        first = self._unrecorded.of(pending)
        if worker is None:
            self._unrecorded.clear()
            return [*(project for project in pending if project not in first), *self._ready(first)]
        deadline = Deadline(self._options.timeout, f"volume {self._worker.volume}", self._stop)
        needed: FullCopyNeeded | None = None
        try:
            for project in first:
                try:
                    self._receive_on_worker(worker, project, deadline)
                except FullCopyNeeded as error:
                    needed = error
            self._unrecorded.looked()
            if needed is not None:
                raise needed
        except DeploymentError:
            self._clean_worker()
            raise
        return pending

    def _decided_again(self, pending: Sequence[Project]) -> list[Project]:
        """The projects with work to do, by what the two claims say now that the worker's volume is held: the plan was a guess.

        Nobody takes anything off the sandbox's volume without holding the worker's, so what its claim says stays so. Raises DeploymentError.
        """
        self._sandbox.read_again(Deadline(self._options.timeout, f"reading the claim {self._sandbox.volume}", self._stop))
        again = decide_again(self._plan, self._sandbox.recorded(), self._worker.recorded())
        for side, steps in ((self._sandbox, again.sandbox), (self._worker, again.worker)):
            side.decide(steps)
        self._unlisted.update(again.unlisted)
        names = {project.name for project in pending}
        going: list[Project] = []
        more: list[Project] = []
        for project in (step.project for step in again.worker):
            whole = not any(side.damaged(project) for side in (self._sandbox, self._worker))
            if project.name not in names:
                if self._has_work(project) and not any(side.failed(project) for side in (self._sandbox, self._worker)):
                    more.append(project)
            elif self._has_work(project) or not whole:
                going.append(project)
            else:  # another run has done it
                for side in (self._sandbox, self._worker):
                    side.end([project], Action.NOTHING)
        for project in more:
            for side in (self._sandbox, self._worker):
                side.reopen(project)
        decided = {step.project.name for step in again.worker}
        return [*going, *(project for project in pending if project.name not in decided), *self._ready(more)]

    def _found(self, worker: HeldVolume) -> list[Project]:
        """Return what else lies on the worker's volume, and is not known to be on its sandbox's. Raises _WorkerLost."""
        deadline = Deadline(self._options.timeout, f"volume {self._worker.volume}", self._stop)
        try:
            lying = unlisted_on(worker, self._worker, deadline)
        except PlaceLost as error:
            raise _WorkerLost(error.message, error.remedy) from error
        self._unlisted.update(project.name for project in lying)
        found = [
            project
            for project in lying
            if self._options.verify or not proved(project.name, self._sandbox.recorded(), self._worker.recorded())
        ]
        for project in found:
            for side in (self._sandbox, self._worker):
                side.add(Step(side.volume, project, Action.LOOK, self._difference, "it lies there, and nobody lists it", listed=False))
        return found

    def _has_work(self, project: Project) -> bool:
        name = project.name
        return any(side.steps[name].action is not Action.NOTHING for side in (self._sandbox, self._worker))

    def _ready(self, pending: Sequence[Project]) -> list[Project]:
        """Make the transfers ready, but of projects that are looked for first, and see that each has room; return the projects that go on."""
        if not pending:
            return []
        with ThreadPoolExecutor(min(_READY_AT_ONCE, len(pending)), "ready") as executor:
            return [project for project, goes_on in zip(pending, executor.map(self._made_ready, pending), strict=True) if goes_on]

    def _made_ready(self, project: Project) -> bool:
        """Have one project made ready; return whether it goes on. Raises Cancelled."""
        if not self._worker.steps[project.name].listed:
            return True
        deadline = Deadline(self._options.timeout, f"making {project.name} ready", self._stop)
        try:
            self._snapshots.renew_if_stale(project)
            if not self._unrecorded.check(project, deadline):
                for side in (self._worker, self._sandbox):
                    self._ready_for(side, project, deadline)
        except Cancelled:
            raise
        except DeploymentError as error:
            self._sandbox.end([project], Action.FAILED, error)
            self._worker.end([project], Action.BLOCKED, error)
            return False
        return True

    def _ready_for(self, side: VolumeRun, project: Project, deadline: Deadline) -> None:
        step, record = side.steps[project.name], side.recorded()
        if step.action is Action.NOTHING:
            return
        transfer = self._transfers[side.volume, project.name]
        needs = self._snapshots.with_current(
            project, lambda snapshot: _prepared(transfer, snapshot, deadline, self._may_need_all(side, project))
        )
        if record is None or project.name not in record.projects:
            used = 0 if record is None else sum(entry.bytes for entry in record.projects.values())
            check_capacity(project.name, needs, self._access.capacity(side.volume), used)

    def _may_need_all(self, side: VolumeRun, project: Project) -> bool:
        """Return whether a volume may have nothing of a project, or nothing that is of use."""
        doubted = self._options.verify or side.damaged(project) or not side.knows(project)
        return doubted and side.steps[project.name].action in _FILLING_ACTIONS

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

    def _rounds(self, worker: HeldVolume | None, pending: list[Project], prepared: Future[None]) -> None:
        try:
            receiving = Deadline(self._options.timeout, f"volume {self._worker.volume}", self._stop)
            self._receive_all_on_worker(worker, pending, receiving)
            prepared.result()
            # From here on: the sandbox's volume waits for neither of the two any more. The worker's filler lasts for both times.
            deadline = Deadline(self._options.timeout, f"volume {self._sandbox.volume}", self._stop)
            while True:
                later = self._turn.take(pending, deadline)
                for project in pending:
                    if project not in later:
                        self._finish_worker(project)
                if not later:
                    return
                self._require_full_copies(later)
                deadline.sleep(turns.PAUSE)
                if worker is not None:
                    self._require_there(worker)
                for name in self._turn.suspects:
                    if name in self._staged and not self._staged[name].work.verify:
                        del self._staged[name]
                pending = self._ready(later)  # a seed that was lost is made anew while no sandbox's volume is held
                self._receive_all_on_worker(worker, pending, deadline)
        finally:
            self._turn.close()
            if worker is not None:
                self._clean_worker()

    def _prepare_sandbox(self, pending: Sequence[Project], unneeded: threading.Event) -> None:
        """Beside what the worker's volume receives. Where that fails, it is done when the volume is taken, and judged by that."""
        if any(self._sandbox.steps[project.name].action is not Action.NOTHING for project in pending):
            deadline = Deadline(self._options.timeout, f"preparing volume {self._sandbox.volume}", self._stop, wanted=unneeded)
            try:
                self._access.prepare(self._sandbox.volume, deadline)
            except Cancelled:
                raise
            except DeploymentError as error:
                if not unneeded.is_set():
                    self._sandbox.tell("", "could not be prepared, which is tried again when it is taken", error.message)

    def _clean_worker(self) -> None:
        """Remove the quarantines of projects that were not published; where a later run goes on with them they stay."""
        for staged in self._staged.values():
            if not self._worker.published(staged.project) and not staged.transfer.resumes:
                self._worker.clean(staged.project, staged.side.repository, Deadline(CLEANING_SECONDS, "cleaning up", self._stop))

    def _receive_all_on_worker(self, worker: HeldVolume | None, pending: Sequence[Project], deadline: Deadline) -> None:
        if worker is not None:
            for project in pending:
                self._receive_on_worker(worker, project, deadline)

    def _receive_on_worker(self, worker: HeldVolume, project: Project, deadline: Deadline) -> None:
        side, done = self._worker, self._staged.get(project.name)
        if not side.open(project) or (done is not None and done.work.snapshot == self._snapshots.current(project)):
            return
        transfer = self._unrecorded.transfer_for(project) or self._transfers.get((side.volume, project.name), AS_IT_IS)
        for attempt in range(self._options.tries):
            try:
                self._staged[project.name] = self._snapshots.with_current(
                    project, lambda snapshot: self._try_receive_on_worker(worker, project, snapshot, transfer, deadline)
                )
                return
            except Cancelled:
                raise
            except FullCopyNeeded:
                self._unrecorded.read_in_full(project)
                raise
            except PlaceLost as error:
                self._not_compacted.add(project.name)  # it takes the most memory of all, and whoever takes too much is killed with its pod
                self._require_there(worker)
                if attempt + 1 == self._options.tries or not transfer.resumes:
                    self._failed_on_worker(worker, project, error, deadline)
                    return
                side.tell(project.name, "goes on after a lost connection", error.message)
                deadline.sleep(turns.PAUSE)
            except NotThere as error:
                if error.message:
                    side.warn(error.message)
                for other in (self._sandbox, side):
                    other.gone(project, ProjectResult(other.volume, project.name, Action.NOTHING))
                self._unlisted.discard(project.name)
                return
            except DeploymentError as error:
                if project in self._unrecorded:  # the planned way needs less of the filler, or does not read what is broken there
                    self._unrecorded.read_in_full(project)
                    self._clean_staged(worker, project)
                    raise FullCopyNeeded(error.message, error.remedy) from error
                self._failed_on_worker(worker, project, error, deadline)
                if not transfer.resumes and project.name not in self._staged:
                    self._clean_staged(worker, project)
                return

    def _clean_staged(self, worker: HeldVolume, project: Project) -> None:
        """Remove what was received of a project in vain."""
        repository = repository_on(worker, project.name, self._options.leftovers_age)
        self._worker.clean(project, repository, Deadline(CLEANING_SECONDS, "cleaning up", self._stop))

    def _failed_on_worker(self, worker: HeldVolume, project: Project, error: DeploymentError, deadline: Deadline) -> None:
        """The worker's volume does not get it; its sandbox's does not wait for that, and has what is there brought all the same."""
        self._staged.pop(project.name, None)
        self._worker.end([project], Action.FAILED, error)
        if isinstance(error, Damaged):
            self._worker.suspect(project)
        if not self._worker.steps[project.name].listed:
            self._sandbox.end(
                [project], Action.BLOCKED, DeploymentError("What its worker's volume has of it cannot be read.", "See that volume.")
            )
            return
        try:
            work = work_on(self._worker, project, None, AS_IT_IS, self._options, False, self._telling(project))
            self._staged[project.name] = stage_project(worker, self._worker.volume, work, None, deadline)
        except Cancelled:
            raise
        except PlaceLost as lost:
            raise _WorkerLost(lost.message, lost.remedy) from lost
        except DeploymentError as nothing:
            self._worker.tell(project.name, "has nothing that could be brought to its sandbox", nothing.message)

    def _telling(self, project: Project) -> Tell:
        return lambda phase, line: self._worker.tell(project.name, phase, line)

    def _require_there(self, worker: HeldVolume) -> None:
        """Raises _WorkerLost where processes can no longer be run on the worker's volume."""
        try:
            require_there(worker.shell, Deadline(self._options.timeout, f"volume {self._worker.volume}", self._stop))
        except PlaceLost as error:
            raise _WorkerLost(error.message, error.remedy) from error

    def _try_receive_on_worker(
        self, worker: HeldVolume, project: Project, snapshot: Snapshot | None, transfer: Transfer, deadline: Deadline
    ) -> StagedProject:
        side = self._worker
        # Again, as a seed may have been lost since: the worker's volume locks nobody out, so it can wait.
        _prepared(transfer, snapshot, deadline, self._may_need_all(side, project))
        suspect = project.name in self._turn.suspects
        given_up = project.name in self._not_compacted
        work = work_on(side, project, snapshot, transfer, self._options, suspect, self._telling(project), given_up=given_up)
        return stage_project(worker, side.volume, work, None, deadline)

    def _require_full_copies(self, later: Sequence[Project]) -> None:
        """Raises FullCopyNeeded where the sandbox's volume does: a seed may need the quota that the worker's filler takes."""
        needed = [project for project in later if project.name in self._turn.full_copies]
        self._turn.full_copies.clear()
        for project in needed:
            self._unrecorded.read_in_full(project)
        if needed:
            raise FullCopyNeeded(f"Its sandbox's volume needs a full copy of {', '.join(project.name for project in needed)}.")

    def _finish_worker(self, project: Project) -> None:
        side, staged = self._worker, self._staged.get(project.name)
        if not side.open(project):
            return
        sandbox = self._sandbox.result_of(project)
        if sandbox.failed or sandbox.action is Action.SKIPPED or staged is None:
            if project.name in self._turn.suspects:
                side.suspect(project)
            blocked = Action.SKIPPED if sandbox.action is Action.SKIPPED else Action.BLOCKED
            words = DeploymentError(
                f"Its sandbox's volume {self._sandbox.volume} is not filled, so this one must not be.", "See the sandbox's volume."
            )
            side.end([project], blocked, words)
            return
        if not self._turn.proves(project, staged):
            words = DeploymentError("What it has received since its filler was lost is not all in its sandbox's volume.", "Run again.")
            side.end([project], Action.FAILED, words)
            return
        if staged.side.joined is not None and not self._turn.has_pack(project, staged.side.joined.pack):
            staged = staged.without_joined()
        deadline = Deadline(self._options.timeout, f"volume {side.volume}", self._stop)
        try:
            if not staged.side.entry.usable:
                side.forget(project)
            result = publish_project(staged, None, deadline)
        except Cancelled:
            raise
        except PlaceLost as error:
            raise _WorkerLost(error.message, error.remedy) from error
        except DeploymentError as error:
            if isinstance(error, Damaged):
                side.suspect(project)
            side.end([project], Action.FAILED, error)
            return
        side.done(project, result)


def _prepared(transfer: Transfer, snapshot: Snapshot | None, deadline: Deadline, first: bool) -> int:
    return 0 if snapshot is None else transfer.prepare(snapshot, deadline, first)
