# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which node a pod goes to, or why none, in the scheduler's words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


def choose(pod: Json, nodes: Sequence[Json], pinned: Sequence[str]) -> tuple[str, str]:
    """(node, "") or ("", message). ``pinned``: the nodes that the pod's volumes are on."""
    counts: dict[str, int] = {}
    for node in nodes:
        why = _refuses(pod, node, pinned)
        if not why:
            return node["metadata"]["name"], ""
        counts[why] = counts.get(why, 0) + 1
    reasons = ", ".join(f"{number} {why}" for why, number in sorted(counts.items()))
    return (
        "",
        f"0/{len(nodes)} nodes are available: {reasons}. no new claims to deallocate, preemption: 0/{len(nodes)} nodes are available: "
        f"{len(nodes)} Preemption is not helpful for scheduling.",
    )


def _refuses(pod: Json, node: Json, pinned: Sequence[str]) -> str:
    spec, name = pod["spec"], node["metadata"]["name"]
    labels = node["metadata"].get("labels") or {}
    if node["spec"].get("unschedulable"):
        return "node(s) were unschedulable"
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] != "PreferNoSchedule" and not any(_tolerates(item, taint) for item in spec.get("tolerations") or []):
            return "node(s) had untolerated taint(s)"
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()) or not _affine(spec, name, labels):
        return "node(s) didn't match Pod's node affinity/selector"
    if any(place and place != name for place in pinned):
        return "node(s) had volume node affinity conflict"
    return ""


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return bool(toleration.get("key") == taint["key"] and toleration.get("value", "") == taint.get("value", ""))


def _affine(spec: Json, name: str, labels: dict[str, str]) -> bool:
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if not affinity:
        return True
    for term in affinity["nodeSelectorTerms"]:
        fields = all(_expression(item, {"metadata.name": name}) for item in term.get("matchFields") or [])
        if fields and all(_expression(item, labels) for item in term.get("matchExpressions") or []):
            return True
    return False


def _expression(item: Json, values: dict[str, str]) -> bool:
    present = values.get(item["key"])
    return {
        "In": present in (item.get("values") or []),
        "NotIn": present not in (item.get("values") or []),
        "Exists": present is not None,
        "DoesNotExist": present is None,
    }[item["operator"]]
