# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an object that was sent, in the API server's words. Pure."""

from __future__ import annotations

from typing import Any

from .resources import Resource
from .status import ApiError

Json = dict[str, Any]
_CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"
)  # fmt: skip


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
    refuse(resource.kind, body["metadata"].get("name", ""), wrong)


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
