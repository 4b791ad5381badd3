# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole job, from options to results: look, plan, fill, report."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..cache.domain.model import Role, Snapshot, Volume
from ..cache.domain.plan import Action, PairPlan, Plan, Step, Wanted, make_plan
from ..cache.domain.projects import Project
from ..cache.domain.record import Record
from ..cache.domain.ref_names import left_out
from ..cache.domain.results import PairResult, ProjectResult, VolumeResult
from ..cache.domain.rollout_options import LEFTOVERS_AGE, Options
from ..cache.rollout.rollout import roll_out
from ..cache.rollout.snapshots import Snapshots
from ..cache.transfer.registry import METHODS
from ..cluster.api.access import CHANGE_RIGHTS, POLICY_RIGHTS, READ_RIGHTS, Right, require
from ..cluster.api.client import Client
from ..cluster.api.objects import parse_pod
from ..cluster.exec.pod_shell import PodShell
from ..cluster.pods.filler import Filler
from ..cluster.pods.manifest import LABEL, FillerSpec, Purpose
from ..cluster.pods.network_policy import sweep_policies
from ..cluster.pods.pod_watch import following
from ..cluster.pods.sweep import left_behind, sweep
from ..deadline import Deadline
from ..errors import DeploymentError
from ..given_values import State
from ..local_shell import LocalShell
from ..progress import Progress, Report
from ..volumes.discovery import READ_TIMEOUT, Observed, observe, openshift_namespaces
from ..volumes.holding import ClusterVolumeAccess, access_to, known
from .incomplete import still_held, tidied, unpaired, unread, with_waits
from .options import PopulateOptions, ResolveFrom
from .progress_lines import named
from .seed.context import SeedContext
from .seed.memory import with_large_memory
from .seed.replicas import replicas_for
from .seed.seeds import Seeds
from .transfers import Transfers
from .upstreams import UpstreamReader, Upstreams, read_project
from .workers_pods import seed_pod, workers_pod


@dataclass(frozen=True)
class Outcome:
    """A plan, what came of it (nothing in check mode), and what the user should know. ``unread``: projects that are not in the plan, as upstream
    could not be read."""

    plan: Plan
    before: Mapping[Volume, Record | None]
    snapshots: Mapping[str, Snapshot]
    results: tuple[PairResult, ...]
    notes: tuple[str, ...]
    unread: frozenset[str] = frozenset()
    after: Mapping[Volume, Record | None] = field(default_factory=dict)
    """The volumes' records at the end; ``before`` has those at the beginning."""
    capacities: Mapping[Volume, int] = field(default_factory=dict)
    """Bytes of each volume, 0 where that is not known."""


class Populate:
    """One run."""

    def __init__(
        self,
        options: PopulateOptions,
        client: Client,
        stop: threading.Event,
        report: Report,
        owner: Mapping[str, str],
    ) -> None:
        """``owner``: see ``run_owner``."""
        self._options = options
        self._client = client
        self._stop = stop
        self._report = report
        self._owner = owner
        self._local = LocalShell()
        self._has_rights = False
        self._left: list[str] = []
        self._on_openshift: frozenset[str] | None = None

    def run(self, check_mode: bool) -> Outcome:
        """Do it, or in check mode tell what would be done. Raises DeploymentError where nothing can be done at all."""
        options = self._options
        looking = Deadline(READ_TIMEOUT, "reading the cluster's state", self._stop)
        observed = observe(self._client, options.place, self._rights(check_mode), looking)
        notes = [*options.notes]
        notes += [f"Claim {volume} belongs to no worker: its worker is gone, or has no cache." for volume in observed.found.orphans]
        if options.resolve_from is ResolveFrom.POD and check_mode:
            notes.append("Check mode makes no pod, so upstream's refs were read on the controller.")
        if not check_mode:
            notes += self._swept(observed, looking)
        read = Upstreams({}, {}) if options.state is State.ABSENT else self._upstreams(observed, check_mode)
        snapshots = read.snapshots
        notes += [left_out(name, snapshot.left_out) for name, snapshot in snapshots.items() if snapshot.left_out]
        before = {volume: known(claim) for volume, claim in observed.claims.items()}
        # What could not be read is as if nobody listed it: what is there of it stays, and its worker's is in its sandbox's too.
        projects = tuple(project for project in options.projects if project.name not in read.failed)
        wanted = Wanted(options.state, projects, snapshots, METHODS, self._client.now(), options.verify, options.compaction)
        plan = make_plan(wanted, observed.found.pairs, before, bool(options.seed.claim))
        seed = self._seed(observed) if plan.changes else None
        done = _Done()
        if not check_mode:
            busy = sum(not pair.idle for pair in plan.pairs)
            self._report(Progress("", f"{busy} of {len(plan.pairs)} pairs of volumes have work to do", total=busy))
            if seed is None:
                done = _Done(tuple(_untouched(pair, before) for pair in plan.pairs))
            else:
                self._require_rights(observed)
                with following(self._client, observed.namespaces):
                    done = self._carry_out(plan, self._access(observed), seed, read)
            notes += self._swept_at_the_end(observed)
        results = unread(read.failed, plan, done.results)
        alone = tuple(unpaired(pair, options.projects, read.failed) for pair in observed.found.unpaired_workers)
        return Outcome(
            plan=plan,
            before=before,
            snapshots=snapshots,
            results=results + alone,
            notes=(*notes, *done.notes, *self._left),
            unread=frozenset(read.failed),
            after={**before, **done.records},
            capacities={volume: claim.capacity for volume, claim in observed.claims.items()} | done.capacities,
        )

    def _rights(self, check_mode: bool) -> Sequence[Right]:
        if check_mode:
            return READ_RIGHTS
        return (*CHANGE_RIGHTS, *(POLICY_RIGHTS if self._options.seed.network_policy else ()))

    def _require_rights(self, observed: Observed) -> None:
        """Before anything is made; where there is nothing to do, nothing is asked."""
        if not self._has_rights:
            asking = Deadline(READ_TIMEOUT, "asking for the rights", self._stop)
            require(self._client, observed.namespaces, self._rights(check_mode=False), asking)
            self._has_rights = True

    def _openshift(self, observed: Observed) -> frozenset[str]:
        if self._on_openshift is None:
            self._on_openshift = openshift_namespaces(self._client, observed, Deadline(READ_TIMEOUT, "reading namespaces", self._stop))
        return self._on_openshift

    def _seed(self, observed: Observed) -> FillerSpec:
        reading = Deadline(READ_TIMEOUT, "reading the seed's claim", self._stop)
        return seed_pod(self._client, self._options, observed, self._openshift(observed), self._owner, reading)

    def _with_memory(self, seed: FillerSpec, plan: Plan, pairs: int, replicas: int) -> FillerSpec:
        options = self._options
        if options.seed.sets_memory or not any(step.method.by_seed for pair in plan.pairs for step in pair.steps):
            return seed
        asking = Deadline(READ_TIMEOUT, "asking how much memory the seed pod may have", self._stop)
        fillers = min(options.concurrency, pairs) * options.place.overrides[Role.WORKER].memory_bytes
        others = fillers + replicas * seed.overrides.memory_bytes
        return with_large_memory(self._client, seed, others, asking)

    def _access(self, observed: Observed) -> ClusterVolumeAccess:
        options = self._options
        return access_to(
            self._client,
            observed,
            options.place,
            named(self._report, observed.found.pairs),
            owner=self._owner,
            openshift=self._openshift(observed),
            timeout=options.timeout,
            concurrency=options.concurrency,
            node_concurrency=options.node_concurrency,
        )

    def _swept(self, observed: Observed, deadline: Deadline) -> list[str]:
        """Return what earlier runs left behind is removed first."""
        removed: tuple[str, ...] = ()
        if left_behind(observed.pods, self._client.now()):
            self._require_rights(observed)
            removed = sweep(self._client, observed.pods, deadline)
        if self._options.seed.network_policy:
            self._require_rights(observed)
            removed += sweep_policies(self._client, observed.namespaces, observed.pods, deadline)
        return [f"What an earlier run left behind was removed: {name}." for name in removed]

    def _swept_at_the_end(self, observed: Observed) -> list[str]:
        """Pods of a run that was killed may have been alive when this one began, and have ended since."""
        left = [pod for pod in observed.pods if LABEL in pod.labels and not pod.ended]
        if not left:
            return []
        closing = Deadline(READ_TIMEOUT, "removing what an earlier run left behind", self._stop)
        namespaces = sorted({pod.namespace for pod in left})
        try:
            present = [parse_pod(item) for namespace in namespaces for item in self._client.list("Pod", namespace, closing, labels=LABEL)]
            removed = sweep(self._client, present, closing)
        except DeploymentError:
            return []  # the next run does it; this one has its results to tell
        return [f"A pod that an earlier run left behind was removed: {name}." for name in removed]

    def _upstreams(self, observed: Observed, check_mode: bool) -> Upstreams:
        """One snapshot for each project, for the whole run."""
        in_pod = self._options.resolve_from is ResolveFrom.POD and not check_mode
        if in_pod:
            self._require_rights(observed)

        @contextmanager
        def pod() -> Iterator[Callable[[], PodShell]]:
            with self._resolver(observed) as filler:
                yield filler.shell

        reading = Deadline(self._options.timeout, "reading upstream's refs", self._stop)
        return UpstreamReader(self._local, reading).read(self._options.projects, pod if in_pod else None)

    def _resolver(self, observed: Observed) -> Filler:
        """A pod without volumes in the workers' namespace, in which upstream's refs are read."""
        spec = workers_pod(self._options, observed, self._openshift(observed), self._owner, Purpose.REFS)
        return Filler(
            self._client, spec, Deadline(self._options.timeout, "reading upstream's refs in a pod", self._stop), left=self._left.append
        )

    def _read_again(self, project: Project) -> Snapshot:
        return read_project(self._local, project, Deadline(READ_TIMEOUT, f"reading {project.name} again", self._stop))

    def _carry_out(self, plan: Plan, access: ClusterVolumeAccess, seed: FillerSpec, read: Upstreams) -> _Done:
        options = self._options
        pairs = [pair.pair for pair in plan.pairs if not pair.idle]
        known = [record for pair in plan.pairs for volume in pair.pair.volumes if (record := access.recorded(volume)) is not None]
        sizes = {name: held.bytes for record in known for name, held in record.projects.items()}
        replicas = replicas_for(_seeded_in_full(plan), options.seed.count)
        seed = self._with_memory(seed, plan, len(pairs), replicas)
        with tempfile.TemporaryDirectory(prefix="packit-deployment-", ignore_cleanup_errors=True) as directory:
            scratch = Path(directory)
            context = SeedContext(
                self._client, seed, options.seed, self._stop,
                lambda phase, line: self._report(Progress(f"seed pod {seed.namespace}/{seed.name}", phase, "", line)),
                options.stall_timeout,
            )
            volumes = tuple(volume for pair in pairs for volume in pair.volumes)
            seeds = Seeds(context, volumes, replicas, access.warm_up_pod, scratch)
            transfers = Transfers(
                Path(options.clones), seeds, sizes, scratch,
                lambda phase, line: self._report(Progress("", phase, "", line)),
                options.stall_timeout,
            )
            try:
                results = roll_out(
                    plan,
                    access,
                    Snapshots(read.snapshots, self._read_again),
                    transfers.of,
                    Options(
                        timeout=options.timeout,
                        max_hold=options.max_hold,
                        verify=options.verify,
                        scratch=scratch,
                        leftovers_age=max(LEFTOVERS_AGE, 3.0 * options.timeout),
                        compaction=options.compaction,
                        now=self._client.now,
                    ),
                    options.concurrency,
                    named(self._report, (pair.pair for pair in plan.pairs)),
                    self._stop,
                )
            finally:
                left = tidied(seeds.close, transfers.close)
            results = with_waits(still_held(results, access.still_held), access.waits(self._stop))
            return _Done(
                results,
                (*seeds.notes, *transfers.notes, *left, *access.left),
                {volume: access.recorded(volume) for volume in volumes},
                {volume: access.capacity(volume) for volume in volumes},
            )


@dataclass(frozen=True)
class _Done:
    """The results of a plan, with notes for the user, and of the volumes that were worked on what they hold now, and their sizes."""

    results: tuple[PairResult, ...] = ()
    notes: tuple[str, ...] = ()
    records: Mapping[Volume, Record | None] = field(default_factory=dict)
    capacities: dict[Volume, int] = field(default_factory=dict)


def _untouched(plan: PairPlan, records: Mapping[Volume, Record | None]) -> PairResult:
    """A pair on which there is nothing to do."""

    def unchanged(steps: Sequence[Step], volume: Volume) -> VolumeResult:
        results = (ProjectResult(volume, step.project.name, Action.NOTHING) for step in steps)
        return VolumeResult(volume, tuple(result.with_record(records.get(volume)) for result in results))

    return PairResult(plan.pair, unchanged(plan.sandbox, plan.pair.sandbox), unchanged(plan.worker, plan.pair.worker))


def _seeded_in_full(plan: Plan) -> int:
    """Volumes to which a seed may have to bring all of a project."""
    full = (Action.ADD, Action.LOOK)
    return len({step.volume for pair in plan.pairs for step in pair.steps if step.method.by_seed and step.action in full})
