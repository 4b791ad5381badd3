# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done, from what is wanted and what is known. Pure: decides, touches nothing.

Check mode and ``--diff`` show a plan; ``rollout`` carries it out. A project that is known to be there in the wanted
snapshot needs no pod; what is not known is looked at inside, and decided there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from .model import Method, Pair, Project, Snapshot, Volume
from .record import Record


class Action(str, Enum):
    """What happens to one project on one volume. ``LOOK`` becomes one of the others once the volume was seen inside."""

    ADD = "add"
    UPDATE = "update"
    REPLACE = "replace"
    LOOK = "look"
    REMOVE = "remove"
    NOTHING = "unchanged"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    FAILED = "failed"


class State(str, Enum):
    """What the user wants of the listed projects."""

    PRESENT = "present"
    ABSENT = "absent"


@dataclass(frozen=True)
class Step:
    """One project on one volume: what to do, by which method, and why in half a sentence."""

    volume: Volume
    project: Project
    action: Action
    method: Method
    why: str


@dataclass(frozen=True)
class PairPlan:
    """The steps of a pair, projects in the user's order, for its sandbox and for its worker."""

    pair: Pair
    sandbox: tuple[Step, ...]
    worker: tuple[Step, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of the pair, in the order of the rule: sandbox, worker."""
        return self.sandbox + self.worker

    def of(self, volume: Volume) -> tuple[Step, ...]:
        """The steps of one of the two volumes."""
        return self.sandbox if volume == self.pair.sandbox else self.worker

    @property
    def idle(self) -> bool:
        """Whether nothing is to be done, so that no volume is taken."""
        return all(step.action is Action.NOTHING for step in self.steps)


@dataclass(frozen=True)
class Plan:
    """All that a run would do."""

    state: State
    pairs: tuple[PairPlan, ...]

    @property
    def changes(self) -> bool:
        """Whether the run may change something (a look inside counts: it may)."""
        return any(not pair.idle for pair in self.pairs)


@dataclass(frozen=True)
class Wanted:
    """What a run wants: the projects with their snapshots (none where they are to be absent), and how."""

    state: State
    projects: tuple[Project, ...]
    snapshots: Mapping[str, Snapshot]
    verify: bool = False


def choose_method(project: Project) -> tuple[Method, str]:
    """The method for a project, and why. ``auto`` becomes ``rsync`` where a local clone is named, else ``git``."""
    if project.method is not Method.AUTO:
        return project.method, f"{project.method.value} was asked for"
    if project.path:
        return Method.RSYNC, "rsync, as there is a local clone"
    return Method.GIT, "git, from upstream"


def make_plan(wanted: Wanted, pairs: tuple[Pair, ...], records: Mapping[Volume, Record | None]) -> Plan:
    """The plan for ``pairs``. ``records`` says what is known of each volume (None: nothing)."""
    return Plan(
        wanted.state,
        tuple(
            PairPlan(
                pair,
                tuple(_step(wanted, project, pair.sandbox, records.get(pair.sandbox)) for project in wanted.projects),
                tuple(_step(wanted, project, pair.worker, records.get(pair.worker)) for project in wanted.projects),
            )
            for pair in pairs
        ),
    )


def _step(wanted: Wanted, project: Project, volume: Volume, record: Record | None) -> Step:
    method, how = choose_method(project)
    if wanted.state is State.ABSENT:
        action, why = _removal(project, record)
        return Step(volume, project, action, method, why)
    held = None if record is None else record.projects.get(project.name)
    if wanted.verify:
        return Step(volume, project, Action.LOOK, method, "verify: true looks inside instead of trusting the claim")
    if record is None:
        return Step(volume, project, Action.LOOK, method, f"nothing is known of the volume; {how}")
    if held is None:
        return Step(volume, project, Action.ADD, method, f"the claim does not list it; {how}")
    if held.url != project.url:
        return Step(volume, project, Action.UPDATE, method, f"it was filled from {held.url}; {how}")
    snapshot = wanted.snapshots[project.name]
    if held.snapshot != snapshot.digest:
        return Step(volume, project, Action.UPDATE, method, f"upstream has moved; {how}")
    return Step(volume, project, Action.NOTHING, method, "the claim says it is there, as upstream has it")


def _removal(project: Project, record: Record | None) -> tuple[Action, str]:
    if record is None:
        return Action.LOOK, "nothing is known of the volume"
    if project.name in record.absent:
        return Action.NOTHING, "the claim says it is not there"
    if project.name in record.projects:
        return Action.REMOVE, "the claim says it is there"
    return Action.LOOK, "the claim does not list it"
