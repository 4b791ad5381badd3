# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One turn of a sandbox's volume: held for a short while, for as many projects as fit; the rest is a later turn."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

from ...deadline import Deadline
from ...errors import Cancelled, DeadlineExceeded, DeploymentError, Interrupted, PlaceLost
from ...progress import Tell
from ...shell import CommandFailed
from ..domain.compaction import drops
from ..domain.model import BY_RSYNC, BY_SEED, Snapshot, Volume
from ..domain.packs import Contents, Damaged, Pack, files_of
from ..domain.plan import Action, patterns_of
from ..domain.projects import Project
from ..domain.results import ProjectResult
from ..domain.rollout_options import Options
from ..domain.space import NoSpace
from ..git.bring_back import bring_back
from ..git.superset import bring_missing, fetch_file
from ..transfer.as_it_is import AsItIs
from ..transfer.from_worker import FromWorker
from ..transfer.missing_only import MissingOnly
from ..transfer.protocol import FullCopyNeeded, Transfer
from . import turns
from .batches import BatchFailed, work_in_batches
from .compacted import CompactionWork
from .snapshots import Snapshots, SnapshotStale
from .staged_project import StagedProject, Work, including, publish_project, repository_on, stage_project
from .unrecorded import UnrecordedProjects
from .volume_access import HeldVolume, VolumeSkipped
from .volume_run import VolumeRun

MAX_BATCHED_BYTES = 32 * 1024 * 1024
"""Size of the largest project that is filled in a batch with others: a step of it takes little memory, and two seconds at the most."""
_JOINED_SHARE = 0.25
"""The part of the longest hold in which a pack that was made of others may come: it is worth no failure."""
_WITHOUT_JOINED = "does not get the pack that was made of others"
AS_IT_IS = AsItIs()


def work_on(
    side: VolumeRun,
    project: Project,
    snapshot: Snapshot | None,
    transfer: Transfer,
    options: Options,
    verify: bool,
    tell: Tell,
    joined_at: Path | None = None,
    given_up: bool = False,
) -> Work:
    """Return what is to be done of a project on a volume; ``snapshot`` is None where it stays as it is, the last two as in CompactionWork."""
    record = side.recorded()
    recorded = None if record is None else record.projects.get(project.name)
    return Work(
        project=project,
        snapshot=snapshot,
        transfer=transfer,
        verify=verify or options.verify or side.damaged(project),
        earlier=() if recorded is None else tuple(recorded.patterns.split()),
        recorded=recorded,
        leftovers_age=options.leftovers_age,
        scratch=options.scratch,
        tell=tell,
        suspect=lambda: side.suspect(project),
        compaction=CompactionWork(options.compaction, options.now, recorded, joined_at, given_up),
    )


class SandboxFiller:
    """Takes turns on one sandbox's volume. ``staged`` is what the worker has received, by project, filled by the pair."""

    def __init__(
        self,
        side: VolumeRun,
        staged: MutableMapping[str, StagedProject],
        transfers: Mapping[tuple[Volume, str], Transfer],
        snapshots: Snapshots,
        options: Options,
        unrecorded: UnrecordedProjects,
    ) -> None:
        self._side = side
        self._staged = staged
        self._transfers = transfers
        self._snapshots = snapshots
        self._options = options
        self._unrecorded = unrecorded
        self._scratch = options.scratch / f"from-{side.volume.namespace}.{side.volume.claim}"
        self._lost: Counter[str] = Counter()
        self._brought: dict[Path, float] = {}
        self._proofs: dict[str, tuple[StagedProject | None, Contents]] = {}
        self._joined_at: dict[str, Path] = {}
        self._not_compacted: set[str] = set()
        self._one_by_one = False
        self.full_copies: set[str] = set()
        """Names of projects of which a full copy is needed here after all; whoever has it made ready removes them."""
        self.suspects: set[str] = set()
        """Names of projects that were not whole here with all that the worker has: each side is looked at in whole before the next turn."""

    def close(self) -> None:
        """Remove what was brought to this machine: the copies of many pairs would fill it."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._brought.clear()

    def take(self, pending: Sequence[Project], deadline: Deadline) -> list[Project]:
        """Hold the volume once, for as many projects as fit; returns those for a later turn."""
        chosen: dict[str, Transfer] = {}
        needed: list[Project] = []
        later: list[Project] = []
        for project in pending:
            if self._proved(project):
                continue
            if self._side.open(project):
                try:
                    chosen[project.name] = self._transfer(project, deadline)
                    self._bring_joined(project, deadline)
                except Cancelled:
                    raise
                except PlaceLost as error:  # the worker's: whether it is still there is looked at before the next turn
                    if self._goes_on(project, error):
                        later.append(project)
                    continue
                except DeploymentError as error:
                    self._side.end([project], Action.FAILED, error)
                    continue
                needed.append(project)
        if needed:
            later += self._hold_and_fill(needed, chosen, deadline)
        return later

    def _hold_and_fill(self, needed: Sequence[Project], chosen: Mapping[str, Transfer], deadline: Deadline) -> list[Project]:
        """Hold the volume and bring the projects; those for a later turn. What has failed has its result."""
        later: list[Project] = []
        try:
            with self._side.held(deadline) as held:
                attach = held.held_seconds
                limit = turns.work_limit(held, attach, self._options, deadline)
                later = self._fill(held, needed, chosen, limit, attach)
        except Cancelled:
            raise
        except VolumeSkipped as error:
            self._side.end(needed, Action.SKIPPED, error)
            return []
        except PlaceLost as error:  # before anything was done
            return [project for project in needed if self._goes_on(project, error)]
        except DeploymentError as error:
            self._side.end(needed, Action.FAILED, error)
            return []
        return later

    def proves(self, project: Project, worker: StagedProject) -> bool:
        """Return whether the sandbox's volume was seen to have all that the worker's has received."""
        compared, contents = self._proofs.get(project.name, (None, None))
        return compared is worker or (contents is not None and contents.includes(worker.side.contents))

    def has_pack(self, project: Project, pack: Pack) -> bool:
        """Return whether the sandbox's volume was seen to have a pack, when it was compared with its worker's."""
        _compared, contents = self._proofs.get(project.name, (None, None))
        return contents is not None and any(f"pack-{sums.split()[0]}" == pack.name for sums in contents.packs)

    def _transfer(self, project: Project, deadline: Deadline) -> Transfer:
        """Return what brings the project here; what the worker has fetched from upstream is not fetched again."""
        transfer = self._transfers.get((self._side.volume, project.name), AS_IT_IS)
        worker = self._staged.get(project.name)
        looked_first = project in self._unrecorded
        if worker is None or (not transfer.method.on_volume and not looked_first) or worker.work.snapshot != self._snapshots.current(project):
            return MissingOnly(transfer) if looked_first else transfer
        if not self._lacked_the_same(project, worker):  # what the worker has received is not what is lacking here, which comes by itself
            return AS_IT_IS
        from_worker = FromWorker(worker.side, self._scratch / project.name, self._brought, needs_entry=not transfer.method.on_volume)
        size = from_worker.prepare(worker.snapshot, deadline, first=True)
        # The way to the sandbox is as long as the one from the worker: what will not fit in the hold is refused before it.
        if from_worker.seconds > turns.seconds_for_work(0.0, self._options):
            raise turns.TooLong(
                f"Copying {project.name} ({size / 1e6:.0f} MB) from the worker's volume took {from_worker.seconds:.0f} seconds, and a sandbox's volume may "
                f"be held for {self._options.max_hold:.0f}.",
                f"Use {BY_SEED}, or {BY_RSYNC} with a local clone, or raise option `max_hold`.",
            )
        return from_worker

    def _bring_joined(self, project: Project, deadline: Deadline) -> None:
        """Bring the pack that was made of others on the worker's volume to this machine. What takes long on this way is not worth a hold."""
        worker = self._staged.get(project.name)
        if worker is None or worker.side.joined is None or project.name in self._not_compacted:
            return
        directory = self._scratch / project.name
        directory.mkdir(parents=True, exist_ok=True)
        repository = worker.side.repository
        files = [directory / name for name in files_of((worker.side.joined.pack.name,))]
        try:
            for file in files:
                if file not in self._brought:
                    started = monotonic()
                    fetch_file(repository, f"{repository.pack_directory}/{file.name}", file, deadline)
                    self._brought[file] = monotonic() - started
        except CommandFailed as error:
            self._side.tell(project.name, _WITHOUT_JOINED, error.message)
            return
        seconds = sum(self._brought[file] for file in files)
        if seconds <= self._options.max_hold * _JOINED_SHARE:
            self._joined_at[project.name] = directory
        else:
            self._side.tell(project.name, _WITHOUT_JOINED, f"bringing it took {seconds:.0f} seconds")

    def _lacked_the_same(self, project: Project, worker: StagedProject) -> bool:
        """Return whether this volume lacks what its worker's lacked before this run, by the claims. What nothing is known of lacks all."""
        record, before = self._side.recorded(), worker.work.recorded
        there = None if record is None else record.projects.get(project.name)
        return there is None or (before is not None and there.proves(before.key))

    def _fill(
        self, held: HeldVolume, needed: Sequence[Project], chosen: Mapping[str, Transfer], limit: Deadline, attach: float
    ) -> list[Project]:
        """Bring small projects together, then one after the other; those for a later turn. Raises TooLong where the volume is to blame, which
        took so long to attach."""
        small = [project for project in needed if self._small(project)]
        small = small if len(small) > 1 and not self._one_by_one else []
        large = [project for project in needed if project not in small]
        later, goes_on = self._fill_in_batches(held, small, chosen, limit, attach) if small else ([], True)
        if not goes_on:
            return [*later, *large]
        for number, project in enumerate(large):
            transfer = chosen[project.name]
            try:
                if not self._try_fill(held, project, transfer, limit):
                    later.append(project)
            except Interrupted as error:
                self._side.tell("", "is given back", error.message)
                return [*later, *large[number:]]
            except DeadlineExceeded as error:
                another_way = self._gives_up_compaction(project) or project.name in self.full_copies
                if number == 0 and not small and not transfer.resumes and not another_way:
                    self._require_time(limit, attach, error)
                    self._side.end([project], Action.FAILED, self._too_long(project, error))
                    return [*later, *large[1:]]
                return [*later, *large[number:]]
            except PlaceLost as error:
                left = large[number:] if self._goes_on(project, error) else large[number + 1 :]
                return [*later, *left]
        return later

    def _small(self, project: Project) -> bool:
        """Return whether a project has so little that several at once take neither much memory nor each other's time."""
        worker, record = self._staged.get(project.name), self._side.recorded()
        if worker is None or worker.work.verify or project.name in self.suspects or self._side.damaged(project):
            return False
        there = None if record is None else record.projects.get(project.name)
        sizes = (worker.side.entry.bytes, worker.side.incoming.bytes, 0 if there is None else there.bytes)
        return max(sizes) <= MAX_BATCHED_BYTES

    def _fill_in_batches(
        self, held: HeldVolume, small: Sequence[Project], chosen: Mapping[str, Transfer], limit: Deadline, attach: float
    ) -> tuple[list[Project], bool]:
        """Bring several projects at once; return those for a later turn, and whether this turn continues."""
        errors: list[DeploymentError] = []
        settled: dict[str, bool] = {}

        def work(seen: HeldVolume, project: Project) -> None:
            if errors:
                return
            try:
                settled[project.name] = self._try_fill(seen, project, chosen[project.name], limit)
            except (Cancelled, DeadlineExceeded, BatchFailed, PlaceLost) as error:
                errors.append(error)

        work_in_batches(held, small, limit, work)
        for error in errors:
            if isinstance(error, Cancelled):
                raise error
        later = [project for project in small if not settled.get(project.name)]
        first = errors[0] if errors else None
        too_much: DeploymentError | None = next((error for error in errors if isinstance(error, (PlaceLost, BatchFailed))), None)
        if isinstance(first, Interrupted):
            self._side.tell("", "is given back", first.message)
        elif too_much is None and isinstance(first, DeadlineExceeded) and not any(settled.values()):
            if not any(chosen[project.name].resumes for project in small):
                self._require_time(limit, attach, first)
            too_much = first  # which of them takes so long is seen then
        if too_much is not None:
            self._one_by_one = True
            self._side.tell("", "takes its projects one by one in the next turn", too_much.message)
        return later, first is None

    def _try_fill(self, held: HeldVolume, project: Project, transfer: Transfer, limit: Deadline) -> bool:
        """Fill one project; return whether it needs no later turn. Raises what ends this turn for all: Cancelled, DeadlineExceeded, BatchFailed,
        PlaceLost."""
        try:
            self._fill_one(held, project, transfer, limit)
        except (Cancelled, Interrupted, BatchFailed, PlaceLost):
            raise
        except DeadlineExceeded as error:
            if project in self._unrecorded:  # the planned way goes on in a later turn, or needs less time here
                self._needs_full_copy(project, error)
            raise
        except SnapshotStale:
            return False
        except FullCopyNeeded as error:
            self._needs_full_copy(project, error)
            return False
        except Damaged as error:
            self._side.suspect(project)
            if project.name in self.suspects or project.name not in self._staged:
                self._failed(held, project, error, limit)
                return True
            self.suspects.add(project.name)
            self._side.tell(project.name, "is not whole, and is looked at in whole in a later turn", error.message)
            return False
        except DeploymentError as error:
            self._failed(held, project, error, limit)
        return True

    def _needs_full_copy(self, project: Project, error: DeploymentError) -> None:
        self.full_copies.add(project.name)
        self._side.tell(project.name, "waits for a later turn, until its packs are ready", error.message)

    def _require_time(self, limit: Deadline, attach: float, error: DeadlineExceeded) -> None:
        """Raises TooLong where the volume itself took more of the longest hold than it left for the work."""
        if limit.seconds >= turns.seconds_for_work(attach, self._options):  # else it is the end of the run's own time
            turns.require_time(self._side.volume, attach, self._options, error)

    def _failed(self, held: HeldVolume, project: Project, error: DeploymentError, limit: Deadline) -> None:
        self._side.end([project], Action.FAILED, error)
        self._side.clean(project, repository_on(held, project.name, self._options.leftovers_age), limit)

    def _gives_up_compaction(self, project: Project) -> bool:
        """Return whether a turn that was cut off had work of a compaction in it: the next one does without."""
        record = self._side.recorded()
        there = None if record is None else record.projects.get(project.name)
        compacts = project.name in self._joined_at or drops(there, self._options.compaction, self._options.now())
        if not compacts or project.name in self._not_compacted:
            return False
        self._not_compacted.add(project.name)
        self._joined_at.pop(project.name, None)
        return True

    def _goes_on(self, project: Project, error: PlaceLost) -> bool:
        """Return whether a project whose filler, or where its packs came from, was lost has another try in a later turn."""
        self._gives_up_compaction(project)
        self._lost[project.name] += 1
        if self._lost[project.name] >= self._options.tries:
            self._side.end([project], Action.FAILED, error)
            return False
        self._side.tell(project.name, "goes on in a later turn", error.message)
        return True

    def _fill_one(self, held: HeldVolume, project: Project, transfer: Transfer, limit: Deadline) -> None:
        """One project on the sandbox's volume; where its snapshot cannot be had, at least what its worker's volume has."""
        worker = self._staged.get(project.name)
        if worker is not None and worker.work.snapshot is not None and worker.work.snapshot != self._snapshots.current(project):
            raise SnapshotStale("Another pair has taken a new snapshot since, which the worker's volume receives first.")

        def work(snapshot: Snapshot | None, by: Transfer) -> Work:
            verify = project.name in self.suspects
            return work_on(
                self._side,
                project,
                snapshot,
                by,
                self._options,
                verify,
                lambda phase, line: self._side.tell(project.name, phase, line),
                self._joined_at.get(project.name),
                project.name in self._not_compacted,
            )

        def bring(snapshot: Snapshot | None) -> None:
            self._bring(held, work(snapshot, transfer), limit)

        try:
            self._snapshots.once_with_current(project, bring)
        except (Cancelled, SnapshotStale, FullCopyNeeded, BatchFailed, DeadlineExceeded, PlaceLost, Damaged, NoSpace):
            raise  # where there is no room for the snapshot, there is none for what the worker has received of it
        except DeploymentError:
            if worker is not None and self._side.steps[project.name].listed:
                self._bring(held, work(None, AS_IT_IS), limit, done=False)
            raise

    def _bring(self, held: HeldVolume, work: Work, limit: Deadline, done: bool = True) -> None:
        """Received, completed with what the worker has, published, verified."""
        side, project = self._side, work.project
        worker = self._staged.get(project.name)
        mine = stage_project(held, side.volume, work, worker, limit)
        if worker is not None and worker.lost:
            brought, lost = bring_back(mine.side, worker.side, self._options.scratch, limit)
            worker = replace(worker, side=brought, current=False, lost=lost)
            self._staged[project.name] = worker
            mine = replace(mine, side=bring_missing(brought, mine.side, work.trusted_record, work.scratch, limit))
        if worker is not None and worker.work.snapshot is None and not worker.side.entry.whole:
            whole = worker.side
            whole.repository.prove(whole.entry, whole.incoming, worker.snapshot, limit)
        if not mine.side.entry.usable:
            side.forget(project)
        side.tell(project.name, "publishes")
        result = publish_project(mine, worker, limit)
        if done:
            side.done(project, result)
        self._proofs[project.name] = (worker, mine.side.proof)

    def _too_long(self, project: Project, error: DeadlineExceeded) -> DeploymentError:
        return turns.TooLong(
            f"{project.name} could not be brought to the volume while it was held: {error}",
            f"Use {BY_SEED}, or {BY_RSYNC} with a local clone, or raise option `max_hold` or option `timeout`.",
        )

    def _proved(self, project: Project) -> bool:
        """Return whether the sandbox's claim says that it holds the snapshot and all of the worker's objects: it is not taken then."""
        staged, record = self._staged.get(project.name), self._side.recorded()
        there = None if record is None else record.projects.get(project.name)
        if staged is None or there is None or self._side.damaged(project) or project.name in self.suspects:
            return False
        if staged.work.verify or staged.side.contents.doubtful or not staged.side.entry.whole:
            return False
        filled = (project.url, patterns_of(project), staged.work.snapshot and staged.snapshot.digest)
        if self._side.steps[project.name].listed and (there.url, there.patterns, there.snapshot) != filled:
            return False
        if not there.proves(staged.key):
            return False
        self._proofs[project.name] = (staged, staged.side.contents)
        self._side.done(project, ProjectResult(self._side.volume, project.name, Action.NOTHING, there))
        if (confirmed := including(there, staged)) != there:
            self._side.confirm(project, there, confirmed)
        return True
