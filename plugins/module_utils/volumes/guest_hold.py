# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume while it is held; and a hold by a guest, who works inside the pod that has it mounted, as the operators do by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

from ..cache.domain.results import HoldTimes
from ..cache.git.scripts.tidy import TAG, UNLOCKED
from ..cluster.api.client import Client
from ..cluster.api.objects import Object, Pod, exact_quantity, quantity
from ..cluster.pods.claim_lock import Busy, ClaimLock, Holder
from ..cluster.pods.guest import Guest, guest
from ..cluster.pods.manifest import LABEL
from ..deadline import Deadline
from ..errors import DeadlineExceeded
from ..progress import OnLine
from ..shell import Shell

_MEMORY, _CPUS = 256 * 1024 * 1024, 1.0
"""Most that git may use inside somebody else's container, and in one without limits: bytes, processors."""
_LOOK_EVERY = 2.0
"""Seconds between two looks at a claim that another run holds."""


class MountedVolume:
    """A volume while it is held; see ``cache.rollout.volume_access.HeldVolume``. A guest's ``volumes`` are the places where some are mounted."""

    def __init__(
        self,
        shell: Shell,
        root: str,
        scratch: str,
        memory_bytes: int,
        cpus: float,
        shared: bool,
        tag: str,
        started: float,
        guest: bool,
    ) -> None:
        self.shell = shell
        self.root = root
        self.scratch = scratch
        self.memory_bytes = memory_bytes
        self.cpus = cpus
        self.shared = shared
        self.tag = tag
        self.guest = guest
        self.lock = HoldTimes()
        self.warnings: tuple[str, ...] = ()
        self.wanted: threading.Event | None = None
        self.volumes: frozenset[str] = frozenset()
        self._started = started

    @property
    def held_seconds(self) -> float:
        """Seconds since it was taken."""
        return time.monotonic() - self._started


@contextmanager
def guest_hold(
    client: Client, pod: Pod, root: str, mine: Holder, lock: ClaimLock | None, tell: OnLine, deadline: Deadline
) -> Iterator[MountedVolume]:
    """Work as a guest in a pod, in the hold ``mine``, whose ``lock`` is taken, where there is one. Locks no consumer out. Raises ClusterError."""
    started = time.monotonic()
    held: MountedVolume | None = None
    visit: Guest | None = None
    try:
        with (
            nullcontext() if lock is None else lock.beating(tell),
            guest(client, pod, mine.container, deadline.stop, mine.id, None if lock is None else lock.require) as visit,
        ):
            memory, cpus = _limits(pod, mine.container)
            ours = LABEL in pod.labels
            tag = f"{UNLOCKED if lock is None else TAG}{mine.by['run']}"
            held = MountedVolume(visit.shell, root, f"{visit.scratch}/work", memory, cpus, True, tag, started, guest=not ours)
            held.volumes = frozenset(mounts_of(pod, mine.container))
            yield held
    finally:
        left = "" if visit is None else visit.left
        if lock is not None:
            lock.work_ended = not left
        if left and held is not None:
            stays = "" if lock is None else f" So claim {lock.claim.name} stays locked; the next run ends what is left there."
            held.warnings += (f"{left}{stays}",)


def wait_for(other: Holder, lock: ClaimLock, tell: OnLine, deadline: Deadline) -> None:
    """Wait a moment for another run that holds a claim. Raises Busy where the time is over."""
    tell(f"waits for {other}")
    try:
        deadline.sleep(_LOOK_EVERY)
    except DeadlineExceeded as error:
        raise Busy(lock.claim, other) from error


def mounts_of(pod: Pod, container: str) -> Mapping[str, str]:
    """Path → the name of the volume that a container has mounted there."""
    mounts = _described(pod, container).get("volumeMounts") or []
    return {str(mount["mountPath"]).rstrip("/"): str(mount["name"]) for mount in mounts}


def _described(pod: Pod, container: str) -> Object:
    return next((item for item in pod.spec["containers"] if item["name"] == container), {})


def _limits(pod: Pod, container: str) -> tuple[int, float]:
    """Bytes of memory and processors that git may use: a container's limits, in somebody else's no more than a little."""
    limits = (_described(pod, container).get("resources") or {}).get("limits") or {}
    memory = quantity(limits["memory"]) if "memory" in limits else _MEMORY
    cpus = exact_quantity(limits["cpu"]) if "cpu" in limits else _CPUS
    return (memory, cpus) if LABEL in pod.labels else (min(memory, _MEMORY), min(cpus, _CPUS))
