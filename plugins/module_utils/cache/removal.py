# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects taken off a pair of volumes: off the worker first, so that its objects are never more than the sandbox's."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ..deadline import Deadline
from ..errors import Cancelled, DeploymentError
from .fill import repository_on
from .keeper import Keeper, VolumeSkipped
from .model import Project
from .pair_options import Options
from .plan import Action, PairPlan
from .repository import NotRemoved
from .results import PairResult, ProjectResult
from .side import Report, VolumeSide


class RemovalRun:
    """Carries out the plan of one pair, for projects that are to be absent."""

    def __init__(self, plan: PairPlan, keeper: Keeper, options: Options, report: Report, stop: threading.Event) -> None:
        self._plan = plan
        self._options = options
        self._stop = stop
        self._sandbox = VolumeSide(plan.pair.sandbox, plan.sandbox, keeper, report)
        self._worker = VolumeSide(plan.pair.worker, plan.worker, keeper, report)

    def run(self) -> PairResult:
        """Do it. What fails is in the result; only Cancelled is raised."""
        self._remove(self._worker, [step.project for step in self._plan.worker], [])
        kept = [result.project for result in self._worker.result().projects if result.failed or result.action is Action.SKIPPED]
        self._remove(self._sandbox, [step.project for step in self._plan.sandbox], kept)
        return PairResult(self._plan.pair, self._sandbox.result(), self._worker.result())

    def _remove(self, side: VolumeSide, projects: Sequence[Project], kept: Sequence[str]) -> None:
        blocked = [project for project in projects if project.name in kept]
        words = DeploymentError(f"It is still on the worker's volume {self._worker.volume}, so it stays here.", "See the worker's volume.")
        side.end(blocked, Action.BLOCKED, words)
        pending = [project for project in projects if side.open(project) and side.steps[project.name].action is not Action.NOTHING]
        side.end([project for project in projects if project not in pending], Action.NOTHING)
        if not pending:
            return
        deadline = Deadline(self._options.timeout, f"volume {side.volume}", self._stop)
        try:
            with side.held(deadline) as held:
                try:
                    for project in pending:
                        side.forget(project)
                        try:
                            removed = repository_on(held, project.name, self._options.leftovers_age).remove(deadline)
                        except NotRemoved as error:  # that project's alone
                            side.end([project], Action.FAILED, error)
                            continue
                        side.gone(project, ProjectResult(side.volume, project.name, Action.REMOVE if removed else Action.NOTHING))
                finally:
                    side.write_record()
        except Cancelled:
            raise
        except VolumeSkipped as error:
            side.end(pending, Action.SKIPPED, error)
        except DeploymentError as error:
            side.end(pending, Action.FAILED, error)
