# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what the controllers of StatefulSets and Deployments do next: pods to make, pods to delete, and the status. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
SET_REVISION, DEPLOYMENT_REVISION = "controller-revision-hash", "pod-template-hash"


@dataclass
class Step:
    """One look's outcome. ``create`` has each pod's name and its labels beside the template's."""

    status: Json
    create: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    delete: list[Json] = field(default_factory=list)


def step(owner: Json, pods: Sequence[Json]) -> Step:
    """The next step for a StatefulSet or a Deployment with these pods."""
    return _stateful_set(owner, pods) if owner["kind"] == "StatefulSet" else _deployment(owner, pods)


def ready(pod: Json) -> bool:
    """Return whether a pod is Ready and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return not _ending(pod) and any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _stateful_set(owner: Json, pods: Sequence[Json]) -> Step:
    """Ordinals are made upwards; those of an older template are deleted downwards, one by one, each time that all above it
    are Ready (RollingUpdate). OrderedReady makes and deletes one at a time."""
    name, spec = owner["metadata"]["name"], owner["spec"]
    wanted, ordered = spec.get("replicas", 1), spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    revision = f"{name}-{_hash(spec['template'])}"
    present = {int(pod["metadata"]["name"].rpartition("-")[2]): pod for pod in pods}
    old = owner.get("status") or {}
    new = [pod for pod in pods if _label(pod, SET_REVISION) == revision and not _ending(pod)]
    current = old.get("currentRevision") or revision
    if len(new) == len(pods) and sum(ready(pod) for pod in pods) == len(pods):
        current = revision
    status = {
        **_counted(owner, pods, len(new)),
        "currentRevision": current,
        "updateRevision": revision,
        "currentReplicas": sum(_label(pod, SET_REVISION) == current for pod in pods),
    }
    found = Step(status)
    for ordinal in range(wanted):
        if ordinal not in present:
            labels = {SET_REVISION: revision, "statefulset.kubernetes.io/pod-name": f"{name}-{ordinal}"}
            found.create.append((f"{name}-{ordinal}", {**labels, "apps.kubernetes.io/pod-index": str(ordinal)}))
        if ordered and (ordinal not in present or not ready(present[ordinal])):
            return found
    surplus = sorted((ordinal for ordinal in present if ordinal >= wanted), reverse=True)
    found.delete += [present[ordinal] for ordinal in (surplus[:1] if ordered else surplus) if not _ending(present[ordinal])]
    if surplus and ordered:
        return found
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") == "RollingUpdate":
        lowest = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        for ordinal in range(wanted - 1, lowest - 1, -1):
            pod = present.get(ordinal)
            if pod is not None and _label(pod, SET_REVISION) != revision and not _ending(pod):
                found.delete.append(pod)
                break
            if pod is None or not ready(pod):
                break
    return found


def _deployment(owner: Json, pods: Sequence[Json]) -> Step:
    """Pods of the present template come up beside the older ones, as many more as maxSurge says; older ones go as far as
    maxUnavailable allows. Recreate deletes all of them first."""
    meta, spec = owner["metadata"], owner["spec"]
    wanted, revision = spec.get("replicas", 1), _hash(spec["template"])
    alive = [pod for pod in pods if not _ending(pod)]
    new = [pod for pod in alive if _label(pod, DEPLOYMENT_REVISION) == revision]
    old = [pod for pod in alive if pod not in new]
    status = _counted(owner, alive, len(new))
    able = sum(ready(pod) for pod in alive)
    done = len(new) == wanted and not old and able == wanted
    reason = "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
    status["conditions"] = [{"type": "Progressing", "status": "True", "reason": reason, "message": f'ReplicaSet "{meta["name"]}"'}]
    found = Step(status)
    strategy = spec.get("strategy") or {}
    recreate = strategy.get("type") == "Recreate"
    rolling = strategy.get("rollingUpdate") or {}
    surge = 0 if recreate else _share(rolling.get("maxSurge", "25%"), wanted, math.ceil)
    missing = max(0, min(wanted - len(new), wanted + surge - len(alive)))
    if recreate and len(pods) > len(new):
        missing = 0
    taken = {pod["metadata"]["name"] for pod in pods}
    names = (f"{meta['name']}-{revision}-{number}" for number in range(len(pods) + wanted + 1))
    found.create = [(name, {DEPLOYMENT_REVISION: revision}) for name in names if name not in taken][:missing]
    spare = able - (wanted - _share(rolling.get("maxUnavailable", "25%"), wanted, math.floor))
    if recreate:
        found.delete = old
    else:
        for pod in sorted(old, key=ready):  # those that are not Ready go first
            if not ready(pod) or spare > 0:
                found.delete.append(pod)
                spare -= ready(pod)
    found.delete += sorted(new, key=ready)[: max(0, len(new) - wanted)]
    return found


def _counted(owner: Json, pods: Sequence[Json], updated: int) -> Json:
    able = sum(ready(pod) for pod in pods)
    counted = {"replicas": len(pods), "updatedReplicas": updated, "readyReplicas": able, "availableReplicas": able}
    return {**counted, "observedGeneration": owner["metadata"].get("generation", 1)}


def _share(value: int | str, wanted: int, rounded: Any) -> int:
    return int(rounded(wanted * int(value.rstrip("%")) / 100)) if isinstance(value, str) else value


def _hash(template: Json) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _label(pod: Json, label: str) -> str:
    return str((pod["metadata"].get("labels") or {}).get(label, ""))


def _ending(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]
