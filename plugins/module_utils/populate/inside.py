# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume is held: by a filler pod of ours, or by work inside the pod that has it mounted, as the operators do by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ..cache.results import Lock
from ..cluster.claim_lock import ClaimLock, Holder
from ..cluster.client import Client
from ..cluster.errors import NotFound, PodLost
from ..cluster.holders import mounted_at
from ..cluster.objects import Pod, parse_pod
from ..cluster.shell import PodShell
from ..deadline import Deadline
from ..shell import Shell
from .in_pod import remove_scratch

CLEANING_SECONDS = 30.0
_LIMITS = (256 * 1024 * 1024, 1.0)
"""Bytes of memory and processors that git may use inside somebody else's container."""

# End every process of the container whose words have a path below $1, and the groups that they lead; then remove $1.
_END = r"""
for p in /proc/[0-9]*; do
    tr '\000' '\n' <"$p/cmdline" 2>/dev/null | grep -qF -- "$1/" || continue
    kill -s KILL -- "-${p#/proc/}" 2>/dev/null
    kill -s KILL "${p#/proc/}" 2>/dev/null
done
rm -rf -- "$1"
"""


class Held:
    """A volume while it is held; see ``cache.keeper.HeldVolume``."""

    def __init__(
        self, shell: Shell, root: str, scratch: str, memory_bytes: int, cpus: float, shared: bool, tag: str, started: float
    ) -> None:
        self.shell = shell
        self.root = root
        self.scratch = scratch
        self.memory_bytes = memory_bytes
        self.cpus = cpus
        self.shared = shared
        self.tag = tag
        self.lock = Lock()
        self.warnings: tuple[str, ...] = ()
        self.wanted: threading.Event | None = None
        self._started = started

    @property
    def held_seconds(self) -> float:
        """Seconds since it was taken."""
        return time.monotonic() - self._started


@contextmanager
def inside(
    client: Client, pod: Pod, lock: ClaimLock, by: Mapping[str, str], tell: Callable[[str], None], deadline: Deadline
) -> Iterator[Held]:
    """Work inside the pod that holds the volume. Locks no consumer out, and other runs by the claim's lock. Raises Busy, ClusterError."""
    started = time.monotonic()
    container, path = mounted_at(pod, lock.claim.name)
    mine = Holder(by, pod.namespace, pod.name, pod.uid, container)
    dead = lock.take(mine, deadline)
    scratch = _scratch(mine)

    def require(limit: Deadline) -> None:
        _require_pod(client, mine, limit)
        lock.require(limit)

    with lock.beating(tell):
        if dead is not None:
            end_work(client, dead, by, deadline)
        with PodShell(
            client, pod.namespace, pod.name, pod.uid, container, job_directory=f"{scratch}/jobs", stop=deadline.stop, require=require
        ) as shell:
            held = Held(shell, path, f"{scratch}/work", *_LIMITS, True, f"@{by['run']}", started)
            try:
                yield held
            finally:
                if not deadline.stop.is_set():
                    cleaning = Deadline(CLEANING_SECONDS, f"cleaning up in pod {pod.namespace}/{pod.name}", deadline.stop)
                    remove_scratch(shell, f"{scratch}/work", cleaning)


def end_work(client: Client, dead: Holder, by: Mapping[str, str], deadline: Deadline) -> None:
    """End what a run that is no more may have left running inside another's pod: it would go on writing. Raises ClusterError.

    A filler's processes have ended with their pod.
    """
    if not dead.container:
        return
    try:
        _require_pod(client, dead, deadline)
    except PodLost:
        return
    jobs = f"/tmp/packit-deployment-end-{by['run']}"
    with PodShell(client, dead.namespace, dead.pod, dead.uid, dead.container, job_directory=jobs, stop=deadline.stop) as shell:
        shell.run(("sh", "-c", _END, "end", _scratch(dead)), deadline=deadline)
        remove_scratch(shell, jobs, deadline)


def _scratch(holder: Holder) -> str:
    """A hold's own files inside another's pod."""
    return f"/tmp/packit-deployment-{holder.id}"


def _require_pod(client: Client, holder: Holder, deadline: Deadline) -> None:
    """Raises PodLost where the pod is not there any more, or another one has its name."""
    try:
        pod = parse_pod(client.get("Pod", holder.namespace, holder.pod, deadline))
    except NotFound:
        pod = None
    if pod is None or pod.uid != holder.uid:
        raise PodLost(f"Pod {holder.namespace}/{holder.pod} is not there any more.", "Run again.")
