"""StatefulSets and Deployments: pods and claims from templates. One pass looks at all of them; it may be repeated at any time."""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
from collections.abc import Callable

from .errors import ApiError
from .pod_status import set_condition
from .recorder import record
from .resources import CLAIMS, DEPLOYMENTS, PODS, STATEFUL_SETS, Object, Resource
from .store import Store

_REVISION = "controller-revision-hash"
_HASH = "pod-template-hash"
Create = Callable[[Resource, str, Object], Object]
Delete = Callable[[Object], None]


class Controllers:
    """The workload controllers. ``create`` and ``delete`` are the API's, admission included."""

    def __init__(self, store: Store, create: Create, delete: Delete) -> None:
        self._store, self._create, self._delete = store, create, delete
        self._refused: dict[str, str] = {}

    def reconcile(self) -> None:
        """One pass."""
        for item in self._store.list(STATEFUL_SETS):
            self._stateful_set(item)
        for item in self._store.list(DEPLOYMENTS):
            self._deployment(item)

    def _owned(self, owner: Object) -> list[Object]:
        uid = owner["metadata"]["uid"]
        pods = self._store.list(PODS, owner["metadata"]["namespace"])
        return [pod for pod in pods if any(found["uid"] == uid for found in pod["metadata"].get("ownerReferences") or [])]

    def _stateful_set(self, item: Object) -> None:
        spec, name, namespace = item["spec"], item["metadata"]["name"], item["metadata"]["namespace"]
        ordered, revision = spec["podManagementPolicy"] == "OrderedReady", f"{name}-{_digest(spec['template'])}"
        pods = {pod["metadata"]["name"]: pod for pod in self._owned(item)}
        wanted = [f"{name}-{number}" for number in range(spec["replicas"])]
        for number, pod_name in enumerate(wanted):
            pod = pods.get(pod_name)
            if pod is None:
                self._claims(item, pod_name)
                labels = {_REVISION: revision, "statefulset.kubernetes.io/pod-name": pod_name, "apps.kubernetes.io/pod-index": str(number)}
                self._pod(item, pod_name, labels, _claim_volumes(spec, pod_name))
            elif pod["status"]["phase"] in ("Failed", "Succeeded"):
                self._delete(pod)
            if ordered and not (pod and _is_ready(pod)):
                break
        leaving = sorted((pod for pod_name, pod in pods.items() if pod_name not in wanted), key=_ordinal, reverse=True)
        for pod in leaving[:1] if ordered else leaving:
            self._delete(pod)
        old = [pods[pod_name] for pod_name in wanted if pod_name in pods and pods[pod_name]["metadata"]["labels"].get(_REVISION) != revision]
        if old and not leaving and len(pods) == len(wanted) and all(map(_is_ready, pods.values())):
            self._delete(max(old, key=_ordinal))
        ready = sum(map(_is_ready, pods.values()))
        current = len(pods) - len(old)
        self._report(STATEFUL_SETS, item, len(pods), ready, {"currentReplicas": current, "updatedReplicas": current, "updateRevision": revision})

    def _claims(self, item: Object, pod_name: str) -> None:
        for template in item["spec"].get("volumeClaimTemplates") or []:
            name = f"{template['metadata']['name']}-{pod_name}"
            if self._store.find(CLAIMS, item["metadata"]["namespace"], name) is None:
                labels = {**(item["spec"]["selector"].get("matchLabels") or {}), **(template["metadata"].get("labels") or {})}
                metadata = {"name": name, "labels": labels, "annotations": dict(template["metadata"].get("annotations") or {})}
                self._create(CLAIMS, item["metadata"]["namespace"], {"metadata": metadata, "spec": copy.deepcopy(template["spec"])})

    def _deployment(self, item: Object) -> None:
        spec, name, revision = item["spec"], item["metadata"]["name"], _digest(item["spec"]["template"])
        pods = [pod for pod in self._owned(item) if pod["status"]["phase"] not in ("Failed", "Succeeded")]
        new = [pod for pod in pods if pod["metadata"]["labels"].get(_HASH) == revision]
        for _ in range(spec["replicas"] - len(new)):
            suffix = "".join(secrets.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5))
            self._pod(item, f"{name}-{revision}-{suffix}", {_HASH: revision}, [])
        for pod in [*new[spec["replicas"] :], *(pod for pod in pods if pod not in new)]:
            self._delete(pod)
        self._report(DEPLOYMENTS, item, len(pods), sum(map(_is_ready, pods)), {"updatedReplicas": len(new)})

    def _pod(self, owner: Object, name: str, labels: dict[str, str], volumes: list[Object]) -> None:
        template = copy.deepcopy(owner["spec"]["template"])
        metadata = template.get("metadata") or {}
        reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        spec = {**template["spec"], "volumes": [*(template["spec"].get("volumes") or []), *volumes]}
        if owner["kind"] == "StatefulSet":
            spec["hostname"] = name
        pod = {
            "metadata": {
                "name": name,
                "labels": {**(metadata.get("labels") or {}), **labels},
                "annotations": dict(metadata.get("annotations") or {}),
                "ownerReferences": [{**reference, "controller": True, "blockOwnerDeletion": True}],
            },
            "spec": spec,
        }
        try:
            self._create(PODS, owner["metadata"]["namespace"], pod)
        except ApiError as error:
            if self._refused.get(owner["metadata"]["uid"]) != error.message:  # said once: each event is a change, after which this runs again
                self._refused[owner["metadata"]["uid"]] = error.message
                text = f"create Pod {name} in {owner['kind']} {owner['metadata']['name']} failed error: {error.message}"
                record(self._store, owner, "FailedCreate", text, component=f"{owner['kind'].lower()}-controller", warning=True)

    def _report(self, resource: Resource, item: Object, pods: int, ready: int, more: Object) -> None:
        def how(found: Object) -> None:
            status = found["status"]
            status.update({"replicas": pods, "readyReplicas": ready, "availableReplicas": ready, **more})
            status["observedGeneration"] = found["metadata"]["generation"]
            if resource is STATEFUL_SETS:
                status.update({"collisionCount": 0, "currentRevision": more["updateRevision"]})
            else:
                set_condition(status, "Available", "True" if ready >= found["spec"]["replicas"] else "False")

        self._store.change(resource, item["metadata"]["namespace"], item["metadata"]["name"], how)


def _digest(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or []
    return "deletionTimestamp" not in pod["metadata"] and any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _claim_volumes(spec: Object, pod_name: str) -> list[Object]:
    names = [template["metadata"]["name"] for template in spec.get("volumeClaimTemplates") or []]
    return [{"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{pod_name}"}} for name in names]
