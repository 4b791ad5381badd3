# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An admission webhook that imitates OpenShift's restricted-v2: user and group come from the namespace's range, others are refused."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.clusters.base import LANE, LANE_LABEL, TestCluster
from tests.embedded_cluster.certificate import make_certificate

UID_RANGE = "openshift.io/sa.scc.uid-range"
_NAME = f"restricted-v2{LANE}.packit.test"


def admit(pod: dict[str, Any], uid_range: str) -> tuple[str, list[dict[str, Any]]]:
    """(why it is refused, or empty; the JSON patch). Pure."""
    first, size = (int(number) for number in uid_range.split("/"))
    context = pod["spec"].get("securityContext") or {}
    asked = [
        context.get("runAsUser"),
        context.get("fsGroup"),
        *((c.get("securityContext") or {}).get("runAsUser") for c in pod["spec"]["containers"]),
    ]
    for value in asked:
        if value is not None and not first <= value < first + size:
            return f"unable to validate against any security context constraint: {value} is not in [{first}, {first + size - 1}]", []
    merged = {"runAsUser": first, "fsGroup": first, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **context}
    annotations = {**(pod["metadata"].get("annotations") or {}), "openshift.io/scc": "restricted-v2"}
    return "", [
        {"op": "add", "path": "/spec/securityContext", "value": merged},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]


@contextmanager
def restricted_v2(cluster: TestCluster, directory: Path) -> Iterator[None]:
    """On for pods of namespaces that have a uid range, while the context is open."""
    authority, tls = make_certificate(directory, cluster.upstream_host)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return

        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = review["request"]
            annotations = cluster.core.read_namespace(request["namespace"]).metadata.annotations or {}
            answer: dict[str, Any] = {"uid": request["uid"], "allowed": True}
            if UID_RANGE in annotations:
                why, patch = admit(request["object"], annotations[UID_RANGE])
                if why:
                    answer.update({"allowed": False, "status": {"code": 403, "message": why}})
                else:
                    answer.update({"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()})
            body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer((cluster.upstream_host, 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    admission = client.AdmissionregistrationV1Api(cluster.api)
    url = f"https://{cluster.upstream_host}:{server.server_address[1]}/"
    webhook = {
        "name": _NAME,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "clientConfig": {"url": url, "caBundle": base64.b64encode(authority.read_bytes()).decode()},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {LANE_LABEL: LANE}},
    }
    admission.create_mutating_webhook_configuration({"metadata": {"name": _NAME}, "webhooks": [webhook]})
    try:
        yield
    finally:
        admission.delete_mutating_webhook_configuration(_NAME)
        server.shutdown()
        server.server_close()
        thread.join()
