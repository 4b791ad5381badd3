# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in the shapes that people and playbooks see. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict

from ..cache.domain.model import Role, Volume
from ..cache.domain.plan import Action, Plan
from ..cache.domain.record import Record
from ..cache.domain.results import PairResult, ProjectResult, VolumeResult
from ..cache.domain.space import size
from ..given_values import State
from ..table import table
from ..words import counted

COLUMNS = ("VOLUME", "PROJECT", "ACTION", "METHOD", "RECEIVED", "HELD")
"""The columns of the table of a run."""
_NOTHING = {
    State.PRESENT: "Nothing to do: every volume holds every project, as upstream has it.",
    State.ABSENT: "Nothing to do: no volume holds any of the projects.",
}
_PLANNED = {Action.LOOK: "check", Action.REPAIR: "mend"}
"""The words of a plan that differ from those of results."""


def volume_facts(result: VolumeResult) -> dict[str, object]:
    """One volume, as the module returns it."""
    return {
        **_named(result.volume),
        "changed": result.changed,
        "failed": result.failed,
        "held_seconds": round(sum(lock.seconds for lock in result.locks), 3),
        "locks": [asdict(lock) for lock in result.locks],
        "waits": [asdict(wait) for wait in result.waits],
        "warnings": [*result.warnings, *filter(None, [result.stuck])],
        "projects": [_project_facts(project) for project in result.projects],
    }


def _project_facts(result: ProjectResult) -> dict[str, object]:
    there = result.there
    return {
        "name": result.project,
        "action": result.action.value,
        "method": result.method,
        "seconds": result.seconds,
        "bytes": result.bytes,
        "snapshot": "" if there is None else there.snapshot,
        "refs": 0 if there is None else there.refs,
        "layout": "" if there is None else there.layout,
        "warnings": list(result.warnings),
        "notes": list(result.notes),
        "error": result.error,
        "remedy": result.remedy,
    }


def plan_facts(plan: Plan) -> list[dict[str, object]]:
    """The plan, a dictionary a step."""
    return [
        {**_named(step.volume), "project": step.project.name, "action": step.action.value, "method": step.method.name, "why": step.why}
        for pair in plan.pairs
        for step in pair.steps
    ]


def planned_summary(plan: Plan, results: Iterable[PairResult] = ()) -> list[str]:
    """Return a table of what a run would do, a line each, ready to be printed. ``results``: what is known to fail."""
    rows = [
        (str(step.volume), step.project.name, _PLANNED.get(step.action, step.action.value), step.method.name, step.why)
        for pair in plan.pairs
        for step in pair.steps
        if step.action is not Action.NOTHING
    ]
    if not rows and any(volume.failed for volume in _volumes(results)):
        return ["Nothing could be done."]
    return _table(("VOLUME", "PROJECT", "WOULD", "METHOD", "WHY"), rows, sum(len(pair.steps) for pair in plan.pairs), plan.state)


def summary(results: Iterable[PairResult], state: State) -> list[str]:
    """Return a table of what was done to each project on each volume, a line each, ready to be printed. What stayed as it was is one line.

    Only a sandbox's volume locks somebody out while it is held, so only there it is told.
    """
    rows, number = [], 0
    for result in _volumes(results):
        held = f"{sum(lock.seconds for lock in result.locks):.1f}s" if result.locks and result.volume.role is Role.SANDBOX else "-"
        number += len(result.projects)
        rows += [
            (str(result.volume), project.project, project.action.value, project.method or "-", size(project.bytes).replace(" ", ""), held)
            for project in result.projects
            if project.action is not Action.NOTHING
        ]
    return _table(COLUMNS, rows, number, state)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], number: int, state: State) -> list[str]:
    """Return a table, and a line on the rest of the ``number`` of projects on volumes."""
    if not rows:
        return [_NOTHING[state]]
    return [*table(head, rows), *([f"Unchanged: {number - len(rows):,} of {number:,}."] if number > len(rows) else [])]


def warnings(results: Iterable[PairResult]) -> list[str]:
    """Warnings of all volumes and projects."""
    found = []
    for result in _volumes(results):
        found += [f"{result.volume}: {words}" for words in result.warnings]
        if result.stuck and not result.failed:
            found.append(f"{result.volume}: {result.stuck}")
        found += [f"{result.volume}: {words}" for project in result.projects for words in project.warnings]
    return found


def unlisted(plan: Plan, results: Iterable[PairResult], listed: Collection[str] = ()) -> str:
    """One line on what lies on the volumes though nobody lists it, by the claims and by what was seen; empty where there is nothing.

    ``listed`` are projects that somebody lists though the plan does not have them.
    """
    found: dict[str, set[str]] = {}
    for pair, names in [*((one.pair, one.unlisted) for one in plan.pairs), *((one.pair, one.unlisted) for one in results)]:
        for name in names:
            if name in listed:
                continue
            found.setdefault(name, set()).add(pair.name)
    if plan.state is not State.PRESENT or not found:
        return ""
    shown = ", ".join(f"{name} ({counted(len(pairs), 'worker')})" for name, pairs in sorted(found.items()))
    return f"Not listed, and left where it is: {shown}. To remove it: option `state: absent` with it in option `projects`."


def diff(before: Mapping[Volume, Record | None], after: Mapping[Volume, Mapping[str, str]]) -> list[dict[str, str]]:
    """Return what ``--diff`` shows: for each volume that changes, its projects with their snapshots. ``after``: name → text."""
    shown = []
    for volume, wanted in after.items():
        record = before.get(volume)
        known = {} if record is None else {name: snapshot_text(entry.snapshot, entry.refs) for name, entry in record.projects.items()}
        then = {**known, **wanted}
        texts = [_diff_text(known), _diff_text({name: text for name, text in then.items() if text})]
        if texts[0] != texts[1]:
            shown.append({"before_header": str(volume), "after_header": str(volume), "before": texts[0], "after": texts[1]})
    return shown


def snapshot_text(digest: str, refs: int) -> str:
    """A snapshot, as ``--diff`` shows it."""
    return f"{digest[:12]} ({refs} refs)"


def _diff_text(projects: Mapping[str, str]) -> str:
    return "".join(f"{name}: {text}\n" for name, text in sorted(projects.items()))


def _volumes(results: Iterable[PairResult]) -> Sequence[VolumeResult]:
    return [volume for result in results for volume in result.volumes]


def _named(volume: Volume) -> dict[str, object]:
    return {"namespace": volume.namespace, "claim": volume.claim, "role": volume.role.value, "serves": volume.serves}
