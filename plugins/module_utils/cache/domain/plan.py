# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the steps of a run, from what is wanted and what is known. Pure: no input or output.

Check mode and ``--diff`` show a plan; ``rollout`` carries it out. A project that is known to be there in the wanted
snapshot needs no pod; what is not known is looked at inside, and decided there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from ...given_values import State
from .compaction import NO_COMPACTION, CompactionOptions, drops, why_joined
from .methods import Method, Outlook, by_difference, choose_method
from .model import Pair, Role, Snapshot, Volume
from .projects import Project
from .record import Record, RecordedEntry


class Action(str, Enum):
    """An action on one project on one volume. ``LOOK`` becomes one of the others once the volume was seen inside."""

    ADD = "add"
    UPDATE = "update"
    REPLACE = "replace"
    REPAIR = "repair"
    COMPACT = "compact"
    LOOK = "look"
    REMOVE = "remove"
    NOTHING = "unchanged"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """One project on one volume: what to do, by which method, and why in half a sentence.

    ``listed`` is False for one that nobody lists any more: it stays, and its sandbox's volume gets what only the worker's has of it.
    """

    volume: Volume
    project: Project
    action: Action
    method: Method
    why: str
    listed: bool = True


@dataclass(frozen=True)
class Wanted:
    """The aim of a run: projects with their snapshots (none where they are to be absent), and how.

    ``methods``: all that there are, in the order in which `auto` asks them. ``now`` is the time by the clock that records are written by.
    """

    state: State
    projects: tuple[Project, ...]
    snapshots: Mapping[str, Snapshot]
    methods: Sequence[Method]
    now: datetime
    verify: bool = False
    compaction: CompactionOptions = NO_COMPACTION


@dataclass(frozen=True)
class PairPlan:
    """The steps of a pair, projects in the user's order, for its sandbox and for its worker.

    ``unlisted`` names what the claims say is there beside them; ``wanted`` is what was decided from.
    """

    pair: Pair
    sandbox: tuple[Step, ...]
    worker: tuple[Step, ...]
    wanted: Wanted
    unlisted: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return all steps of the pair, in the order of the rule: sandbox, worker."""
        return self.sandbox + self.worker

    @property
    def idle(self) -> bool:
        """Return whether nothing is to be done, so that no volume is taken."""
        return all(step.action is Action.NOTHING for step in self.steps)


@dataclass(frozen=True)
class Plan:
    """The steps of a run."""

    state: State
    pairs: tuple[PairPlan, ...]

    @property
    def changes(self) -> bool:
        """Return whether the run may change something (a look inside counts: it may)."""
        return any(not pair.idle for pair in self.pairs)


def make_plan(wanted: Wanted, pairs: tuple[Pair, ...], records: Mapping[Volume, Record | None], seed_keeps: bool = False) -> Plan:
    """The plan for ``pairs``. ``records`` says what is known of each volume (None: nothing); ``seed_keeps`` as in Outlook."""
    volumes = [volume for pair in pairs for volume in pair.volumes]
    outlooks = {project.name: _outlook(project, [records.get(volume) for volume in volumes], seed_keeps) for project in wanted.projects}

    def pair_plan(pair: Pair) -> PairPlan:
        sandbox, worker = records.get(pair.sandbox), records.get(pair.worker)
        steps = [
            (
                _step(wanted, project, pair.sandbox, sandbox, outlooks[project.name]),
                _step(wanted, project, pair.worker, worker, outlooks[project.name]),
            )
            for project in wanted.projects
        ]
        unlisted = _unlisted(wanted, sandbox, worker)
        if wanted.state is State.PRESENT:
            steps = [_kept_together(*both, sandbox, worker) for both in steps]
            steps += [both for name in unlisted if (both := _stays(name, pair, sandbox, worker, wanted)) is not None]
        return PairPlan(pair, tuple(both[0] for both in steps), tuple(both[1] for both in steps), wanted, unlisted)

    return Plan(wanted.state, tuple(pair_plan(pair) for pair in pairs))


def decide_again(plan: PairPlan, sandbox: Record | None, worker: Record | None) -> PairPlan:
    """The plan of a pair from what its claims say now that its worker's volume is held. A project's method stays: it may be prepared."""
    pair = plan.pair
    again = make_plan(plan.wanted, (pair,), {pair.sandbox: sandbox, pair.worker: worker}).pairs[0]

    def by_the_same(steps: tuple[Step, ...], before: tuple[Step, ...]) -> tuple[Step, ...]:
        methods = {step.project.name: step.method for step in before}
        return tuple(replace(step, method=methods.get(step.project.name, step.method)) for step in steps)

    return replace(again, sandbox=by_the_same(again.sandbox, plan.sandbox), worker=by_the_same(again.worker, plan.worker))


def proved(name: str, sandbox: Record | None, worker: Record | None) -> bool:
    """Return whether the two claims say that the sandbox's volume has all of a project that its worker's has. Two that were never a pair do not."""
    recorded, includes = (None if record is None else record.projects.get(name) for record in (worker, sandbox))
    return recorded is not None and includes is not None and includes.proves(recorded.key)


def patterns_of(project: Project) -> str:
    """A project's patterns of refs, as a record has them."""
    return " ".join(project.refs)


def _kept_together(on_sandbox: Step, on_worker: Step, sandbox: Record | None, worker: Record | None) -> tuple[Step, Step]:
    """Return what is done where something is to be done on one of the two: the worker's volume is held then, and what it has is what counts."""
    if {on_sandbox.action, on_worker.action} == {Action.NOTHING} and not proved(on_worker.project.name, sandbox, worker):
        on_sandbox = replace(on_sandbox, action=Action.LOOK, why="the claims do not say that it has all that its worker's volume has")
    if on_worker.action is Action.COMPACT and on_sandbox.action is Action.NOTHING:
        on_sandbox = replace(on_sandbox, action=Action.COMPACT, why="it has the same packs as its worker's volume")
    if on_worker.action is Action.NOTHING and on_sandbox.action is not Action.NOTHING:
        on_worker = replace(on_worker, action=Action.LOOK, why="its sandbox's volume may lack something that it has")
    return on_sandbox, on_worker


def _unlisted(wanted: Wanted, sandbox: Record | None, worker: Record | None) -> tuple[str, ...]:
    listed = {project.name for project in wanted.projects}
    known = {name for record in (sandbox, worker) if record is not None for name in record.names}
    return tuple(sorted(known - listed))


def _stays(name: str, pair: Pair, sandbox: Record | None, worker: Record | None, wanted: Wanted) -> tuple[Step, Step] | None:
    """The steps for a project that nobody lists; None where the claims say that all is well, or that the worker's volume has none of it."""
    damaged = any(record is not None and name in record.damaged for record in (sandbox, worker))
    recorded = None if worker is None else worker.projects.get(name)
    if not damaged and worker is not None and (recorded is None or (proved(name, sandbox, worker) and not wanted.verify)):
        return None
    why = "it is not listed, and stays; whether the sandbox's volume has all that the worker's has is looked at"
    project, difference = Project(name, "" if recorded is None else recorded.url), by_difference(wanted.methods)
    look, there = (Step(volume, project, Action.LOOK, difference, why, listed=False) for volume in pair.volumes)
    return look, there


def _outlook(project: Project, records: Sequence[Record | None], seed_keeps: bool) -> Outlook:
    known = [record.projects[project.name] for record in records if record is not None and project.name in record.projects]
    return Outlook(len(records) - len(known), max((entry.bytes for entry in known), default=0), seed_keeps)


def _step(wanted: Wanted, project: Project, volume: Volume, record: Record | None, outlook: Outlook) -> Step:
    recorded = None if record is None else record.projects.get(project.name)
    method, how = choose_method(wanted.methods, project, recorded, outlook)
    if wanted.state is State.ABSENT:
        action, why = _removal(project, record)
        return Step(volume, project, action, method, why)
    if record is not None and project.name in record.damaged:
        return Step(volume, project, Action.LOOK, method, "it was damaged when it was looked at last, and is mended")
    if wanted.verify:
        return Step(volume, project, Action.LOOK, method, "option `verify: true` looks inside instead of trusting the claim")
    if record is None:
        return Step(volume, project, Action.LOOK, method, f"nothing is known of the volume; {how}")
    if recorded is None:
        return Step(volume, project, Action.ADD, method, f"the claim does not list it; {how}")
    if recorded.url != project.url:
        before = f"it was filled from {recorded.url}" if recorded.url else "it was there before it was listed"
        return Step(volume, project, Action.UPDATE, method, f"{before}; {how}")
    if recorded.patterns and recorded.patterns != patterns_of(project):
        return Step(volume, project, Action.UPDATE, method, f"its `refs` are others than they were; {how}")
    compacts = _compaction(wanted, volume, recorded)
    snapshot = wanted.snapshots[project.name]
    if recorded.snapshot != snapshot.digest:
        return Step(volume, project, Action.UPDATE, method, "; ".join(filter(None, ["upstream has moved", how, compacts])))
    if compacts:
        # Nothing is to be received, so no seed is made for it.
        return Step(volume, project, Action.COMPACT, by_difference(wanted.methods) if method.by_seed else method, compacts)
    return Step(volume, project, Action.NOTHING, method, "the claim says it is there, as upstream has it")


def _compaction(wanted: Wanted, volume: Volume, recorded: RecordedEntry) -> str:
    """Return why a volume's packs become fewer, in half a sentence. A sandbox's gets the packs that are made on its worker's."""
    if drops(recorded, wanted.compaction, wanted.now):
        return "old packs go, as a newer one has all of their objects"
    return why_joined(recorded, wanted.compaction, wanted.now) if volume.role is Role.WORKER else ""


def _removal(project: Project, record: Record | None) -> tuple[Action, str]:
    if record is None:
        return Action.LOOK, "nothing is known of the volume"
    if project.name in record.absent:
        return Action.NOTHING, "the claim says it is not there"
    if project.name in record.projects:
        return Action.REMOVE, "the claim says it is there"
    return Action.LOOK, "the claim does not list it"
