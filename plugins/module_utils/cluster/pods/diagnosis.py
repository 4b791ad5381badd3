# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why a pod does not start, or has ended: a sentence and a remedy, from what the cluster says.

``judge`` is pure and works on what was observed; ``look`` fetches that. What could not be looked at is said, never shown
as nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ...deadline import Deadline
from ..api.api_errors import ClusterError, NotFound
from ..api.claim_clones import PROVISIONING_FAILED, is_unmade_clone, refusal
from ..api.claims import read_claim
from ..api.client import Client
from ..api.events import events_of
from ..api.objects import Claim, Event, Pod, parse_pod
from .manifest import CONTAINER, LABEL, Purpose
from .unschedulable import UNSCHEDULABLE

_EVENTS = 3
"""Warnings shown of one object, the newest."""
# The kubelet's reasons why a container does not start (kubernetes pkg/kubelet: images, kuberuntime; cri-api errors).
_IMAGE_PASSES = ("ErrImagePull", "RegistryUnavailable")  # it tries again, and says ImagePullBackOff when that fails, too
_IMAGE_REASONS = (
    "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "SignatureValidationFailed", *_IMAGE_PASSES,
)  # fmt: skip
_CONFIG_REASONS = (
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
    "PreCreateHookError", "PreStartHookError", "PostStartHookError", "RROUnsupported",
)  # fmt: skip
_NOT_STARTED = ("StartError", "ContainerCannotRun")
"""The container runtime's reasons for a container that ended and never began."""
FATAL_WAITING = tuple(reason for reason in (*_IMAGE_REASONS, *_CONFIG_REASONS) if reason not in _IMAGE_PASSES)
"""Reasons for a container's wait that will not pass."""

# The kubelet's reasons for a pod that has failed (kubernetes pkg/kubelet: nodeshutdown, preemption, eviction, lifecycle, topologymanager).
_NODE_ENDS = ("Terminated", "NodeShutdown", "Shutdown", "NodeLost")
_PREEMPTED = ("Preempting", "Preempted", "PreemptionByScheduler")
_NOT_ADMITTED = (
    "UnexpectedAdmissionError", "UnexpectedPredicateFailureType", "UnknownReason", "InvalidNodeInfo", "NodeAffinity", "NodeName",
    "NodePorts", "TaintToleration", "TopologyAffinityError",
)  # fmt: skip
_NEVER_ADMITTED = (
    "PodOSNotSupported", "PodOSSelectorNodeLabelDoesNotMatch", "AppArmor", "PodLevelResourcesNotSupported",
    "SupplementalGroupsPolicyNotSupported", "InitContainerRestartPolicyForbidden",
)  # fmt: skip
_NO_LOG = "unable to retrieve container logs for "
"""The start of the kubelet's text in place of a log that is gone; the container's id follows (kubernetes pkg/kubelet: kuberuntime)."""
_OUTGROWN = re.compile(r"(emptydir|ephemeral).*exceed|exceed.*(emptydir|ephemeral)", re.IGNORECASE)
"""Matches the kubelet's words for a pod that used more disk than the pod's own limit allows (kubernetes pkg/kubelet: eviction)."""
# What attaching says where another node has the volume: Kubernetes' own words, those of storage drivers, and the code that CSI has for it.
_ELSEWHERE = re.compile(
    r"multi-attach|already (exclusively )?(attached|published)|(still )?attached to (a different|another|node)|attachment is being deleted"
    r"|(?<!already )in[- ]use|being used|code = FailedPrecondition",
    re.IGNORECASE,
)


class Whose(Enum):
    """The kind of a pod, ours or a workload's: what to do about it differs. The value is what the pod is called within a sentence."""

    FILLER = "the filler"
    WORKLOAD = "the pod"


@dataclass(frozen=True)
class Diagnosis:
    """A fault of a pod, and what to do. ``fatal``: this pod will not start. ``busy``: another one, a while later, may well do.
    ``outgrown``: it used more disk than it may, so the next one would, too. ``clone_refused``: the storage does not make its claim's volume as
    a clone."""

    sentence: str
    remedy: str = ""
    fatal: bool = False
    busy: bool = False
    outgrown: bool = False
    clone_refused: bool = False


@dataclass(frozen=True)
class Observed:
    """The facts known of a pod. ``events`` are its warnings, newest last; ``blind`` says what could not be looked at.

    ``claim`` is that of a pod of ours which has no node yet, where it has no volume yet, with its events.
    """

    pod: Pod
    events: Sequence[Event] = ()
    log: str = ""
    blind: Sequence[str] = ()
    claim: Claim | None = None
    claim_events: Sequence[Event] = ()


_PURPOSES = {Purpose.SEED: "seed pod", Purpose.IMAGE: "pod that has the image pulled", Purpose.REFS: "pod that reads upstream's refs"}


def _purpose(pod: Pod) -> Purpose:
    """Return the purpose that a pod's label tells; that of a filler where it tells none."""
    label = pod.labels.get(LABEL)
    return Purpose(label) if label in [purpose.value for purpose in Purpose] else Purpose.FILLER


def purpose_of(pod: Pod) -> str:
    """Return what a pod of ours is called within a sentence."""
    return _PURPOSES.get(_purpose(pod), "filler")


def option_of(pod: Pod) -> str:
    """The option that says what a pod of ours asks for."""
    return _purpose(pod).option


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
        events = [event for event in events_of(client, pod.namespace, pod.uid, deadline) if event.type == "Warning"]
    except ClusterError as error:
        blind.append(f"its events could not be read ({error.message})")
    claim, claim_events = None, []
    if LABEL in pod.labels and not pod.node and pod.uses:
        try:
            claim = read_claim(client, pod.namespace, min(pod.uses), deadline)
            claim_events = [] if claim.volume_name else events_of(client, claim.namespace, claim.uid, deadline)
        except NotFound:
            pass  # the scheduler says so
        except ClusterError as error:
            blind.append(f"its claim could not be read ({error.message})")
    log = ""
    if pod.ended:
        try:
            log = client.logs(pod.namespace, pod.name, 5, deadline, CONTAINER if LABEL in pod.labels else "")
        except ClusterError as error:
            blind.append(f"its log could not be read ({error.message})")
    return Observed(pod, events, log, blind, claim, claim_events)


def explain(client: Client, pod: Pod, deadline: Deadline) -> Diagnosis:
    """``look`` and ``judge``."""
    return judge(look(client, pod, deadline))


def judge(observed: Observed, whose: Whose = Whose.FILLER) -> Diagnosis:
    """Return what is wrong with a pod that is not Ready."""
    if whose is Whose.FILLER:
        found = _ended(observed) or _container(observed.pod) or _volume(observed) or _provisioning(observed) or _scheduling(observed.pod, whose)
    else:
        found = _workload_container(observed.pod) or _scheduling(observed.pod, whose)
    if found is None:
        found = Diagnosis(f"Pod {observed.pod.namespace}/{observed.pod.name} is {observed.pod.phase or 'not started'}")
    sentence = found.sentence.rstrip(". ")  # some of the kubelet's messages end with ". "
    said = "; ".join(f"{event.reason}: {event.message}" for event in observed.events[-_EVENTS:] if event.message.rstrip(". ") not in sentence)
    sentence += f". The cluster says: {said}" if said else ""
    if observed.blind:
        sentence += f". Not looked at: {'; '.join(observed.blind)}"
    return replace(found, sentence=sentence.rstrip(". ") + ".")


def _ended(observed: Observed) -> Diagnosis | None:
    pod = observed.pod
    if not pod.ended:
        return None
    where = f"Pod {pod.namespace}/{pod.name}"
    if pod.reason == "DeadlineExceeded":
        return Diagnosis(f"{where} was ended at its active deadline", "Raise option `timeout`.", fatal=True)
    # The kubelet tells it as an event first, and changes the pod's state when all in it has ended.
    eviction = next((event.message for event in reversed(observed.events) if event.reason == "Evicted"), "")
    if pod.reason == "Evicted" or eviction:
        message = pod.message or eviction
        outgrown = bool(_OUTGROWN.search(message))
        remedy = f"Run again; raise option `{option_of(pod)}.resources.requests` if it happens again."
        if outgrown and _purpose(pod) is Purpose.SEED:
            remedy = "Raise option `seed.size`, or name a claim (option `seed.claim`)."
        elif outgrown:
            remedy = "Run again. If it happens again, look what writes there: this collection's own files are few and small."
        return Diagnosis(f"{where} was evicted: {message}", remedy, fatal=True, outgrown=outgrown)
    if pod.reason in _NODE_ENDS or "node shutdown" in pod.message:
        return Diagnosis(
            f"{where} was ended as its node is shut down: {pod.reason} {pod.message}".rstrip(), "Run again.", fatal=True, busy=True
        )
    if pod.reason in _PREEMPTED:
        return Diagnosis(
            f"{where} made room for a pod with a higher priority: {pod.reason} {pod.message}".rstrip(),
            "Run again; set option `filler.priority_class` if it happens again.",
            fatal=True,
            busy=True,
        )
    if pod.reason.startswith("OutOf") or pod.reason in _NOT_ADMITTED:
        # The scheduler and the node's kubelet did not agree for a moment: the pod never ran, and held nothing.
        return Diagnosis(f"The node did not take {where}: {pod.reason} {pod.message}".rstrip(), "Run again.", fatal=True, busy=True)
    if pod.reason in _NEVER_ADMITTED:
        return Diagnosis(f"The node cannot run {where}: {pod.reason} {pod.message}".rstrip(), "Choose another node.", fatal=True)
    own = [container for container in pod.containers if container.name == CONTAINER] or list(pod.containers)
    for container in [*pod.init_containers, *own]:
        if container in pod.init_containers and not container.exit_code:
            continue
        if container in pod.init_containers:
            words = f"{where} did not start, as its init container {container.name} ended with code {container.exit_code}"
            remedy = (
                f"See its log: kubectl logs -n {pod.namespace} {pod.name} -c {container.name}. It is not ours: keep whatever adds it away."
            )
            return Diagnosis(words, remedy, fatal=True)
        if container.terminated in _NOT_STARTED:
            return Diagnosis(
                f"The container {container.name} of {where[0].lower()}{where[1:]} could not be started ({container.terminated}): "
                f"{container.terminated_message}",
                "Check the image (option `image`): fillers need sh in it, and the node its kind of processor.",
                fatal=True,
            )
        if container.terminated == "OOMKilled" or (container.exit_code == 137 and not pod.deleting):
            limit = _memory(pod)
            return Diagnosis(
                f"{where} was killed, probably for want of memory (its limit is {limit})",
                f"Raise option `{option_of(pod)}.resources.limits.memory`.",
                fatal=True,
            )
        if container.exit_code is not None:
            log = "" if observed.log.startswith(_NO_LOG) else observed.log.strip()
            said = f": {log}" if log else ""
            return Diagnosis(f"{where} ended with code {container.exit_code}{said}", "Run again.", fatal=True)
    return Diagnosis(f"{where} ended: {pod.reason} {pod.message}".rstrip(), "Run again.", fatal=True)


def _container(pod: Pod) -> Diagnosis | None:
    for container in pod.all_containers:
        message = " ".join(container.waiting_message.split())
        if container.waiting and container.name != CONTAINER and container.waiting not in ("PodInitializing", "ContainerCreating"):
            kind = "init container" if container in pod.init_containers else "container"
            return Diagnosis(
                f"The {kind} {container.name} (image {container.image}), which is not ours, does not start ({container.waiting}): {message}",
                "Something adds it to every pod of the namespace: keep it away by option `filler.labels` or option `filler.annotations`, or mend it.",
                fatal=container.waiting in FATAL_WAITING,
            )
        if container.waiting in _IMAGE_REASONS:
            return Diagnosis(
                f"The image {container.image} cannot be pulled ({container.waiting}): {message}",
                "Check option `image`, and option `filler.image_pull_secrets`.",
                fatal=True,
            )
        if container.waiting == "CreateContainerConfigError" and "root" in message:
            return Diagnosis(
                f"The image {container.image} runs as root, which a filler must not: {message}",
                "Set option `filler.pod_security_context: {runAsUser: …, fsGroup: …}` to the ids of the volume's consumers.",
                fatal=True,
            )
        if container.waiting in _CONFIG_REASONS:
            return Diagnosis(f"The container cannot be made ({container.waiting}): {message}", fatal=True)
    return None


def require_file_system(claim: Claim) -> None:
    """Raises ClusterError where it is known from the claim alone that no filler can have its volume."""
    where = f"The claim {claim.namespace}/{claim.name}"
    if claim.block:
        raise ClusterError(
            f"{where} is a block device (volumeMode: Block), which has no file system.", "Make it with volumeMode: Filesystem."
        )
    if claim.phase == "Lost":
        raise ClusterError(
            f"{where} is Lost: the volume {claim.volume_name} that it was bound to is gone.",
            "Delete the claim and its pod, and make it again.",
        )


def _volume(observed: Observed) -> Diagnosis | None:
    for event in reversed(observed.events):
        if event.reason == "FailedAttachVolume" and _ELSEWHERE.search(event.message):
            return Diagnosis(
                f"The volume is attached to another node: {event.message}",
                "The filler went away at once. It comes back on the node of the pod that holds the volume, or at the next run.",
                fatal=True,
                busy=True,
            )
        found = _WARNINGS.get(event.reason)
        if found is not None:
            return Diagnosis(f"{found[0]}: {event.message}", found[1])
    return None


def _provisioning(observed: Observed) -> Diagnosis | None:
    """The storage has not made the volume of a pod's claim, and said why."""
    claim = observed.claim
    said = [event.message for event in observed.claim_events if event.reason == PROVISIONING_FAILED]
    if claim is None or claim.volume_name or not said:
        return None
    if is_unmade_clone(claim) and refusal(observed.claim_events):
        words = f"The storage does not make claim {claim.name} as a clone of {claim.clone_of}: {said[-1]}"
        remedy = f"Delete the claim (kubectl delete pvc -n {claim.namespace} {claim.name}), and run again."
        return Diagnosis(words, remedy, fatal=True, clone_refused=True)
    return Diagnosis(f"The storage has not made the volume of claim {claim.name}: {said[-1]}", _SEE_STORAGE)


_SEE_STORAGE = "See what the storage says of this volume."
_WARNINGS = {
    "FailedAttachVolume": ("The volume cannot be attached", _SEE_STORAGE),
    "FailedMount": ("The volume cannot be mounted", _SEE_STORAGE),
    "FailedMountOnFilesystemMismatch": ("The volume has another file system than it is said to have", _SEE_STORAGE),
    "VolumePermissionChangeInProgress": (
        "The kubelet changes the group of all files on the volume, which takes its time",
        "Raise option `filler.start_timeout`. Pods with fsGroupChangePolicy: OnRootMismatch, as fillers are, do it once.",
    ),
    "FailedCreatePodSandBox": ("The node cannot make the pod's network or sandbox", "See the node's network plugin."),
    "NetworkNotReady": ("The node's network is not ready", "See the node's network plugin."),
}
"""Reason of an event of the kubelet (kubernetes pkg/kubelet/events) → what it means, and what to do. It tries again in each case."""


def _scheduling(pod: Pod, whose: Whose) -> Diagnosis | None:
    status, reason, message = pod.conditions.get("PodScheduled", ("", "", ""))
    if status != "False" or reason not in ("Unschedulable", "SchedulerError", "SchedulingGated"):
        return None
    filler = whose is Whose.FILLER
    subject = f"The {purpose_of(pod)}" if filler else f"Pod {pod.namespace}/{pod.name}"
    for cause in UNSCHEDULABLE:
        if any(re.search(pattern, message) for pattern in cause.patterns):
            meaning = cause.meaning.format(whose=whose.value)
            remedy = cause.remedy.replace("{option}", option_of(pod)) if filler else cause.workload_remedy
            words = f"{subject} cannot be placed. {meaning} The scheduler says: {message}"
            return Diagnosis(words, remedy, cause.fatal and filler)
    return Diagnosis(f"{subject} cannot be placed. The scheduler says: {message}", "See the nodes.", False)


def _workload_container(pod: Pod) -> Diagnosis | None:
    """A container of a workload's pod that does not start or does not stay. Its log is not shown: it is not ours."""
    where = f"Pod {pod.namespace}/{pod.name}"
    for container in pod.all_containers:
        message = " ".join(container.waiting_message.split())
        if container.waiting in _IMAGE_REASONS:
            words = f"{where}: the image {container.image} cannot be pulled ({container.waiting}): {message}"
            return Diagnosis(words, "Check the image's name and the credentials for its registry.", fatal=True)
        if container.waiting == "CrashLoopBackOff":
            words = f"{where}: container {container.name} ends again and again: {message}"
            return Diagnosis(words, f"See its log: kubectl logs --previous -n {pod.namespace} {pod.name} -c {container.name}")
        if container.waiting in _CONFIG_REASONS:
            words = f"{where}: container {container.name} cannot be made ({container.waiting}): {message}"
            return Diagnosis(words, "Correct the template.", fatal=True)
    return None


def _memory(pod: Pod) -> str:
    containers = pod.spec.get("containers") or [{}]
    return str(((containers[0].get("resources") or {}).get("limits") or {}).get("memory", "not set"))
