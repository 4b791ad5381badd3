# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide changes of a workload: node selector, tolerations, replicas and resources. Pure.

What we put on a pod template is written on the workload as an annotation, so that exactly that is taken away again when it
is no longer wanted. An annotation of the workload itself restarts nothing.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..annotation import parse_object
from ..cluster.workloads import Workload
from ..errors import InvalidOption
from .sizes import Size, check_resources, same_quantity
from .tolerations import Toleration, read_toleration, to_data

RECORD = "packit.dev/staging"
"""The annotation of a workload with what of its pod template is ours."""
_POD = "spec.template.spec"


@dataclass(frozen=True)
class Wanted:
    """The wanted settings of a workload. ``placed``: node selector and tolerations are ours to set, and to take away."""

    placed: bool
    node_selector: Mapping[str, str]
    tolerations: tuple[Toleration, ...]
    size: Size | None


@dataclass(frozen=True)
class FieldChange:
    """One field. None: not there. ``owner`` is what the deployment's template says of it, None where it says nothing."""

    path: str
    before: Any
    after: Any
    owner: Any = None

    @property
    def in_template(self) -> bool:
        """Return whether it is part of the pod template, so that the pods start anew."""
        return self.path.startswith("spec.template.")

    @property
    def reverted(self) -> bool:
        """Return whether the next deployment would set it back."""
        return self.owner is not None and self.owner != self.after

    def __str__(self) -> str:
        return f"{self.path}: {shown(self.before)} -> {shown(self.after)}"


@dataclass(frozen=True)
class Change:
    """The changes of one workload. ``pod`` is the pod template's new spec, ``record`` the annotation's new value."""

    workload: Workload
    fields: tuple[FieldChange, ...]
    replicas: int
    pod: Mapping[str, Any] = field(repr=False)
    record: str | None

    @property
    def restarts(self) -> bool:
        """Return whether the pods start anew."""
        return any(item.in_template for item in self.fields)

    def body(self, resource_version: str, *, template: bool) -> dict[str, Any]:
        """The merge patch for the object of that version; ``template`` says whether the pod template is part of it."""
        spec: dict[str, Any] = {}
        meta: dict[str, Any] = {"uid": self.workload.uid, "resourceVersion": resource_version}
        if self.replicas != self.workload.replicas:
            spec["replicas"] = self.replicas
        if template and self.restarts:
            before = self.workload.template.get("spec") or {}
            pod = {name: value for name, value in self.pod.items() if before.get(name) != value}
            # A merge patch keeps what it does not name.
            gone = dict.fromkeys(name for name in before.get("nodeSelector") or {} if name not in self.pod.get("nodeSelector", {}))
            if gone:
                pod["nodeSelector"] = {**gone, **pod.get("nodeSelector", {})}
            spec["template"] = {"spec": pod}
            meta["annotations"] = {RECORD: self.record}
        return {"metadata": meta, "spec": spec}


def shown(value: Any) -> str:
    """A field's value for people."""
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def decide(workload: Workload, wanted: Wanted) -> Change:
    """Return what changes. Raises InvalidOption for a container that is not there, and for a request beyond its limit."""
    pod: dict[str, Any] = copy.deepcopy(dict(workload.template.get("spec") or {}))
    fields: list[FieldChange] = []
    record = _read_record(workload)
    if wanted.placed:
        record = {
            "nodeSelector": _select(workload, pod, wanted, record, fields),
            "tolerations": _tolerate(workload, pod, wanted, record, fields),
        }
    replicas = workload.replicas
    if wanted.size is not None:
        if wanted.size.replicas is not None and wanted.size.replicas != replicas:
            replicas = wanted.size.replicas
            owner = (workload.last_applied.get("spec") or {}).get("replicas")
            fields.insert(0, FieldChange("spec.replicas", workload.replicas, replicas, owner))
        _resize(workload, pod, wanted.size, fields)
    kept = {name: value for name, value in record.items() if value}
    return Change(workload, tuple(fields), replicas, pod, json.dumps(kept, separators=(",", ":"), sort_keys=True) if kept else None)


def _read_record(workload: Workload) -> dict[str, Any]:
    """Return what of the template is ours; nothing where the annotation is not there, or somebody spoiled it."""
    return parse_object(workload.annotations.get(RECORD))


def _select(
    workload: Workload, pod: dict[str, Any], wanted: Wanted, record: Mapping[str, Any], fields: list[FieldChange]
) -> dict[str, str]:
    """Change the node selector; returns what of it is ours."""
    present = dict(pod.get("nodeSelector") or {})
    ours: Mapping[str, str] = record.get("nodeSelector") or {}
    owned = _applied_pod(workload).get("nodeSelector") or {}
    gone = [name for name, value in ours.items() if name not in wanted.node_selector and present.get(name) == value]
    for name in gone:
        fields.append(FieldChange(f"{_POD}.nodeSelector.{name}", present.pop(name), None, owned.get(name)))
    mine = {}
    for name, value in wanted.node_selector.items():
        if present.get(name) != value:
            fields.append(FieldChange(f"{_POD}.nodeSelector.{name}", present.get(name), value, owned.get(name)))
            mine[name] = value
        elif ours.get(name) == value:
            mine[name] = value
        present[name] = value
    if gone or present:
        pod["nodeSelector"] = present
    return mine


def _tolerate(
    workload: Workload, pod: dict[str, Any], wanted: Wanted, record: Mapping[str, Any], fields: list[FieldChange]
) -> list[dict[str, Any]]:
    """Change the template's tolerations; returns those that are ours."""
    present = list(pod.get("tolerations") or [])
    ours = [read_toleration(item).meaning for item in record.get("tolerations") or []]
    wished = [item.meaning for item in wanted.tolerations]
    after = [item for item in present if read_toleration(item).meaning in wished or read_toleration(item).meaning not in ours]
    there = [read_toleration(item).meaning for item in after]
    new = [to_data(item) for item in wanted.tolerations if item.meaning not in there]
    after += new
    if after != present:
        owner = _applied_pod(workload).get("tolerations")
        fields.append(FieldChange(f"{_POD}.tolerations", present or None, after or None, owner))
        pod["tolerations"] = after
    return [to_data(item) for item in wanted.tolerations if item.meaning in ours or to_data(item) in new]


def _resize(workload: Workload, pod: dict[str, Any], size: Size, fields: list[FieldChange]) -> None:
    """Change a container's resources."""
    if not size.requests and not size.limits:
        return
    container = _container(workload, pod, size)
    name = container["name"]
    resources = container.setdefault("resources", {})
    applied: list[Mapping[str, Any]] = _applied_pod(workload).get("containers") or []
    owned = next((item.get("resources") or {} for item in applied if item.get("name") == name), {})
    for kind, wishes in (("requests", size.requests), ("limits", size.limits)):
        for resource, value in wishes.items():
            present = (resources.get(kind) or {}).get(resource)
            if present is not None and same_quantity(str(present), value):
                continue
            owner = (owned.get(kind) or {}).get(resource)
            same = owner is not None and same_quantity(str(owner), value)
            path = f"{_POD}.containers[{name}].resources.{kind}.{resource}"
            fields.append(FieldChange(path, present, value, value if same else owner))
            resources[kind] = {**(resources.get(kind) or {}), resource: value}
    texts = {kind: {key: str(value) for key, value in (resources.get(kind) or {}).items()} for kind in ("requests", "limits")}
    check_resources(f"Container {name} of {workload}", texts["requests"], texts["limits"])


def _container(workload: Workload, pod: Mapping[str, Any], size: Size) -> dict[str, Any]:
    containers: list[dict[str, Any]] = pod.get("containers") or []
    found = [item for item in containers if size.container in ("", item["name"])]
    if len(found) == 1:
        return found[0]
    names = ", ".join(item["name"] for item in containers)
    if size.container:
        raise InvalidOption(f"{workload} has no container `{size.container}`.", f"It has: {names}.")
    raise InvalidOption(f"{workload} has several containers.", f"Say which one with `container`: {names}.")


def _applied_pod(workload: Workload) -> Mapping[str, Any]:
    """The pod template's spec as the deployment's template says it, empty where that is not known."""
    spec = workload.last_applied.get("spec") or {}
    return ((spec.get("template") or {}).get("spec")) or {}
