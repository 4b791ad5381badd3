# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects taken off a pair of volumes: off the worker first, so that its objects are never more than the sandbox's."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from ...deadline import Deadline
from ...errors import Cancelled, DeploymentError
from ...progress import Report
from ...shell import require_there
from ..domain.plan import Action, PairPlan
from ..domain.projects import Project
from ..domain.results import PairResult, ProjectResult
from ..domain.rollout_options import Options
from ..git.repository import NotRemoved
from .staged_project import repository_on
from .turns import take_turns
from .volume_access import HeldVolume, VolumeAccess, VolumeSkipped
from .volume_run import VolumeRun


class RemovePair:
    """Carries out the plan of one pair, for projects that are to be absent."""

    def __init__(self, plan: PairPlan, access: VolumeAccess, options: Options, report: Report, stop: threading.Event) -> None:
        self._plan = plan
        self._options = options
        self._stop = stop
        self._sandbox = VolumeRun(plan.pair.sandbox, plan.sandbox, access, report)
        self._worker = VolumeRun(plan.pair.worker, plan.worker, access, report)

    def run(self) -> PairResult:
        """Do it. What fails is in the result; only Cancelled is raised.

        The worker's volume is held until the sandbox's is done, so that nobody brings anything back in between; also where its claim says
        that there is nothing on it, as that is what the sandbox's removal rests on.
        """
        projects = [step.project for step in self._plan.worker]
        if self._plan.idle:
            for side in (self._worker, self._sandbox):
                side.end(projects, Action.NOTHING)
        else:
            self._remove_all(projects)
        return PairResult(self._plan.pair, self._sandbox.result(), self._worker.result())

    def failed(self, failure: DeploymentError) -> PairResult:
        """Return what has become of the pair where this has ended the work; what was finished before has its result already."""
        for side in (self._sandbox, self._worker):
            side.end([step.project for step in side.steps.values()], Action.FAILED, failure)
        return PairResult(self._plan.pair, self._sandbox.result(), self._worker.result())

    def _remove_all(self, projects: Sequence[Project]) -> None:
        # Its sandbox's turn is inside, so it has the time of both.
        deadline = Deadline(2 * self._options.timeout, f"volume {self._worker.volume}", self._stop)
        try:
            with self._worker.held(deadline) as held:
                self._remove(self._worker, held, projects, deadline)
                self._remove_from_sandbox(held, projects)
        except Cancelled:
            raise
        except VolumeSkipped as error:
            self._worker.end(projects, Action.SKIPPED, error)
        except DeploymentError as error:
            self._worker.end(projects, Action.FAILED, error)
        words = DeploymentError(
            f"It is, or may be, on the worker's volume {self._worker.volume}, so it stays here.", "See the worker's volume."
        )
        self._sandbox.end(projects, Action.BLOCKED, words)

    def _remove_from_sandbox(self, worker: HeldVolume, projects: Sequence[Project]) -> None:
        """Take off the sandbox's volume what is known to be off its worker's, which is held."""
        side = self._sandbox
        off = [project for project in projects if not self._worker.open(project) and not self._worker.failed(project)]
        deadline, begun, cut = Deadline(self._options.timeout, f"volume {side.volume}", self._stop), False, set[str]()

        def remove(held: HeldVolume, pending: Sequence[Project], limit: Deadline) -> None:
            nonlocal begun
            require_there(worker.shell, deadline)  # whoever waited for long may have lost it, and another run filled it since
            begun = True
            known = {project.name for project in pending if side.knows(project)}
            try:
                self._remove(side, held, pending, limit, cut)
            finally:  # what was deleted is gone, so a later turn goes on where this one ended
                cut.update(known & {project.name for project in pending if side.open(project)})

        try:
            side.read_again(deadline)
            self._end_absent(side, off)
            take_turns(side, off, self._options, deadline, remove)
        except Cancelled:
            raise
        except VolumeSkipped as error:
            if begun:
                words = DeploymentError(f"{error.message} A part of the projects may be gone by now; the rest is for the next run.", "Run again.")
                side.end(off, Action.FAILED, words)
            side.end(off, Action.SKIPPED, error)
        except DeploymentError as error:
            side.end(off, Action.FAILED, error)

    def _end_absent(self, side: VolumeRun, projects: Sequence[Project]) -> None:
        """End the projects that are absent by what the claim says now."""
        record = side.recorded()
        side.end([project for project in projects if record is not None and project.name in record.absent], Action.NOTHING)

    def _remove(self, side: VolumeRun, held: HeldVolume, projects: Sequence[Project], deadline: Deadline, cut: Collection[str] = ()) -> None:
        """Remove projects. ``cut``: those that an earlier turn may have removed before it was cut off, and told nobody."""
        self._end_absent(side, projects)
        for project in [project for project in projects if side.open(project)]:
            side.forget(project)
            try:
                removed = repository_on(held, project.name, self._options.leftovers_age).remove(deadline)
            except NotRemoved as error:  # that project's alone
                side.end([project], Action.FAILED, error)
                continue
            side.gone(project, ProjectResult(side.volume, project.name, Action.REMOVE if removed or project.name in cut else Action.NOTHING))
