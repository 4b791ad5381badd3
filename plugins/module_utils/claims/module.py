# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``repository_cache_claims``: the sandboxes' and coming workers' claims made where missing, and both sides' grown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..cache.domain.model import Volume
from ..cluster.api.access import Right, require
from ..cluster.api.api_errors import ClusterError, Forbidden, NotFound
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..cluster.api.objects import Claim, parse_claim, quantity
from ..deadline import Deadline
from ..errors import DeadlineExceeded, DeploymentError, InvalidOption
from ..signals import stopping_on_signals
from . import claim_report as report
from .changes import carry_out
from .claim_plan import ClaimAction, ClaimPlan, ClaimStep, WantedClaims, WorkerSet, parse_worker_set, plan_claims
from .sources import choose_sources

ARGUMENT_SPEC: dict[str, Any] = {
    "worker_namespace": {"type": "str", "required": True},
    "sandbox_namespace": {"type": "str", "required": True},
    "storage": {"type": "str", "default": ""},
    "storage_class": {"type": "str", "default": ""},
    "labels": {"type": "dict", "default": {}},
    "clone": {"type": "bool", "default": False},
    "scale_to": {"type": "int", "default": 0},
    "wait_timeout": {"type": "int", "default": 60},
}
_TIMEOUT = 120.0
"""Seconds for all requests."""
_PAUSE = 1.0


def claims(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    namespaces = (params["worker_namespace"], params["sandbox_namespace"])
    wanted = parse_wanted(params)
    client = connect(module)
    with stopping_on_signals() as stop:
        deadline = Deadline(_TIMEOUT, "making and growing claims", stop)
        sets = _worker_sets(client, namespaces[0], wanted.scale_to, deadline)
        plan = _plan(client, namespaces, wanted, sets, deadline)
        missing: Sequence[Volume] = plan.awaited
        refused: Sequence[str] = ()
        try:
            _prepare(client, wanted, plan, deadline)
        except (ClusterError, InvalidOption) as error:
            done, missing = _all_failed(plan, error), ()
        else:
            done, refused = carry_out(client, plan.workers, module.check_mode, deadline)
        if missing and not module.check_mode:
            waiting = Deadline(params["wait_timeout"], "the workers' claims", stop)
            missing = _await(client, plan.awaited, waiting) if params["wait_timeout"] > 0 else missing
    steps = [step for worker in done for step in worker]
    unread = [] if sets is not None else [report.UNREAD]
    for words in (*plan.warnings, *refused, *report.later(steps), *unread, *map(report.still_missing, missing)):
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
    return WantedClaims(storage, params["storage_class"], labels, params["clone"], params["scale_to"])


def _worker_sets(client: Client, namespace: str, scale_to: int, deadline: Deadline) -> tuple[WorkerSet, ...] | None:
    """The StatefulSets whose workers have a cache; None where we may not look. Raises InvalidOption where it is not clear which is to be scaled."""
    try:
        found = [parse_worker_set(item, scale_to) for item in client.list("StatefulSet", namespace, deadline)]
    except Forbidden:
        if scale_to:
            require(client, [namespace], (Right("statefulsets", "list", "apps"),), deadline)
        return None
    sets = tuple(owner for owner in found if owner is not None)
    if scale_to and len(sets) != 1:
        names = ", ".join(owner.name for owner in sets) or "none"
        raise InvalidOption(
            f"Option `scale_to` is for one StatefulSet whose workers have a repository cache, and namespace {namespace} has {len(sets)}: {names}.",
            "Leave the option out: the StatefulSets make their workers' claims themselves, when they are scaled.",
        )
    return sets


def _plan(
    client: Client, namespaces: tuple[str, str], wanted: WantedClaims, sets: tuple[WorkerSet, ...] | None, deadline: Deadline
) -> ClaimPlan:
    """Return what is to be done. Who uses the claims is asked only where one of them may be cloned."""
    claims = _list(client, namespaces, deadline)
    plan = plan_claims(namespaces, wanted, claims, sets)
    if not wanted.clone or not any(step.action is ClaimAction.CREATE for steps in plan.workers for step in steps):
        return plan
    pods = [pod for namespace in sorted(set(namespaces)) for pod in client.pods(namespace, deadline)]
    return choose_sources(plan, claims, pods)


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
    verbs = {ClaimAction.CREATE: ("create",), ClaimAction.GROW: ("patch",), ClaimAction.LABEL: ("patch",)}
    needed: dict[str, set[Right]] = {}
    for step in steps:
        # One that the storage refuses to clone is deleted, which its events tell.
        rights = {Right("persistentvolumeclaims", verb) for verb in (*verbs.get(step.action, ()), *(["delete"] if step.source else []))}
        if step.source:
            rights.add(Right("events", "list"))
        if rights:
            needed.setdefault(step.volume.namespace, set()).update(rights)
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


def _await(client: Client, wanted: Sequence[Volume], deadline: Deadline) -> Sequence[Volume]:
    """Wait for claims; return those that their StatefulSet has not made by the deadline."""
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
