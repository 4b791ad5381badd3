# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the claims: the sandboxes' and coming workers' to make, and those to grow. Pure.

A worker is a pod of a StatefulSet whose volumeClaimTemplates have a repository cache, or one whose claim is there. A claim
is made or grown, and its class never changed: Kubernetes allows no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ..cache.domain.model import Role, Volume
from ..cluster.api.objects import Claim, Object, quantity
from ..cluster.pods.manifest import COPIED_LABELS
from ..volumes.pairs import SANDBOX_PREFIX, TEMPLATE, WORKER_PREFIX

_RESERVED = "-pvc"
"""The service deletes claims of the sandboxes' namespace whose names end so."""


class ClaimAction(str, Enum):
    """An action on a claim."""

    CREATE = "create"
    GROW = "grow"
    LABEL = "label"
    NOTHING = "unchanged"
    LATER = "later"
    BLOCKED = "blocked"
    FAILED = "failed"


CHANGES = (ClaimAction.CREATE, ClaimAction.GROW, ClaimAction.LABEL)


@dataclass(frozen=True)
class WantedClaims:
    """The wanted claims. ``storage`` and ``storage_class`` are empty where a sandbox's is to be as its worker's.

    ``clone``: new ones start as clones where that can be. ``scale_to``: of so many workers the claims are made before their StatefulSet does.
    """

    storage: str
    storage_class: str
    labels: Mapping[str, str]
    clone: bool = False
    scale_to: int = 0


@dataclass(frozen=True)
class WorkerSet:
    """A StatefulSet whose workers have a cache: its pods, and what its volumeClaimTemplate says.

    ``labels`` are those that its controller gives to the claims. ``coming`` are pods that are not asked of it yet, and ``template`` is what
    their claims are made of.
    """

    name: str
    pods: tuple[str, ...]
    storage: str
    storage_class: str
    labels: Mapping[str, str]
    coming: tuple[str, ...] = ()
    template: Object = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class ClaimStep:
    """One claim. ``storage`` is what it is to ask for, ``before`` what it asks for now (empty for a new one), ``labels`` those to set.

    Of a new one, ``source`` is the claim that it starts as a clone of, and ``template`` a StatefulSet's, where its claim it is.
    """

    volume: Volume
    action: ClaimAction
    storage: str
    before: str
    storage_class: str
    labels: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    remedy: str = ""
    source: str = ""
    template: Object = field(default_factory=dict, repr=False)
    made: Claim | None = field(default=None, repr=False)
    """The claim, as it was when this run had made it."""


@dataclass(frozen=True)
class ClaimPlan:
    """The steps: for each worker its sandbox's claim, then its own where that is there, or is made now. ``awaited``: workers' claims that their StatefulSet
    is about to make. ``orphans``: claims whose worker is gone."""

    workers: tuple[tuple[ClaimStep, ...], ...]
    awaited: tuple[Volume, ...]
    orphans: tuple[Volume, ...]
    warnings: tuple[str, ...]


def parse_worker_set(data: Object, scale_to: int = 0) -> WorkerSet | None:
    """A StatefulSet from the API's object, that may be about to have so many replicas; None where its workers have no cache."""
    meta, spec = data["metadata"], data["spec"]
    template = next((item for item in spec.get("volumeClaimTemplates") or [] if item["metadata"]["name"] == TEMPLATE), None)
    if template is None:
        return None
    first = (spec.get("ordinals") or {}).get("start", 0)
    present = first + spec.get("replicas", 1)
    names = [f"{meta['name']}-{number}" for number in range(first, max(present, first + scale_to))]
    return WorkerSet(
        name=meta["name"],
        pods=tuple(names[: present - first]),
        storage=template["spec"]["resources"]["requests"]["storage"],
        storage_class=template["spec"].get("storageClassName") or "",
        labels={**(template["metadata"].get("labels") or {}), **((spec.get("selector") or {}).get("matchLabels") or {})},
        coming=tuple(names[present - first :]),
        template=template,
    )


def plan_claims(namespaces: tuple[str, str], wanted: WantedClaims, claims: Iterable[Claim], sets: Sequence[WorkerSet] | None) -> ClaimPlan:
    """Return what is to be done. ``namespaces``: the workers', the sandboxes'. ``sets`` is None where they could not be read."""
    work, sand = namespaces
    known = {(claim.namespace, claim.name): claim for claim in claims}
    made = [name[len(WORKER_PREFIX) :] for namespace, name in known if namespace == work and name.startswith(WORKER_PREFIX)]
    kept = [name[len(SANDBOX_PREFIX) :] for namespace, name in known if namespace == sand and name.startswith(SANDBOX_PREFIX)]
    of = {pod: owner for owner in sets or () for pod in (*owner.pods, *owner.coming)}
    pods = sorted({*of, *made})
    workers = tuple(_worker(pod, namespaces, wanted, known, of.get(pod)) for pod in pods)
    gone = [] if sets is None else [_worker_volume(work, pod) for pod in sorted(made) if pod not in of]
    gone += [_sandbox_volume(sand, pod) for pod in sorted(kept) if pod not in pods or (sets is not None and pod not in of)]
    notes = [_template_note(wanted.storage, owner) for owner in sets or ()]
    notes += [_size_note(steps) for steps in workers] + [_class_note(step, wanted.storage_class) for step, *_own in workers]
    return ClaimPlan(
        workers=workers,
        awaited=tuple(_worker_volume(work, pod) for pod in pods if pod not in made and pod in of[pod].pods),
        orphans=tuple(gone),
        warnings=tuple(filter(None, notes)),
    )


def _worker(
    pod: str, namespaces: tuple[str, str], wanted: WantedClaims, known: Mapping[tuple[str, str], Claim], owner: WorkerSet | None
) -> tuple[ClaimStep, ...]:
    """The steps for one worker: its sandbox's claim first, so that this one is never the smaller."""
    volume, sandbox_volume = _worker_volume(namespaces[0], pod), _sandbox_volume(namespaces[1], pod)
    own = known.get((volume.namespace, volume.claim))
    sandbox = known.get((sandbox_volume.namespace, sandbox_volume.claim))
    if sandbox is None:
        model = own or owner
        if model is None:
            raise AssertionError("a pod is known by its claim or by its StatefulSet")
        first = _create(sandbox_volume, wanted, model)
    else:
        first = _change(sandbox_volume, sandbox, wanted.storage, wanted.labels)
    if own is not None:
        return (first, _change(volume, own, wanted.storage, {}))
    return (first, _create_worker(volume, wanted, owner)) if owner is not None and pod in owner.coming else (first,)


def _create(volume: Volume, wanted: WantedClaims, model: Claim | WorkerSet) -> ClaimStep:
    """A claim as its worker's is, but for what the user says."""
    labels = {**{key: value for key, value in model.labels.items() if key.startswith(COPIED_LABELS)}, **wanted.labels}
    storage, storage_class = wanted.storage or model.storage, wanted.storage_class or model.storage_class
    if volume.claim.endswith(_RESERVED):
        why = f"A claim must not be named so: the service deletes claims of that namespace whose names end in {_RESERVED}."
        return ClaimStep(
            volume=volume,
            action=ClaimAction.FAILED,
            storage=storage,
            before="",
            storage_class=storage_class,
            labels=labels,
            why=why,
            remedy="Give the worker another name.",
        )
    return ClaimStep(volume=volume, action=ClaimAction.CREATE, storage=storage, before="", storage_class=storage_class, labels=labels)


def _create_worker(volume: Volume, wanted: WantedClaims, owner: WorkerSet) -> ClaimStep:
    """A claim as its StatefulSet would make it, or larger where that is asked for."""
    larger = bool(wanted.storage) and quantity(wanted.storage) > quantity(owner.storage)
    storage = wanted.storage if larger else owner.storage
    return ClaimStep(
        volume=volume,
        action=ClaimAction.CREATE,
        storage=storage,
        before="",
        storage_class=owner.storage_class,
        labels=owner.labels,
        template=owner.template,
    )


def _change(volume: Volume, claim: Claim, storage: str, labels: Mapping[str, str]) -> ClaimStep:
    missing = {key: value for key, value in labels.items() if claim.labels.get(key) != value}
    asked = quantity(storage) if storage else quantity(claim.storage)
    step = ClaimStep(
        volume=volume,
        action=ClaimAction.LABEL if missing else ClaimAction.NOTHING,
        storage=claim.storage,
        before=claim.storage,
        storage_class=claim.storage_class,
        labels=missing,
    )
    if claim.deleting:
        return _say(step, ClaimAction.FAILED, "The claim is being deleted.", "Wait until it is gone, and run again.")
    present = quantity(claim.storage)
    if asked == present or present < asked <= claim.capacity:
        return step
    if asked < present and asked <= (claim.capacity or present):  # between the two is the way back from a growth that failed
        why = f"The claim has {claim.storage}, and cannot shrink to the {storage} that option `storage` asks for."
        return _say(step, ClaimAction.FAILED, why, f"Set option `storage` to at least {claim.storage}.")
    if not claim.volume_name:
        why = f"The claim of {claim.storage} can grow to {storage} only when it is bound to a volume: after its first use."
        return _say(step, ClaimAction.LATER, why, "Run again when it is filled.")
    return ClaimStep(
        volume=volume,
        action=ClaimAction.GROW,
        storage=storage,
        before=claim.storage,
        storage_class=claim.storage_class,
        labels=missing,
    )


def _say(step: ClaimStep, action: ClaimAction, why: str, remedy: str) -> ClaimStep:
    return ClaimStep(
        volume=step.volume,
        action=action,
        storage=step.storage,
        before=step.before,
        storage_class=step.storage_class,
        labels=step.labels,
        why=why,
        remedy=remedy,
    )


def _template_note(storage: str, owner: WorkerSet) -> str:
    if not storage or quantity(owner.storage) >= quantity(storage):
        return ""
    return (
        f"The volumeClaimTemplate {TEMPLATE} of StatefulSet {owner.name} asks for {owner.storage}, so new workers get that, and to "
        f"apply the StatefulSet with {storage} is refused (422: it cannot be changed). Delete the StatefulSet and leave its pods "
        f"(oc delete statefulset {owner.name} --cascade=orphan), then deploy it again with storage: {storage}."
    )


def _size_note(steps: tuple[ClaimStep, ...]) -> str:
    sizes = [step.storage for step in steps]
    if len(sizes) < 2 or quantity(sizes[0]) >= quantity(sizes[1]):
        return ""
    return (
        f"The claim {steps[0].volume} ({sizes[0]}) is smaller than its worker's ({sizes[1]}), and must hold all that is there: "
        f"set option `storage` to {sizes[1]}."
    )


def _class_note(step: ClaimStep, wanted: str) -> str:
    if not wanted or step.storage_class == wanted:
        return ""
    return (
        f"The claim {step.volume} has the storage class {step.storage_class or '(none)'} and not {wanted}. It stays so: the class of a claim "
        "cannot be changed."
    )


def _worker_volume(namespace: str, pod: str) -> Volume:
    return Volume(namespace, WORKER_PREFIX + pod, Role.WORKER, pod)


def _sandbox_volume(namespace: str, pod: str) -> Volume:
    return Volume(namespace, SANDBOX_PREFIX + pod, Role.SANDBOX, pod)
