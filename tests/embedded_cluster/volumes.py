# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims as directories, and which node has each."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ..bounds import BOUND
from .attachments import Attachments, Refused
from .resources import BY_KIND
from .store import Json, Store
from .validation import quantity

PINNED = "embedded.test/node"
"""Annotation of a claim: its volume is only on this node, as a local volume is."""
SIZED = "embedded.test/limited"
"""Annotation of a claim: it is really full when it is full."""


class Volumes:
    """All volumes, below one directory."""

    def __init__(self, store: Store, directory: Path, attachments: Attachments) -> None:
        self._store = store
        self._directory = directory
        self._attachments = attachments

    def path(self, namespace: str, claim: str) -> Path:
        """A volume's directory; made, with lost+found, on first use."""
        path = self._directory / f"{namespace}-{claim}"
        if not path.exists():
            path.mkdir(parents=True)
            body = self._claim(namespace, claim)
            if body is not None and SIZED in (body["metadata"].get("annotations") or {}):
                size = int(quantity(body["spec"]["resources"]["requests"]["storage"]))
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "none", str(path)], check=True, timeout=BOUND)
            (path / "lost+found").mkdir(mode=0o700)
        return path

    def bind(self, namespace: str, claim: str) -> None:
        """The claim gets its volume. Raises Refused where that is to be a clone, and cannot be."""
        name = f"pv-{namespace}-{claim}"
        body = self._claim(namespace, claim)
        if body is None or body["spec"].get("volumeName"):
            return
        source = body["spec"].get("dataSource")
        if source is not None:
            self._clone(namespace, claim, source["name"])
        storage = body["spec"]["resources"]["requests"]["storage"]
        self._store.create(
            BY_KIND["PersistentVolume"],
            "",
            {"metadata": {"name": name}, "spec": {"capacity": {"storage": storage}, "claimRef": {"namespace": namespace, "name": claim}}},
        )

        def bound(item: Json) -> None:
            item["spec"]["volumeName"] = name
            item["status"] = {"phase": "Bound", "accessModes": item["spec"].get("accessModes"), "capacity": {"storage": storage}}

        self._store.change(BY_KIND["PersistentVolumeClaim"], namespace, claim, bound)

    def _clone(self, namespace: str, claim: str, source: str) -> None:
        found = self._claim(namespace, source)
        if found is None or not found["spec"].get("volumeName"):
            words = f"error getting PVC {source}" if found is None else f"the PVC DataSource {source} must have a status of Bound"
            raise Refused(f"error getting handle for DataSource Type PersistentVolumeClaim by Name {source}: {words}")
        self._attachments.require_clone((namespace, claim))
        origin, path = self.path(namespace, source), self.path(namespace, claim)
        subprocess.run(["cp", "-a", "--", f"{origin}/.", str(path)], check=True, timeout=BOUND)

    def share(self, path: Path, group: int) -> None:
        """Give a volume to its group, as the kubelet does for fsGroup with OnRootMismatch; only root may."""
        if os.environ.get("EMBEDDED_CLUSTER_ROOT") != "1" or not group or path.stat().st_gid == group:
            return
        for directory, _names, files in os.walk(path):
            for item in (directory, *(os.path.join(directory, name) for name in files)):
                os.lchown(item, -1, group)
                if not os.path.islink(item):
                    os.chmod(item, os.stat(item).st_mode | (0o2770 if item == directory else 0o660))

    def attach(self, pod: Json, claim: str) -> bool:
        """Return whether a block volume is on the pod's node. Raises Refused."""
        meta = pod["metadata"]
        name = f"pv-{meta['namespace']}-{claim}"
        return self._attachments.attach((meta["namespace"], claim), name, pod["spec"]["nodeName"], (meta["uid"], meta["name"]))

    def release(self, pod: Json) -> None:
        """A pod has ended."""
        self._attachments.release(pod["metadata"]["uid"])

    def pinned_to(self, namespace: str, claim: str) -> str:
        """The only node that has it, or empty."""
        body = self._claim(namespace, claim)
        return str(((body or {}).get("metadata", {}).get("annotations") or {}).get(PINNED, ""))

    def other_user(self, pod: Json, claim: str) -> Json | None:
        """Another pod that has the claim on a node now."""
        namespace = pod["metadata"]["namespace"]
        for other in self._store.list(BY_KIND["Pod"], namespace):
            ended = (other.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            attached = (other["metadata"].get("annotations") or {}).get("embedded.test/attached") == "true"
            if other["metadata"]["uid"] != pod["metadata"]["uid"] and claim in claims_of(other) and attached and not ended:
                return other
        return None

    def drop(self, namespace: str, claim: str) -> None:
        """The volume goes away."""
        path = self._directory / f"{namespace}-{claim}"
        subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True, timeout=BOUND)
        shutil.rmtree(path, ignore_errors=True)
        self._attachments.drop((namespace, claim))
        self._store.remove(BY_KIND["PersistentVolume"], "", f"pv-{namespace}-{claim}")

    def _claim(self, namespace: str, claim: str) -> Json | None:
        return self._store.peek(BY_KIND["PersistentVolumeClaim"], namespace, claim)


def claims_of(pod: Json) -> list[str]:
    """The claims that a pod mounts."""
    return [
        volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"].get("volumes") or [] if "persistentVolumeClaim" in volume
    ]
