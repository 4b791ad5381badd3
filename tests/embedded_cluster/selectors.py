# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors. Pure."""

from __future__ import annotations

import re
from typing import Any

from .status import ApiError

_FIELDS = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "status.phase": ("status", "phase"),
    "spec.nodeName": ("spec", "nodeName"),
    "type": ("type",),
    "reason": ("reason",),
    "involvedObject.name": ("involvedObject", "name"),
    "involvedObject.uid": ("involvedObject", "uid"),
    "involvedObject.kind": ("involvedObject", "kind"),
    "involvedObject.namespace": ("involvedObject", "namespace"),
}


def matches_labels(selector: str, item: dict[str, Any]) -> bool:
    """``a=b,c!=d,e,!f,g in (h,i)`` on the labels."""
    labels = item.get("metadata", {}).get("labels") or {}
    return all(_label(part.strip(), labels) for part in re.split(r",(?![^(]*\))", selector) if part.strip())


def _label(part: str, labels: dict[str, str]) -> bool:
    sets = re.fullmatch(r"(\S+)\s+(in|notin)\s+\((.*)\)", part)
    if sets:
        inside = labels.get(sets[1]) in [value.strip() for value in sets[3].split(",")]
        return inside if sets[2] == "in" else not inside
    for sign in ("!=", "==", "="):
        key, found, value = part.partition(sign)
        if found:
            return (labels.get(key.strip()) == value.strip()) is (sign != "!=")
    return part[1:] not in labels if part.startswith("!") else part in labels


def matches_fields(selector: str, item: dict[str, Any]) -> bool:
    """``metadata.name=x,status.phase!=Running`` on the object. Raises a 400 for an unknown field."""
    return all(_field(part.strip(), item) for part in selector.split(",") if part.strip())


def _field(part: str, item: dict[str, Any]) -> bool:
    sign = "!=" if "!=" in part else "="
    key, _sign, value = part.replace("==", "=").partition(sign)
    if key not in _FIELDS:
        raise ApiError(400, f"field label not supported: {key}")
    found: Any = item
    for step in _FIELDS[key]:
        found = (found or {}).get(step, "")
    return (str(found) == value) is (sign == "=")
