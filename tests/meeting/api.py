# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims and pods in memory, and the clock of the API server. Every request is a point at which another run may go on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import AlreadyExists, Conflict, NotFound
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Change
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Pod, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.times import time_text

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Objects:
    """The objects of the API."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.seconds = 0.0
        self._version = 0

    @property
    def now(self) -> datetime:
        """The API server's time."""
        return START + timedelta(seconds=self.seconds)

    def put(self, kind: str, namespace: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make or replace an object; it has a newer version then. Objects are never changed in place."""
        self._version += 1
        meta = {**body.get("metadata", {})}
        made = {**body, "metadata": meta}
        meta.update({"namespace": namespace, "name": name, "resourceVersion": str(self._version)})
        meta.setdefault("uid", uuid.uuid4().hex)
        meta.setdefault("creationTimestamp", time_text(self.now))
        self.objects[kind, namespace, name] = made
        return made

    def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """An object, or None."""
        return self.objects.get((kind, namespace, name))

    def pods(self) -> list[dict[str, Any]]:
        """All pods."""
        return [body for (kind, _namespace, _name), body in self.objects.items() if kind == "Pod"]


class MemoryClient:
    """The part of ``cluster.api.client.Client`` that a run uses. ``point`` is called before each request; ``skew`` is how many seconds the API
    server that answers this run is off."""

    def __init__(self, objects: Objects, point: Callable[[], None], skew: float = 0.0) -> None:
        self._objects = objects
        self._point = point
        self._skew = skew

    def now(self) -> datetime:
        return self._objects.now + timedelta(seconds=self._skew)

    def get(self, kind: str, namespace: str, name: str, deadline: Deadline) -> dict[str, Any]:
        self._point()
        return self._present(kind, namespace, name)

    def list(self, kind: str, namespace: str, deadline: Deadline, *, labels: str = "", fields: str = "") -> Sequence[dict[str, Any]]:
        self._point()
        return [body for (of, space, _name), body in self._objects.objects.items() if (of, space) == (kind, namespace)]

    def create(self, kind: str, namespace: str, body: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        self._point()
        name = body["metadata"]["name"]
        if self._objects.find(kind, namespace, name) is not None:
            raise AlreadyExists(f"{kind} {name} already exists")
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        placed = {**body, "spec": {**body["spec"], "nodeName": "node1"}, "status": status}
        return self._objects.put(kind, namespace, name, placed if kind == "Pod" else body)

    def patch(self, kind: str, namespace: str, name: str, body: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
        self._point()
        present = self._present(kind, namespace, name)
        meta = body["metadata"]
        for key in ("uid", "resourceVersion"):
            if key in meta and meta[key] != present["metadata"][key]:
                raise Conflict(f"{kind} {name} was modified")
        annotations = {**present["metadata"].get("annotations", {}), **meta["annotations"]}
        kept = {key: value for key, value in annotations.items() if value is not None}
        return self._objects.put(kind, namespace, name, {**present, "metadata": {**present["metadata"], "annotations": kept}})

    def delete(self, kind: str, namespace: str, name: str, uid: str, deadline: Deadline, *, version: str = "") -> dict[str, Any]:
        self._point()
        meta = self._present(kind, namespace, name)["metadata"]
        if meta["uid"] != uid or version not in ("", meta["resourceVersion"]):
            raise Conflict(f"{kind} {name} is another one")
        del self._objects.objects[kind, namespace, name]
        return {"kind": "Status"}

    def pods(self, namespace: str, deadline: Deadline) -> Sequence[Pod]:
        return [parse_pod(body) for body in self.list("Pod", namespace, deadline)]

    def changes(self, pod: Pod, deadline: Deadline) -> Iterator[Change | None]:
        version = ""
        while True:
            self._point()
            present = self._objects.find("Pod", pod.namespace, pod.name)
            if present is None:
                yield Change("DELETED", {"metadata": {"name": pod.name, "namespace": pod.namespace}})
                return
            if present["metadata"]["resourceVersion"] != version:
                version = present["metadata"]["resourceVersion"]
                yield Change("MODIFIED", present)
            else:
                yield None

    def logs(self, namespace: str, pod: str, lines: int, deadline: Deadline, container: str = "") -> str:
        self._point()
        return ""

    def _present(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        present = self._objects.find(kind, namespace, name)
        if present is None:
            raise NotFound(f"{kind} {name} is not there")
        return present
