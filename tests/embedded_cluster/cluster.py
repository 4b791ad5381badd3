"""The whole cluster apart from HTTP: the store and all that acts on it by itself."""

from __future__ import annotations

from pathlib import Path

from .admission import admit, quota_usage
from .controllers import Controllers
from .faults import Fault, Faults
from .kubelet import Kubelet
from .pod_status import set_condition
from .recorder import record
from .resources import ACCOUNTS, CLAIMS, NAMESPACES, NODES, PODS, QUOTAS, STORAGE_CLASSES, Object, Resource
from .scheduler import choose_node, claim_names, is_active
from .store import Store, key_of, timestamp
from .volumes import Volumes

_IDLE = 1.0
_NODE_CAPACITY = {"cpu": "8", "memory": "16Gi", "pods": "250", "ephemeral-storage": "100Gi"}


class Cluster:
    """A cluster whose state is below one directory. Use by the server's one thread."""

    def __init__(self, directory: Path, nodes: int, *, users: bool) -> None:
        self.store, self.faults = Store(), Faults()
        self.volumes = Volumes(self.store, directory / "volumes", self.faults)
        self.kubelet = Kubelet(self.store, directory / "pods", self.volumes, self.faults, users=users)
        self._controllers = Controllers(self.store, self.create, lambda pod: self.delete(PODS, pod, None))
        for name in ("default", "kube-system"):
            self.create(NAMESPACES, "", {"metadata": {"name": name}})
        for name, mode in (("standard", "WaitForFirstConsumer"), ("immediate", "Immediate")):
            annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if name == "standard" else {}
            item: Object = {"metadata": {"name": name, "annotations": annotations}, "provisioner": "embedded.packit.dev"}
            self.store.create(STORAGE_CLASSES, {**item, "reclaimPolicy": "Delete", "volumeBindingMode": mode})
        for number in range(1, nodes + 1):
            self._add_node(f"node{number}")

    def _add_node(self, name: str) -> None:
        status: Object = {"capacity": _NODE_CAPACITY, "allocatable": _NODE_CAPACITY, "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
        set_condition(status, "Ready", "True", "KubeletReady", "kubelet is posting ready status")
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
        self.store.create(NODES, {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": status})

    async def run(self) -> None:
        """Schedule, start, restart and clean up, until cancelled."""
        while True:
            before = self.store.version
            self.reconcile()
            if self.store.version == before:
                await self.store.changed(_IDLE)

    def create(self, resource: Resource, namespace: str, item: Object) -> Object:
        """Make an object as the API does. The object given is filled in. Raises ApiError."""
        if resource.namespaced:
            item["metadata"]["namespace"] = namespace
        admit(self.store, resource, item)
        created = self.store.create(resource, item)
        if resource is CLAIMS:
            self.volumes.make(created)
            created = self.store.get(CLAIMS, *key_of(created))
        if resource is NAMESPACES:
            self.store.create(ACCOUNTS, {"metadata": {"name": "default", "namespace": created["metadata"]["name"]}})
        return created

    def delete(self, resource: Resource, item: Object, grace: int | None) -> tuple[Object, bool]:
        """Begin to delete an object. Returns it as it is then, and whether it is gone."""
        namespace, name = key_of(item)
        if resource is PODS:
            ended = item["status"]["phase"] in ("Succeeded", "Failed") or not item["spec"].get("nodeName")
            seconds = 0 if ended else item["spec"]["terminationGracePeriodSeconds"] if grace is None else grace
        else:
            seconds = 0
        if seconds == 0 and not item["metadata"].get("finalizers") and resource is not NAMESPACES:
            return self.store.remove(resource, namespace, name), True
        known = item["metadata"].get("deletionGracePeriodSeconds")
        if known is not None and known <= seconds:
            return item, False

        def mark(found: Object) -> None:
            found["metadata"].update({"deletionTimestamp": timestamp(seconds), "deletionGracePeriodSeconds": seconds})
            if resource is NAMESPACES:
                del found["metadata"]["deletionGracePeriodSeconds"]
                found["status"] = {"phase": "Terminating"}

        return self.store.change(resource, namespace, name, mark) or item, False

    def add_fault(self, kind: str, where: Object) -> Fault:
        """Let something go wrong. Raises ApiError."""
        if kind == "expire_watch":
            self.store.forget()
        if kind == "fill_disk":
            self.volumes.fill(where["namespace"], where["claim"], int(where.get("free", 0)))
        fault = self.faults.add(kind, where)
        if kind == "expire_watch":
            self.faults.remove(fault.number)
        return fault

    def remove_faults(self, number: int | None) -> None:
        """Let it go right again."""
        for fault in self.faults.remove(number):
            if fault.kind == "fill_disk" and self.store.find(CLAIMS, fault.where["namespace"], fault.where["claim"]):
                self.volumes.fill(fault.where["namespace"], fault.where["claim"], None)
        self.store.wake()

    def reconcile(self) -> None:
        """One pass of everything that is not a request; it may be repeated at any time."""
        self._controllers.reconcile()
        for pod in self.store.list(PODS):
            if not pod["spec"].get("nodeName"):
                self._schedule(pod)
        self.kubelet.reconcile()
        self._collect_orphans()
        self._empty_namespaces()
        self._release_claims()
        for quota in self.store.list(QUOTAS):
            status = {"hard": quota["spec"].get("hard") or {}, "used": quota_usage(self.store, quota)}
            self.store.update(QUOTAS, {**quota, "status": status})

    def _schedule(self, pod: Object) -> None:
        namespace, name = key_of(pod)
        fault = self.faults.take("unschedulable", namespace=namespace, name=name)
        if fault:
            node, why = "", fault.parameters.get("message", "0/2 nodes are available: 2 Insufficient memory.")
        else:
            node, why = choose_node(self.store, pod)
        if node:
            for claim in (self.store.get(CLAIMS, namespace, item) for item in claim_names(pod)):
                if not claim["spec"].get("volumeName"):
                    self.volumes.bind(claim)

        def decided(item: Object) -> None:
            if node:
                item["spec"]["nodeName"] = node
                set_condition(item["status"], "PodScheduled", "True")
            else:
                set_condition(item["status"], "PodScheduled", "False", "Unschedulable", why)

        before = self.store.version
        self.store.change(PODS, namespace, name, decided)
        if self.store.version != before:
            reason, text = ("Scheduled", f"Successfully assigned {namespace}/{name} to {node}") if node else ("FailedScheduling", why)
            record(self.store, pod, reason, text, component="default-scheduler", warning=not node)

    def _collect_orphans(self) -> None:
        """Delete what belonged to an object that is gone."""
        owned = [(resource, item) for resource in self.store.kinds() for item in self.store.list(resource) if item["metadata"].get("ownerReferences")]
        if not owned:
            return
        living = {item["metadata"]["uid"] for resource in self.store.kinds() for item in self.store.list(resource)}
        for resource, item in owned:
            if not any(owner["uid"] in living for owner in item["metadata"]["ownerReferences"]):
                self.delete(resource, item, None)

    def _empty_namespaces(self) -> None:
        for namespace in self.store.list(NAMESPACES):
            if "deletionTimestamp" not in namespace["metadata"]:
                continue
            name = namespace["metadata"]["name"]
            content = [(resource, item) for resource in self.store.kinds() if resource.namespaced for item in self.store.list(resource, name)]
            for resource, item in content:
                self.delete(resource, item, None)
            if not content:
                self.store.remove(NAMESPACES, "", name)

    def _release_claims(self) -> None:
        """Remove deleted claims that no pod uses any more, with their volumes."""
        for claim in self.store.list(CLAIMS):
            if "deletionTimestamp" not in claim["metadata"]:
                continue
            namespace, name = key_of(claim)
            if not any(is_active(pod) and name in claim_names(pod) for pod in self.store.list(PODS, namespace)):
                self.store.remove(CLAIMS, namespace, name)
                self.volumes.destroy(claim)
