# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""More seed pods for many volumes: they copy from the first one, so that upstream is still read once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ...cache.git.pack_maker import FinishedPacks
from ...cache.transfer.over_network import Key, Route, copy_packs, new_key, serve
from ...cluster.api.ours import SCRATCH
from ...cluster.pods.manifest import FillerSpec
from ...cluster.pods.service_pod import ServicePod
from ...deadline import Deadline
from ...errors import Cancelled, DeploymentError
from ...progress import OnLine, Tell
from ...shell import checked
from .context import SeedContext
from .memory import limited
from .seed_options import MEMORY

VOLUMES_OF_ONE = 8
"""Volumes that one seed serves before another pays."""
_MOST = 4
_START_SECONDS = 120
"""Longer than that no replica is waited for."""
_SERVED = f"{SCRATCH}/seed/packs"


def replicas_for(volumes: int, wanted: int) -> int:
    """Return how many more seeds than the first a run makes for ``volumes`` that receive all of a project; ``wanted`` 0: decide. Pure."""
    if wanted:
        return wanted - 1
    return max(0, min(_MOST, -(-volumes // VOLUMES_OF_ONE)) - 1)


@dataclass
class _Source:
    """A seed, the directories of packs that it has, and how many volumes copy from it now."""

    route: Route
    has: set[str] = field(default_factory=set)
    busy: int = 0


class Replicas:
    """The other seeds of a run. Safe for threads; close it at the end. One that fails is left out: the first one has all.

    ``served``: the keys of who copies from them; ``keys``: those with which they copy from the first one.
    """

    def __init__(self, context: SeedContext, number: int, served: Sequence[Key]) -> None:
        self._served = served
        self.keys = tuple(new_key(f"replica-{index}") for index in range(number))
        self._tell = context.tell
        self._pods = [
            ServicePod(context.client, _replica(context, index), context.stop, _quiet(context.tell, index)) for index in range(number)
        ]
        self._lock = threading.Lock()
        self._spreading = threading.Lock()
        self._sources: dict[int, _Source] = {}
        self._first: _Source | None = None
        self._left_out: set[int] = set()

    def spread(self, packs: FinishedPacks, first: Route, deadline: Deadline) -> None:
        """Have every replica copy packs that the first seed serves. Slow, so before any lock."""
        with deadline.holding(self._spreading):
            pending = [
                index
                for index in range(len(self._pods))
                if index not in self._left_out and (index not in self._sources or packs.directory not in self._sources[index].has)
            ]
            if pending:
                with ThreadPoolExecutor(len(pending), "replica") as executor:
                    list(executor.map(lambda index: self._copy(index, packs, first, deadline), pending))

    @contextmanager
    def route(self, packs: FinishedPacks, first: Route) -> Iterator[Route]:
        """Yield the seed to copy packs from: of those that have them, the one that is least busy."""
        with self._lock:
            if self._first is None or self._first.route != first:  # none yet, or one that was lost
                self._first = _Source(first)
            sources: Sequence[_Source] = [self._first, *(source for source in self._sources.values() if packs.directory in source.has)]
            chosen = min(sources, key=lambda source: source.busy)
            chosen.busy += 1
        try:
            yield chosen.route
        finally:
            with self._lock:
                chosen.busy -= 1

    def drop(self, route: Route) -> bool:
        """A replica could not be reached: it is used no more. False where it was the first seed."""
        with self._lock:
            gone = [index for index, source in self._sources.items() if source.route == route]
            self._left_out.update(gone)
            for index in gone:
                self._sources[index].has.clear()
        return bool(gone)

    @property
    def left(self) -> tuple[str, ...]:
        """Return why pods are still there after the end."""
        return tuple(words for pod in self._pods for words in pod.left)

    def close(self) -> None:
        """Remove the pods."""
        for pod in self._pods:
            pod.close()

    def _copy(self, index: int, packs: FinishedPacks, first: Route, deadline: Deadline) -> None:
        try:
            pod, shell = self._pods[index].ready(deadline)
            route = replace(first, address=pod.address)
            to = f"{_SERVED}/{packs.directory.removeprefix(first.served).strip('/')}"
            checked(shell, shell.run(("mkdir", "-p", "--", to), deadline=deadline))
            copy_packs(shell, SCRATCH, first, self.keys[index], packs, to, deadline)
            serve(shell, f"{SCRATCH}/rsyncd", _SERVED, route, self._served, deadline)
        except Cancelled:
            raise
        except DeploymentError as error:
            self._tell(f"replica {index + 1} is left out", error.message)
            self._left_out.add(index)  # the others would wait for it as long again
            self._pods[index].close()
            return
        with self._lock:
            self._sources.setdefault(index, _Source(route)).has.add(packs.directory)


def _replica(context: SeedContext, index: int) -> FillerSpec:
    """Return a replica's pod. Its image is on some node by then, and no quota is waited for: the first seed has all. Nothing is proved in it."""
    spec = context.spec if context.options.sets_memory else limited(context.spec, MEMORY)
    overrides = replace(spec.overrides, start_timeout=_START_SECONDS)
    return replace(spec, name=f"{spec.name}-replica-{index}"[:253], mount=None, overrides=overrides)


def _quiet(tell: Tell, index: int) -> OnLine:
    return lambda words: tell(f"replica {index + 1} {words}", "")
