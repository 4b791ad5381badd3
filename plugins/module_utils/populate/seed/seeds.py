# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's first seed pod and its replicas: what it has fetched, and how its packs reach each volume."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ...cache.domain.model import Snapshot, Volume
from ...cache.domain.projects import Project
from ...cache.git.mirror import Mirror
from ...cache.git.pack_maker import FinishedPacks, PackMaker
from ...cache.git.repository import Repository
from ...cache.transfer.over_network import NetworkTransport, Route, SeedLost, new_key, serve
from ...cache.transfer.via_controller import ControllerTransport
from ...cluster.api.objects import Pod
from ...cluster.api.ours import SCRATCH
from ...cluster.pods.service_pod import ServicePod
from ...deadline import Deadline
from ...errors import DeploymentError, PlaceLost
from ...local_shell import LocalShell
from ...progress import OnLine
from ...shell import checked
from .context import SeedContext
from .copy_failures import CopyFailures
from .fetches import Fetches
from .once_failed import OnceFailed
from .replicas import Replicas
from .shell_pool import ShellPool
from .ways import OpenPod, Ways

_SHELLS = 4
"""Processes that run at once in the seed pod, which has few processors, however many projects there are."""
_PAUSE = 1.0


@dataclass(frozen=True)
class _Life:
    """One seed pod, and all that is gone with it. ``makers`` by project and snapshot."""

    pod: Pod
    route: Route
    shells: ShellPool
    via_controller: ControllerTransport
    mirrors: dict[str, Mirror] = field(default_factory=dict)
    makers: dict[tuple[str, str], PackMaker] = field(default_factory=dict)
    failures: CopyFailures = field(default_factory=CopyFailures)


class Seeds:
    """Made when the first project is to be seeded. Safe for threads; close it at the end.

    ``volumes``: those whose fillers are to copy from the seed; ``replicas``: seed pods beside the first; ``scratch``: a directory of the controller.
    """

    def __init__(self, context: SeedContext, volumes: Sequence[Volume], replicas: int, open_pod: OpenPod, scratch: Path) -> None:
        self._context = context
        self._scratch = scratch
        self._keys = {volume: new_key(f"filler-{number}") for number, volume in enumerate(volumes)}
        self._pod = ServicePod(context.client, context.spec, context.stop, lambda words: context.tell(words, ""))
        self._pod_lock = threading.Lock()
        self._pod_failed = OnceFailed()
        self._replicas = Replicas(context, replicas, tuple(self._keys.values()))
        self._fetches = Fetches(context)
        self._ways = Ways(context, self._keys, open_pod)
        self._life: _Life | None = None
        self._left: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know at the end."""
        return (*self._ways.notes, *self._left, *self._pod.left, *self._replicas.left)

    def ready(self, project: Project, snapshot: Snapshot, known_size: int, deadline: Deadline) -> PackMaker:
        """Return what makes the project's packs, once the snapshot is in the seed. Slow at first, so before any lock.

        ``known_size`` in bytes, 0 where nobody knows. Raises SnapshotGone, OutOfReach, PlaceLost, DeploymentError.
        """
        key = (project.name, snapshot.digest)
        with self._fetches.alone(project, deadline):
            while True:  # until there is an answer, or `_living` says that it has been lost too often
                try:
                    with deadline.holding(self._pod_lock):
                        life = self._living(deadline)
                    if key not in life.makers:
                        life.makers[key] = self._fetches.fetch(life.shells, life.mirrors, project, snapshot, known_size, deadline)
                    self._ways.wait()
                    return life.makers[key]
                except PlaceLost as error:
                    self._context.tell(f"fetches {project.name} again", error.message)
                    if self._life is not None:
                        self._life.mirrors.pop(project.name, None)
                    self.lost()
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
        self._fetches.one_by_one()

    def prepare_copies(self, namespace: str, packs: FinishedPacks, deadline: Deadline) -> None:
        """Do what can be done for a namespace's volumes before one is taken."""
        life = self._living_or_lost()
        if self._ways.is_closed(namespace):
            life.via_controller.prepare(packs, deadline)
        else:
            self._replicas.spread(packs, life.route, deadline)

    def copy(self, volume: Volume, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        """Copy packs by the way that is open to a namespace's fillers now; where strangers are, that is the one without a secret.

        Raises PlaceLost, DeploymentError.
        """
        life, namespace = self._living_or_lost(), volume.namespace
        if self._ways.is_closed(namespace) or repository.guest:
            life.via_controller.copy(packs, repository, deadline, progress)
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
                stack.callback(self._ways.close)
        except DeploymentError as error:
            self._left = (f"What was made for the run could not all be removed: {error}",)

    def _living_or_lost(self) -> _Life:
        if self._life is None:
            raise PlaceLost("The seed pod is gone.", "Run again.")
        return self._life

    def _living(self, deadline: Deadline) -> _Life:
        suspected = self._pod.suspected
        with self._pod_failed.tried(self._context.spec.name, deadline):
            pod, shell = self._pod.ready(deadline)
        if self._life is not None and self._life.pod.uid == pod.uid:
            if suspected:
                self._life.shells.drop_lost(deadline)
                for namespace, why in self._life.failures.too_many().items():
                    self._ways.close_for(namespace, why)
            return self._life
        route = Route(pod.address, f"{self._context.directory}/packs")
        # What an earlier run made is of no use, and a scratch that is kept must not fill up with it.
        checked(shell, shell.run(("rm", "-rf", "--", route.served), deadline=deadline))
        serve(shell, f"{SCRATCH}/rsyncd", route.served, route, (*self._keys.values(), *self._replicas.keys), deadline)
        shells = ShellPool(shell.where, partial(self._pod.shell, pod.uid), _SHELLS)
        via_controller = ControllerTransport(shells, LocalShell(), self._scratch / f"seed-{pod.uid}")
        self._life = _Life(pod, route, shells, via_controller)
        self._ways.start_trying(route, deadline)
        return self._life
