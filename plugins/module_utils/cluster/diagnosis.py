# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod does not start, or has ended: a sentence and a remedy, from what the cluster says of it.

``judge`` is pure and works on what was observed; ``look`` fetches that. What could not be looked at is said, never shown
as nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..deadline import Deadline
from .client import Client
from .errors import ClusterError, NotFound
from .objects import Event, Pod, parse_event, parse_pod

_EVENTS = 3
"""Warnings shown of one object, the newest."""


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, and what to do. ``fatal``: waiting will not help. ``busy``: the volume is attached elsewhere."""

    sentence: str
    remedy: str = ""
    fatal: bool = False
    busy: bool = False


@dataclass(frozen=True)
class Observed:
    """What is known of a pod. ``events`` are its warnings, newest last; ``blind`` says what could not be looked at."""

    pod: Pod
    events: Sequence[Event] = ()
    log: str = ""
    blind: Sequence[str] = ()


def look(client: Client, pod: Pod, deadline: Deadline) -> Observed:
    """Fetch a pod's present state, its warnings and, where it has ended, the end of its log."""
    blind: list[str] = []
    try:
        pod = parse_pod(client.get("Pod", pod.namespace, pod.name, deadline))
    except NotFound:
        blind.append("the pod itself is gone")
    except ClusterError as error:
        blind.append(f"the pod could not be read ({error.message})")
    events: list[Event] = []
    try:
        found = client.list("Event", pod.namespace, deadline, fields=f"involvedObject.uid={pod.uid}")
        events = sorted((parse_event(item) for item in found if item.get("type") == "Warning"), key=lambda event: event.last)
    except ClusterError as error:
        blind.append(f"its events could not be read ({error.message})")
    log = ""
    if pod.ended:
        try:
            log = client.logs(pod.namespace, pod.name, 5, deadline)
        except ClusterError as error:
            blind.append(f"its log could not be read ({error.message})")
    return Observed(pod, events, log, blind)


def explain(client: Client, pod: Pod, deadline: Deadline) -> Diagnosis:
    """``look`` and ``judge``."""
    return judge(look(client, pod, deadline))


def judge(observed: Observed) -> Diagnosis:
    """What is wrong with a pod that is not Ready."""
    found = _ended(observed) or _container(observed.pod) or _volume(observed) or _scheduling(observed.pod)
    if found is None:
        found = Diagnosis(f"Pod {observed.pod.namespace}/{observed.pod.name} is {observed.pod.phase or 'not started'}")
    said = "; ".join(f"{event.reason}: {event.message}" for event in observed.events[-_EVENTS:] if event.message not in found.sentence)
    sentence = found.sentence + (f". The cluster says: {said}" if said else "")
    if observed.blind:
        sentence += f". Not looked at: {'; '.join(observed.blind)}"
    return Diagnosis(sentence.rstrip(".") + ".", found.remedy, found.fatal, found.busy)


def _ended(observed: Observed) -> Diagnosis | None:
    pod = observed.pod
    if not pod.ended:
        return None
    where = f"Pod {pod.namespace}/{pod.name}"
    if pod.reason == "DeadlineExceeded":
        return Diagnosis(f"{where} was ended at its active deadline", "Raise repository_cache_timeout.", fatal=True)
    if pod.reason == "Evicted":
        return Diagnosis(
            f"{where} was evicted: {pod.message}", "Run again; give the filler larger requests if it happens again.", fatal=True
        )
    for container in pod.containers:
        if container.terminated == "OOMKilled" or container.exit_code == 137:
            limit = _memory(pod)
            return Diagnosis(
                f"{where} was killed, probably for want of memory (its limit is {limit})",
                "Raise repository_cache_filler.resources.limits.memory.",
                fatal=True,
            )
        if container.exit_code is not None:
            said = f": {observed.log.strip()}" if observed.log.strip() else ""
            return Diagnosis(f"{where} ended with code {container.exit_code}{said}", "Run again.", fatal=True)
    return Diagnosis(f"{where} ended: {pod.reason} {pod.message}".rstrip(), "Run again.", fatal=True)


def _container(pod: Pod) -> Diagnosis | None:
    for container in pod.containers:
        message = " ".join(container.waiting_message.split())
        if container.waiting in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"):
            return Diagnosis(
                f"The image {container.image} cannot be pulled ({container.waiting}): {message}",
                "Check repository_cache_image, and image_pull_secrets in repository_cache_filler.",
                fatal=True,
            )
        if container.waiting == "CreateContainerConfigError" and "root" in message:
            return Diagnosis(
                f"The image {container.image} runs as root, which a filler must not: {message}",
                "Set repository_cache_filler: {pod_security_context: {runAsUser: …, fsGroup: …}} to the ids of the volume's consumers.",
                fatal=True,
            )
        if container.waiting in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
            return Diagnosis(f"The container cannot be made ({container.waiting}): {message}", fatal=True)
    return None


def _volume(observed: Observed) -> Diagnosis | None:
    for event in reversed(observed.events):
        if event.reason == "FailedAttachVolume" or "Multi-Attach" in event.message:
            return Diagnosis(
                f"The volume is attached to another node: {event.message}",
                "The filler went away at once. It comes back on the node of the pod that holds the volume, or at the next run.",
                fatal=True,
                busy=True,
            )
        if event.reason == "FailedMount":
            return Diagnosis(f"The volume cannot be mounted: {event.message}", "See what the storage says of this volume.")
    return None


# Parts of the scheduler's messages (kubernetes pkg/scheduler/framework/plugins), with what they mean for a filler.
_UNSCHEDULABLE = (
    ('persistentvolumeclaim "', "A claim is missing.", "Create the claim, or leave this pair out (repository_cache_select).", True),
    (
        "unbound immediate PersistentVolumeClaims",
        "A claim is not bound to a volume.",
        "See the claim's events: the storage class may not provision.",
        False,
    ),
    ("being deleted", "The claim is being deleted.", "Wait until it is gone, or leave this pair out.", True),
    ("ReadWriteOncePod", "The claim allows only one pod, and another one has it.", "Use repository_cache_in_use: holder, or wait.", True),
    ("Too many pods", "The node has no place for another pod.", "Use repository_cache_in_use: holder.", True),
    (
        "Insufficient",
        "The node has not enough room for the filler's requests.",
        "Make repository_cache_filler.resources.requests smaller, or use repository_cache_in_use: holder.",
        True,
    ),
    ("untolerated taint", "A taint of the node keeps the filler away.", "Add a toleration to repository_cache_filler.tolerations.", True),
    ("unschedulable", "The node is cordoned.", "Uncordon it, or use repository_cache_in_use: holder.", True),
    (
        "volume node affinity conflict",
        "The volume is in another zone or on another node than the filler may use.",
        "Check node_selector in repository_cache_filler.",
        True,
    ),
    ("node affinity/selector", "No node matches the filler's node selector.", "Check node_selector in repository_cache_filler.", True),
)


def _scheduling(pod: Pod) -> Diagnosis | None:
    status, reason, message = pod.conditions.get("PodScheduled", ("", "", ""))
    if status != "False" or reason not in ("Unschedulable", "SchedulerError"):
        return None
    for part, meaning, remedy, fatal in _UNSCHEDULABLE:
        if part in message:
            return Diagnosis(f"The filler cannot be placed. {meaning} The scheduler says: {message}", remedy, fatal)
    return Diagnosis(f"The filler cannot be placed. The scheduler says: {message}", "See the nodes.", False)


def _memory(pod: Pod) -> str:
    containers = pod.spec.get("containers") or [{}]
    return str(((containers[0].get("resources") or {}).get("limits") or {}).get("memory", "not set"))
