# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole job, from options to results: look, plan, fill, report."""

from __future__ import annotations

import getpass
import socket
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..cache.local_clone import LocalClone, PackMaker, open_clone, read_clone_snapshot
from ..cache.model import Method, Pair, Project, Snapshot, Volume
from ..cache.pair import Options
from ..cache.plan import Action, Plan, State, Wanted, choose_method, make_plan
from ..cache.record import Record
from ..cache.results import PairResult, Progress, ProjectResult, VolumeResult
from ..cache.rollout import roll_out
from ..cache.snapshots import SnapshotBook
from ..cache.transfer import Transfer
from ..cache.transfer.git import GitTransfer
from ..cache.transfer.rsync import RsyncTransfer
from ..cache.upstream import read_snapshot
from ..cluster.access import CHANGE_RIGHTS, READ_RIGHTS
from ..cluster.client import Client
from ..cluster.filler import Filler
from ..cluster.holders import identity
from ..cluster.manifest import DEFAULT_IMAGE, FillerSpec
from ..cluster.sweep import sweep
from ..deadline import Deadline
from ..local_shell import LocalShell
from ..shell import Shell
from .keeper import ClusterKeeper, Settings
from .observe import Observed, observe, openshift_namespaces
from .options import PopulateOptions

_READ_TIMEOUT = 120.0
"""Seconds for reading the cluster's state, and for reading one upstream's refs."""
_UPSTREAMS_AT_ONCE = 8


@dataclass(frozen=True)
class Outcome:
    """A plan, what came of it (nothing in check mode), and what the user should know."""

    plan: Plan
    before: Mapping[Volume, Record | None]
    snapshots: Mapping[str, Snapshot]
    results: tuple[PairResult, ...]
    notes: tuple[str, ...]


class Populate:
    """One run."""

    def __init__(
        self,
        options: PopulateOptions,
        client: Client,
        stop: threading.Event,
        report: Callable[[Progress], None],
        note: Callable[[str], None],
    ) -> None:
        self._options = options
        self._client = client
        self._stop = stop
        self._report = report
        self._note = note
        self._local = LocalShell()
        self._clones: dict[str, LocalClone] = {}

    def run(self, check_mode: bool) -> Outcome:
        """Do it, or in check mode tell what would be done. Raises DeploymentError where nothing can be done at all."""
        options = self._options
        looking = Deadline(_READ_TIMEOUT, "reading the cluster's state", self._stop)
        observed = observe(self._client, options.place, READ_RIGHTS if check_mode else CHANGE_RIGHTS, looking)
        notes = [f"Claim {volume} belongs to no worker: its worker is gone, or has no cache." for volume in observed.found.orphans]
        if options.resolve_from == "pod" and check_mode:
            notes.append("Check mode makes no pod, so upstream's refs were read on the controller.")
        swept = () if check_mode else sweep(self._client, observed.pods, looking)
        notes += [f"A filler pod that an earlier run left behind was removed: {name}." for name in swept]
        openshift = openshift_namespaces(self._client, observed, looking)
        snapshots = {} if options.state is State.ABSENT else self._snapshots(observed, openshift, check_mode)
        settings = Settings(
            path=options.place.path,
            image=options.image,
            wishes=options.place.wishes,
            in_use=options.in_use,
            timeout=options.timeout,
            concurrency=options.concurrency,
            owner=run_owner(),
            openshift=openshift,
            partners={pair.sandbox: pair.worker for pair in observed.found.pairs},
        )
        keeper = ClusterKeeper(self._client, observed.claims, settings, self._stop, self._report)
        before = {volume: keeper.recorded(volume) for volume in observed.claims}
        plan = make_plan(Wanted(options.state, options.projects, snapshots, options.verify), observed.found.pairs, before)
        results: tuple[PairResult, ...] = ()
        if not check_mode:
            self._note(f"{sum(not pair.idle for pair in plan.pairs)} of {len(plan.pairs)} pairs of volumes have work to do")
            results = self._carry_out(plan, keeper, snapshots)
        lone = tuple(_lone(pair, options.projects) for pair in observed.found.lone_workers)
        return Outcome(plan, before, snapshots, results + lone, tuple(notes))

    def _snapshots(self, observed: Observed, openshift: frozenset[str], check_mode: bool) -> dict[str, Snapshot]:
        """One snapshot for each project, for the whole run."""
        projects = self._options.projects
        for project in projects:
            if choose_method(project)[0] is Method.RSYNC:
                self._clones[project.name] = open_clone(
                    self._local, project, Deadline(_READ_TIMEOUT, f"reading {project.path}", self._stop)
                )
        remote = [project for project in projects if project.name not in self._clones]
        if self._options.resolve_from == "pod" and remote and not check_mode:
            with self._resolver(observed, openshift) as filler, filler.shell() as shell:
                read = {project.name: self._read(shell, project) for project in remote}
        else:
            with ThreadPoolExecutor(_UPSTREAMS_AT_ONCE, "upstream") as executor:
                futures = {project.name: executor.submit(self._read, self._local, project) for project in remote}
                read = {name: future.result() for name, future in futures.items()}
        for project in projects:
            if project.name in self._clones:
                read[project.name] = read_clone_snapshot(
                    self._local, self._clones[project.name], project, Deadline(_READ_TIMEOUT, f"reading {project.path}", self._stop)
                )
        return read

    def _read(self, shell: Shell, project: Project) -> Snapshot:
        return read_snapshot(shell, project, Deadline(_READ_TIMEOUT, f"reading the refs of {project.url}", self._stop))

    def _resolver(self, observed: Observed, openshift: frozenset[str]) -> Filler:
        """A pod without volumes in the workers' namespace, in which upstream's refs are read."""
        pair = observed.found.pairs[0] if observed.found.pairs else None
        namespace = pair.worker.namespace if pair is not None else self._options.place.worker_namespace
        worker = next((pod for pod in observed.pods if pair is not None and pair.worker.claim in pod.uses), None)
        claim = pair.worker.claim if pair is not None else ""
        spec = FillerSpec(
            namespace=namespace,
            name=f"packit-cache-refs-{uuid.uuid4().hex[:12]}",
            mounts=(),
            image=self._options.image or (worker.containers[0].image if worker is not None else DEFAULT_IMAGE),
            owner=run_owner(),
            wishes=self._options.place.wishes,
            identity=identity(worker, claim, namespace in openshift),
        )
        return Filler(self._client, spec, Deadline(self._options.timeout, "reading upstream's refs in a pod", self._stop))

    def _carry_out(self, plan: Plan, keeper: ClusterKeeper, snapshots: Mapping[str, Snapshot]) -> tuple[PairResult, ...]:
        options = self._options
        with tempfile.TemporaryDirectory(prefix="packit-deployment-") as directory:
            scratch = Path(directory)
            makers = {
                name: RsyncTransfer(PackMaker(self._local, clone, scratch / "packs" / name), self._local)
                for name, clone in self._clones.items()
            }
            filling = {step.project.name for pair in plan.pairs for step in pair.steps if step.action in (Action.ADD, Action.LOOK)}
            for name, maker in makers.items():
                if name in filling:
                    self._note(f"makes the packs of {name}")
                    maker.prepare(snapshots[name], Deadline(options.timeout, f"making the packs of {name}", self._stop))

            def transfer(project: Project) -> Transfer:
                return makers[project.name] if project.name in makers else GitTransfer(project.url)

            return roll_out(
                plan,
                keeper,
                SnapshotBook(snapshots, lambda project: self._read(self._local, project)),
                transfer,
                Options(options.timeout, options.max_hold, options.verify, scratch, max(3600.0, 3.0 * options.timeout)),
                options.concurrency,
                self._report,
                self._stop,
            )


def _lone(pair: Pair, projects: tuple[Project, ...]) -> PairResult:
    """A worker's claim without its sandbox's: that pair fails, the rest goes on."""
    error = f"The claim {pair.sandbox} for the sandboxes of {pair.name} does not exist."
    remedy = "Create it, or leave this pair out (repository_cache_select)."
    return PairResult(
        pair,
        VolumeResult(
            pair.sandbox,
            tuple(ProjectResult(pair.sandbox, project.name, Action.FAILED, error=error, remedy=remedy) for project in projects),
        ),
        VolumeResult(
            pair.worker,
            tuple(
                ProjectResult(pair.worker, project.name, Action.BLOCKED, error="Its sandbox has no volume.", remedy=remedy)
                for project in projects
            ),
        ),
    )


def run_owner() -> dict[str, str]:
    """Who runs this, for the pods' annotation: a new run id, user and host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return {"run": uuid.uuid4().hex[:12], "user": user, "host": socket.gethostname()}
