# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an object that was sent, in the API server's words. Pure."""

from __future__ import annotations

from typing import Any

from .resources import Resource
from .status import ApiError
from .tolerations import wrong_tolerations

Json = dict[str, Any]
_CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"
)  # fmt: skip

_SUFFIXES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 0.001, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "": 1}


def quantity(text: Any) -> float:
    """A Kubernetes quantity."""
    number = str(text).rstrip("KMGTikm")
    return float(number) * _SUFFIXES[str(text)[len(number) :]]


def check_workload(resource: Resource, present: Json | None, body: Json) -> None:
    """Refuse a StatefulSet or Deployment that is wrong, or changed where it cannot be. Raises a 422."""
    if resource.group != "apps":
        return
    spec, wrong = body["spec"], []
    if spec.get("replicas", 1) < 0:
        wrong.append(f"spec.replicas: Invalid value: {spec['replicas']}: must be greater than or equal to 0")
    if present is not None and _fixed(resource, present) != _fixed(resource, body):
        if resource.kind == "StatefulSet":
            *some, last = [f"'{name}'" for name in _CHANGEABLE]
            wrong.append(f"spec: Forbidden: updates to statefulset spec for fields other than {', '.join(some)} and {last} are forbidden")
        else:
            wrong.append("spec.selector: Invalid value: field is immutable")
    wrong += wrong_spec(spec["template"].get("spec") or {}, "spec.template.spec")
    refuse(resource.kind, body["metadata"].get("name", ""), wrong)


def wrong_spec(spec: Json, path: str) -> list[str]:
    """What is wrong with a pod's spec."""
    found = wrong_tolerations(spec.get("tolerations") or [], f"{path}.tolerations")
    for number, container in enumerate(spec.get("containers") or []):
        resources = container.get("resources") or {}
        limits = resources.get("limits") or {}
        for name, value in (resources.get("requests") or {}).items():
            if name in limits and quantity(value) > quantity(limits[name]):
                words = f"must be less than or equal to {name} limit of {limits[name]}"
                found.append(f'{path}.containers[{number}].resources.requests: Invalid value: "{value}": {words}')
    return found


def _fixed(resource: Resource, item: Json) -> Json:
    """The part of a spec that stays as it was made."""
    if resource.kind == "Deployment":
        return {"selector": item["spec"].get("selector")}
    return {key: value for key, value in item["spec"].items() if key not in _CHANGEABLE}


def refuse(kind: str, name: str, wrong: list[str]) -> None:
    """Raises a 422 where something is wrong."""
    if wrong:
        group = ".apps" if kind in ("StatefulSet", "Deployment") else ""
        words = wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]"
        raise ApiError(422, f'{kind}{group} "{name}" is invalid: {words}')
