# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out by which way a seed's packs reach each namespace: over the pod network, or through the API server, which is always open."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

from ...background import unexpected
from ...cache.domain.model import Volume
from ...cache.transfer.over_network import Key, Route, probe
from ...cluster.api.api_errors import ClusterError
from ...cluster.api.ours import SCRATCH
from ...cluster.pods.network_policy import allowed
from ...deadline import Deadline
from ...errors import Cancelled
from ...shell import Shell
from .context import SeedContext

_PAUSE = 1.0
_POLICY_SECONDS = 15.0
"""Seconds until a new network policy must be in force."""

OpenPod = Callable[[Volume, Deadline], AbstractContextManager[Shell]]
"""Opens a warm-up pod, which has no volumes and is otherwise like a volume's filler, for a while."""


class Ways:
    """The ways to the namespaces of a run's volumes. Safe for threads; close it at the end. ``keys``: of the fillers of each volume."""

    def __init__(self, context: SeedContext, keys: Mapping[Volume, Key], open_pod: OpenPod) -> None:
        self._context = context
        self._keys = keys
        self._open_pod = open_pod
        self._targets = tuple({volume.namespace: volume for volume in keys}.values())
        self._executor = ThreadPoolExecutor(max(1, len(self._targets)), "probe")
        self._probes: list[Future[None]] = []
        self._policies = ExitStack()
        self._detours: dict[str, str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Return which namespaces had the slower way, and why."""
        return tuple(
            f"Packs went to {namespace} through the API server, which is slower, as {why}" for namespace, why in sorted(self._detours.items())
        )

    def start_trying(self, route: Route, deadline: Deadline) -> None:
        """Try the network to each namespace, once a run, beside the first fetch."""
        if not self._probes:
            self._probes = [self._executor.submit(self._try, volume, route, deadline) for volume in self._targets]

    def wait(self) -> None:
        """Wait until each namespace was tried."""
        for probed in self._probes:
            probed.result()

    def is_closed(self, namespace: str) -> bool:
        """Return whether packs for that namespace go through the API server."""
        return namespace in self._detours

    def close_for(self, namespace: str, why: str) -> None:
        """Use the network to that namespace no more."""
        self._detours.setdefault(namespace, why)

    def close(self) -> None:
        """Remove the run's network policies. Raises ClusterError."""
        with self._policies:
            self._executor.shutdown()

    def _try(self, volume: Volume, route: Route, deadline: Deadline) -> None:
        """Find out, from a pod without volumes, whether the fillers of a namespace can reach the seed.

        Where that cannot be tried, the way that is always open is taken.
        """
        try:
            with self._open_pod(volume, deadline) as shell:
                refused = probe(shell, SCRATCH, route, self._keys[volume], deadline)
                if refused and self._context.options.network_policy:
                    refused = self._with_policy(volume, shell, route, deadline)
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001  (a thread's outermost frame, and no volume's failure)
            refused = f"it could not be tried: {unexpected('Trying the way to the seed', error).message}"
        if refused:
            self._context.tell(f"cannot be reached from {volume.namespace}, so packs go through the API server", refused)
            self._detours[volume.namespace] = f"its pods cannot reach the seed pod: {refused}"

    def _with_policy(self, volume: Volume, shell: Shell, route: Route, deadline: Deadline) -> str:
        """Make the run's network policies, and look until they are in force; why not, where they are not."""
        spec = self._context.spec
        try:
            policies = allowed(self._context.client, spec.owner["run"], spec.namespace, volume.namespace, route.port, deadline)
            self._policies.enter_context(policies)
        except ClusterError as error:
            return error.message
        ends = time.monotonic() + _POLICY_SECONDS  # a probe may take longer than is left, where packets are dropped
        while (refused := probe(shell, SCRATCH, route, self._keys[volume], deadline)) and time.monotonic() < ends:
            deadline.sleep(_PAUSE)
        return refused
