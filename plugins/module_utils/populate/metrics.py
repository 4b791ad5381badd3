# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as metrics. Pure.

All are gauges, and of what gets old the time is told and not the age: an age would stand still until the next run. Labels are names of
claims, and of projects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..cache.domain.model import Role
from ..given_values import State
from ..history.runs import History, HistoryUpdate
from .prometheus import Metric
from .run import Outcome

Values = dict[tuple[str, ...], float]
_PROJECT, _VOLUME, _COPY = ("project",), ("volume",), ("volume", "project")


def metrics_of(projects: Iterable[str], update: HistoryUpdate, history: History, outcome: Outcome | None) -> list[Metric]:
    """Return what a run has to tell of its projects and volumes. ``outcome`` is None where nothing could be done."""
    run = update.run
    # There can be no alert on what is not told at all, and what was never checked is as old as can be.
    never: Values = {(name,): 0.0 for name in projects} if run.state == State.PRESENT.value else {}
    ended = run.started.timestamp() + run.seconds
    checked: Values = {**never, **{(name,): moment.time.timestamp() for name, moment in history.checked.items()}}
    changed: Values = {(name,): moment.time.timestamp() for name, moment in history.changed.items()}
    return [
        Metric("run_timestamp_seconds", "When the last run ended.", (), {(): ended}),
        Metric("run_duration_seconds", "How long the last run took.", (), {(): run.seconds}),
        Metric("run_failed", "1 where something of the last run failed.", (), {(): float(bool(run.failed or run.error))}),
        Metric("checked_timestamp_seconds", "When a project's upstream was last read.", _PROJECT, checked),
        Metric("changed_timestamp_seconds", "When a volume last got something new of a project.", _PROJECT, changed),
        *(() if outcome is None else _volumes(outcome)),
    ]


def _volumes(outcome: Outcome) -> Iterator[Metric]:
    volumes = [volume for result in outcome.results for volume in result.volumes]
    recorded = {volume: record.projects for volume, record in outcome.after.items() if record is not None}
    used = {volume: sum(entry.bytes for entry in entries.values()) for volume, entries in recorded.items()}
    sizes = {volume: capacity for volume, capacity in outcome.capacities.items() if capacity}
    sandboxes = [volume for volume in volumes if volume.volume.role is Role.SANDBOX]
    packs: Values = {(str(volume), name): float(entry.bytes) for volume, entries in recorded.items() for name, entry in entries.items()}
    yield Metric("project_bytes", "Size of a project's packs on a volume.", _COPY, packs)
    capacity: Values = {(str(volume),): float(size) for volume, size in sizes.items()}
    yield Metric("capacity_bytes", "Size of a volume.", _VOLUME, capacity)
    free: Values = {(str(volume),): float(max(0, size - used.get(volume, 0))) for volume, size in sizes.items()}
    yield Metric("free_bytes", "Size of a volume less what is known to be on it.", _VOLUME, free)
    longest: Values = {(str(one.volume),): max((lock.seconds for lock in one.locks), default=0.0) for one in sandboxes}
    yield Metric("hold_seconds", "For how long the last run held a sandbox's volume, in the longest of its turns.", _VOLUME, longest)
    failed: Values = {(str(row.volume), row.project): float(row.failed) for one in volumes for row in one.projects}
    yield Metric("failed", "1 for a project that is not as wanted on a volume.", _COPY, failed)
