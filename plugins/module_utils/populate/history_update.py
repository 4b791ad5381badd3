# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make of a run's outcome what it adds to the history. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ..cache.domain.model import Role
from ..cache.domain.plan import Action
from ..cache.domain.results import ProjectResult
from ..given_values import State
from ..history.runs import HistoryUpdate, Run, SnapshotAt, used_at
from .run import Outcome


def history_update(outcome: Outcome, begun: Run, ended: datetime, all_pairs: bool) -> HistoryUpdate:
    """Return what became of a run. ``begun`` is what was known of it at its beginning; ``all_pairs`` means that no worker was left out."""
    volumes = [volume for result in outcome.results for volume in result.volumes]
    sandboxes = [volume for volume in volumes if volume.volume.role is Role.SANDBOX]
    rows = [row for volume in volumes for row in volume.projects]
    holds = [(lock.seconds, str(volume.volume)) for volume in sandboxes for lock in volume.locks]
    longest, held = max(holds, default=(0.0, ""))
    run = replace(
        begun,
        seconds=_seconds(begun.started, ended),
        volumes=len(volumes),
        changed=Counter(row.project for row in rows if row.changed),
        failed=_failed(rows),
        error=next((f"{volume.volume}: {volume.stuck}" for volume in sandboxes if volume.stuck), ""),
        longest_hold=round(longest, 1),
        held=held,
    )
    records = {volume: record for volume, record in outcome.after.items() if record is not None}
    used = {str(volume): used_at(ended, {name: entry.bytes for name, entry in record.projects.items()}) for volume, record in records.items()}
    if begun.state == State.ABSENT.value:
        return HistoryUpdate(run, removed=_gone(rows) if all_pairs else (), used=used)
    brought = {row.project: row.there.snapshot for row in rows if row.changed and row.there is not None and row.project in outcome.snapshots}
    # Where upstream moved while volumes were filled, what came is newer than what was read at the beginning.
    checked = {name: SnapshotAt(begun.started, brought.get(name, snapshot.digest)) for name, snapshot in outcome.snapshots.items()}
    return HistoryUpdate(run, checked, {name: SnapshotAt(ended, snapshot) for name, snapshot in brought.items()}, used=used)


def failed_run(begun: Run, ended: datetime, error: str) -> Run:
    """Return a run that could do nothing at all."""
    return replace(begun, seconds=_seconds(begun.started, ended), error=error)


def planned_run(outcome: Outcome, begun: Run, ended: datetime) -> Run:
    """Return what a run would do, as far as check mode tells."""
    steps = [step for pair in outcome.plan.pairs for step in pair.steps if step.action is not Action.NOTHING]
    rows = [row for result in outcome.results for volume in result.volumes for row in volume.projects]
    return replace(
        begun,
        seconds=_seconds(begun.started, ended),
        volumes=len({volume for pair in outcome.plan.pairs for volume in pair.pair.volumes}.union(row.volume for row in rows)),
        changed=Counter(step.project.name for step in steps),
        failed=_failed(rows),
    )


def _seconds(started: datetime, ended: datetime) -> float:
    """Return for how long a run took, 0 where the server's clock was set back meanwhile."""
    return round(max(0.0, (ended - started).total_seconds()), 1)


def _failed(rows: Sequence[ProjectResult]) -> dict[str, str]:
    """The first words of each project that failed; what is only blocked has its cause in its partner's row."""
    failed: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: row.action is Action.BLOCKED):
        if row.failed:
            failed.setdefault(row.project, f"{row.error} {row.remedy}".strip())
    return failed


def _gone(rows: Sequence[ProjectResult]) -> list[str]:
    """The projects that are on no volume any more."""
    left = {row.project for row in rows if row.action not in (Action.REMOVE, Action.NOTHING)}
    return sorted({row.project for row in rows} - left)
