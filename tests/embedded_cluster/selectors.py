"""Label selectors and field selectors. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .errors import bad_request
from .resources import Object

Match = Callable[[Object], bool]
_SET = re.compile(r"^\s*([\w./-]+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*([\w./-]+)\s*(==|=|!=)\s*([\w./-]*)\s*$")
_PRESENT = re.compile(r"^\s*(!?)\s*([\w./-]+)\s*$")
_FIELD = re.compile(r"^([\w.]+)(==|=|!=)(.*)$")


def labels_match(selector: str) -> Match:
    """A test on an object's labels from a query's labelSelector. Raises ApiError."""
    tests = [_requirement(part) for part in re.split(r",(?![^(]*\))", selector) if part.strip()]
    return lambda item: all(test(item["metadata"].get("labels") or {}) for test in tests)


def _requirement(part: str) -> Callable[[dict[str, str]], bool]:
    if found := _SET.match(part):
        key, operator, values = found[1], found[2], {value.strip() for value in found[3].split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.match(part):
        name, wanted = found[1], found[3]
        if found[2] == "!=":
            return lambda labels: labels.get(name) != wanted
        return lambda labels: labels.get(name) == wanted
    if found := _PRESENT.match(part):
        absent, label = bool(found[1]), found[2]
        return lambda labels: (label in labels) != absent
    raise bad_request(f'unable to parse requirement: "{part}"')


def selects(selector: Object | None, labels: dict[str, str]) -> bool:
    """Whether an object's selector (matchLabels, matchExpressions) selects these labels."""
    selector = selector or {}
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(expression_matches(expression, labels) for expression in selector.get("matchExpressions") or [])


def expression_matches(expression: Object, labels: dict[str, str]) -> bool:
    """One match expression, of a selector or of a node affinity."""
    value, values, operator = labels.get(expression["key"]), expression.get("values") or [], expression["operator"]
    if operator in ("Gt", "Lt"):
        return value is not None and (int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0]))
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[operator]


_FIELDS = ("metadata.name", "metadata.namespace", "status.phase", "spec.nodeName", "reason", "type")


def fields_match(selector: str) -> Match:
    """A test on an object's fields from a query's fieldSelector. Raises ApiError."""
    tests = []
    for part in selector.split(","):
        if not part.strip():
            continue
        found = _FIELD.match(part.strip())
        if not found:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        if found[1] not in _FIELDS and not found[1].startswith("involvedObject."):
            raise bad_request(f"field label not supported: {found[1]}")
        tests.append((found[1], found[2] == "!=", found[3]))
    return lambda item: all((_field(item, path) != value) == unequal for path, unequal, value in tests)


def _field(item: Object, path: str) -> str:
    value: Any = item
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)
