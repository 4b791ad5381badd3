# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filler pod as an object: good defaults, the user's overrides merged over them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..api.objects import Claim, Object
from ..api.ours import OUR_CONTAINER, OUR_LABEL, POD_UID_VARIABLE, RUN_VARIABLE, SCRATCH
from . import entrypoint
from .overrides import PodOverrides

LABEL = OUR_LABEL
"""On every pod of ours, so that a later run finds what was left behind. Its value is the pod's purpose."""
RUN = "packit.dev/run"
"""Label: the run's id, by which a network policy knows the run's own pods."""
OWNER = "packit.dev/owner"
"""Annotation: run id, user and host of the run that made the pod, and the seconds that it may take to start, as JSON."""
DEFAULT_IMAGE = "quay.io/packit/sandcastle"
CONTAINER = OUR_CONTAINER
HEARTBEAT = f"{SCRATCH}/heartbeat"
JOBS = f"{SCRATCH}/jobs"
HOME = f"{SCRATCH}/home"
_CLAIM = "claim"
"""The name, in the pod, of the volume that is the mounted claim."""
COPIED_LABELS = "paas.redhat.com/"
"""Labels of a claim with this prefix are copied to its filler; others never are, as selectors may match them."""

FIRST_HEARTBEAT = 60
"""Seconds within which a controller must come to a pod that has started, or it ends before it touches anything."""
# A mesh's container in the pod would outlive ours, and a pod with it never ends. The user's own overrides are merged over these.
_NO_MESH_LABELS = {"sidecar.istio.io/inject": "false"}
_NO_MESH = {
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
    "kuma.io/sidecar-injection": "disabled",
    "consul.hashicorp.com/connect-inject": "false",
    "openservicemesh.io/sidecar-injection": "disabled",
}

_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_POD_SECURITY = {
    "runAsNonRoot": True,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
_IDENTITY_KEYS = ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "seLinuxOptions")


@dataclass(frozen=True)
class Mount:
    """A claim and where it is mounted; ``sub_path`` is the directory of the volume that its consumers see as its root."""

    claim: str
    path: str
    sub_path: str = ""


@dataclass(frozen=True)
class Identity:
    """The user and groups of a pod's processes. On OpenShift (``openshift``) the namespace's own range decides, and nothing is set."""

    openshift: bool = False
    security: Mapping[str, Any] = field(default_factory=dict)
    """runAsUser, fsGroup, … of the volume's consumer."""


@dataclass(frozen=True)
class Placement:
    """The nodes on which a pod may run. ``node`` is required where it is set, by its name."""

    node: str = ""
    tolerations: Sequence[Mapping[str, Any]] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)


class Purpose(str, Enum):
    """The purpose of a pod of ours."""

    FILLER = "filler"
    SEED = "seed"
    IMAGE = "image"
    REFS = "refs"

    @property
    def option(self) -> str:
        """The option that says what the pod asks for."""
        return "seed" if self is Purpose.SEED else "filler"


@dataclass(frozen=True)
class FillerSpec:
    """All that decides what a filler pod is. Times in seconds.

    ``mount`` is None for a pod without a claim, as most seeds are.
    """

    namespace: str
    name: str
    mount: Mount | None
    image: str
    owner: Mapping[str, str]
    overrides: PodOverrides = field(default_factory=PodOverrides)
    identity: Identity = field(default_factory=Identity)
    placement: Placement = field(default_factory=Placement)
    labels: Mapping[str, str] = field(default_factory=dict)
    deadline: int = 1800
    scratch_limit: str = "1Gi"
    purpose: Purpose = Purpose.FILLER


def copied_labels(claim: Claim) -> Mapping[str, str]:
    """Return those of a claim's labels that its fillers have too."""
    return {key: value for key, value in claim.labels.items() if key.startswith(COPIED_LABELS)}


def filler_name(claim_uid: str) -> str:
    """The pod's name for a claim: the same for every run, so that the API's AlreadyExists is the lock between them."""
    return f"packit-cache-filler-{claim_uid}"


def manifest(spec: FillerSpec) -> Object:
    """The pod. Passes PodSecurity ``restricted`` unless the user's overrides say otherwise."""
    overrides = spec.overrides
    by = {**spec.owner, "start_timeout": str(overrides.start_timeout)}
    annotations = {**_NO_MESH, **overrides.annotations, OWNER: json.dumps(by, sort_keys=True)}
    if spec.identity.openshift:
        annotations["openshift.io/required-scc"] = "restricted-v2"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": spec.name,
            "namespace": spec.namespace,
            "labels": {**_NO_MESH_LABELS, **spec.labels, **overrides.labels, LABEL: spec.purpose.value, RUN: spec.owner["run"]},
            "annotations": annotations,
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "activeDeadlineSeconds": overrides.active_deadline or spec.deadline,
            "automountServiceAccountToken": bool(overrides.service_account),
            **({"serviceAccountName": overrides.service_account} if overrides.service_account else {}),
            **({"priorityClassName": overrides.priority_class} if overrides.priority_class else {}),
            "enableServiceLinks": False,
            "securityContext": _pod_security(spec),
            **({"imagePullSecrets": [{"name": name} for name in overrides.image_pull_secrets]} if overrides.image_pull_secrets else {}),
            **_placed(spec),
            "containers": [
                {
                    "name": CONTAINER,
                    "image": spec.image,
                    "imagePullPolicy": overrides.pull_policy,
                    "command": entrypoint.argv(HEARTBEAT, overrides.heartbeat, FIRST_HEARTBEAT),
                    "workingDir": "/",
                    "env": [
                        {"name": "HOME", "value": HOME},
                        {"name": "TMPDIR", "value": SCRATCH},
                        {"name": RUN_VARIABLE, "value": spec.owner["run"]},
                        *({"name": name, "value": value} for name, value in proxy_variables(overrides).items()),
                        {"name": POD_UID_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
                    ],
                    "resources": overrides.all_resources,
                    "securityContext": {**_SECURITY, **overrides.security_context},
                    "volumeMounts": [
                        {"name": "scratch", "mountPath": SCRATCH},
                        *_mounted(spec.mount),
                    ],
                }
            ],
            "volumes": [
                {"name": "scratch", "emptyDir": {"sizeLimit": spec.scratch_limit}},
                *([{"name": _CLAIM, "persistentVolumeClaim": {"claimName": spec.mount.claim}}] if spec.mount is not None else []),
            ],
        },
    }


def _mounted(mount: Mount | None) -> list[dict[str, str]]:
    if mount is None:
        return []
    return [{"name": _CLAIM, "mountPath": mount.path, **({"subPath": mount.sub_path} if mount.sub_path else {})}]


def proxy_variables(overrides: PodOverrides) -> Mapping[str, str]:
    """Return them in both spellings: git's curl reads http_proxy in small letters only, others only in capitals."""
    return {spelt: value for name, value in sorted(overrides.proxy.items()) for spelt in (name.upper(), name.lower())}


def _pod_security(spec: FillerSpec) -> dict[str, Any]:
    context = {**_POD_SECURITY, **({} if spec.identity.openshift else spec.identity.security), **spec.overrides.pod_security_context}
    if spec.identity.openshift:
        # The namespace's range decides there. Anything of ours would be refused, or, for a cluster admin, be granted anyuid.
        context = {key: value for key, value in context.items() if key not in _IDENTITY_KEYS}
    return context


def _placed(spec: FillerSpec) -> dict[str, Any]:
    placed: dict[str, Any] = {}
    tolerations = [*spec.placement.tolerations, *spec.overrides.tolerations]
    if tolerations:
        placed["tolerations"] = tolerations
    selector = {**spec.placement.node_selector, **spec.overrides.node_selector}
    if selector and not spec.placement.node:
        placed["nodeSelector"] = selector
    if spec.placement.node:
        # By the node's name: works without the right to read nodes, and the hostname label can differ from the name.
        # Never by `nodeName`: it goes around the scheduler, and a claim that waits for its first consumer never binds.
        match = {"key": "metadata.name", "operator": "In", "values": [spec.placement.node]}
        required = {"nodeSelectorTerms": [{"matchFields": [match]}]}
        placed["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return placed
