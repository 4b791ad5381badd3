# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods, claims and events as frozen values, parsed from what the API returns. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from ...times import parse_time
from .ours import OUR_CONTAINER, OUR_LABEL

Object = Mapping[str, Any]
"""An object as the API returns it, parsed from JSON."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container of a pod, with its state. ``waiting`` and ``terminated`` are the API's reasons, empty where it is not so. ``sub_paths``:
    volume name → the directory of it that is mounted."""

    name: str
    image: str
    mounts: Mapping[str, str]
    """Volume name → path."""
    security_context: Mapping[str, Any] = field(default_factory=dict)
    waiting: str = ""
    waiting_message: str = ""
    terminated: str = ""
    terminated_message: str = ""
    exit_code: int | None = None
    running: bool = False
    sub_paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod. ``claims`` maps its volumes' names to the claims behind them; ``init_containers`` are those before its own."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    created: datetime | None
    deleting: bool
    node: str
    address: str
    phase: str
    reason: str
    message: str
    ready: bool
    conditions: Mapping[str, tuple[str, str, str]]
    """Condition type → status, reason, message."""
    claims: Mapping[str, str]
    containers: tuple[Container, ...]
    spec: Mapping[str, Any] = field(repr=False)
    init_containers: tuple[Container, ...] = ()

    @property
    def ended(self) -> bool:
        """Return whether its containers have ended for good. Of a pod of ours only our own counts: one that was put beside it may run for ever."""
        return self.phase in ("Succeeded", "Failed") or any(container.exit_code is not None for container in self._own)

    @property
    def usable(self) -> bool:
        """Return whether processes can be run in it: it is Ready, or our own container in it runs."""
        return self.ready or any(container.running for container in self._own)

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """Return its containers in the order in which they start."""
        return self.init_containers + self.containers

    @property
    def needed(self) -> tuple[Container, ...]:
        """Return the containers without which processes cannot be run in it: of a pod of ours, our own and what comes before it."""
        return (*self.init_containers, *(self._own or self.containers))

    @property
    def _own(self) -> list[Container]:
        return [container for container in self.containers if OUR_LABEL in self.labels and container.name == OUR_CONTAINER]

    @property
    def uses(self) -> frozenset[str]:
        """The claims that it mounts."""
        return frozenset(self.claims.values())


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A persistent volume claim. ``capacity`` is in bytes, 0 where it is not known; ``volume_name`` is empty while unbound;
    ``storage`` is the size that it asks for, as it is written there."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    deleting: bool
    phase: str
    volume_name: str
    capacity: int
    storage: str
    storage_class: str
    block: bool = False
    """True for a block device, without a file system."""
    grows_when_mounted: bool = False
    """True where the volume has grown, and its file system will when a pod mounts it."""
    clone_of: str = ""
    """The claim in the same namespace whose clone its volume is to be, or has begun as."""


@dataclass(frozen=True)
class Event:
    """One event: what the cluster says about an object."""

    type: str
    reason: str
    message: str
    count: int
    last: str


def parse_pod(data: Object) -> Pod:
    """A pod from the API's object."""
    meta, spec, status = data["metadata"], data.get("spec") or {}, data.get("status") or {}
    conditions = {
        item["type"]: (item.get("status", ""), item.get("reason", ""), item.get("message", "")) for item in status.get("conditions") or []
    }
    return Pod(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        created=parse_time(created) if (created := meta.get("creationTimestamp")) else None,
        deleting="deletionTimestamp" in meta,
        node=spec.get("nodeName", ""),
        address=status.get("podIP", ""),
        phase=status.get("phase", ""),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        ready=conditions.get("Ready", ("", "", ""))[0] == "True",
        conditions=conditions,
        claims={
            volume["name"]: volume["persistentVolumeClaim"]["claimName"]
            for volume in spec.get("volumes") or []
            if "persistentVolumeClaim" in volume
        },
        containers=_containers(spec.get("containers"), status.get("containerStatuses")),
        spec=spec,
        init_containers=_containers(spec.get("initContainers"), status.get("initContainerStatuses")),
    )


def _containers(described: Sequence[Object] | None, statuses: Sequence[Object] | None) -> tuple[Container, ...]:
    states = {item["name"]: item.get("state") or {} for item in statuses or []}
    parsed = []
    for item in described or []:
        state = states.get(item["name"], {})
        waiting, terminated = state.get("waiting") or {}, state.get("terminated") or {}
        parsed.append(
            Container(
                name=item["name"],
                image=item.get("image", ""),
                mounts={mount["name"]: mount["mountPath"] for mount in item.get("volumeMounts") or []},
                security_context=item.get("securityContext") or {},
                waiting=waiting.get("reason", ""),
                waiting_message=waiting.get("message", ""),
                terminated=terminated.get("reason", ""),
                terminated_message=" ".join(str(terminated.get("message", "")).split()),
                exit_code=terminated.get("exitCode"),
                running="running" in state,
                sub_paths={
                    mount["name"]: mount.get("subPath") or mount["subPathExpr"]
                    for mount in item.get("volumeMounts") or []
                    if mount.get("subPath") or mount.get("subPathExpr")
                },
            )
        )
    return tuple(parsed)


def parse_claim(data: Object) -> Claim:
    """A claim from the API's object."""
    meta, spec, status = data["metadata"], data.get("spec") or {}, data.get("status") or {}
    source = spec.get("dataSource") or {}
    return Claim(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        deleting="deletionTimestamp" in meta,
        phase=status.get("phase", ""),
        volume_name=spec.get("volumeName", ""),
        capacity=quantity((status.get("capacity") or {}).get("storage", "0")),
        storage=((spec.get("resources") or {}).get("requests") or {}).get("storage", "0"),
        storage_class=spec.get("storageClassName") or "",
        block=spec.get("volumeMode") == "Block",
        grows_when_mounted=any(
            item.get("type") == "FileSystemResizePending" and item.get("status") == "True" for item in status.get("conditions") or []
        ),
        clone_of=source["name"] if source.get("kind") == "PersistentVolumeClaim" else "",
    )


def parse_event(data: Object) -> Event:
    """An event from the API's object (core/v1; newer reporters fill ``series`` instead of ``count``)."""
    series = data.get("series") or {}
    return Event(
        type=data.get("type", ""),
        reason=data.get("reason", ""),
        message=(data.get("message") or "").strip(),
        count=data.get("count") or series.get("count") or 1,
        last=data.get("lastTimestamp") or series.get("lastObservedTime") or data.get("eventTime") or "",
    )


_MOST = 2**63
_SUFFIXES = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60, "m": 1e-3, "u": 1e-6, "n": 1e-9,
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)")


def quantity(text: str) -> int:
    """A Kubernetes quantity as a whole number (bytes for storage and memory), rounded up. Raises ValueError."""
    return -int(-exact_quantity(text) // 1)


def exact_quantity(text: str) -> float:
    """A Kubernetes quantity (``500m`` processors are 0.5). Raises ValueError."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in _SUFFIXES or (found[2] and "e" in found[1].lower()):
        raise ValueError(f"`{text}` is no Kubernetes quantity")
    # By decimals, so that 9m is 0.009; the API's own bound is that of its whole numbers (apimachinery/pkg/api/resource).
    exact = Decimal(found[1]) * Decimal(str(_SUFFIXES[found[2]]))
    if not abs(exact) < _MOST:
        raise ValueError(f"`{text[:40]}` is more than a Kubernetes quantity can be")
    return float(exact)
