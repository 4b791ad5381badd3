"""All objects, their versions, and the changes that watches are told of. Objects in it are never changed in place."""

from __future__ import annotations

import asyncio
import copy
import datetime
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import errors
from .resources import Object, Resource

REMEMBERED = 5000
"""Changes that a watch can go back. Older ones are Gone."""


@dataclass(frozen=True)
class Change:
    """What happened to an object: ``old`` is None when it was made, ``new`` is None when it went."""

    version: int
    resource: Resource
    old: Object | None
    new: Object | None


def timestamp(after: float = 0) -> str:
    """Now, or so many seconds later, as the API writes times."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=after)).strftime("%Y-%m-%dT%H:%M:%SZ")


def key_of(item: Object) -> tuple[str, str]:
    """(namespace, name); the namespace is empty for what has none."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


class Store:
    """The objects. Use by the server's one thread."""

    def __init__(self) -> None:
        self._objects: dict[Resource, dict[tuple[str, str], Object]] = {}
        self._changes: deque[Change] = deque(maxlen=REMEMBERED)
        self._changed: asyncio.Event = asyncio.Event()
        self.version = 100
        self._forgotten = 100

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects.get(resource, {}).get((namespace, name))

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """The object. Raises ApiError."""
        found = self.find(resource, namespace, name)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All objects of a kind, of one namespace if given, in the order of their names."""
        items = self._objects.get(resource, {})
        return [items[key] for key in sorted(items) if not namespace or key[0] == namespace]

    def kinds(self) -> list[Resource]:
        """The kinds of which there are objects."""
        return [resource for resource, items in self._objects.items() if items]

    def create(self, resource: Resource, item: Object) -> Object:
        """Store a new object; its uid, times and version are filled in. Raises ApiError."""
        namespace, name = key_of(item)
        if self.find(resource, namespace, name) is not None:
            raise errors.already_exists(resource, name)
        metadata = {**item["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": timestamp(), "generation": 1}
        if "spec" not in item:
            del metadata["generation"]
        return self._put(resource, None, {**item, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata})

    def update(self, resource: Resource, item: Object) -> Object:
        """Store a changed object. Nothing happens where nothing differs. Raises ApiError."""
        namespace, name = key_of(item)
        old = self.get(resource, namespace, name)
        if old == item:
            return old
        if "generation" in old["metadata"] and old.get("spec") != item.get("spec"):
            item = {**item, "metadata": {**item["metadata"], "generation": old["metadata"]["generation"] + 1}}
        return self._put(resource, old, item)

    def change(self, resource: Resource, namespace: str, name: str, how: Callable[[Object], None]) -> Object | None:
        """Change a copy of an object by a function, and store it. None where there is no such object any more."""
        old = self.find(resource, namespace, name)
        if old is None:
            return None
        item = copy.deepcopy(old)
        how(item)
        return self.update(resource, item)

    def remove(self, resource: Resource, namespace: str, name: str) -> Object:
        """Take an object away. Raises ApiError."""
        old = self.get(resource, namespace, name)
        del self._objects[resource][namespace, name]
        self.version += 1
        gone = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.version)}}
        self._tell(Change(self.version, resource, gone, None))
        return gone

    def _put(self, resource: Resource, old: Object | None, item: Object) -> Object:
        self.version += 1
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        self._objects.setdefault(resource, {})[key_of(item)] = item
        self._tell(Change(self.version, resource, old, item))
        return item

    def _tell(self, change: Change) -> None:
        if len(self._changes) == REMEMBERED:
            self._forgotten = self._changes[0].version
        self._changes.append(change)
        self.wake()

    def wake(self) -> None:
        """Let all who wait for a change look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def forget(self) -> None:
        """Expire all versions before now: a watch that resumes from one is Gone."""
        self._changes.clear()
        self._forgotten = self.version = self.version + 1
        self.wake()

    def changes_since(self, version: int) -> Iterator[Change]:
        """Raises ApiError 410 where that is too long ago."""
        if version < self._forgotten:
            raise errors.expired(version, self._forgotten)
        recent: list[Change] = []
        for change in reversed(self._changes):
            if change.version <= version:
                break
            recent.append(change)
        return reversed(recent)

    async def changed(self, seconds: float) -> None:
        """Wait for the next change, at most so long."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except asyncio.TimeoutError:
            return
