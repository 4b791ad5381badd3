"""What the API server fills in when an object is made. Each function changes the object that it is given."""

from __future__ import annotations

from .resources import CLAIMS, DEPLOYMENTS, NAMESPACES, PODS, QUOTAS, STATEFUL_SETS, Object, Resource

DEFAULT_CLASS = "standard"
_TOLERATED_SECONDS = 300


def fill_in(resource: Resource, item: Object) -> None:
    """Set the defaults of this kind."""
    if resource is PODS:
        _pod(item)
    elif resource is CLAIMS:
        item["spec"].setdefault("storageClassName", DEFAULT_CLASS)
        item["spec"].setdefault("volumeMode", "Filesystem")
        item["metadata"].setdefault("finalizers", []).append("kubernetes.io/pvc-protection")
        item["status"] = {"phase": "Pending"}
    elif resource is NAMESPACES:
        item["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = item["metadata"]["name"]
        item["spec"] = {"finalizers": ["kubernetes"]}
        item["status"] = {"phase": "Active"}
    elif resource is QUOTAS:
        item["status"] = {}
    elif resource in (STATEFUL_SETS, DEPLOYMENTS):
        spec = item["spec"]
        spec.setdefault("replicas", 1)
        spec.setdefault("revisionHistoryLimit", 10)
        pod_spec(spec["template"]["spec"])
        if resource is STATEFUL_SETS:
            spec.setdefault("podManagementPolicy", "OrderedReady")
            spec.setdefault("serviceName", "")
            spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
            for claim in spec.get("volumeClaimTemplates") or []:
                claim.update({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}})
                claim["spec"].setdefault("volumeMode", "Filesystem")
        item["status"] = {"replicas": 0}


def pod_spec(spec: Object) -> None:
    """The defaults of a pod's spec, also within a template."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    for container in spec.get("containers") or []:
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        resources = container.setdefault("resources", {})
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **resources.get("requests", {})}
        tag = container.get("image", "").rpartition("/")[2].partition(":")[2]
        container.setdefault("imagePullPolicy", "Always" if tag in ("", "latest") else "IfNotPresent")


def _pod(item: Object) -> None:
    spec = item["spec"]
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("priority", 0)
    spec["serviceAccount"] = spec.setdefault("serviceAccountName", "default")
    tolerations = spec.setdefault("tolerations", [])
    for key in ("not-ready", "unreachable"):
        name = f"node.kubernetes.io/{key}"
        if not any(toleration.get("key") in (name, None) and toleration.get("effect") in ("NoExecute", None) for toleration in tolerations):
            tolerations.append({"key": name, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATED_SECONDS})
    item["status"] = {"phase": "Pending", "qosClass": quality_of_service(spec)}


def quality_of_service(spec: Object) -> str:
    """The pod's class: by whether its limits are set, and equal its requests."""
    resources = [container["resources"] for container in spec.get("containers") or []]
    if not any(found.get("requests") or found.get("limits") for found in resources):
        return "BestEffort"
    guaranteed = all({"cpu", "memory"} <= set(found.get("limits") or {}) and found["limits"] == found.get("requests") for found in resources)
    return "Guaranteed" if guaranteed else "Burstable"
