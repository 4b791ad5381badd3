# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compacts a project while its volumes are held, and says what of that goes on record. Where it fails, all else goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from ...deadline import Deadline
from ...progress import Tell
from ...shell import AnswerTooLarge, CommandFailed
from ...times import time_text
from ..domain.compaction import NO_COMPACTION, CompactionOptions, JoinedPack, drops, joins
from ..domain.record import RecordedEntry
from ..git.entry import Entry, NotUnderstood
from ..git.join_packs import Dropped, NotJoined, drop_covered, join_packs, receive_joined
from ..git.repository import Incoming, Repository
from ..git.steps import StoodStill
from ..git.superset import StagedEntry


@dataclass(frozen=True)
class CompactionWork:
    """A part of a compaction that is to be done for one project on one volume. ``now`` tells the time by the clock that records are written by.

    ``joined_at``, for a sandbox's volume: the directory on this machine with the files of the pack that was joined on its worker's.
    ``given_up``: an earlier try of this run was cut off where there was such work, so this one does without, as it is worth no failure.
    """

    options: CompactionOptions = NO_COMPACTION
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    recorded: RecordedEntry | None = None
    joined_at: Path | None = None
    given_up: bool = False


@dataclass(frozen=True)
class Compacted:
    """The part of a compaction that was done on one volume: the pack that was joined or came here, and how many covered packs were removed.

    ``in_grace``: packs that an earlier one has covered, if there are any, stay for now. ``settled``: all packs were found not worth joining.
    """

    joined: JoinedPack | None = None
    dropped: int = 0
    in_grace: bool = False
    settled: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def on_record(self, recorded: RecordedEntry, side: StagedEntry, work: CompactionWork) -> RecordedEntry:
        """Return the entry's record with what the next run's compaction needs to know."""
        before = work.recorded
        packs = side.contents.inventory.packs
        settled = packs if self.settled else 0 if before is None else min(before.settled, packs)
        if self.joined is not None:
            checksum = self.joined.pack.name.removeprefix("pack-")
            covering = next((sums for sums in side.contents.received if sums.split()[0] == checksum), "")
            return replace(recorded, settled=settled, covering=covering, covering_since=time_text(work.now()))
        if self.in_grace and before is not None:
            return replace(recorded, settled=settled, covering=before.covering, covering_since=before.covering_since)
        return replace(recorded, settled=settled)


AS_BEFORE = Compacted(in_grace=True)


def not_on_sandbox(project: str) -> Compacted:
    """Return what a compaction on a worker's volume has come to where its sandbox's did not get the joined pack."""
    return Compacted(settled=True, warnings=(f"the packs of {project} stay as they are: its sandbox's volume did not get the pack that was made of them",))


def compact_on_worker(
    repository: Repository, entry: Entry, incoming: Incoming, work: CompactionWork, deadline: Deadline, tell: Tell
) -> tuple[Incoming, Compacted]:
    """Remove covered packs, or join small ones, where it is time for either."""
    now = work.now()
    if not entry.whole:
        return incoming, Compacted()
    if drops(work.recorded, work.options, now):
        return incoming, _dropped(repository, entry, work, (), deadline)
    if not joins(entry.packs, work.recorded, work.options, now):
        return incoming, AS_BEFORE
    if work.given_up:
        why = f"the packs of {repository.name} were not put together, and stay as they are: an earlier try of this run was cut off"
        return incoming, Compacted(settled=True, warnings=(why,))
    tell("puts packs together", f"{entry.packs} packs")
    try:
        incoming, joined = join_packs(repository, entry, incoming, deadline)
    except (NotJoined, NotUnderstood, AnswerTooLarge, StoodStill) as error:
        why = f"the packs of {repository.name} were not put together, and stay as they are: {error.message}"
        return incoming, Compacted(settled=True, warnings=(why,))
    notes = () if joined is None else (f"one pack was made of {joined.of}, which stay for the time of option `compact_grace`",)
    return incoming, Compacted(joined, settled=joined is None, notes=notes)


def receive_on_sandbox(
    repository: Repository, incoming: Incoming, joined: JoinedPack | None, work: CompactionWork, deadline: Deadline
) -> tuple[Incoming, Compacted]:
    """Receive the pack that was joined on the worker's volume."""
    if joined is None or work.joined_at is None:
        return incoming, AS_BEFORE
    try:
        incoming = receive_joined(repository, incoming, joined, work.joined_at, deadline)
    except NotJoined as error:
        why = f"the pack that was made of {joined.of} of {repository.name} did not come here: {error.message}"
        return incoming, Compacted(in_grace=True, warnings=(why,))
    notes = (f"one pack came that has all of {joined.of}, which stay for the time of option `compact_grace`",)
    return incoming, Compacted(joined, notes=notes)


def drop_on_sandbox(
    side: StagedEntry, worker: StagedEntry, compacted: Compacted, work: CompactionWork, deadline: Deadline
) -> tuple[StagedEntry, Compacted]:
    """Remove covered packs that the worker's volume does not have. Its own were removed before, where its grace is over."""
    if not side.entry.whole or compacted.joined is not None or not drops(work.recorded, work.options, work.now()):
        return side, compacted
    kept = {sums.split()[0] for sums in worker.contents.packs}
    dropped = _dropped(side.repository, side.entry, work, kept, deadline)
    if not dropped.dropped:
        return side, dropped
    contents = side.repository.contents(side.entry, side.incoming, deadline)
    return replace(side, contents=contents, counted=side.counted & contents.packs), dropped


def _dropped(repository: Repository, entry: Entry, work: CompactionWork, kept: Collection[str], deadline: Deadline) -> Compacted:
    covering = "" if work.recorded is None else work.recorded.covering
    cut_off = Dropped(0, "an earlier try of this run was cut off")
    try:
        dropped = cut_off if work.given_up else drop_covered(repository, entry, covering, kept, deadline)
    except (CommandFailed, NotUnderstood, AnswerTooLarge, StoodStill) as error:
        dropped = Dropped(0, error.message)
    if dropped.why:
        # So many stay: to make one of them again in the next run would take their space once more.
        return Compacted(settled=True, warnings=(f"old packs of {repository.name} stay where they are: {dropped.why}",))
    words = f"{dropped.number} packs went, as a newer one has all of their objects"
    return Compacted(dropped=dropped.number, notes=(words,) if dropped.number else ())
