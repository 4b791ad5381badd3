# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give claims their volumes: at once, or when a pod comes; what is said where the storage makes none; and that they go with their claims."""

from __future__ import annotations

import asyncio

from .attachments import Refused
from .events import tell
from .resources import BY_KIND
from .store import Change, Json, Store
from .volumes import Volumes

_CLAIM = BY_KIND["PersistentVolumeClaim"]
_RETRY = 0.2
"""Seconds before the storage is asked again."""


class Provisioning:
    """Follows all claims as they come and go."""

    def __init__(self, store: Store, volumes: Volumes) -> None:
        self._store = store
        self._volumes = volumes
        self._tasks: set[asyncio.Task[None]] = set()
        store.hooks.append(self._seen)

    def _seen(self, change: Change) -> None:
        if change.resource is not _CLAIM or change.type == "MODIFIED":
            return
        if change.type == "DELETED":
            meta = change.object["metadata"]
            if self._class(change.object).get("allowVolumeExpansion"):  # those of the class `standard` stay, as they are nobody's to delete
                self._volumes.drop(meta["namespace"], meta["name"])
            return
        task = asyncio.get_running_loop().create_task(self._begin(change.object))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, claim: Json) -> None:
        if self._class(claim).get("volumeBindingMode") != "Immediate":
            tell(self._store, claim, "Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
            return
        while self._is_there(claim) and not self.provision(claim["metadata"]["namespace"], claim["metadata"]["name"]):
            await asyncio.sleep(_RETRY)

    def provision(self, namespace: str, name: str) -> bool:
        """Return whether a claim has its volume now; an event of the claim says why it has none."""
        try:
            self._volumes.bind(namespace, name)
        except Refused as error:
            claim = self._store.peek(_CLAIM, namespace, name)
            if claim is not None:
                words = f'failed to provision volume with StorageClass "{claim["spec"].get("storageClassName")}": {error}'
                tell(self._store, claim, "Warning", "ProvisioningFailed", words)
            return False
        return True

    def _class(self, claim: Json) -> Json:
        return self._store.peek(BY_KIND["StorageClass"], "", claim["spec"].get("storageClassName", "")) or {}

    def _is_there(self, claim: Json) -> bool:
        meta = claim["metadata"]
        present = self._store.peek(_CLAIM, meta["namespace"], meta["name"])
        return present is not None and present["metadata"]["uid"] == meta["uid"]
