# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translate answers with an error status, or no answer, into the collection's own errors. Pure."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urljoin, urlsplit

from ...printable import printable
from .api_errors import (
    AlreadyExists,
    ClusterError,
    Conflict,
    ExecRefused,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PodLost,
    QuotaExceeded,
    Redirected,
    Unauthorized,
    Unreachable,
)
from .objects import Object

REACH_REMEDY = "Check the host, the network and whether a proxy is needed (host, kubeconfig or K8S_AUTH_HOST)."
_CERTIFICATE_REMEDY = (
    "Give the certificate of the authority that signed its own (ca_cert, kubeconfig or K8S_AUTH_SSL_CA_CERT); and check this machine's clock."
)

REDIRECTS = range(300, 400)


def answer_body(raw: Any) -> Object:
    """The body of an answer with an error status: the API's Status, or the words of whatever answered."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw or "")
    try:
        data = json.loads(text)
    except ValueError:
        return {"message": text.strip()[:500]}
    return data if isinstance(data, dict) else {"message": text[:500]}


_OVERLOADED = (429, 500, 502, 503, 504)
# What the API server's storage and its quota say where two wrote at once (k8s.io/apiserver/pkg/registry, plugin/resourcequota).
_RACES = ("Operation cannot be fulfilled", "please apply your changes to the latest version")


def refused(status: int, body: Object, what: str, host: str, retry_after: float = 0.0, credentials: str = "") -> ClusterError:
    """The error for an answer with an error status. ``credentials`` says what we logged in with."""
    failure = _refused(status, body, what, host, credentials)
    failure.passes = status in _OVERLOADED or (status == 409 and any(words in failure.message for words in _RACES))
    failure.retry_after = retry_after
    return failure


_GRANT = "Grant the right (docs/rbac.yml of this collection, or rbac-….yml beside it), or see what the message says of policy."
_POLICY = "A policy of the cluster refuses it: see its words, and what option `filler` can change."
# What admission refuses, with the status of a missing right or of a wrong object (kubernetes plugin/pkg/admission, apiserver's
# pkg/admission/plugin, pod-security-admission; OpenShift's SCCs).
_ADMISSION = (
    (" usage per ", "A LimitRange of the namespace does not allow it: change option `filler.resources` or option `seed.resources`."),
    (
        "limit to request ratio",
        "A LimitRange of the namespace does not allow it: bring requests and limits in resources nearer to each other.",
    ),
    (
        "failed quota",
        "A quota of the namespace wants them given: set them by option `filler.resources` and option `seed.resources`.",
    ),
    (
        "violates PodSecurity",
        "The namespace's pod security level refuses it: change what it names (option `filler`), or the level.",
    ),
    ("security context constraint", "No SCC allows it: leave ids out of option `filler`, or grant the service account an SCC."),
    ("is being terminated", "The namespace is being deleted."),
    ("no PriorityClass with name", "Name a priority class that exists (option `filler.priority_class`)."),
    ("error looking up service account", "The namespace has no such service account: wait until the namespace is ready, or make it."),
    (
        "attempting to grant RBAC permissions",
        "Nobody can give on rights that they do not have: bind the Role of docs/rbac.yml to yourself as well, in both namespaces.",
    ),
    ("namespace node label selector", "The namespace prescribes nodes: take option `filler.node_selector` out, or change it."),
    (
        "namespace whitelist",
        "The namespace allows other tolerations and nodes only: change option `filler.tolerations` or option `filler.node_selector`.",
    ),
    ("admission webhook", _POLICY),
    ("ValidatingAdmissionPolicy", _POLICY),
)


def _refused(status: int, body: Object, what: str, host: str, credentials: str) -> ClusterError:
    reason, message = str(body.get("reason", "")), str(body.get("message", "")) or f"HTTP status {status}"
    text = f"The API refused to {what}: {message}"
    if status == 401:
        return Unauthorized(
            f"The API at {host} does not accept the login (expired, or wrong).",
            f"{f'It was {credentials}. ' if credentials else ''}Log in again, and give a fresh api_key, kubeconfig or K8S_AUTH_API_KEY.",
        )
    if status == 403 and "exceeded quota" in message:
        return QuotaExceeded(text, "Wait until other pods have ended, make the filler smaller (resources), or raise the quota.")
    admission = next((remedy for part, remedy in _ADMISSION if part in message), "")
    if status == 403:
        return Forbidden(text, admission or _GRANT)
    if status == 404:
        return NotFound(text)
    if status == 409:
        return AlreadyExists(text) if reason == "AlreadyExists" else Conflict(text)
    if status == 410 or reason in ("Expired", "Gone"):
        return Gone(text)
    if status in (400, 422):
        return Invalid(text, admission)
    return ClusterError(text, admission)


# What a kubelet says of a container that has ended, also before the API tells so of its pod (kubernetes/pkg/kubelet/kubelet_pods.go).
_NO_CONTAINER = "container not found ("
EXEC_REMEDY = "A policy or gateway before the API may not let it through, though all else: try `kubectl exec` by the same way."


def exec_refused(status: int, body: Object, what: str, host: str, retry_after: float = 0.0, credentials: str = "") -> ClusterError:
    """The error for an answer other than the upgrade to a process's streams."""
    failure = refused(status, body, what, host, retry_after, credentials)
    if isinstance(failure, (Unauthorized, Forbidden, NotFound)):
        return failure
    words = " ".join(str(body.get("message", "")).split()) or "it said nothing"
    found: ClusterError
    if _NO_CONTAINER in words:
        found = PodLost(f"There is no container (any more) in which to {what}: {words}.", "Run again.")
    else:
        found = ExecRefused(f"The API, or what is before it, refused to {what} (HTTP status {status}): {words}", EXEC_REMEDY)
    found.passes, found.retry_after = failure.passes, retry_after
    return found


def proxy_refused(words: str, what: str) -> ClusterError:
    """The error where a proxy did not make the connection; ``words`` are the library's."""
    status = re.search(r"status: (\d{3})\b", words)
    found = ExecRefused(
        f"The proxy refused the way to {what}: {words}.", "Check the proxy's address and credentials (proxy, proxy_headers, HTTPS_PROXY)."
    )
    found.passes = status is None or int(status[1]) in _OVERLOADED
    return found


def redirected(status: int, location: str, what: str, host: str) -> ClusterError:
    """The error for an answer that is a redirect. Of where it leads to only the host is told: the rest may hold a secret."""
    try:
        parts = urlsplit(urljoin(host, location))
        to = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if location else "nowhere"
    except ValueError:
        to = "what is no URL"
    return Redirected(
        f"{host} answered with a redirect to {printable(to)[:200]} (HTTP status {status}) when asked to {what}. "
        "It is not followed, as the credentials would go there.",
        "Give the API's own URL (host, kubeconfig or K8S_AUTH_HOST). If that is what you gave, something answers in the API's place.",
    )


def innermost_reason(error: BaseException) -> str:
    """The innermost reason of a chain of wrapped errors, in a line."""
    inner: BaseException = error
    while True:
        deeper = getattr(inner, "reason", None) or inner.__cause__
        if not isinstance(deeper, BaseException):
            return " ".join(str(inner).split()) or type(inner).__name__
        inner = deeper


def no_answer(error: BaseException, what: str, host: str) -> Unreachable:
    """The error where no answer came. It passes unless the certificate is the reason, which will be the same."""
    reason = innermost_reason(error)
    certificate = "certificate" in reason.lower()
    failure = Unreachable(f"The API at {host} did not answer when asked to {what}: {reason}.", _CERTIFICATE_REMEDY if certificate else REACH_REMEDY)
    failure.passes = not certificate
    return failure
