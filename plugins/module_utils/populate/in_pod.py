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
from ..cluster.manifest import HEARTBEAT, JOBS, LABEL, SCRATCH
from ..cluster.objects import Pod, exact_quantity, parse_pod, quantity
from ..cluster.shell import PodShell
from ..deadline import Deadline
from ..errors import DeploymentError, InvalidOption
from ..shell import Shell

_MEMORY, _CPUS = 256 * 1024 * 1024, 1.0
"""What git may use where the container has no limits: bytes, processors."""


class InPod:
    """A place in a running pod, as ``cache.keeper.HeldVolume``: nobody's lock, so ``shared``. ``volumes``: where some are mounted."""

    shared = True
    lock = Lock()
    warnings: tuple[str, ...] = ()
    wanted: threading.Event | None = None

    def __init__(self, shell: PodShell, root: str, scratch: str, memory_bytes: int, cpus: float, tag: str, volumes: frozenset[str]) -> None:
        self.shell = shell
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
    run = uuid.uuid4().hex[:12]
    filler = LABEL in pod.labels
    scratch = SCRATCH if filler else f"/tmp/packit-deployment-{run}"
    jobs, heartbeat = (JOBS, HEARTBEAT) if filler else (f"{scratch}/jobs", "")
    limits = next((item.get("resources") or {} for item in pod.spec["containers"] if item["name"] == chosen), {}).get("limits") or {}
    memory = quantity(limits["memory"]) if "memory" in limits else _MEMORY
    cpus = exact_quantity(limits["cpu"]) if "cpu" in limits else _CPUS
    mounts = next((item.get("volumeMounts") or [] for item in pod.spec["containers"] if item["name"] == chosen), [])
    mounted = frozenset(str(mount["mountPath"]).rstrip("/") for mount in mounts)
    with PodShell(client, namespace, name, pod.uid, chosen, job_directory=jobs, heartbeat=heartbeat, stop=deadline.stop) as shell:
        try:
            yield InPod(shell, root, f"{scratch}/work", memory, cpus, f"@{run}", mounted)
        finally:
            if not deadline.stop.is_set():
                remove_scratch(shell, f"{scratch}/work", Deadline(30.0, f"cleaning up in pod {namespace}/{name}"))


def remove_scratch(shell: Shell, scratch: str, deadline: Deadline) -> None:
    """Remove our own files after the work in a pod. Hides no error of the work: a container that is gone has nothing left."""
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
