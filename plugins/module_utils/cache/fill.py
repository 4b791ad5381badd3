# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One project on one held volume, in two halves: ``receive`` brings it to where no consumer looks, ``finish`` publishes it.

A pair does ``receive`` on both volumes before it does ``finish`` on the sandbox and then on the worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..deadline import Deadline
from .entry import Entry
from .git import Limits
from .keeper import HeldVolume
from .model import Layout, Project, Snapshot, Volume
from .objects import Side
from .plan import Action
from .projects import matches
from .publication import bridge, check_usable, is_current, publish
from .record import Held
from .repository import Incomplete, Repository
from .results import ProjectResult
from .transfer import Transfer

Tell = Callable[[str, str], None]
"""Called with what is going on, in a few words, and the newest line of the program that does it."""


@dataclass(frozen=True)
class Received:
    """A project received into a volume's quarantine. ``seconds`` is what that took."""

    volume: Volume
    project: Project
    snapshot: Snapshot
    transfer: Transfer
    side: Side
    shared: bool
    current: bool
    seconds: float
    warnings: tuple[str, ...]

    @property
    def layout(self) -> Layout:
        """The layout that the entry has, or will have: new ones are bare."""
        return self.side.entry.layout if self.side.entry.usable and self.side.entry.layout is not None else Layout.BARE


def receive(
    held: HeldVolume,
    volume: Volume,
    project: Project,
    snapshot: Snapshot,
    transfer: Transfer,
    leftovers_age: float,
    deadline: Deadline,
    tell: Tell,
    *,
    walk: bool,
) -> Received:
    """Clean up what failed runs left, look at the entry, and receive what the snapshot needs. Raises DeploymentError.

    ``walk``: whether the history that is there is walked before it is built on. A sandbox's is not, while it is held: it gets all that its
    worker has, whose history was walked.
    """
    started = time.monotonic()
    repository = repository_on(held, project.name, leftovers_age)
    entry, removed = repository.take(deadline, keep_received=transfer.resumes, snapshot=snapshot)
    check_usable(repository, entry, held.shared)
    if walk:
        entry = repository.with_history_walked(entry, deadline)
    warnings = [*entry.warnings]
    if removed:
        warnings.append(f"{len(removed)} files that failed runs had left were removed from {project.name}")
    if entry.reason and entry.occupied:
        warnings.append(f"{project.name} was replaced: {entry.reason}")
    if entry.gap:
        warnings.append(f"The history of {project.name} had a gap, so all of it was received anew: {entry.gap}")
    phase = f"receives by {transfer.method.value}"
    tell(phase, "")
    incoming = transfer.receive(repository, entry, snapshot, deadline, lambda line: tell(phase, line))
    tell("checks", "")
    repository.prove(entry, incoming, snapshot, deadline)
    side = Side(repository, entry, incoming, repository.contents(entry, incoming, deadline))
    current = not incoming.packs and is_current(entry, snapshot, wanted_by(project))
    return Received(volume, project, snapshot, transfer, side, held.shared, current, time.monotonic() - started, tuple(warnings))


def finish(received: Received, verify: bool, other_layout: Layout | None, deadline: Deadline) -> tuple[ProjectResult, Held]:
    """Publish what was received; ``other_layout`` is the worker's, where this is its sandbox. What was done, and what is there."""
    started = time.monotonic()
    side, project = received.side, received.project
    repository, before = side.repository, side.entry
    after: Entry = before
    if not received.current or side.incoming.packs:
        after = publish(repository, before, side.incoming, received.snapshot, wanted_by(project), received.shared, deadline)
    else:
        repository.clean(deadline)
    if before.gap:
        _require_no_gap(repository, after, deadline)
    bridged = after if other_layout is None else bridge(repository, after, other_layout, deadline)
    if verify:
        repository.verify_whole(bridged, deadline)
    action = _action(received, bridged != after)
    layout = (bridged.layout or Layout.BARE).value
    method = received.transfer.method.value
    result = ProjectResult(
        volume=received.volume,
        project=project.name,
        action=action,
        method=method,
        seconds=round(received.seconds + time.monotonic() - started, 3),
        bytes=side.incoming.bytes,
        snapshot=received.snapshot.digest,
        refs=len(received.snapshot.refs),
        layout=layout,
        warnings=(*received.warnings, *side.incoming.warnings),
    )
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    refs = len(received.snapshot.refs)
    return result, Held(project.url, received.snapshot.digest, refs, bridged.bytes, layout, method, now, side.contents.inventory)


def _require_no_gap(repository: Repository, entry: Entry, deadline: Deadline) -> None:
    """Raises Incomplete where refs that are not the project's to change still lead to where something is missing."""
    left = repository.with_history_walked(entry, deadline).gap
    if left:
        raise Incomplete(
            f"{repository.path} in {repository.shell.where} has other refs than the project's, and something is missing behind them: {left}",
            "Delete those refs there, or remove the project (repository_cache_state: absent) and run again.",
        )


def repository_on(held: HeldVolume, name: str, leftovers_age: float) -> Repository:
    """A project's repository on a held volume."""
    return Repository(held.shell, held.root, name, held.scratch, Limits(held.memory_bytes, held.cpus), leftovers_age, held.tag)


def wanted_by(project: Project) -> Callable[[str], bool]:
    """Whether a ref is one of the project's."""
    return lambda name: matches(project.refs, name)


def with_side(received: Received, side: Side) -> Received:
    """The same, after objects were brought to it."""
    return replace(received, side=side)


def _action(received: Received, bridged: bool) -> Action:
    if not received.side.entry.usable:
        return Action.REPLACE if received.side.entry.occupied else Action.ADD
    changed = bridged or bool(received.side.incoming.packs) or not received.current
    return Action.UPDATE if changed else Action.NOTHING
