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
from ..cluster.guest import Guest, guest
from ..cluster.holders import mounted_at
from ..cluster.objects import Pod
from ..deadline import Deadline
from ..shell import Shell

_LIMITS = (256 * 1024 * 1024, 1.0)
"""Bytes of memory and processors that git may use inside somebody else's container."""


class Held:
    """A volume while it is held; see ``cache.keeper.HeldVolume``."""

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
    lock.take(mine, deadline)
    held: Held | None = None
    visit: Guest | None = None
    try:
        with lock.beating(tell), guest(client, pod, container, deadline.stop, mine.id, lock.require) as visit:
            held = Held(visit.shell, path, f"{visit.scratch}/work", *_LIMITS, True, f"@{by['run']}", started, guest=True)
            yield held
    finally:
        lock.work_ended = visit is None or not visit.left
        if held is not None and visit is not None and visit.left:
            held.warnings += (f"{visit.left} So claim {lock.claim.name} stays locked; the next run ends what is left there.",)
