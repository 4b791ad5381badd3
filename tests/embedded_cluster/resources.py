# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources that the API has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One kind of object."""

    group: str
    plural: str
    kind: str
    short: str = ""
    namespaced: bool = True
    version: str = "v1"

    @property
    def qualified(self) -> str:
        """As in error messages: ``statefulsets.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """As in objects."""
        return f"{self.group}/{self.version}" if self.group else self.version


RESOURCES = (
    Resource("", "pods", "Pod", "po"),
    Resource("", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc"),
    Resource("", "persistentvolumes", "PersistentVolume", "pv", namespaced=False),
    Resource("", "namespaces", "Namespace", "ns", namespaced=False),
    Resource("", "nodes", "Node", "no", namespaced=False),
    Resource("", "secrets", "Secret"),
    Resource("", "configmaps", "ConfigMap", "cm"),
    Resource("", "events", "Event", "ev"),
    Resource("", "resourcequotas", "ResourceQuota", "quota"),
    Resource("", "limitranges", "LimitRange", "limits"),
    Resource("", "serviceaccounts", "ServiceAccount", "sa"),
    Resource("", "services", "Service", "svc"),
    Resource("apps", "statefulsets", "StatefulSet", "sts"),
    Resource("apps", "deployments", "Deployment", "deploy"),
    Resource("batch", "cronjobs", "CronJob", "cj"),
    Resource("batch", "jobs", "Job"),
    Resource("rbac.authorization.k8s.io", "roles", "Role"),
    Resource("rbac.authorization.k8s.io", "rolebindings", "RoleBinding"),
    Resource("networking.k8s.io", "networkpolicies", "NetworkPolicy", "netpol"),
    Resource("storage.k8s.io", "storageclasses", "StorageClass", "sc", namespaced=False),
    Resource("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", namespaced=False),
    Resource("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False),
    Resource("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False),
    # Kinds of OpenShift, and of a platform on it, which a deployment has among its objects; nothing acts on them here.
    Resource("image.openshift.io", "imagestreams", "ImageStream", "is"),
    Resource("route.openshift.io", "routes", "Route"),
    Resource("project.openshift.io", "projects", "Project", namespaced=False),
    Resource("tenant.paas.redhat.com", "tenantnamespaces", "TenantNamespace", version="v1alpha1"),
)
BY_PATH = {(resource.group, resource.plural): resource for resource in RESOURCES}
BY_KIND = {resource.kind: resource for resource in RESOURCES}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
