# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One project on one held volume, in two halves: ``stage_project`` brings it to where no consumer looks, ``publish_project`` publishes it.

A pair does ``stage_project`` on both volumes before it does ``publish_project`` on the sandbox and then on the worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...deadline import Deadline
from ...errors import DeploymentError
from ...progress import Tell
from ...times import is_past, time_text
from ..domain.model import Layout, Role, Snapshot, Volume
from ..domain.packs import Damaged
from ..domain.plan import Action, patterns_of
from ..domain.projects import Project, matches
from ..domain.record import RecordedEntry, key
from ..domain.results import ProjectResult
from ..git.entry import Entry, Use, speaks_for_objects
from ..git.environment import Limits
from ..git.mending import doubted, salvage, with_history_walked
from ..git.publication import Unusable, bridge, check_usable, is_current, own_snapshot, publish
from ..git.repository import Incomplete, Repository
from ..git.scripts.selections import Sums
from ..git.superset import StagedEntry, bring_missing
from ..git.tampering import fit_for, tampered
from ..transfer.protocol import Transfer
from .compacted import AS_BEFORE, Compacted, CompactionWork, compact_on_worker, drop_on_sandbox, not_on_sandbox, receive_on_sandbox
from .volume_access import HeldVolume


@dataclass(frozen=True, kw_only=True)
class Work:
    """The work on one project on one held volume.

    ``snapshot`` is None where nobody lists the project: it stays as it is, and only what its sandbox's volume lacks is brought there.
    ``earlier`` are the patterns of refs that an earlier run brought, ``recorded`` what the claim says that there is.
    ``verify``: all that is there is looked at, before and after.
    ``suspect`` is called where what is there is not whole.
    """

    project: Project
    snapshot: Snapshot | None
    transfer: Transfer
    verify: bool
    earlier: tuple[str, ...]
    recorded: RecordedEntry | None
    leftovers_age: float
    scratch: Path
    tell: Tell
    suspect: Callable[[], None]
    compaction: CompactionWork = field(default_factory=CompactionWork)

    @property
    def trusted_record(self) -> RecordedEntry | None:
        """Return what the claim says, or None where ``verify`` trusts no claim."""
        return None if self.verify else self.recorded


@dataclass(frozen=True, kw_only=True)
class StagedProject:
    """A project received into a volume's quarantine. ``seconds`` is what that took; ``lost`` objects are damaged, and nowhere else here."""

    volume: Volume
    work: Work
    snapshot: Snapshot
    side: StagedEntry
    shared: bool
    current: bool
    lost: int
    seconds: float
    warnings: tuple[str, ...]
    compacted: Compacted = AS_BEFORE

    @property
    def project(self) -> Project:
        """The project."""
        return self.work.project

    @property
    def transfer(self) -> Transfer:
        """Return what brought it."""
        return self.work.transfer

    @property
    def key(self) -> str:
        """Return what will lie there, as ``RecordedEntry.key``."""
        return key(self.layout.value, self.side.contents.inventory)

    @property
    def same_refs(self) -> bool:
        """Return whether its refs are the snapshot's already."""
        return is_current(self.side.entry, self.snapshot, wanted_by(self.work))

    @property
    def in_grace(self) -> bool:
        """Return whether covered packs stay here for now."""
        return self.compacted.in_grace and self.work.recorded is not None and bool(self.work.recorded.covering)

    def without_joined(self) -> StagedProject:
        """Return the same without the joined pack, as its sandbox's volume did not get it.

        The worker's packs would become fewer alone, until its sandbox's had so many more that they looked like a stranger's.
        """
        incoming, contents = replace(self.side.incoming, packs=self.side.fetched), self.side.contents
        names = {pack.name.removeprefix("pack-") for pack in self.side.fetched}
        received = frozenset(sums for sums in contents.received if sums.split()[0] in names)
        contents = replace(contents, packs=contents.packs - contents.received | received, received=received)
        side = replace(self.side, incoming=incoming, contents=contents, joined=None)
        current = not incoming.packs and self.same_refs
        return replace(self, side=side, current=current, compacted=not_on_sandbox(self.project.name))

    @property
    def layout(self) -> Layout:
        """The layout that the entry has, or will have: new ones are bare."""
        return self.side.entry.layout if self.side.entry.usable and self.side.entry.layout is not None else Layout.BARE


def stage_project(held: HeldVolume, volume: Volume, work: Work, worker: StagedProject | None, deadline: Deadline) -> StagedProject:
    """Clean up what failed runs left, look at the entry, receive what is missing, and prove that it is whole then.

    On a sandbox's volume ``worker`` is what its worker's has: what only that has is brought before anything is proved. Where what is
    there turns out not to be whole, nothing is believed of it, and it is received once more. Raises DeploymentError.
    """
    started = time.monotonic()
    repository = repository_on(held, work.project.name, work.leftovers_age)
    entry, removed = repository.take(deadline, keep_received=work.transfer.resumes, snapshot=work.snapshot)
    if work.snapshot is None and worker is None and not entry.usable:
        raise _not_there(repository, entry)
    if worker is not None:
        entry = fit_for(entry, worker.layout, worker.side.entry.packs)
    check_usable(repository, entry, held.shared)
    if volume.role is Role.SANDBOX and worker is None and entry.occupied and not entry.usable:
        raise Unusable(
            f"{work.project.name} would have to be replaced ({entry.reason}), and what its worker's volume has of it is not known in this run",
            "Run again when the worker's volume can be taken; until then the worker's checkouts may need what is there.",
        )
    counted: frozenset[str] = frozenset()
    if work.verify:
        work.tell("checks all that is there", "")
        found = None
        if worker is not None:
            found = repository.checksums(entry, worker.side.contents.packs, deadline, Sums.ALL)
            entry, counted = tampered(entry, found), found.holds
        entry = doubted(repository, entry, deadline, walk=True, found=found)
    elif worker is None and work.snapshot is not None:  # a sandbox's is not walked while it is held: it gets all that its worker has
        entry = with_history_walked(repository, entry, deadline)
    if entry.use is Use.MEND:
        work.suspect()
    try:
        staged = _receive(repository, volume, held.shared, entry, counted, work, worker, deadline)
    except Damaged as error:
        if work.verify and not entry.whole:  # its packs' checksums were looked at
            raise
        work.suspect()
        work.tell("is not whole, and is received anew", error.message)
        entry = doubted(repository, entry, deadline)
        staged = _receive(repository, volume, held.shared, entry, counted, work, worker, deadline)
    name = work.project.name
    warnings = [*entry.warnings]
    misleading = [path for path in removed if speaks_for_objects(path)]
    if len(removed) > len(misleading):
        warnings.append(f"{len(removed) - len(misleading)} files that failed runs had left were removed from {name}")
    if misleading:
        warnings.append(
            f"{len(misleading)} files that git would believe instead of the objects (commit-graph, multi-pack-index, bitmap, rev, a file in "
            f"place of a directory, or a .git in a bare entry) were removed from {name}"
        )
    if entry.use is Use.MEND:
        warnings.append(f"{name} was mended, and its good objects kept: {entry.reason}")
    elif entry.reason and entry.occupied:
        warnings.append(f"{name} was replaced: {entry.reason}")
    return replace(staged, seconds=time.monotonic() - started, warnings=tuple(warnings))


class NotThere(DeploymentError):
    """The volume has nothing under the project's name that a checkout could borrow from."""


def _not_there(repository: Repository, entry: Entry) -> DeploymentError:
    if entry.use is Use.ABSENT:
        return NotThere("")
    name = repository.name
    if entry.layout is None and entry.use is Use.REPLACE:
        return NotThere(f"{name} is not listed, and is no git repository, so every clone of a project of that name fails")
    return Unusable(
        f"{name} is not listed, and what it has on the worker's volume cannot be brought to its sandbox's: {entry.reason}.",
        "List it, or remove it (option `state: absent` with it in option `projects`).",
    )


def _receive(
    repository: Repository,
    volume: Volume,
    shared: bool,
    entry: Entry,
    counted: frozenset[str],
    work: Work,
    worker: StagedProject | None,
    deadline: Deadline,
) -> StagedProject:
    snapshot = work.snapshot
    if snapshot is None:
        snapshot = own_snapshot(entry) if entry.usable or worker is None else own_snapshot(worker.side.entry, elsewhere=True)
    phase = f"receives by {work.transfer.method.name}"
    work.tell(phase, "")
    incoming = work.transfer.receive(repository, entry, snapshot, deadline, lambda line: work.tell(phase, line))
    compacted = AS_BEFORE
    if volume.role is Role.WORKER and work.snapshot is not None:
        incoming, compacted = compact_on_worker(repository, entry, incoming, work.compaction, deadline, work.tell)
    elif worker is not None:
        incoming, compacted = receive_on_sandbox(repository, incoming, worker.side.joined, work.compaction, deadline)
    contents = repository.contents(entry, incoming, deadline)
    side = StagedEntry(repository, entry, incoming, contents, counted if entry.usable else frozenset(), compacted.joined)
    if worker is not None:
        side = bring_missing(worker.side, side, work.trusted_record, work.scratch, deadline)
    incoming, lost = salvage(repository, entry, side.incoming, deadline)
    if incoming is not side.incoming:
        contents = repository.contents(entry, incoming, deadline)
        side = replace(side, incoming=incoming, contents=contents, counted=side.counted | contents.received)
    work.tell("checks", "")
    if work.snapshot is not None or worker is not None:  # what a sandbox's own packs may have lost to a stranger is there by now
        repository.prove(entry, incoming, snapshot, deadline)
    if worker is not None and not worker.in_grace:
        side, compacted = drop_on_sandbox(side, worker.side, compacted, work.compaction, deadline)
    current = not incoming.packs and not compacted.dropped and is_current(entry, snapshot, wanted_by(work))
    return StagedProject(
        volume=volume,
        work=work,
        snapshot=snapshot,
        side=side,
        shared=shared,
        current=current,
        lost=lost,
        seconds=0.0,
        warnings=(),
        compacted=compacted,
    )


def publish_project(staged: StagedProject, worker: StagedProject | None, deadline: Deadline) -> ProjectResult:
    """Publish what was received; ``worker`` is what its worker's volume has, where this is a sandbox's."""
    started = time.monotonic()
    side, work, snapshot = staged.side, staged.work, staged.snapshot
    repository, before = side.repository, side.entry
    after: Entry = before
    if not staged.current:
        after = publish(repository, before, side.incoming, snapshot, wanted_by(work), staged.shared, deadline)
    else:
        repository.clean(deadline)
    if before.use is Use.MEND:
        _require_no_gap(repository, after, deadline)
    bridged = after if worker is None else bridge(repository, after, worker.layout, deadline)
    if not staged.current and (work.verify or before.use is Use.MEND):
        repository.verify_whole(bridged, deadline, packs=not side.contents.packs <= side.counted)
    action = _action(staged, bridged != after)
    lost = (f"{staged.lost} damaged objects could not be brought back; no ref needs them",) if staged.lost else ()
    there = staged.compacted.on_record(_entry(staged, worker, bridged), side, work.compaction)
    return ProjectResult(
        volume=staged.volume,
        project=work.project.name,
        action=action,
        there=there if worker is None else including(there, worker),
        seconds=round(staged.seconds + time.monotonic() - started, 3),
        bytes=sum(pack.bytes for pack in side.fetched) if worker is None else side.incoming.bytes,
        warnings=(*staged.warnings, *side.incoming.warnings, *lost, *staged.compacted.warnings),
        notes=staged.compacted.notes,
    )


def _entry(staged: StagedProject, worker: StagedProject | None, published: Entry) -> RecordedEntry:
    """Return what is there of a project. Its time is the last at which it came from upstream, so it stays where upstream was not read."""
    work, read = staged.work, staged.work.snapshot is not None
    source = staged if worker is None or staged.side.entry.usable else worker  # what comes to an empty volume is as old as where it comes from
    earlier, now = "" if source.work.recorded is None else source.work.recorded.time, work.compaction.now()
    return RecordedEntry(
        url=work.project.url,
        snapshot=staged.snapshot.digest,
        refs=len(staged.snapshot.refs),
        bytes=published.bytes,
        layout=(published.layout or Layout.BARE).value,
        method=work.transfer.method.name,
        time=time_text(now) if read or not is_past(earlier, now) else earlier,
        inventory=staged.side.inventory(published),
        patterns=patterns_of(work.project) if read else " ".join(work.earlier),
    )


def including(recorded: RecordedEntry, worker: StagedProject) -> RecordedEntry:
    """Return what a sandbox's volume holds, with the word that it has all of its worker's."""
    return replace(recorded, includes="" if worker.key == recorded.key else worker.key)


def _require_no_gap(repository: Repository, entry: Entry, deadline: Deadline) -> None:
    """Raises Incomplete where refs that are not the project's to change still lead to where something is missing."""
    left = repository.gap(entry, deadline)
    if left:
        raise Incomplete(
            f"{repository.path} in {repository.shell.where} has other refs than the project's, and something is missing behind them: {left}",
            "Delete those refs there, or remove the project (option `state: absent`) and run again.",
        )


def repository_on(held: HeldVolume, name: str, leftovers_age: float) -> Repository:
    """A project's repository on a held volume."""
    limits = Limits(held.memory_bytes, held.cpus)
    return Repository(held.shell, held.root, name, held.scratch, limits, leftovers_age, held.tag, held.guest, held.shared)


def wanted_by(work: Work) -> Callable[[str], bool]:
    """Return whether a ref is ours to change: one that is wanted, or was when an earlier run brought it."""
    return lambda name: work.snapshot is None or matches((*work.project.refs, *work.earlier), name)


def _action(staged: StagedProject, bridged: bool) -> Action:
    if not staged.side.entry.usable:
        return Action.REPLACE if staged.side.entry.occupied else Action.ADD
    if staged.side.entry.use is Use.MEND:
        return Action.REPAIR
    if staged.compacted.notes and staged.same_refs and not staged.side.fetched and not bridged:
        return Action.COMPACT
    changed = bridged or not staged.current
    return Action.UPDATE if changed else Action.NOTHING
