# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""StatefulSets and Deployments: found by name, restarted, and waited for until every pod runs as the template says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..annotation import parse_object
from ..deadline import Deadline
from ..errors import DeadlineExceeded, InvalidOption
from ..progress import OnLine
from ..times import time_text
from .api.api_errors import ClusterError, NotFound, RolloutStuck
from .api.client import Client
from .api.events import events_of
from .api.objects import Object, Pod, parse_pod
from .pods.diagnosis import Diagnosis, Whose, judge, look

KINDS = ("StatefulSet", "Deployment")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which ``kubectl apply`` (and kubernetes.core's ``apply: true``) keeps what a template said."""
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The annotation of a pod template that ``kubectl rollout restart`` sets."""
_POLL = 1.0
"""Seconds between two looks at a roll-out. Asked again and again, because the right to watch may not be granted."""
_QUIET = 10.0
"""Seconds without progress after which the pods are looked at."""
_REVISION_LABEL = "controller-revision-hash"
"""A label of a StatefulSet's pods: the revision of the template that they were made from."""
_NO_POD_REMEDY = "See what the message says of policy and quota."


@dataclass(frozen=True)
class Rollout:
    """The state of a workload's roll-out; the fields of its status (apps/v1), 0 and empty where they are not set.

    ``blocked`` is the controller's own word where it cannot go on; ``out_of_time`` says that a Deployment's deadline is over.
    """

    observed_generation: int = 0
    pods: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    update_revision: str = ""
    blocked: str = ""
    out_of_time: bool = False


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A StatefulSet or a Deployment. ``last_applied`` is what a deployment's template said, empty where that is not kept."""

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    replicas: int
    selector: Mapping[str, str]
    template: Mapping[str, Any] = field(repr=False)
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(repr=False)
    last_applied: Mapping[str, Any] = field(repr=False)
    strategy: str
    """RollingUpdate, OnDelete or Recreate."""
    partition: int
    """The lowest ordinal that a StatefulSet's roll-out reaches."""
    ordered: bool
    """True where a StatefulSet waits for each pod before it touches the next (podManagementPolicy OrderedReady)."""
    claim_templates: tuple[str, ...]
    """Names of a StatefulSet's volumeClaimTemplates; the claim of a pod is ``<template>-<pod>``."""
    paused: bool
    """True where a Deployment's roll-out is held back (spec.paused)."""
    deletes_claims: bool
    """True where the claims of pods that are scaled away are deleted (persistentVolumeClaimRetentionPolicy)."""
    rollout: Rollout

    @property
    def named(self) -> str:
        """Return the name that ``find_workload`` takes: ``statefulset/packit-worker``."""
        return f"{self.kind.lower()}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def parse_workload(data: Object) -> Workload:
    """A workload from the API's object, whose ``kind`` must be in it (the items of a list have none). Pure."""
    meta, spec, status = data["metadata"], data["spec"], data.get("status") or {}
    kind = data["kind"]
    strategy = spec.get("updateStrategy" if kind == "StatefulSet" else "strategy") or {}
    annotations = meta.get("annotations") or {}
    conditions = {item["type"]: item for item in status.get("conditions") or []}
    failure, progress = conditions.get("ReplicaFailure", {}), conditions.get("Progressing", {})
    return Workload(
        kind=kind,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        generation=meta.get("generation", 0),
        replicas=spec.get("replicas", 1),
        selector=(spec.get("selector") or {}).get("matchLabels") or {},
        template=spec["template"],
        labels=meta.get("labels") or {},
        annotations=annotations,
        last_applied=_last_applied(annotations.get(LAST_APPLIED, "")),
        strategy=strategy.get("type", "RollingUpdate"),
        partition=(strategy.get("rollingUpdate") or {}).get("partition", 0),
        ordered=kind == "StatefulSet" and spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady",
        claim_templates=tuple(item["metadata"]["name"] for item in spec.get("volumeClaimTemplates") or []),
        paused=bool(spec.get("paused")),
        deletes_claims=(spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenScaled") == "Delete",
        rollout=Rollout(
            observed_generation=status.get("observedGeneration", 0),
            pods=status.get("replicas", 0),
            updated=status.get("updatedReplicas", 0),
            ready=status.get("readyReplicas", 0),
            available=status.get("availableReplicas", 0),
            update_revision=status.get("updateRevision", ""),
            blocked=failure.get("message", "") if failure.get("status") == "True" else "",
            out_of_time=progress.get("reason") == "ProgressDeadlineExceeded",
        ),
    )


def _last_applied(text: str) -> Mapping[str, Any]:
    return parse_object(text)


def list_workloads(client: Client, namespace: str, deadline: Deadline) -> tuple[Workload, ...]:
    """Return all workloads of a namespace, StatefulSets first. Two requests."""
    return tuple(parse_workload({**item, "kind": kind}) for kind in KINDS for item in client.list(kind, namespace, deadline))


def find_workload(client: Client, namespace: str, name: str, deadline: Deadline) -> Workload:
    """The workload of that name: ``statefulset/packit-worker``, ``deployment/x``, or a bare name where only one has it.

    One request for a name with its kind, two for a bare one. Raises InvalidOption, which lists the workloads that exist.
    """
    kind, bare = split_name(name)
    if kind:
        try:
            return parse_workload({**client.get(kind, namespace, bare, deadline), "kind": kind})
        except NotFound:
            pass  # the list of those that exist is what helps
    return choose_workload(list_workloads(client, namespace, deadline), namespace, name)


def choose_workload(present: Sequence[Workload], namespace: str, name: str) -> Workload:
    """The one of ``present`` that is meant by a name. Pure. Raises InvalidOption, which lists those that exist."""
    kind, bare = split_name(name)
    found = [item for item in present if item.name == bare and kind in ("", item.kind)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(item.named for item in found)
        raise InvalidOption(f"`{name}` is the name of two workloads in namespace {namespace}.", f"Say {names}.")
    names = ", ".join(item.named for item in present) or "none at all"
    raise InvalidOption(f"There is no workload `{name}` in namespace {namespace}.", f"There are: {names}.")


def split_name(name: str) -> tuple[str, str]:
    """A workload's kind (empty for a bare name) and name. Pure. Raises InvalidOption."""
    kind, slash, bare = name.rpartition("/")
    found = {known.lower(): known for known in KINDS}.get(kind.lower(), "")
    if not bare or (slash and not found):
        raise InvalidOption(f"`{name}` names no workload.", "Write statefulset/NAME, deployment/NAME, or the bare name.")
    return found, bare


def restart(client: Client, workload: Workload, deadline: Deadline) -> Workload:
    """Start all pods of a workload anew, as its strategy says: what ``kubectl rollout restart`` does. Does not wait."""
    now = time_text(client.now())
    body = {"metadata": {"uid": workload.uid}, "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}}}
    return parse_workload({**client.patch(workload.kind, workload.namespace, workload.name, body, deadline), "kind": workload.kind})


def rolled_out(workload: Workload) -> bool:
    """Return whether every pod is there, Ready, and as the present template says, and no other is left. Pure.

    The same conditions as ``kubectl rollout status``; and pods that are being scaled away must be gone (a Deployment's: on
    their way out).
    """
    state, wanted = workload.rollout, workload.replicas
    if state.observed_generation < workload.generation or state.pods != wanted or state.ready < wanted:
        return False
    if workload.kind == "Deployment":
        return state.updated >= wanted and state.available >= wanted
    return state.updated >= wanted - workload.partition


def wait_for_rollout(client: Client, workload: Workload, deadline: Deadline, tell: OnLine) -> None:
    """Wait until ``rolled_out``. What holds it up is told meanwhile. A paused Deployment is not waited for, as only a person goes on with it.

    Raises RolloutStuck, which explains by the pods why it hangs: at the deadline, or sooner where waiting will not help.
    """
    if workload.paused and not rolled_out(workload):
        tell(
            f"{workload} is paused, so its pods stay as they are until somebody goes on with it: "
            f"kubectl rollout resume {workload.named} -n {workload.namespace}"
        )
        return
    seen, told, quiet, fatal = workload.rollout, "", 0.0, False
    try:
        while not rolled_out(workload):
            if quiet >= _QUIET:
                quiet = 0.0
                found = explain_rollout(client, workload, deadline)
                if found.sentence != told:
                    tell(f"{workload}: {found.sentence}")
                    told = found.sentence
                if workload.rollout.out_of_time or (found.fatal and fatal):
                    raise _stuck(workload, found)
                fatal = found.fatal
            deadline.sleep(_POLL)
            workload = parse_workload({**client.get(workload.kind, workload.namespace, workload.name, deadline), "kind": workload.kind})
            quiet = quiet + _POLL if workload.rollout == seen else 0.0
            seen = workload.rollout
    except DeadlineExceeded as error:
        last = Deadline(20.0, f"explaining the roll-out of {workload}", deadline.stop)
        raise _stuck(workload, explain_rollout(client, workload, last)) from error


def explain_rollout(client: Client, workload: Workload, deadline: Deadline) -> Diagnosis:
    """Return what holds a roll-out up, by the workload's own words and the first pod that is not Ready."""
    if workload.rollout.blocked:
        return Diagnosis(f"No pod can be made: {workload.rollout.blocked.rstrip('.')}.", _NO_POD_REMEDY)
    try:
        selector = ",".join(f"{key}={value}" for key, value in sorted(workload.selector.items()))
        pods = [parse_pod(item) for item in client.list("Pod", workload.namespace, deadline, labels=selector)]
    except ClusterError as error:
        return Diagnosis(f"Its pods could not be looked at ({error.message}).", error.remedy)
    pod = _holding_up(workload, pods)
    if pod is not None and pod.deleting:
        return Diagnosis(f"Pod {pod.namespace}/{pod.name} is ending.", "See whether its node is alive.")
    if pod is None and workload.strategy == "OnDelete":
        return Diagnosis(
            "Its update strategy is OnDelete: a pod takes the new template only when it is deleted.", "Delete its pods one by one.", True
        )
    if pod is None:
        return _by_events(client, workload, deadline)
    found = judge(look(client, pod, deadline), Whose.WORKLOAD)
    if workload.ordered and _is_old(workload, pod):
        words = f"{found.sentence} It is a pod of the former template, and the StatefulSet goes on only when it is Ready."
        return Diagnosis(
            words, f"Delete it, and it comes back with the new template: kubectl delete pod -n {pod.namespace} {pod.name}", True
        )
    return found


def _is_old(workload: Workload, pod: Pod) -> bool:
    """Return whether a StatefulSet's pod is not of the present template."""
    revision = workload.rollout.update_revision
    return bool(revision) and pod.labels.get(_REVISION_LABEL, revision) != revision


def _holding_up(workload: Workload, pods: Sequence[Pod]) -> Pod | None:
    """The pod that a roll-out waits for: one of the present template that is not Ready, else any such."""
    waiting = sorted((pod for pod in pods if not pod.ready), key=lambda pod: pod.created.timestamp() if pod.created else 0.0, reverse=True)
    newest = [pod for pod in waiting if not pod.deleting and not _is_old(workload, pod)]
    return next(iter([*newest, *waiting]), None)


def _by_events(client: Client, workload: Workload, deadline: Deadline) -> Diagnosis:
    """A workload without pods to look at: what its own events say."""
    try:
        events = events_of(client, workload.namespace, workload.uid, deadline)
    except ClusterError as error:
        return Diagnosis(f"Its events could not be read ({error.message}).", error.remedy)
    warnings = [event for event in events if event.type == "Warning"]
    if not warnings:
        return Diagnosis("No pod is in the way, and there is no event of it.", "See whether the cluster's controllers are at work.")
    return Diagnosis(f"No pod can be made: {warnings[-1].message.rstrip('.')}.", _NO_POD_REMEDY)


def _stuck(workload: Workload, found: Diagnosis) -> RolloutStuck:
    state = workload.rollout
    return RolloutStuck(
        f"The roll-out of {workload} hangs: {state.updated} of {workload.replicas} pods are new, {state.ready} are ready. {found.sentence}",
        found.remedy,
    )
