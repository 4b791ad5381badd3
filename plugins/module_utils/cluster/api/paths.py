# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths of the API's objects, and how messages name them. Pure."""

from __future__ import annotations

from .names import require_name, require_namespace

_PATHS = {
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "PersistentVolumeClaim": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "Event": "/api/v1/namespaces/{namespace}/events",
    "ResourceQuota": "/api/v1/namespaces/{namespace}/resourcequotas",
    "LimitRange": "/api/v1/namespaces/{namespace}/limitranges",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "StatefulSet": "/apis/apps/v1/namespaces/{namespace}/statefulsets",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "CronJob": "/apis/batch/v1/namespaces/{namespace}/cronjobs",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
    "SelfSubjectAccessReview": "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "SelfSubjectRulesReview": "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    "SelfSubjectReview": "/apis/authentication.k8s.io/v1/selfsubjectreviews",
}


def path_of(kind: str, namespace: str) -> str:
    """The path of a collection. Raises InvalidOption where the namespace is none: it might lead elsewhere."""
    path = _PATHS[kind]
    if "{namespace}" in path:
        require_namespace(namespace)
    return path.format(namespace=namespace)


def path_of_one(kind: str, namespace: str, name: str) -> str:
    """The path of an object. Raises InvalidOption where a name is none."""
    require_name(kind, name)
    return f"{path_of(kind, namespace)}/{name}"


def named(kind: str, namespace: str, name: str = "") -> str:
    """Return how messages name an object, or a collection where ``name`` is empty. Nodes, among others, are in no namespace."""
    if not name:
        return f"{kind} in {namespace}" if namespace else kind
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
