# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the pods that mount a claim, and what follows for a filler: its node, its user, its image. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..api.objects import Pod
from .manifest import LABEL, Identity, Placement

_IDENTITY = ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups")
_DEFAULT_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""Annotation of a claim: the node that the scheduler chose for its first pod, where the class waits for one."""


@dataclass(frozen=True)
class Consumers:
    """The pods, other than ours, that name a claim. ``holder`` has it mounted on a node (or is about to, or still has)."""

    holder: Pod | None
    waiting: Pod | None

    @property
    def any(self) -> Pod | None:
        """The holder, else one that waits."""
        return self.holder or self.waiting


def consumers(pods: Iterable[Pod], claim: str) -> Consumers:
    """Return who uses ``claim``, from one list of its namespace's pods."""
    using = [pod for pod in pods if claim in pod.uses and not pod.ended and LABEL not in pod.labels]
    holding = sorted((pod for pod in using if pod.node), key=lambda pod: (pod.phase != "Running", pod.name))
    waiting = sorted((pod for pod in using if not pod.node), key=lambda pod: pod.name)
    return Consumers(holding[0] if holding else None, waiting[0] if waiting else None)


def users(pods: Iterable[Pod], claim: str) -> list[Pod]:
    """Return the pods that may have a claim's volume now: consumers that were placed, and ours, whoever made them."""
    return [pod for pod in pods if claim in pod.uses and not pod.ended and (pod.node or LABEL in pod.labels)]


def waits_elsewhere(pods: Iterable[Pod], claim: str, node: str) -> Pod | None:
    """A consumer's pod that cannot start while a filler on ``node`` has the claim: it was placed on another node, or the claim
    allows one pod only. One of the same node starts beside the filler."""
    for pod in pods:
        if claim not in pod.uses or LABEL in pod.labels or pod.deleting or pod.phase != "Pending":
            continue
        if (pod.node and pod.node != node) or "ReadWriteOncePod" in pod.conditions.get("PodScheduled", ("", "", ""))[2]:
            return pod
    return None


def placement(used: Consumers) -> Placement:
    """Return where a filler of the claim must run: on the holder's node with its tolerations; else where its consumer may."""
    pod = used.any
    if pod is None:
        return Placement()
    tolerations = tuple(item for item in pod.spec.get("tolerations") or () if item.get("key") not in _DEFAULT_TOLERATIONS)
    if used.holder is not None:
        return Placement(used.holder.node, tolerations, {})
    return Placement("", tolerations, pod.spec.get("nodeSelector") or {})


def identity(pod: Pod | None, claim: str, openshift: bool) -> Identity:
    """Return the identity that a filler should run with: that of the claim's consumer."""
    if pod is None or openshift:
        return Identity(openshift)
    security: dict[str, Any] = {}
    for context in (pod.spec.get("securityContext") or {}, _container_security(pod, claim)):
        security.update({key: context[key] for key in _IDENTITY if key in context})
    return Identity(False, security)


def image(pod: Pod | None, claim: str) -> str:
    """The image of the container that mounts the claim in a running pod: it is on that node already. Empty without one."""
    if pod is None:
        return ""
    volumes = {volume for volume, name in pod.claims.items() if name == claim}
    return next((container.image for container in pod.containers if volumes & set(container.mounts)), "")


def mounted_at(pod: Pod, claim: str) -> tuple[str, str]:
    """The container and path at which a pod mounts the claim; empty where it does not."""
    volumes = {volume for volume, name in pod.claims.items() if name == claim}
    for container in pod.containers:
        for volume, path in container.mounts.items():
            if volume in volumes:
                return container.name, path
    return "", ""


def sub_path(pod: Pod | None, claim: str) -> str:
    """The directory of the claim's volume that its consumer sees as the volume; empty for its root, and where nobody tells."""
    if pod is None:
        return ""
    volumes = {volume for volume, name in pod.claims.items() if name == claim}
    found = (container.sub_paths.get(volume, "") for container in pod.containers for volume in container.mounts if volume in volumes)
    return next(found, "")


def _container_security(pod: Pod, claim: str) -> Any:
    name, _path = mounted_at(pod, claim)
    return next((container.security_context for container in pod.containers if container.name == name), {})
