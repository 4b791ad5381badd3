"""Volumes: a claim is a directory of this machine, with lost+found in it. Who has it attached is read from the pods."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import namespaces, quantities
from .errors import bad_request
from .faults import Faults
from .resources import CLAIMS, STORAGE_CLASSES, VOLUMES, Object
from .scheduler import claim_names
from .store import Store

LIMITED_BELOW = 10**9
"""Bytes. Smaller claims are file systems of exactly that size, in memory; larger ones are directories without a limit."""
PINNED = "embedded.packit.dev/node"
"""Annotation of a claim: its volume exists on that node only, as a local volume."""


class Volumes:
    """The volumes below one directory."""

    def __init__(self, store: Store, directory: Path, faults: Faults) -> None:
        self._store, self._directory, self._faults = store, directory, faults
        self._attached: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}

    def path(self, namespace: str, claim: str) -> Path:
        """The directory behind a claim, as the server sees it."""
        return self._directory / namespace / claim

    def make(self, claim: Object) -> None:
        """Make the directory of a new claim, and bind it where that does not wait for a pod."""
        path, size = self.path(claim["metadata"]["namespace"], claim["metadata"]["name"]), _size(claim)
        path.mkdir(parents=True)
        if size < LIMITED_BELOW:
            namespaces.mount("tmpfs", path, "tmpfs", options=f"size={size}")
        path.chmod(0o2775)
        (path / "lost+found").mkdir(mode=0)
        waits = (self._store.find(STORAGE_CLASSES, "", claim["spec"]["storageClassName"]) or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
        if not waits or PINNED in (claim["metadata"].get("annotations") or {}):
            self.bind(claim)

    def bind(self, claim: Object) -> None:
        """Give a claim its volume object."""
        metadata, spec = claim["metadata"], claim["spec"]
        name = f"pvc-{metadata['uid']}"
        capacity = {"storage": spec["resources"]["requests"]["storage"]}
        pinned = (metadata.get("annotations") or {}).get(PINNED)
        expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [pinned]}
        volume: Object = {
            "metadata": {"name": name, "finalizers": ["kubernetes.io/pv-protection"]},
            "spec": {
                "capacity": capacity,
                "accessModes": spec["accessModes"],
                "storageClassName": spec["storageClassName"],
                "persistentVolumeReclaimPolicy": "Delete",
                "volumeMode": spec["volumeMode"],
                "csi": {"driver": "embedded.packit.dev", "volumeHandle": name},
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **{key: metadata[key] for key in ("namespace", "name", "uid")}},
                **({"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}} if pinned else {}),
            },
            "status": {"phase": "Bound"},
        }
        self._store.create(VOLUMES, volume)

        def bound(item: Object) -> None:
            annotations = item["metadata"].setdefault("annotations", {})
            annotations.update({"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"})
            item["spec"]["volumeName"] = name
            item["status"] = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity}

        self._store.change(CLAIMS, metadata["namespace"], metadata["name"], bound)

    def destroy(self, claim: Object) -> None:
        """Remove a claim's volume with all that is on it."""
        path = self.path(claim["metadata"]["namespace"], claim["metadata"]["name"])
        if os.path.ismount(path):
            namespaces.unmount(path)
        remove_tree(path)
        name = claim["spec"].get("volumeName", "")
        if self._store.find(VOLUMES, "", name):
            self._store.remove(VOLUMES, "", name)

    def attach(self, pod: Object) -> tuple[str, str]:
        """Attach a pod's volumes to its node; none if one cannot be: then (its name, what the event says), else empty strings."""
        namespace, node = pod["metadata"]["namespace"], pod["spec"]["nodeName"]
        for name in claim_names(pod):
            claim = self._store.get(CLAIMS, namespace, name)
            if {"ReadWriteMany", "ReadOnlyMany"} & set(claim["spec"]["accessModes"]):
                continue
            volume = claim["spec"].get("volumeName", "")
            users = [user for at, user in self._attached.get((namespace, name), {}).values() if at != node]
            if users:
                return volume, f"Volume is already used by pod(s) {', '.join(users)}"
            held = self._faults.take("hold_volume", namespace=namespace, claim=name)
            if held and held.parameters.get("held_on") != node:
                return volume, "Volume is already exclusively attached to one node and can't be attached to another"
        for name in claim_names(pod):
            self._attached.setdefault((namespace, name), {})[pod["metadata"]["uid"]] = node, pod["metadata"]["name"]
        return "", ""

    def detach(self, uid: str) -> None:
        """A pod's processes are gone: so is its hold on its volumes."""
        for users in self._attached.values():
            users.pop(uid, None)

    def fill(self, namespace: str, name: str, free: int | None) -> None:
        """Leave so many bytes free on a limited volume; None gives its own size back. Raises ApiError."""
        claim, path = self._store.get(CLAIMS, namespace, name), self.path(namespace, name)
        if not os.path.ismount(path):
            raise bad_request(f"only claims below {LIMITED_BELOW} bytes can be full: {namespace}/{name} is larger")
        usage = os.statvfs(path)
        used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize
        page = 4096
        size = _size(claim) if free is None else max(page, -(-(used + free) // page) * page)
        namespaces.mount(None, path, None, namespaces.REMOUNT, f"size={size}")


def _size(claim: Object) -> int:
    return int(quantities.parse(claim["spec"]["resources"]["requests"]["storage"]))


def remove_tree(directory: Path) -> None:
    """Remove a directory with the directories in it that nobody may read."""
    for parent, names, _ in os.walk(directory):
        for name in names:
            if not Path(parent, name).is_symlink():
                Path(parent, name).chmod(0o700)
    shutil.rmtree(directory)
