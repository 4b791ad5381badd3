"""The kinds of objects that the embedded cluster knows, and the discovery documents that tell clients of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""An API object or a part of one, as JSON has it."""

_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One kind of object."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(name, kind, verbs) of each."""
    verbs: tuple[str, ...] = _ALL

    @property
    def api_version(self) -> str:
        """As in an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As error messages name it: statefulsets.apps."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_STATUS = ("get", "patch", "update")


def _with_status(kind: str) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return (("status", kind, _STATUS),)


PODS = Resource(
    "pods",
    "Pod",
    short=("po",),
    subresources=(("exec", "PodExecOptions", ("create", "get")), ("log", "Pod", ("get",)), *_with_status("Pod")),
)
CLAIMS = Resource("persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",), subresources=_with_status("PersistentVolumeClaim"))
VOLUMES = Resource("persistentvolumes", "PersistentVolume", namespaced=False, short=("pv",), subresources=_with_status("PersistentVolume"))
NAMESPACES = Resource("namespaces", "Namespace", namespaced=False, short=("ns",), subresources=_with_status("Namespace"))
NODES = Resource("nodes", "Node", namespaced=False, short=("no",), subresources=_with_status("Node"))
EVENTS = Resource("events", "Event", short=("ev",))
SECRETS = Resource("secrets", "Secret")
CONFIG_MAPS = Resource("configmaps", "ConfigMap", short=("cm",))
QUOTAS = Resource("resourcequotas", "ResourceQuota", short=("quota",), subresources=_with_status("ResourceQuota"))
LIMIT_RANGES = Resource("limitranges", "LimitRange", short=("limits",))
ACCOUNTS = Resource("serviceaccounts", "ServiceAccount", short=("sa",), subresources=(("token", "TokenRequest", ("create",)),))
_RBAC = "rbac.authorization.k8s.io"
ROLES = Resource("roles", "Role", _RBAC)
BINDINGS = Resource("rolebindings", "RoleBinding", _RBAC)
CLUSTER_ROLES = Resource("clusterroles", "ClusterRole", _RBAC, namespaced=False)
CLUSTER_BINDINGS = Resource("clusterrolebindings", "ClusterRoleBinding", _RBAC, namespaced=False)
STATEFUL_SETS = Resource("statefulsets", "StatefulSet", "apps", short=("sts",), subresources=_with_status("StatefulSet"))
DEPLOYMENTS = Resource("deployments", "Deployment", "apps", short=("deploy",), subresources=_with_status("Deployment"))
STORAGE_CLASSES = Resource("storageclasses", "StorageClass", "storage.k8s.io", namespaced=False, short=("sc",))
NETWORK_POLICIES = Resource("networkpolicies", "NetworkPolicy", "networking.k8s.io", short=("netpol",))
_AUTHORIZATION = "authorization.k8s.io"
ACCESS_REVIEWS = Resource("selfsubjectaccessreviews", "SelfSubjectAccessReview", _AUTHORIZATION, namespaced=False, verbs=("create",))
RULES_REVIEWS = Resource("selfsubjectrulesreviews", "SelfSubjectRulesReview", _AUTHORIZATION, namespaced=False, verbs=("create",))

RESOURCES = (
    PODS, CLAIMS, VOLUMES, NAMESPACES, NODES, EVENTS, SECRETS, CONFIG_MAPS, QUOTAS, LIMIT_RANGES, ACCOUNTS, STATEFUL_SETS, DEPLOYMENTS,
    ROLES, BINDINGS, CLUSTER_ROLES, CLUSTER_BINDINGS, STORAGE_CLASSES, NETWORK_POLICIES, ACCESS_REVIEWS, RULES_REVIEWS,
)  # fmt: skip
_BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
GROUPS = tuple(dict.fromkeys((resource.group, resource.version) for resource in RESOURCES if resource.group))


def find_resource(group: str, version: str, plural: str) -> Resource | None:
    """The kind behind a path of the API."""
    return _BY_PATH.get((group, version, plural))


def api_versions(server: str) -> Object:
    """The document at /api."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}]}


def api_groups() -> Object:
    """The document at /apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [api_group(group, version) for group, version in GROUPS]}


def api_group(group: str, version: str) -> Object:
    """The document at /apis/<group>."""
    entry = {"groupVersion": f"{group}/{version}", "version": version}
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": [entry], "preferredVersion": entry}


def api_resources(group: str, version: str) -> Object:
    """The document at /api/v1 or /apis/<group>/<version>."""
    items: list[Object] = []
    for resource in RESOURCES:
        if (resource.group, resource.version) != (group, version):
            continue
        items.append(
            {
                "name": resource.plural,
                "singularName": resource.kind.lower(),
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": list(resource.verbs),
                **({"shortNames": list(resource.short)} if resource.short else {}),
            }
        )
        for name, kind, verbs in resource.subresources:
            items.append({"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced, "kind": kind, "verbs": list(verbs)})
    return {"kind": "APIResourceList", "groupVersion": f"{group}/{version}" if group else version, "resources": items, "apiVersion": "v1"}


def openapi_index() -> Object:
    """The document at /openapi/v3."""
    paths = ["api/v1", *(f"apis/{group}/{version}" for group, version in GROUPS)]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}


def openapi_document(group: str, version: str) -> Object:
    """Enough of a group's OpenAPI document for kubectl to leave the checking of fields to the server."""
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]
    paths: Object = {}
    for resource in RESOURCES:
        if (resource.group, resource.version) == (group, version) and "patch" in resource.verbs:
            prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
            names = f"/namespaces/{{namespace}}/{resource.plural}/{{name}}" if resource.namespaced else f"/{resource.plural}/{{name}}"
            kind = {"group": group, "version": version, "kind": resource.kind}
            paths[prefix + names] = {"patch": {"parameters": parameters, "responses": {}, "x-kubernetes-group-version-kind": kind}}
    return {"openapi": "3.0.0", "info": {"title": "embedded", "version": "1"}, "paths": paths}
