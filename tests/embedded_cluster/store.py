# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects, their versions, and everybody who watches them."""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from .resources import Resource
from .selectors import matches_fields, matches_labels
from .status import ApiError, not_found

Json = dict[str, Any]
HISTORY = 2000
"""Changes that a watch can start from; older ones are gone (410)."""
_COUNTED = ("apps", "batch")
"""API groups whose objects have a generation."""


@dataclass(frozen=True)
class Change:
    """One change, for watchers."""

    version: int
    type: str
    resource: Resource
    object: Json


class Store:
    """All objects. Used by one thread, the event loop's. Objects that come out are copies."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Json] = {}
        self._version = 100
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._oldest = 0
        self._watchers: set[asyncio.Queue[Change | None]] = set()
        self.hooks: list[Callable[[Change], None]] = []

    @property
    def version(self) -> str:
        """The newest resource version."""
        return str(self._version)

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """One object. Raises a 404."""
        return copy.deepcopy(self._find(resource, namespace, name))

    def peek(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """One object, not to be changed, or None."""
        return self._objects.get((resource.plural, namespace, name))

    def list(self, resource: Resource, namespace: str = "", labels: str = "", fields: str = "") -> list[Json]:
        """Objects in order of their names, not to be changed."""
        keys = sorted(key for key in self._objects if key[0] == resource.plural and namespace in ("", key[1]))
        found = [self._objects[key] for key in keys]
        return [item for item in found if matches_labels(labels, item) and matches_fields(fields, item)]

    def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        """A new object. Raises a 409."""
        body = copy.deepcopy(body)
        meta = body.setdefault("metadata", {})
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        name = meta.get("name", "")
        if not name:
            raise ApiError(422, f'{resource.kind} "" is invalid: metadata.name: Required value: name or generateName is required')
        if (resource.plural, namespace, name) in self._objects:
            raise ApiError(409, f'{resource.qualified} "{name}" already exists', "AlreadyExists")
        meta.update({"uid": str(uuid.uuid4()), "creationTimestamp": now()})
        if resource.group in _COUNTED:
            meta["generation"] = 1
        if resource.namespaced:
            meta["namespace"] = namespace
        body["apiVersion"], body["kind"] = resource.api_version, resource.kind
        self._put(resource, namespace, name, body, "ADDED")
        return copy.deepcopy(body)

    def replace(self, resource: Resource, namespace: str, name: str, body: Json, *, dry: bool = False) -> Json:
        """The object as it is to be now; uid and version in it are preconditions. ``dry``: nothing is kept. Raises 404 and 409."""
        present = self._find(resource, namespace, name)
        meta = body.setdefault("metadata", {})
        for key in ("uid", "resourceVersion"):
            if meta.get(key) and meta[key] != present["metadata"][key]:
                why = "the object has been modified; please apply your changes to the latest version and try again"
                if key == "uid":
                    why = other_uid(meta[key], present["metadata"]["uid"])
                raise ApiError(409, f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}')
        for key in ("uid", "creationTimestamp", "namespace", "name", "deletionTimestamp"):
            if key in present["metadata"]:
                meta[key] = present["metadata"][key]
        if resource.group in _COUNTED:
            meta["generation"] = present["metadata"]["generation"] + (present["spec"] != body["spec"])
        body["apiVersion"], body["kind"] = resource.api_version, resource.kind
        meta.pop("resourceVersion", None)
        before = {**present, "metadata": {key: value for key, value in present["metadata"].items() if key != "resourceVersion"}}
        if before == body:
            return copy.deepcopy(present)
        if dry:
            meta["resourceVersion"] = present["metadata"]["resourceVersion"]
            return copy.deepcopy(body)
        self._put(resource, namespace, name, copy.deepcopy(body), "MODIFIED")
        return copy.deepcopy(self._find(resource, namespace, name))

    def change(self, resource: Resource, namespace: str, name: str, edit: Callable[[Json], None]) -> Json | None:
        """Edit an object in place, as controllers do; None where it is gone."""
        if (resource.plural, namespace, name) not in self._objects:
            return None
        body = self.get(resource, namespace, name)
        edit(body)
        return self.replace(resource, namespace, name, body)

    def remove(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """The object is gone; None where it was gone."""
        body = self._objects.pop((resource.plural, namespace, name), None)
        if body is not None:
            body = copy.deepcopy(body)
            self._tell(resource, body, "DELETED")
        return body

    def expire(self) -> None:
        """Every watch ends with 410, and none can start from an older version."""
        self._history.clear()
        self._version += 1
        self._oldest = self._version
        for queue in self._watchers:
            queue.put_nowait(None)

    def watch_from(self, version: str) -> tuple[Sequence[Change], asyncio.Queue[Change | None]]:
        """Changes since a version, and a queue of those to come (None: expired). Raises a 410."""
        since = int(version) if version else self._version
        oldest = self._history[0].version - 1 if len(self._history) == HISTORY else self._oldest
        if since < oldest and since != 0:
            raise ApiError(410, f"too old resource version: {since} ({self._version})")
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._watchers.add(queue)
        return [change for change in self._history if change.version > since], queue

    def unwatch(self, queue: asyncio.Queue[Change | None]) -> None:
        """Nobody reads the queue any more."""
        self._watchers.discard(queue)

    def _find(self, resource: Resource, namespace: str, name: str) -> Json:
        try:
            return self._objects[resource.plural, namespace, name]
        except KeyError:
            raise not_found(resource.qualified, name) from None

    def _put(self, resource: Resource, namespace: str, name: str, body: Json, kind: str) -> None:
        self._objects[resource.plural, namespace, name] = body
        self._tell(resource, body, kind)

    def _tell(self, resource: Resource, body: Json, kind: str) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        change = Change(self._version, kind, resource, copy.deepcopy(body))
        self._history.append(change)
        for queue in self._watchers:
            queue.put_nowait(change)
        for hook in self.hooks:
            hook(change)


def other_uid(wanted: str, present: str) -> str:
    """Return why a precondition failed."""
    return (
        f"the UID in the precondition ({wanted}) does not match the UID in record ({present}). "
        "The object might have been deleted and then recreated"
    )


def other_version(wanted: str, present: str) -> str:
    """Return why a precondition failed."""
    return (
        f"the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({present}). "
        "The object might have been modified"
    )


def now(seconds: float = 0) -> str:
    """The time as objects have it, or that in so many seconds."""
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def merge(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged
