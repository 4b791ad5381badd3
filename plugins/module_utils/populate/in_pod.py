# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a pod that somebody else made: what the modules pod_git and pod_rsync share."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..cache.results import Lock
from ..cluster.client import Client
from ..cluster.diagnosis import explain
from ..cluster.errors import ClusterError, NotFound
from ..cluster.guest import Guest, guest
from ..cluster.manifest import HEARTBEAT, JOBS, LABEL, SCRATCH
from ..cluster.objects import Pod, exact_quantity, parse_pod, quantity
from ..cluster.shell import PodShell
from ..deadline import Deadline
from ..errors import DeploymentError, InvalidOption
from ..shell import Shell

_MEMORY, _CPUS = 256 * 1024 * 1024, 1.0
"""What git may use where the container has no limits: bytes, processors."""


class InPod:
    """A place in a running pod, as ``cache.keeper.HeldVolume``: nobody's lock, so ``shared``.

    ``volumes``: where some are mounted. ``left``: what of ours could not be removed from there, in words, once it is over.
    """

    shared = True
    lock = Lock()
    warnings: tuple[str, ...] = ()
    wanted: threading.Event | None = None

    def __init__(
        self, shell: PodShell, root: str, scratch: str, memory_bytes: int, cpus: float, tag: str, volumes: frozenset[str], guest: bool
    ) -> None:
        self.shell = shell
        self.guest = guest
        self.left = ""
        self.root = root
        self.scratch = scratch
        self.memory_bytes = memory_bytes
        self.cpus = cpus
        self.tag = tag
        self.volumes = volumes
        self._started = time.monotonic()

    @property
    def held_seconds(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._started


@contextmanager
def in_pod(client: Client, namespace: str, name: str, container: str, root: str, deadline: Deadline) -> Iterator[InPod]:
    """Work in a container of a running pod (the first one, if ``container`` is empty). Raises ClusterError, InvalidOption.

    In one of our fillers the pod's heartbeat is kept meanwhile.
    """
    pod = running_pod(client, namespace, name, deadline)
    names = [item.name for item in pod.containers]
    if container and container not in names:
        raise InvalidOption(f"Pod {namespace}/{name} has no container `{container}`.", f"It has {', '.join(names)}.")
    chosen = container or names[0]
    tag = f"@{uuid.uuid4().hex[:12]}"
    limits = next((item.get("resources") or {} for item in pod.spec["containers"] if item["name"] == chosen), {}).get("limits") or {}
    memory = quantity(limits["memory"]) if "memory" in limits else _MEMORY
    cpus = exact_quantity(limits["cpu"]) if "cpu" in limits else _CPUS
    mounts = next((item.get("volumeMounts") or [] for item in pod.spec["containers"] if item["name"] == chosen), [])
    mounted = frozenset(str(mount["mountPath"]).rstrip("/") for mount in mounts)
    if LABEL in pod.labels:
        with PodShell(client, namespace, name, pod.uid, chosen, job_directory=JOBS, heartbeat=HEARTBEAT, stop=deadline.stop) as shell:
            try:
                yield InPod(shell, root, f"{SCRATCH}/work", memory, cpus, tag, mounted, guest=False)
            finally:
                if not deadline.stop.is_set():
                    _remove_scratch(shell, f"{SCRATCH}/work", Deadline(30.0, f"cleaning up in pod {namespace}/{name}"))
        return
    held: InPod | None = None
    visit: Guest | None = None
    try:
        with guest(client, pod, chosen, deadline.stop) as visit:
            held = InPod(visit.shell, root, f"{visit.scratch}/work", memory, cpus, tag, mounted, guest=True)
            yield held
    finally:
        if held is not None and visit is not None:
            held.left = visit.left


def _remove_scratch(shell: Shell, scratch: str, deadline: Deadline) -> None:
    """Remove our own files after the work in a filler. Hides no error of the work: a container that is gone has nothing left."""
    with suppress(DeploymentError):
        shell.run(("rm", "-rf", "--", scratch), deadline=deadline)


def running_pod(client: Client, namespace: str, name: str, deadline: Deadline) -> Pod:
    """A pod that runs. Raises ClusterError that explains why it does not."""
    try:
        pod = parse_pod(client.get("Pod", namespace, name, deadline))
    except NotFound as error:
        raise ClusterError(f"There is no pod {namespace}/{name}.", "Check the name and the namespace.") from error
    if pod.phase != "Running" or pod.deleting:
        found = explain(client, pod, deadline)
        raise ClusterError(f"Pod {namespace}/{name} does not run. {found.sentence}", found.remedy)
    return pod
