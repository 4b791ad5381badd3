"""Merge patches, and strategic merge patches as far as the kinds here need them. Pure.

Source of facts: RFC 7386; the patchMergeKey tags of k8s.io/api/core/v1.
"""

from __future__ import annotations

from typing import Any

from .errors import not_implemented
from .resources import Object

_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "ownerReferences": "uid",
    "imagePullSecrets": "name",
    "secrets": "name",
    "conditions": "type",
}
"""Lists that are merged by a key. All others are replaced as a whole."""


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects are merged, all else is replaced. Neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic_merge(target: Any, patch: Any) -> Any:
    """A merge in which some lists are merged by a key. Raises ApiError for directives that are not known."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$setElementOrder/"):
            continue
        if key == "$retainKeys":
            result = {name: found for name, found in result.items() if name in value}
        elif key.startswith("$"):
            raise not_implemented(f"the strategic merge directive {key}")
        elif value is None:
            result.pop(key, None)
        elif key == "finalizers":
            result[key] = [*result.get(key, []), *(item for item in value if item not in result.get(key, []))]
        elif key in _MERGE_KEYS and isinstance(value, list):
            result[key] = _merge_list(result.get(key) or [], value, _MERGE_KEYS[key])
        else:
            result[key] = strategic_merge(result.get(key), value)
    return result


def _merge_list(target: list[Object], patch: list[Object], key: str) -> list[Object]:
    items = {item.get(key): item for item in target}
    for item in patch:
        if item.get("$patch") == "delete":
            items.pop(item.get(key), None)
        else:
            items[item.get(key)] = strategic_merge(items.get(item.get(key)), item)
    return list(items.values())
