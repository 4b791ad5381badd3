# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a pod what it needs to ask the API: its service account's token (kubernetes/plugin/pkg/admission/serviceaccount)."""

from __future__ import annotations

import uuid

from .resources import BY_KIND
from .status import forbidden
from .store import Json, Store

CERTIFICATES = "kube-root-ca.crt"
"""The ConfigMap, in each namespace, with the certificate of the API."""
_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def mount_token(store: Store, namespace: str, pod: Json) -> None:
    """Give a pod its service account, and the volume from which its containers ask the API. Raises a 403."""
    spec = pod["spec"]
    account = spec.setdefault("serviceAccountName", "default")
    found = store.peek(BY_KIND["ServiceAccount"], namespace, account)
    if found is None:
        words = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise forbidden("pods", pod["metadata"]["name"], words)
    if not spec.get("automountServiceAccountToken", found.get("automountServiceAccountToken", True)):
        return
    volume = f"kube-api-access-{uuid.uuid4().hex[:5]}"
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": CERTIFICATES, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]
    spec.setdefault("volumes", []).append({"name": volume, "projected": {"defaultMode": 0o644, "sources": sources}})
    for container in spec["containers"]:
        mounts = container.setdefault("volumeMounts", [])
        if all(mount["mountPath"] != _PATH for mount in mounts):
            mounts.append({"name": volume, "readOnly": True, "mountPath": _PATH})
