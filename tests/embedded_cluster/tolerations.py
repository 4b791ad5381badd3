# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admission plugins DefaultTolerationSeconds and PodTolerationRestriction, and what the server finds wrong with tolerations.

Answers were recorded from Kubernetes 1.34; a broken annotation is a 500 without a reason, in Go's words for JSON. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .status import ApiError

Json = dict[str, Any]
_DEFAULTS, _WHITELIST = (f"scheduler.alpha.kubernetes.io/{name}" for name in ("defaultTolerations", "tolerationsWhitelist"))
_OFF = "embedded.test/no-pod-toleration-restriction"
"""Annotation of a namespace: there, the cluster is one without the admission plugin PodTolerationRestriction."""
_FIELDS = {"key": str, "operator": str, "value": str, "effect": str, "tolerationSeconds": int}
_TYPES = {dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "bool"}
_OPERATORS, _EFFECTS = ("Equal", "Exists"), ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_KEY_RULE = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') "
    "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def add_tolerations(annotations: dict[str, str], pod: Json) -> None:
    """Give a pod what the cluster and its namespace give it. Raises a 500 where the namespace's annotations do not let it."""
    spec = pod["spec"]
    present = [_clean(item) for item in spec.get("tolerations") or []]
    for name in ("not-ready", "unreachable"):
        taint = {"key": f"node.kubernetes.io/{name}", "effect": "NoExecute"}
        if not any(item.get("key", "") in ("", taint["key"]) and item.get("effect", "") in ("", "NoExecute") for item in present):
            present.append({**taint, "operator": "Exists", "tolerationSeconds": 300})
    if _OFF in annotations:
        spec["tolerations"] = present
        return
    defaults = _read(annotations.get(_DEFAULTS, ""))
    if defaults:
        present = _merge([*present, *defaults])
    if _has_resources(pod):
        present = _merge([*present, {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}])
    allowed = _read(annotations.get(_WHITELIST, ""))
    if allowed and not all(any(_superset(whole, item) for whole in allowed) for item in present):
        raise _server_error("pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist")
    spec["tolerations"] = present


def wrong_tolerations(tolerations: list[Json], path: str) -> list[str]:
    """Return what the server refuses of a pod's tolerations."""
    found = []
    for number, item in enumerate(tolerations):
        where = f"{path}[{number}]"
        key, operator, value = item.get("key", ""), item.get("operator", ""), item.get("value", "")
        domain, slash, name = key.rpartition("/")
        if key and (not re.fullmatch(_NAME, name) or "/" in domain or (slash and not domain)):
            found.append(f'{where}.key: Invalid value: "{key}": {_KEY_RULE}')
        if not key and operator != "Exists":
            words = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            found.append(f'{where}.operator: Invalid value: "{operator}": {words}')
        if item.get("tolerationSeconds") is not None and item.get("effect") != "NoExecute":
            words = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            found.append(f'{where}.effect: Invalid value: "{item.get("effect", "")}": {words}')
        if operator not in ("", *_OPERATORS):
            found.append(f'{where}.operator: Unsupported value: "{operator}": supported values: "Equal", "Exists"')
        elif operator == "Exists" and value:
            found.append(f"{where}.operator: Invalid value: \"{value}\": value must be empty when `operator` is 'Exists'")
        elif operator != "Exists" and value and not re.fullmatch(_NAME, value):
            found.append(f'{where}.operator: Invalid value: "{value}": {_VALUE_RULE}')
        if item.get("effect", "") not in ("", *_EFFECTS):
            known = ", ".join(f'"{effect}"' for effect in _EFFECTS)
            found.append(f'{where}.effect: Unsupported value: "{item["effect"]}": supported values: {known}')
    return found


def _has_resources(pod: Json) -> bool:
    containers = pod["spec"]["containers"]
    return any(
        str(value) not in ("0", "")
        for item in containers
        for kind in ("requests", "limits")
        for name, value in ((item.get("resources") or {}).get(kind) or {}).items()
        if name in ("cpu", "memory")
    )


def _superset(whole: Json, part: Json) -> bool:
    if whole == part:
        return True
    if part.get("key", "") != whole.get("key", "") and (whole.get("key") or whole.get("operator") != "Exists"):
        return False
    if whole.get("effect", "") not in ("", part.get("effect", "")):
        return False
    seconds = whole.get("tolerationSeconds")
    if whole.get("effect") == "NoExecute" and seconds is not None and not (part.get("tolerationSeconds") or seconds + 1) <= seconds:
        return False
    return whole.get("operator") == "Exists" or (part.get("operator") == "Equal" and part.get("value", "") == whole.get("value", ""))


def _merge(every: list[Json]) -> list[Json]:
    merged: list[Json] = []
    for number, item in enumerate(every):
        later = [other for other in every[number + 1 :] if other != item]
        if not any(_superset(other, item) for other in (*merged, *later)):
            merged.append(item)
    return merged


def _clean(item: Json) -> Json:
    return {name: value for name, value in item.items() if value not in ("", None)}


def _read(text: str) -> list[Json]:
    """An annotation, as Go's encoding/json reads a []v1.Toleration. Raises a 500."""
    if not text:
        return []
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise _server_error(_go_words(text, error)) from error
    if data is None:
        return []
    if not isinstance(data, list):
        raise _server_error(f"json: cannot unmarshal {_TYPES[type(data)]} into Go value of type []v1.Toleration")
    return [_toleration(item) for item in data]


def _toleration(data: Any) -> Json:
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise _server_error(f"json: cannot unmarshal {_TYPES[type(data)]} into Go value of type v1.Toleration")
    known = {name.lower(): name for name in _FIELDS}
    found: Json = {}
    for written, value in data.items():
        name = known.get(written.lower(), "")
        if not name or value is None:
            continue
        if not isinstance(value, _FIELDS[name]) or isinstance(value, bool):
            shown = _TYPES[type(value)] + (f" {value}" if isinstance(value, float) else "")
            into = "int64" if _FIELDS[name] is int else "string"
            raise _server_error(f"json: cannot unmarshal {shown} into Go struct field Toleration.{name} of type {into}")
        found[name] = value
    return _clean(found)


def _go_words(text: str, error: json.JSONDecodeError) -> str:
    rest = text[error.pos :].lstrip()
    if not rest:
        return "unexpected end of JSON input"
    shown = "'\\''" if rest[0] == "'" else f"'{rest[0]}'"
    before = text[: error.pos].rstrip()
    context = {
        "Expecting value": "looking for beginning of value",
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Extra data": "after top-level value",
        "Expecting ':' delimiter": "after object key",
        "Expecting ',' delimiter": "after array element" if before.count("{") == before.count("}") else "after object key:value pair",
    }.get(error.msg, "in string literal")
    return f"invalid character {shown} {context}"


def _server_error(message: str) -> ApiError:
    error = ApiError(500, message)
    del error.body["reason"]
    return error
