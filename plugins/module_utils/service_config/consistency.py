# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the configuration with what is deployed: workers' mounts, the claims that they look up, those that exist. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..volumes.pairs import SANDBOX_PREFIX, TEMPLATE
from .wanted import VARIABLE, Wanted

START_UP = "run_worker.sh"
"""The service's start-up script. It exports the variable where the worker serves the queue ``long-running``, which it does by default."""
QUEUE = "long-running"


@dataclass(frozen=True)
class Worker:
    """A workload that mounts the cache: its pods, where, and per pod the claim that it looks up (empty: none that we can see)."""

    name: str
    pods: tuple[str, ...]
    path: str
    claims: tuple[str, ...]


def worker(name: str, replicas: int, template: Mapping[str, Any], wanted: Wanted) -> Worker | None:
    """A StatefulSet as a worker, of its name and pod template; None where it mounts no cache."""
    for container in (template.get("spec") or {}).get("containers") or []:
        for mount in container.get("volumeMounts") or []:
            if mount["name"] == TEMPLATE or mount["mountPath"] == wanted.path:
                pods = tuple(f"{name}-{number}" for number in range(replicas))
                return Worker(name, pods, mount["mountPath"], tuple(_looked_up(container, wanted.pvc_from_env, pod) for pod in pods))
    return None


def findings(wanted: Wanted, workers: Sequence[Worker], namespace: str, claims: Collection[str] | None) -> Iterator[str]:
    """Yield what does not fit, with what to do. ``claims``: the names in the sandboxes' namespace, None where nobody looked."""
    if not workers:
        yield (
            f"No StatefulSet mounts a repository cache at {wanted.path}: workers find nothing there. "
            "Deploy them with one (with_repository_cache), or leave the cache out of the configuration."
        )
    for item in workers:
        if item.path != wanted.path:
            yield (
                f"StatefulSet {item.name} mounts its cache at {item.path}, and the configuration says {wanted.path}: "
                "the service finds no cache there. Make both the same."
            )
        if "" in item.claims:
            yield (
                f"StatefulSet {item.name} does not set {wanted.pvc_from_env}, as far as its env, command and args say; then its sandboxes "
                f'get no cache. Its start-up must have: export {wanted.pvc_from_env}="{SANDBOX_PREFIX}$(uname --nodename)"'
            )
        shared = {claim for claim in item.claims if claim and item.claims.count(claim) > 1}
        for claim in sorted(shared):
            yield (
                f"All pods of StatefulSet {item.name} look up the one claim {claim}: only one sandbox at a time could start. "
                f"Set {wanted.pvc_from_env} at their start-up: {SANDBOX_PREFIX}$(uname --nodename)"
            )
        for pod, claim in zip(item.pods, item.claims, strict=True):
            if claim and claims is not None and claim not in claims:
                yield (
                    f"Worker {pod} looks up the claim {namespace}/{claim}, which does not exist: its sandboxes do not start. "
                    "Create it, or give the claim that there is this name."
                )


def without_cache(template: Mapping[str, Any], wanted: Wanted) -> bool:
    """Return whether a pod template runs the service's worker, and mounts no cache."""
    containers = (template.get("spec") or {}).get("containers") or []
    return any(START_UP in _words(item) for item in containers) and worker("", 0, template, wanted) is None


def no_cache(names: Sequence[str], wanted: Wanted) -> str:
    """Return what becomes of jobs that clone on these workers, which have no cache."""
    return (
        f"These run the service's worker and mount nothing at {wanted.path}: {', '.join(names)}. The service makes that directory where it is missing, "
        "and where it may not, a job that clones there fails with PermissionError. Mount the cache there as well, or see that none of their "
        "queues has a job that clones."
    )


def _words(container: Mapping[str, Any]) -> str:
    return " ".join(str(word) for word in [*(container.get("command") or []), *(container.get("args") or [])])


def mentions(template: Mapping[str, Any], secret: str) -> bool:
    """Return whether a pod template uses a Secret: as a volume, or in its environment. Its pods see a new content when they start."""
    spec = template.get("spec") or {}
    for volume in spec.get("volumes") or []:
        projected = (volume.get("projected") or {}).get("sources") or []
        if (volume.get("secret") or {}).get("secretName") == secret:
            return True
        if any((source.get("secret") or {}).get("name") == secret for source in projected):
            return True
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        named = [(item.get("valueFrom") or {}).get("secretKeyRef") for item in container.get("env") or []]
        named += [item.get("secretRef") for item in container.get("envFrom") or []]
        if any((item or {}).get("name") == secret for item in named):
            return True
    return False


def _looked_up(container: Mapping[str, Any], variable: str, pod: str) -> str:
    """The claim that a worker's pod finds in its variable."""
    env = {item["name"]: item for item in container.get("env") or []}
    queues = str(env.get("QUEUES", {}).get("value", QUEUE))
    words = _words(container)
    if START_UP in words and variable == VARIABLE and QUEUE in queues:
        return SANDBOX_PREFIX + pod
    said = re.search(rf"{re.escape(variable)}=[\"']?([^\s\"';&$]*(?:\$\([^)]*\)|\$\{{?\w+\}}?)?)", words)
    if said is not None:
        return re.sub(r"\$\((?:uname (?:-n|--nodename)|hostname)\)|\$\{?HOSTNAME\}?", pod, said.group(1))
    if variable in env:
        own = [
            name for name, item in env.items() if ((item.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath") == "metadata.name"
        ]
        value = pod if variable in own else str(env[variable].get("value", ""))
        for name in own:
            value = value.replace(f"$({name})", pod)
        return value
    return ""
