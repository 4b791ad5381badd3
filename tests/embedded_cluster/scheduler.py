"""Which node a pod goes to, and why it goes to none. Pure: reads the store, changes nothing.

Source of facts: FailedScheduling events of a real scheduler 1.34.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from . import quantities
from .admission import memory_and_cpu
from .resources import CLAIMS, NODES, PODS, VOLUMES, Object
from .selectors import expression_matches
from .store import Store

_PREEMPTION = "Preemption is not helpful for scheduling."
_IN_USE = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"


def is_active(pod: Object) -> bool:
    """Whether a pod that has a node still uses what it has there."""
    return bool(pod["spec"].get("nodeName")) and pod["status"]["phase"] in ("Pending", "Running")


def claim_names(pod: Object) -> list[str]:
    """The claims that a pod mounts."""
    return [volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"].get("volumes") or [] if "persistentVolumeClaim" in volume]


def choose_node(store: Store, pod: Object) -> tuple[str, str]:
    """(node, "") or ("", why not), as the scheduler says it."""
    nodes = store.list(NODES)
    for name in claim_names(pod):
        if store.find(CLAIMS, pod["metadata"]["namespace"], name) is None:
            return "", f'0/{len(nodes)} nodes are available: persistentvolumeclaim "{name}" not found. not found'
    others = [other for other in store.list(PODS) if is_active(other)]
    reasons: Counter[str] = Counter()
    fitting: list[tuple[int, str]] = []
    for node in nodes:
        reason = _why_not(store, pod, node, others)
        if reason:
            reasons[reason] += 1
        else:
            name = node["metadata"]["name"]
            fitting.append((sum(other["spec"]["nodeName"] == name for other in others), name))
    if fitting:
        return min(fitting)[1], ""
    words = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=lambda item: f"{item[1]} {item[0]}"))
    hints = Counter("No preemption victims found for incoming pod." if reason == _IN_USE else _PREEMPTION for reason in reasons.elements())
    hint = ", ".join(f"{count} {text.rstrip('.')}" for text, count in sorted(hints.items(), key=lambda item: item[0])) + "."
    head = f"0/{len(nodes)} nodes are available: "
    return "", f"{head}{words}. no new claims to deallocate, preemption: {head}{hint}"


def _why_not(store: Store, pod: Object, node: Object, others: list[Object]) -> str:
    spec, name, labels = pod["spec"], node["metadata"]["name"], node["metadata"].get("labels") or {}
    tolerations = spec.get("tolerations") or []
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    if node["spec"].get("unschedulable") and not _tolerated(cordon, tolerations):
        return "node(s) were unschedulable"
    taints = node["spec"].get("taints") or []
    if any(taint["effect"] != "PreferNoSchedule" and not _tolerated(taint, tolerations) for taint in taints):
        return "node(s) had untolerated taint(s)"
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return "node(s) didn't match Pod's node affinity/selector"
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    if required and not any(_term_matches(term, name, labels) for term in required["nodeSelectorTerms"]):
        only_names = all(set(term) == {"matchFields"} for term in required["nodeSelectorTerms"])
        return "node(s) didn't satisfy plugin(s) [NodeAffinity]" if only_names else "node(s) didn't match Pod's node affinity/selector"
    mine = {(pod["metadata"]["namespace"], claim) for claim in claim_names(pod)}
    for namespace, claim in mine:
        if reason := _volume_refuses(store, namespace, claim, name, labels):
            return reason
        modes = store.get(CLAIMS, namespace, claim)["spec"]["accessModes"]
        if "ReadWriteOncePod" in modes and any(other["metadata"]["namespace"] == namespace and claim in claim_names(other) for other in others):
            return _IN_USE
    here = [other for other in others if other["spec"]["nodeName"] == name]
    wanted = memory_and_cpu(pod)
    used = [sum(amounts, Fraction(0)) for amounts in zip((0, 0), *(memory_and_cpu(other) for other in here), strict=False)]
    for number, kind in enumerate(("memory", "cpu")):
        if used[number] + wanted[number] > quantities.parse(node["status"]["allocatable"][kind]):
            return f"Insufficient {kind}"
    return "Too many pods" if len(here) >= int(node["status"]["allocatable"]["pods"]) else ""


def _volume_refuses(store: Store, namespace: str, claim: str, node: str, labels: dict[str, str]) -> str:
    volume = store.find(VOLUMES, "", store.get(CLAIMS, namespace, claim)["spec"].get("volumeName", ""))
    terms = ((volume or {}).get("spec", {}).get("nodeAffinity") or {}).get("required", {}).get("nodeSelectorTerms")
    if terms and not any(_term_matches(term, node, labels) for term in terms):
        return "node(s) didn't match PersistentVolume's node affinity"
    return ""


def _term_matches(term: Object, name: str, labels: dict[str, str]) -> bool:
    fields = term.get("matchFields") or []
    expressions = term.get("matchExpressions") or []
    return all(expression_matches(field, {"metadata.name": name}) for field in fields) and all(expression_matches(item, labels) for item in expressions)


def _tolerated(taint: Object, tolerations: list[Object]) -> bool:
    for toleration in tolerations:
        operator = toleration.get("operator") or "Equal"
        key_fits = toleration.get("key") == taint["key"] or (not toleration.get("key") and operator == "Exists")
        value_fits = operator == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")
        if key_fits and value_fits and toleration.get("effect") in (None, "", taint["effect"]):
            return True
    return False
