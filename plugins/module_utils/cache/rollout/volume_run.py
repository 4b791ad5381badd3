# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One volume of a pair while the pair is worked on: its results so far, its record, and how often it was held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ...deadline import AWAY_SECONDS, Deadline
from ...errors import DeploymentError
from ...progress import Progress, Report
from ..domain.model import Volume
from ..domain.plan import Action, Step
from ..domain.projects import Project
from ..domain.record import Record, RecordedEntry
from ..domain.results import HoldTimes, ProjectResult, VolumeResult
from ..git.repository import Repository
from .volume_access import HeldVolume, VolumeAccess

CLEANING_SECONDS = 30.0
_DONE = {
    Action.ADD: "added",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.REPAIR: "mended",
    Action.COMPACT: "compacted",
    Action.REMOVE: "removed",
}


class VolumeRun:
    """Collects what becomes of one volume."""

    def __init__(self, volume: Volume, steps: Iterable[Step], access: VolumeAccess, report: Report) -> None:
        self.volume = volume
        self.steps = {step.project.name: step for step in steps}
        self._access = access
        self._report = report
        self._results: dict[str, ProjectResult] = {}
        self._locks: list[HoldTimes] = []
        self._warnings: list[str] = []
        self._entries: dict[str, RecordedEntry] = {}
        self._absent: set[str] = set()
        self._damaged: set[str] = set()
        self._news: set[str] = set()
        self._before: dict[str, ProjectResult] = {}

    def decide(self, steps: Iterable[Step]) -> None:
        """Set the steps that were decided again from what is known now."""
        self.steps.update({step.project.name: step for step in steps})

    def add(self, step: Step) -> None:
        """One more step, for what was found on the volume."""
        self.steps[step.project.name] = step

    def damaged(self, project: Project) -> bool:
        """Return whether it was not whole when it was looked at last, so that all of it is to be looked at."""
        record = self.recorded()
        return project.name in self._damaged or (record is not None and project.name in record.damaged)

    def knows(self, project: Project) -> bool:
        """Return whether the claim says that it is there."""
        record = self.recorded()
        return record is not None and project.name in record.projects

    def suspect(self, project: Project) -> None:
        """Note that a project is damaged; the record says so until it is mended."""
        self._damaged.add(project.name)
        self._news.add(project.name)

    def warn(self, words: str) -> None:
        """Something that the user should know of the volume."""
        if words not in self._warnings:
            self._warnings.append(words)

    def result(self) -> VolumeResult:
        """Return what has become of the volume; projects in the order of the plan. What nobody lists is there where something became of it."""
        steps = [(step, self._results[name]) for name, step in self.steps.items() if name in self._results]
        record = self.recorded()
        results = tuple(result.with_record(record) for step, result in steps if step.listed or result.action is not Action.NOTHING)
        return VolumeResult(self.volume, results, tuple(self._locks), tuple(self._warnings))

    def result_of(self, project: Project) -> ProjectResult:
        """Return what has become of a project that has a result."""
        return self._results[project.name]

    def open(self, project: Project) -> bool:
        """Return whether the project has no result yet."""
        return project.name not in self._results

    def failed(self, project: Project) -> bool:
        """Return whether the project has a result that is not as wanted."""
        result = self._results.get(project.name)
        return result is not None and (result.failed or result.action is Action.SKIPPED)

    def published(self, project: Project) -> bool:
        """Return whether the project is there, by this run's doing or seeing."""
        return project.name in self._entries

    def settle(self, project: Project, result: ProjectResult) -> None:
        """The project's result; the first one counts."""
        if self.open(project):
            before = self._before.pop(project.name, None)
            self._results[project.name] = before if before is not None and before.changed and result.action is Action.NOTHING else result
            self._news.add(project.name)
            if result.action is not Action.NOTHING:
                self.tell(project.name, _DONE.get(result.action, result.action.value), result.error)

    def reopen(self, project: Project) -> None:
        """Open a project's result again, as another run may have been here since."""
        if not self.open(project) and not self.failed(project):
            self._before[project.name] = self._results.pop(project.name)
            self._entries.pop(project.name, None)

    def end(self, projects: Iterable[Project], action: Action, error: DeploymentError | None = None) -> None:
        """One result for all of these that have none yet."""
        for project in projects:
            words, remedy = ("", "") if error is None else (error.message, error.remedy)
            self.settle(project, ProjectResult(self.volume, project.name, action, error=words, remedy=remedy))

    def tell(self, project: str, phase: str, detail: str = "") -> None:
        """Something happened."""
        self._report(Progress(str(self.volume), phase, project, detail, done=len(self._results), total=len(self.steps)))

    @contextmanager
    def held(self, deadline: Deadline) -> Iterator[HeldVolume]:
        """Hold the volume; its lock and warnings are in the result, also when the work fails."""
        self.tell("", "is taken")
        held: HeldVolume | None = None
        try:
            with self._access.hold(self.volume, deadline, self._with_news) as held:
                self._news.clear()  # what an earlier hold has seen is written, or was another's to write
                yield held
        finally:
            if held is not None:
                self._locks.append(held.lock)
                self._warnings += held.warnings
                self.tell("", "released", f"held for {held.lock.seconds:.1f} s")

    def recorded(self) -> Record | None:
        """Return what is known of the volume."""
        return self._access.recorded(self.volume)

    def done(self, project: Project, result: ProjectResult) -> None:
        """The project is there, verified and on disk; that goes into the record."""
        if result.there is not None:
            self._entries[project.name] = result.there
        self.settle(project, result)

    def forget(self, project: Project) -> None:
        """Write down that nothing is known of a project, before something is done that could leave it absent. Raises PlaceLost."""
        self._access.record(self.volume, lambda record: record.forget_project(project.name), writing(self.volume))

    def confirm(self, project: Project, there: RecordedEntry, recorded: RecordedEntry) -> None:
        """Without the volume being held: what the claim says of a project, ``there``, is known to be ``recorded``, as long as it says so."""

        def confirmed(record: Record) -> Record:
            return record.with_project(project.name, recorded) if record.projects.get(project.name) == there else record

        try:
            self._access.record(self.volume, confirmed, writing(self.volume))
        except DeploymentError as error:
            self.tell(project.name, "could not be written on the claim, so the next run looks inside", error.message)

    def read_again(self, deadline: Deadline) -> None:
        """Read the claim of the volume, which is not held."""
        self._access.read_again(self.volume, deadline)

    def _with_news(self, record: Record) -> Record:
        """A record with what the hold that ends has seen, and no more than that; of what failed, nothing is known."""
        for name in sorted(self._news):
            result = self._results.get(name)
            if name in self._entries:
                record = record.with_project(name, self._entries[name])
            elif name in self._damaged:
                record = record.with_damage(name)
            if result is None:
                continue
            if result.action is Action.FAILED:
                record = record.forget_project(name)
            elif result.action is Action.REMOVE or (result.action is Action.NOTHING and name in self._absent):
                record = record.without_project(name)
        return record

    def clean(self, project: Project, repository: Repository, deadline: Deadline) -> None:
        """Remove what was received in vain. What cannot be removed now is removed at the next take."""
        try:
            repository.clean(deadline.within(CLEANING_SECONDS, "cleaning up"))
        except DeploymentError as error:
            self.tell(project.name, "could not be cleaned up", error.message)

    def gone(self, project: Project, result: ProjectResult) -> None:
        """The project was removed, or was not there."""
        self._absent.add(project.name)
        self.settle(project, result)


def writing(volume: Volume) -> Deadline:
    """A deadline of its own: records are written after the work, also when the run was asked to stop."""
    return Deadline(AWAY_SECONDS, f"writing the annotation of claim {volume}")
