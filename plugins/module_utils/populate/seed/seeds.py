# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's seed pod: what it fetched, what it made of it, and how its packs reach each volume."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ...background import unexpected
from ...cache.domain.model import Snapshot, Volume
from ...cache.domain.projects import Project
from ...cache.domain.space import size
from ...cache.git.environment import Limits
from ...cache.git.fetch_errors import OutOfMemory
from ...cache.git.mirror import Mirror
from ...cache.git.pack_maker import FinishedPacks, PackMaker
from ...cache.git.repository import Repository
from ...cache.transfer.over_network import NetworkTransport, Route, SeedLost, new_key, probe, serve
from ...cache.transfer.via_controller import ControllerTransport
from ...cluster.api.client import Client
from ...cluster.api.errors import ClusterError
from ...cluster.api.objects import Pod
from ...cluster.api.ours import SCRATCH
from ...cluster.api.quota import ConcurrencyLimit
from ...cluster.pods.manifest import FillerSpec
from ...cluster.pods.network_policy import allowed
from ...cluster.pods.service_pod import ServicePod
from ...deadline import Deadline
from ...errors import Cancelled, DeploymentError, PlaceLost
from ...local_shell import LocalShell
from ...progress import OnLine, Tell
from ...shell import KILLED, CommandFailed, Shell, checked
from .copy_failures import CopyFailures
from .once_failed import OnceFailed
from .replicas import Replicas
from .seed_options import SeedOptions
from .shell_pool import ShellPool

KEPT = "/packit-seed"
"""The mount path of a claim that keeps the scratch between runs is mounted."""
_SHELLS = 4
"""Processes that run at once in the seed pod, which has few processors, however many projects there are."""
_FETCHES_AT_ONCE = 3
"""Projects that the seed pod fetches at once; one, once it was lost or ran out of memory."""
_PAUSE = 1.0
_POLICY_SECONDS = 15.0
"""Seconds until a new network policy must be in force."""

Visit = Callable[[Volume, Deadline], AbstractContextManager[Shell]]
"""A pod without volumes that is otherwise like a volume's filler, for a while."""


@dataclass(frozen=True)
class _Life:
    """One seed pod, and all that is gone with it. ``makers`` by project and snapshot."""

    pod: Pod
    route: Route
    shells: ShellPool
    relay: ControllerTransport
    mirrors: dict[str, Mirror]
    makers: dict[tuple[str, str], PackMaker]
    failures: CopyFailures = field(default_factory=CopyFailures)


@contextmanager
def _too_much(several: bool) -> Iterator[None]:
    """Raises PlaceLost where a process inside was killed for want of memory beside ``several`` others: it is tried again, alone."""
    try:
        yield
    except (OutOfMemory, CommandFailed) as error:
        if several and (isinstance(error, OutOfMemory) or error.completed.returncode == KILLED):
            raise PlaceLost(error.message, error.remedy) from error
        raise


class Seeds:
    """Made when the first project is to be seeded. Safe for threads; close it at the end.

    ``volumes``: those whose fillers are to copy from the seed; ``replicas``: seed pods beside the first.
    """

    def __init__(
        self,
        client: Client,
        spec: FillerSpec,
        options: SeedOptions,
        volumes: Sequence[Volume],
        replicas: int,
        visit: Visit,
        scratch: Path,
        stop: threading.Event,
        tell: Tell,
    ) -> None:
        self._client = client
        self._directory = KEPT if options.claim else f"{SCRATCH}/seed"
        self._spec = spec
        self._options = options
        self._probe_targets = tuple({volume.namespace: volume for volume in volumes}.values())
        self._visit = visit
        self._scratch = scratch
        self._tell = tell
        self._pod = ServicePod(client, spec, stop, lambda words: tell(words, ""))
        self._keys = {volume: new_key(f"filler-{number}") for number, volume in enumerate(volumes)}
        self._replicas = Replicas(client, spec, replicas, tuple(self._keys.values()), stop, tell)
        self._pod_lock = threading.Lock()
        self._project_locks: dict[str, threading.Lock] = {}
        self._fetch_limit = ConcurrencyLimit(_FETCHES_AT_ONCE)
        self._failed = OnceFailed()
        self._stack = ExitStack()
        self._life: _Life | None = None
        self._detours: dict[str, str] = {}
        self._left: tuple[str, ...] = ()
        self._executor = ThreadPoolExecutor(max(1, len(self._probe_targets)), "probe")
        self._probes: list[Future[None]] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know at the end."""
        return (
            tuple(
                f"Packs went to {namespace} through the API server, which is slower, as {why}"
                for namespace, why in sorted(self._detours.items())
            )
            + self._left
            + (*self._pod.left, *self._replicas.left)
        )

    def ready(self, project: Project, snapshot: Snapshot, known_size: int, deadline: Deadline) -> PackMaker:
        """Return what makes the project's packs, once the snapshot is in the seed. Slow at first, so before any lock.

        ``known_size`` in bytes, 0 where nobody knows. Raises SnapshotGone, OutOfReach, PlaceLost, DeploymentError.
        """
        with deadline.holding(self._project_locks.setdefault(project.name, threading.Lock())):
            while True:  # until there is an answer, or `_living` says that it has been lost too often
                key = (project.name, snapshot.digest)
                try:
                    with deadline.holding(self._pod_lock):
                        life = self._living(deadline)
                    if key not in life.makers:
                        with self._fetch_limit.place(deadline) as several, self._failed.tried(key, deadline), _too_much(several):
                            life.makers[key] = self._fetched(life, project, snapshot, known_size, deadline)
                    for probed in self._probes:
                        probed.result()
                    return life.makers[key]
                except PlaceLost as error:
                    self._tell(f"fetches {project.name} again", error.message)
                    if self._life is not None:
                        self._life.mirrors.pop(project.name, None)
                    self._pod.suspect()
                    self._fetch_limit.one_by_one()
                    deadline.sleep(_PAUSE)

    def maker(self, project: Project, snapshot: Snapshot) -> PackMaker:
        """The same, at once. Raises PlaceLost."""
        life = self._life
        found = None if life is None else life.makers.get((project.name, snapshot.digest))
        if found is None:
            raise PlaceLost(f"The seed pod does not have this snapshot of {project.name} (any more).", "Run again.")
        return found

    def lost(self) -> None:
        """Something was not to be had of the seed."""
        self._pod.suspect()
        self._fetch_limit.one_by_one()

    def prepare_copies(self, namespace: str, packs: FinishedPacks, deadline: Deadline) -> None:
        """Do what can be done for a namespace's volumes before one is taken."""
        life = self._living_or_lost()
        if namespace in self._detours:
            life.relay.prepare(packs, deadline)
        else:
            self._replicas.spread(packs, life.route, deadline)

    def copy(self, volume: Volume, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        """Copy packs by the way that is open to a namespace's fillers now; where strangers are, that is the one without a secret.

        Raises PlaceLost, DeploymentError.
        """
        life, namespace = self._living_or_lost(), volume.namespace
        if namespace in self._detours or repository.guest:
            life.relay.copy(packs, repository, deadline, progress)
            return
        with self._replicas.route(packs, life.route) as route:
            try:
                NetworkTransport(route, self._keys[volume]).copy(packs, repository, deadline, progress)
            except SeedLost as error:
                if not self._replicas.drop(route):  # the first one may be alive: `ready` looks, and decides
                    life.failures.add(namespace, error.message)
                raise
            if route == life.route:
                life.failures.end(namespace)

    def close(self) -> None:
        """Remove the pod and what was made for it: all of it, also where some of it cannot be removed. ``notes`` say what."""
        try:
            with ExitStack() as stack:
                stack.callback(self._pod.close)
                stack.callback(self._replicas.close)
                stack.callback(self._stack.close)
                self._executor.shutdown()
        except DeploymentError as error:
            self._left = (f"What was made for the run could not all be removed: {error}",)

    def _living_or_lost(self) -> _Life:
        if self._life is None:
            raise PlaceLost("The seed pod is gone.", "Run again.")
        return self._life

    def _living(self, deadline: Deadline) -> _Life:
        suspected = self._pod.suspected
        with self._failed.tried(self._spec.name, deadline):
            pod, shell = self._pod.ready(deadline)
        if self._life is not None and self._life.pod.uid == pod.uid:
            if suspected:
                self._life.shells.drop_lost(deadline)
                for namespace, why in self._life.failures.too_many().items():
                    self._detours.setdefault(namespace, why)
            return self._life
        route = Route(pod.address, f"{self._directory}/packs")
        # What an earlier run made is of no use, and a scratch that is kept must not fill up with it.
        checked(shell, shell.run(("rm", "-rf", "--", route.served), deadline=deadline))
        serve(shell, f"{SCRATCH}/rsyncd", route.served, route, (*self._keys.values(), *self._replicas.keys), deadline)
        shells = ShellPool(shell.where, partial(self._pod.shell, pod.uid), _SHELLS)
        relay = ControllerTransport(shells, LocalShell(), self._scratch / f"seed-{pod.uid}")
        self._life = _Life(pod, route, shells, relay, {}, {})
        if not self._probes:  # beside the first fetch
            self._probes = [self._executor.submit(self._probe, volume, route, deadline) for volume in self._probe_targets]
        return self._life

    def _fetched(self, life: _Life, project: Project, snapshot: Snapshot, known_size: int, deadline: Deadline) -> PackMaker:
        self._check_size(project, known_size)
        if project.name not in life.mirrors:
            life.mirrors[project.name] = self._mirror(life, project)
        self._tell(f"fetches {project.name}", "")
        mirror = life.mirrors[project.name]
        mirror.fetch(project, snapshot, deadline, self._telling(project))
        self._check_size(project, mirror.size(deadline))  # before the kubelet looks, which would evict the pod
        return mirror.maker()

    def _mirror(self, life: _Life, project: Project) -> Mirror:
        limits = Limits(self._spec.overrides.memory_bytes, self._spec.overrides.cpus)
        return Mirror(
            life.shells,
            f"{self._directory}/repositories/{project.name}.git",
            f"{self._directory}/packs/{project.name}",
            f"{SCRATCH}/gitconfig-{project.name}",
            limits,
        )

    def _probe(self, volume: Volume, route: Route, deadline: Deadline) -> None:
        """Find out, from a pod without volumes, whether the fillers of a namespace can reach the seed.

        Where that cannot be tried, the way that is always open is taken.
        """
        try:
            with self._visit(volume, deadline) as shell:
                refused = probe(shell, SCRATCH, route, self._keys[volume], deadline)
                if refused and self._options.network_policy:
                    refused = self._with_policy(volume, shell, route, deadline)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001  (a thread's outermost frame, and no volume's failure)
            refused = f"it could not be tried: {unexpected('Trying the way to the seed', error).message}"
        if refused:
            self._tell(f"cannot be reached from {volume.namespace}, so packs go through the API server", refused)
            self._detours[volume.namespace] = f"its pods cannot reach the seed pod: {refused}"

    def _with_policy(self, volume: Volume, shell: Shell, route: Route, deadline: Deadline) -> str:
        """Make the run's network policies, and look until they are in force; why not, where they are not."""
        try:
            run = self._spec.owner["run"]
            self._stack.enter_context(allowed(self._client, run, self._spec.namespace, volume.namespace, route.port, deadline))
        except ClusterError as error:
            return error.message
        ends = time.monotonic() + _POLICY_SECONDS  # a probe may take longer than is left, where packets are dropped
        while (refused := probe(shell, SCRATCH, route, self._keys[volume], deadline)) and time.monotonic() < ends:
            deadline.sleep(_PAUSE)
        return refused

    def _check_size(self, project: Project, known: int) -> None:
        # The pack is there once: what is served are links to it.
        if known > self._options.bytes and not self._options.claim:
            raise DeploymentError(
                f"{project.name} needs {size(known)} of the seed pod's scratch, which has {size(self._options.bytes)} in all.",
                "Raise option `seed.size`, or use method rsync.",
            )

    def _telling(self, project: Project) -> OnLine:
        return lambda line: self._tell(f"fetches {project.name}", line)
