# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""StatefulSets, Deployments and Jobs: pods and claims as the templates say; and what goes with a namespace, or with its owner."""

from __future__ import annotations

import asyncio
import copy
import uuid

from .admission import admit_pod
from .events import tell
from .jobs import job_step, pod_labels
from .kubelet import Kubelet
from .pod_life import POD
from .resources import BY_KIND, RESOURCES
from .rollouts import step
from .status import ApiError
from .store import Change, Json, Store
from .volumes import Volumes

_CLAIM, _JOB = BY_KIND["PersistentVolumeClaim"], BY_KIND["Job"]
_OWNERS = ("CronJob", "Job")
"""Kinds whose objects take with them what they own."""


class Controllers:
    """Runs after every change that concerns it."""

    def __init__(self, store: Store, kubelet: Kubelet, volumes: Volumes) -> None:
        self._store = store
        self._kubelet = kubelet
        self._volumes = volumes
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        store.hooks.append(self._seen)

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()

    def _seen(self, change: Change) -> None:
        if change.resource.kind in ("StatefulSet", "Deployment", "Job", "CronJob", "Pod", "Namespace"):
            self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for kind in ("StatefulSet", "Deployment"):
                for item in self._store.list(BY_KIND[kind]):
                    self._keep(copy.deepcopy(item))
            for item in self._store.list(_JOB):
                self._keep_job(copy.deepcopy(item))
            self._collect()
            for item in self._store.list(BY_KIND["Namespace"]):
                if "deletionTimestamp" in item["metadata"]:
                    self._empty(item["metadata"]["name"])
            await asyncio.sleep(0.02)

    def _keep(self, owner: Json) -> None:
        meta, namespace = owner["metadata"], owner["metadata"]["namespace"]
        found = step(owner, [pod for pod in self._store.list(POD, namespace) if _owned(pod, meta["uid"])])
        for pod in found.delete:
            self._kubelet.delete(pod, pod["spec"].get("terminationGracePeriodSeconds", 30))
        refusals = [self._make(owner, name, labels) for name, labels in found.create if self._store.peek(POD, namespace, name) is None]
        refused = next((why for why in refusals if why), "")
        if refused and owner["kind"] == "Deployment":
            failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refused}
            found.status["conditions"].append(failure)
        self._store.change(BY_KIND[owner["kind"]], namespace, meta["name"], lambda item: item.update({"status": found.status}))

    def _keep_job(self, job: Json) -> None:
        meta, namespace = job["metadata"], job["metadata"]["namespace"]
        found = job_step(job, [pod for pod in self._store.list(POD, namespace) if _owned(pod, meta["uid"])])
        for pod in found.delete:
            self._kubelet.delete(pod, pod["spec"].get("terminationGracePeriodSeconds", 30))
        if found.create:
            self._make({**job, "spec": {"template": job["spec"]["template"]}}, f"{meta['name']}-{uuid.uuid4().hex[:5]}", pod_labels(job))
        if found.again:
            asyncio.get_running_loop().call_later(found.again, self._wake.set)
        self._store.change(_JOB, namespace, meta["name"], lambda item: item.update({"status": found.status}))

    def _collect(self) -> None:
        """Delete the jobs and pods whose CronJob or Job is gone."""
        there = {item["metadata"]["uid"] for kind in _OWNERS for item in self._store.list(BY_KIND[kind])}
        for resource in (_JOB, POD):
            for item in self._store.list(resource):
                meta = item["metadata"]
                if not any(owner["kind"] in _OWNERS and owner["uid"] not in there for owner in meta.get("ownerReferences") or []):
                    continue
                if resource is _JOB:
                    self._store.remove(_JOB, meta["namespace"], meta["name"])
                elif "deletionTimestamp" not in meta:
                    self._kubelet.delete(item, item["spec"].get("terminationGracePeriodSeconds", 30))

    def _make(self, owner: Json, name: str, labels: dict[str, str]) -> str:
        """A pod, with its claims. Why it was refused, or empty."""
        meta, namespace = owner["metadata"], owner["metadata"]["namespace"]
        pod = copy.deepcopy(owner["spec"]["template"])
        for template in owner["spec"].get("volumeClaimTemplates") or []:
            claim = f"{template['metadata']['name']}-{name}"
            if self._store.peek(_CLAIM, namespace, claim) is None:
                self._store.create(
                    _CLAIM,
                    namespace,
                    {
                        "metadata": {
                            "name": claim,
                            "labels": {**(template["metadata"].get("labels") or {}), **(owner["spec"]["selector"].get("matchLabels") or {})},
                            "annotations": template["metadata"].get("annotations") or {},
                        },
                        "spec": template["spec"],
                        "status": {"phase": "Pending"},
                    },
                )
            pod["spec"].setdefault("volumes", []).append(
                {"name": template["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim}}
            )
        pod.setdefault("metadata", {}).update(
            {
                "name": name,
                "labels": {**(pod["metadata"].get("labels") or {}), **labels},
                "ownerReferences": [
                    {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"], "controller": True}
                ],
            }
        )
        pod["status"] = {"phase": "Pending"}
        try:
            admit_pod(self._store, namespace, pod)
            self._store.create(POD, namespace, pod)
        except ApiError as error:
            why = str(error.body["message"])
            words = f"create Pod {name} in {owner['kind']} {meta['name']} failed error: {why}"
            tell(self._store, owner, "Warning", "FailedCreate", words)
            return why
        return ""

    def _empty(self, namespace: str) -> None:
        left = False
        for resource in RESOURCES:
            if not resource.namespaced:
                continue
            for item in self._store.list(resource, namespace):
                name = item["metadata"]["name"]
                if resource is POD:
                    left = True
                    if "deletionTimestamp" not in item["metadata"]:
                        self._kubelet.delete(item, 1)
                    continue
                self._store.remove(resource, namespace, name)
                if resource is _CLAIM:
                    self._volumes.drop(namespace, name)
        if not left:
            self._store.remove(BY_KIND["Namespace"], "", namespace)


def _owned(pod: Json, uid: str) -> bool:
    return any(item["uid"] == uid for item in pod["metadata"].get("ownerReferences") or [])
