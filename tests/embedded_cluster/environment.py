# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a container's environment and its command's words: values from elsewhere, and ``$(NAME)`` in them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from .content import Absent, data_of
from .downward import field, hostname
from .store import Json, Store
from .validation import quantity

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REFERENCE = re.compile(r"\$(\$|\(([^)]+)\))")


def environment(store: Store, pod: Json, container: Json, given: Mapping[str, str]) -> dict[str, str]:
    """Return a container's variables over those that it is given. Raises Absent where a value's source is not there."""
    found = {"PATH": _PATH, "HOSTNAME": hostname(pod), **given}
    for source in container.get("envFrom") or []:
        for kind, key in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            if key in source:
                try:
                    values = data_of(store, kind, pod["metadata"]["namespace"], source[key]["name"])
                except Absent:
                    if source[key].get("optional"):
                        continue
                    raise
                found.update({source.get("prefix", "") + name: value.decode() for name, value in values.items()})
    for item in container.get("env") or []:
        value = _value(store, pod, container, item, found)
        if value is not None:
            found[item["name"]] = value
    return found


def expand(text: str, known: dict[str, str]) -> str:
    """Return a text with each ``$(NAME)`` that is known replaced; ``$$`` is a dollar sign (kubernetes/third_party/forked/golang/expansion)."""
    return _REFERENCE.sub(lambda found: "$" if found[1] == "$" else known.get(found[2], found[0]), text)


def _value(store: Store, pod: Json, container: Json, item: Json, known: dict[str, str]) -> str | None:
    source = item.get("valueFrom") or {}
    namespace = pod["metadata"]["namespace"]
    for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
        if key in source:
            return _of_key(store, kind, namespace, source[key])
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        kind, _dot, name = source["resourceFieldRef"]["resource"].partition(".")
        return str(math.ceil(quantity(((container.get("resources") or {}).get(kind) or {}).get(name, 0))))
    return expand(str(item.get("value", "")), known)


def _of_key(store: Store, kind: str, namespace: str, reference: dict[str, Any]) -> str | None:
    try:
        values = data_of(store, kind, namespace, reference["name"])
        if reference["key"] not in values:
            raise Absent(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")
    except Absent:
        if reference.get("optional"):
            return None
        raise
    return values[reference["key"]].decode()
