# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``repository_cache_claims``: the sandboxes' claims made where missing, and both sides' grown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..cache.domain.model import Volume
from ..cluster.api.access import Right, require
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..cluster.api.errors import AlreadyExists, ClusterError, Forbidden, NotFound, QuotaExceeded
from ..cluster.api.objects import Claim, Object, parse_claim, quantity
from ..deadline import Deadline
from ..errors import DeadlineExceeded, DeploymentError, InvalidOption
from ..signals import stopping_on_signals
from . import claim_report as report
from .claim_plan import ClaimAction, ClaimPlan, ClaimStep, WantedClaims, WorkerSet, parse_worker_set, plan_claims
from .growth import why_not_grown

ARGUMENT_SPEC: dict[str, Any] = {
    "worker_namespace": {"type": "str", "required": True},
    "sandbox_namespace": {"type": "str", "required": True},
    "storage": {"type": "str", "default": ""},
    "storage_class": {"type": "str", "default": ""},
    "labels": {"type": "dict", "default": {}},
    "wait_timeout": {"type": "int", "default": 60},
}
_TIMEOUT = 120.0
"""Seconds for all requests."""
_GROWTH_TIMEOUT = 60.0
"""Seconds in which the sandboxes' volumes must have grown, before their workers' do."""
_PAUSE = 1.0
_NOT_GROWING = "only dynamically provisioned pvc can be resized"
"""Of the admission plugin's words (kubernetes plugin/pkg/admission/storage/persistentvolume/resize)."""


def claims(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    namespaces = (params["worker_namespace"], params["sandbox_namespace"])
    wanted = parse_wanted(params)
    client = connect(module)
    with stopping_on_signals() as stop:
        deadline = Deadline(_TIMEOUT, "making and growing claims", stop)
        sets = _worker_sets(client, namespaces[0], deadline)
        plan = plan_claims(namespaces, wanted, _list(client, namespaces, deadline), sets)
        missing: Sequence[Volume] = plan.awaited
        try:
            _prepare(client, wanted, plan, deadline)
        except (ClusterError, InvalidOption) as error:
            done, missing = _all_failed(plan, error), ()
        else:
            done = _carry_out(client, plan.workers, module.check_mode, deadline)
        if missing and not module.check_mode:
            waiting = Deadline(params["wait_timeout"], "the workers' claims", stop)
            missing = _await(client, plan.awaited, waiting) if params["wait_timeout"] > 0 else missing
    steps = [step for worker in done for step in worker]
    unread = [] if sets is not None else [report.UNREAD]
    for words in (*plan.warnings, *report.later(steps), *unread, *map(report.still_missing, missing)):
        module.warn(words)
    answer = {
        "changed": any(report.changes(step) for step in steps),
        "claims": [report.facts(step) for step in steps],
        "orphans": [str(volume) for volume in plan.orphans],
        "awaited": [str(volume) for volume in missing],
        "summary": report.summary(steps, plan.orphans),
        "requests": client.requests,
        "diff": report.diff(steps),
    }
    failed = report.failures(steps)
    if failed:
        module.fail_json(msg=failed, **answer)
    module.exit_json(**answer)


def parse_wanted(params: Mapping[str, Any]) -> WantedClaims:
    """Return what the user wants. Raises InvalidOption, naming the value."""
    storage = params["storage"]
    try:
        wrong = bool(storage) and quantity(storage) <= 0
    except ValueError:
        wrong = True
    if wrong:
        raise InvalidOption(
            f"The size `{storage}` is no Kubernetes quantity of more than 0.", "An example of option `storage`: 4Gi"
        )
    labels = {str(key): value for key, value in params["labels"].items()}
    other = next((key for key, value in labels.items() if not isinstance(value, str)), None)
    if other is not None:
        raise InvalidOption(f"The label `{other}` has the value {labels[other]!r}, which is no text.", "Put it in quotes.")
    return WantedClaims(storage, params["storage_class"], labels)


def _worker_sets(client: Client, namespace: str, deadline: Deadline) -> tuple[WorkerSet, ...] | None:
    """The StatefulSets whose workers have a cache; None where we may not look."""
    try:
        found = [parse_worker_set(item) for item in client.list("StatefulSet", namespace, deadline)]
    except Forbidden:
        return None
    return tuple(owner for owner in found if owner is not None)


def _list(client: Client, namespaces: Sequence[str], deadline: Deadline) -> list[Claim]:
    try:
        return [parse_claim(item) for space in sorted(set(namespaces)) for item in client.list("PersistentVolumeClaim", space, deadline)]
    except Forbidden:
        require(client, namespaces, (Right("persistentvolumeclaims", "list"),), deadline)
        raise


def _all_failed(plan: ClaimPlan, error: DeploymentError) -> tuple[tuple[ClaimStep, ...], ...]:
    """Return the plan's steps, each that changes something failed for this error."""

    def failed(step: ClaimStep) -> ClaimStep:
        return replace(step, action=ClaimAction.FAILED, storage=step.before, why=error.message, remedy=error.remedy)

    return tuple(tuple(failed(step) if report.changes(step) else step for step in steps) for steps in plan.workers)


def _prepare(client: Client, wanted: WantedClaims, plan: ClaimPlan, deadline: Deadline) -> None:
    """Find what would stop all of it: rights that are missing for just what is to be done, and a class that is not there.

    Raises Forbidden, InvalidOption.
    """
    steps = [step for worker in plan.workers for step in worker]
    verbs = {ClaimAction.CREATE: "create", ClaimAction.GROW: "patch", ClaimAction.LABEL: "patch"}
    needed: dict[str, set[Right]] = {}
    for step in steps:
        if step.action in verbs:
            needed.setdefault(step.volume.namespace, set()).add(Right("persistentvolumeclaims", verbs[step.action]))
    for namespace, rights in needed.items():
        require(client, [namespace], sorted(rights), deadline)
    if wanted.storage_class and any(step.action is ClaimAction.CREATE for step in steps):
        try:
            client.get("StorageClass", "", wanted.storage_class, deadline)
        except NotFound as error:
            raise InvalidOption(
                f"There is no storage class {wanted.storage_class}: a claim of it would wait for ever.",
                "Check option `storage_class` (oc get storageclasses).",
            ) from error
        except Forbidden:
            return  # whoever may not read classes finds out from the claim


def _carry_out(
    client: Client, workers: Sequence[Sequence[ClaimStep]], check_mode: bool, deadline: Deadline
) -> tuple[tuple[ClaimStep, ...], ...]:
    """All sandboxes' claims, and then their workers'. In check mode the server is asked what it would say. A worker's claim grows
    when its sandbox's volume has, so that this one is never the smaller."""
    sandboxes = [_carry_out_one(client, steps[0], check_mode, deadline) for steps in workers]
    growing = deadline.within(_GROWTH_TIMEOUT, "the growth of the sandbox's volume")
    done = []
    for sandbox, (_sandbox, *others) in zip(sandboxes, workers, strict=True):
        own = []
        for step in others:
            late = _not_before(client, sandbox, step, check_mode, growing)
            own.append(_carry_out_one(client, step, check_mode, deadline) if late is None else late)
        done.append((sandbox, *own))
    return tuple(done)


def _not_before(client: Client, sandbox: ClaimStep, step: ClaimStep, check_mode: bool, growing: Deadline) -> ClaimStep | None:
    """Return what becomes of a worker's claim that cannot grow, as its sandbox's volume has not; None where nothing is in its way."""
    if step.action is not ClaimAction.GROW:
        return None
    why = f"The claim does not grow before its sandbox's, {sandbox.volume}, does."
    if sandbox.action is ClaimAction.LATER:
        return replace(step, action=ClaimAction.LATER, storage=step.before, why=why)
    if sandbox.action is ClaimAction.FAILED:
        return replace(step, action=ClaimAction.BLOCKED, storage=step.before, why=why)
    if check_mode or sandbox.action is ClaimAction.CREATE:
        return None
    try:
        reason = why_not_grown(client, sandbox.volume, sandbox.storage, growing)
    except ClusterError as error:
        reason = error.message
    remedy = "See what the storage says of that volume, and run again."
    return replace(step, action=ClaimAction.BLOCKED, storage=step.before, why=f"{why} {reason}", remedy=remedy) if reason else None


def _carry_out_one(client: Client, step: ClaimStep, check_mode: bool, deadline: Deadline) -> ClaimStep:
    """Send one claim's change; return what has become of it."""
    try:
        _send(client, step, check_mode, deadline)
    except AlreadyExists:
        return replace(step, action=ClaimAction.NOTHING)  # somebody else has made it in the meantime
    except ClusterError as error:
        why, remedy = explain(step, error)
        return replace(step, action=ClaimAction.FAILED, storage=step.before, why=why, remedy=remedy)
    return step


def _send(client: Client, step: ClaimStep, dry_run: bool, deadline: Deadline) -> None:
    volume, resources = step.volume, {"requests": {"storage": step.storage}}
    if step.action is ClaimAction.CREATE:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": resources}
        if step.storage_class:
            spec["storageClassName"] = step.storage_class
        body: Object = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": volume.claim, "labels": dict(step.labels)},
            "spec": spec,
        }
        client.create("PersistentVolumeClaim", volume.namespace, body, deadline, dry_run=dry_run)
    elif step.action in (ClaimAction.GROW, ClaimAction.LABEL):
        body = {"metadata": {"labels": dict(step.labels)}, "spec": {"resources": resources}}
        client.patch("PersistentVolumeClaim", volume.namespace, volume.claim, body, deadline, dry_run=dry_run)


def explain(step: ClaimStep, error: ClusterError) -> tuple[str, str]:
    """A refusal in words, and what to do. Pure."""
    if isinstance(error, QuotaExceeded):
        why = f"The quota of namespace {step.volume.namespace} has no room for {step.storage}: {error.message}"
        return why, "Raise that quota, or ask for less (option `storage`)."
    if isinstance(error, Forbidden) and _NOT_GROWING in error.message:
        why = f"The storage class {step.storage_class or '(none)'} does not let claims grow (allowVolumeExpansion)."
        remedy = f"Ask a cluster administrator to allow it, or set option `storage` to {step.before}."
        return why, remedy
    return error.message, error.remedy


def _await(client: Client, wanted: Sequence[Volume], deadline: Deadline) -> Sequence[Volume]:
    """Those of the claims that their StatefulSet has not made by the deadline."""
    missing = wanted
    try:
        while missing:
            there = {(claim.namespace, claim.name) for claim in _list(client, [wanted[0].namespace], deadline)}
            missing = [volume for volume in wanted if (volume.namespace, volume.claim) not in there]
            if missing:
                deadline.sleep(_PAUSE)
    except DeadlineExceeded:
        pass
    return missing
