# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what is deployed beside the configuration: workers, claims, and the workloads that read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..cluster.api.access import RBAC_SERVICE_CONFIG, Right, require
from ..cluster.api.api_errors import Forbidden
from ..cluster.api.client import Client
from ..cluster.workloads import Workload, list_workloads, restart, wait_for_rollout
from ..deadline import Deadline
from .consistency import findings, mentions, no_cache, without_cache, worker
from .secret import Place
from .wanted import Wanted

_WORKLOADS = (("statefulsets", "StatefulSet"), ("deployments", "Deployment"))


@dataclass(frozen=True)
class Deployed:
    """The workloads of the service's namespace; ``blind`` says why they are not known."""

    workloads: tuple[Workload, ...]
    blind: str = ""

    def readers(self, place: Place) -> tuple[Workload, ...]:
        """Return the workloads that read the Secret, and so must be restarted to see a change."""
        return tuple(item for item in self.workloads if mentions(item.template, place.secret))


def look(client: Client, namespace: str, deadline: Deadline) -> Deployed:
    """Two requests. What may not be read is said, and is no error: it is needed only for warnings."""
    try:
        return Deployed(list_workloads(client, namespace, deadline))
    except Forbidden as error:
        return Deployed((), f"Workloads could not be looked at, so nothing is known of workers and restarts. {error}")


def inconsistencies(client: Client, deployed: Deployed, wanted: Wanted, sandbox_namespace: str, deadline: Deadline) -> tuple[str, ...]:
    """Return what of the deployment does not fit the configuration. One request."""
    if deployed.blind:
        return (deployed.blind,)
    stateful = [item for item in deployed.workloads if item.kind == "StatefulSet"]
    workers = [found for item in stateful if (found := worker(item.name, item.replicas, item.template, wanted)) is not None]
    bare = [f"{item.kind} {item.name}" for item in deployed.workloads if without_cache(item.template, wanted)]
    beside = (no_cache(bare, wanted),) if workers and bare else ()
    if not sandbox_namespace:
        words = "The sandboxes' namespace is not known, so their claims were not looked at. Set option `sandbox_namespace`."
        return (*findings(wanted, workers, "", None), *beside, words)
    try:
        claims = {item["metadata"]["name"] for item in client.list("PersistentVolumeClaim", sandbox_namespace, deadline)}
    except Forbidden as error:
        return (*findings(wanted, workers, "", None), *beside, f"The sandboxes' claims could not be looked at. {error}")
    return (*findings(wanted, workers, sandbox_namespace, claims), *beside)


def require_restart(client: Client, namespace: str, readers: Sequence[Workload], deadline: Deadline) -> None:
    """Raises Forbidden where we may not find them, not restart them, or not see how it goes."""
    kinds = {item.kind for item in readers}
    rights = [Right(plural, "list", group="apps") for plural, _kind in _WORKLOADS]
    rights += [Right(plural, verb, group="apps") for plural, kind in _WORKLOADS if kind in kinds for verb in ("get", "patch")]
    require(client, [namespace], [*rights, Right("pods", "list")], deadline, RBAC_SERVICE_CONFIG)


def restart_all(client: Client, readers: Sequence[Workload], seconds: float) -> list[str]:
    """Restart one after the other, each when the last is up again. Return what was told meanwhile; those that are paused stay as they are.

    Raises RolloutStuck.
    """
    told: list[str] = []
    for item in readers:
        deadline = Deadline(seconds, f"the restart of {item}")
        wait_for_rollout(client, restart(client, item, deadline), deadline, told.append)
    return told
