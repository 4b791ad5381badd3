# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods without volumes that are otherwise like a filler: they find out, and wait for, what no volume should be held for."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from ..cache.domain.model import Role, Volume
from ..cluster.api.client import Client
from ..cluster.api.quota import ConcurrencyLimit
from ..cluster.pods.filler import Filler
from ..cluster.pods.manifest import FillerSpec, Purpose
from ..deadline import Deadline
from ..shell import Shell


class WarmUpPods:
    """Makes them, and knows which images have been pulled by them. Safe for threads.

    ``timeout``: seconds in which an image must be there; ``limits``: places for pods, by namespace and role; ``left``: why pods are still there.
    """

    def __init__(self, client: Client, timeout: int, limits: Mapping[tuple[str, Role], ConcurrencyLimit], tell: Callable[[Volume, str], None]) -> None:
        self._client = client
        self._timeout = timeout
        self._limits = limits
        self._tell = tell
        self._lock = threading.Lock()
        self._pulling: dict[tuple[str, str, str], threading.Lock] = {}
        self._pulled: set[tuple[str, str, str]] = set()
        self._trying: dict[str, threading.Lock] = {}
        self._reached: set[str] = set()
        self.left: list[str] = []

    @contextmanager
    def opened(self, volume: Volume, spec: FillerSpec, deadline: Deadline) -> Iterator[Shell]:
        """A warm-up pod on any node, with a shell; ``spec`` is the volume's filler."""
        anywhere = _patient(replace(spec, placement=replace(spec.placement, node="")), self._timeout)
        with self._warm_up_pod(volume, anywhere, deadline) as filler, filler.shell() as shell:
            self._pulled.add(_key(anywhere))
            yield shell

    def pull(self, volume: Volume, spec: FillerSpec, deadline: Deadline) -> None:
        """Have a filler's image pulled where it will run, where that is known, else on some node. Once for each namespace, image and node."""
        key = _key(spec)
        with self._lock:
            mine = self._pulling.setdefault(key, threading.Lock())
        with deadline.holding(mine):
            if key in self._pulled:
                return
            self._tell(volume, f"has the image {spec.image} pulled")
            # A large image takes its time, and nobody waits for a pod without volumes.
            self._run_there(volume, _patient(spec, self._timeout), deadline)
            self._pulled.add(key)

    def require_exec(self, volume: Volume, spec: FillerSpec, deadline: Deadline) -> None:
        """See that processes can be run in pods of the volume's namespace at all, once a run. Raises ExecRefused, ClusterError."""
        with self._lock:
            mine = self._trying.setdefault(volume.namespace, threading.Lock())
        with deadline.holding(mine):
            if volume.namespace not in self._reached:
                self._tell(volume, "sees whether processes can be run in pods")
                self._run_there(volume, spec, deadline)

    def _run_there(self, volume: Volume, spec: FillerSpec, deadline: Deadline) -> None:
        with self._warm_up_pod(volume, spec, deadline) as filler, filler.shell() as shell:
            if volume.namespace not in self._reached:
                shell.run(("true",), deadline=deadline)
                self._reached.add(volume.namespace)

    def _warm_up_pod(self, volume: Volume, spec: FillerSpec, deadline: Deadline) -> Filler:
        pod = replace(
            spec,
            name=f"packit-cache-image-{uuid.uuid4().hex[:12]}",
            mount=None,
            purpose=Purpose.IMAGE,
        )
        limits = [self._limits[volume.namespace, volume.role]]
        return Filler(self._client, pod, deadline, limits, lambda words: self._tell(volume, words), self.left.append)


def _patient(spec: FillerSpec, seconds: int) -> FillerSpec:
    return replace(spec, overrides=replace(spec.overrides, start_timeout=seconds))


def _key(spec: FillerSpec) -> tuple[str, str, str]:
    return spec.namespace, spec.image, spec.placement.node
