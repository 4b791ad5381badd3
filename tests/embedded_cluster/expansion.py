# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grows block volumes to what their claims ask for: the volume first, and its file system when a pod has it."""

from __future__ import annotations

import asyncio

from .attachments import Attachments, Refused
from .events import tell
from .resources import BY_KIND
from .store import Change, Json, Store, now
from .validation import quantity

_CLAIM = BY_KIND["PersistentVolumeClaim"]
_RETRY = 0.2
"""Seconds before the storage is asked again."""


class Expansion:
    """Follows all claims, and grows those whose class allows it; the class `standard` does not."""

    def __init__(self, store: Store, attachments: Attachments) -> None:
        self._store = store
        self._attachments = attachments
        self._growing: dict[str, asyncio.Task[None]] = {}
        store.hooks.append(self._seen)

    def _seen(self, change: Change) -> None:
        if change.resource is not _CLAIM or change.type != "MODIFIED" or not self._lacks(change.object):
            return
        meta = change.object["metadata"]
        if meta["uid"] not in self._growing:
            task = asyncio.get_running_loop().create_task(self._grow(meta["namespace"], meta["name"]))
            self._growing[meta["uid"]] = task
            task.add_done_callback(lambda _task: self._growing.pop(meta["uid"], None))

    def _lacks(self, claim: Json) -> bool:
        capacity = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
        if not capacity or quantity(capacity) >= quantity(claim["spec"]["resources"]["requests"]["storage"]):
            return False
        storage_class = self._store.peek(BY_KIND["StorageClass"], "", claim["spec"].get("storageClassName", ""))
        return storage_class is not None and storage_class["provisioner"] == "embedded.test" and bool(storage_class.get("allowVolumeExpansion"))

    async def _grow(self, namespace: str, name: str) -> None:
        while (claim := self._store.peek(_CLAIM, namespace, name)) is not None and self._lacks(claim):
            try:
                self._attachments.require_expansion((namespace, name))
            except Refused as error:
                volume = claim["spec"]["volumeName"]
                words = f'resize volume "{volume}" by resizer "embedded.test" failed: rpc error: code = Internal desc = {error}'
                tell(self._store, claim, "Warning", "VolumeResizeFailed", words)
            else:
                mounted = self._attachments.has((namespace, name))
                if mounted or not _conditions(claim):
                    self._store.change(_CLAIM, namespace, name, _grown if mounted else _pending)
            await asyncio.sleep(_RETRY)


def _conditions(claim: Json) -> list[Json]:
    return claim["status"].get("conditions") or []


def _grown(claim: Json) -> None:
    claim["status"].update({"capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]}, "conditions": []})


def _pending(claim: Json) -> None:
    claim["status"]["conditions"] = [{"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": now()}]
