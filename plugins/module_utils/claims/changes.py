# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a plan of claims: the sandboxes' are made, as clones where the storage makes them, and grown; a worker's grows when its sandbox's has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..cluster.api.api_errors import AlreadyExists, ClusterError, Forbidden, QuotaExceeded
from ..cluster.api.claim_clones import CLONED_FROM, start_empty, why_not_cloned
from ..cluster.api.client import Client
from ..cluster.api.objects import Claim, Object, parse_claim
from ..deadline import Deadline
from ..errors import DeadlineExceeded
from .claim_plan import ClaimAction, ClaimStep
from .resize import why_not_grown

_CLONE_TIMEOUT = 60.0
"""Seconds in which the storage must have said whether it makes the clones."""
_GROWTH_TIMEOUT = 60.0
"""Seconds in which the sandboxes' volumes must have grown, before their workers' do."""
_NOT_GROWING = "only dynamically provisioned pvc can be resized"
"""A part of the admission plugin's words (kubernetes plugin/pkg/admission/storage/persistentvolume/resize)."""


def carry_out(
    client: Client, workers: Sequence[Sequence[ClaimStep]], check_mode: bool, deadline: Deadline
) -> tuple[tuple[tuple[ClaimStep, ...], ...], Sequence[str]]:
    """Change all sandboxes' claims, and then their workers'; return what has become of each, and why some are no clones, as they were to be.

    In check mode the server is asked what it would say. A worker's claim grows when its sandbox's volume has, so that this one is never the
    smaller. One that is new is made before its sandbox's: where both are clones of a pair, the sandbox's volume is the younger copy, and has
    all that the worker's has.
    """
    new = [step for steps in workers for step in steps[1:] if step.action is ClaimAction.CREATE]
    made, refused = _changed_all(client, new, check_mode, deadline)
    sandboxes, others_refused = _changed_all(client, [steps[0] for steps in workers], check_mode, deadline)
    ready = {step.volume: step for step in made}
    growing = deadline.within(_GROWTH_TIMEOUT, "the growth of the sandbox's volume")
    done = []
    for sandbox, (_sandbox, *others) in zip(sandboxes, workers, strict=True):
        own = []
        for step in others:
            if step.volume in ready:
                own.append(ready[step.volume])
                continue
            late = _held_back(client, sandbox, step, check_mode, growing)
            own.append(_changed(client, step, check_mode, deadline) if late is None else late)
        done.append((sandbox, *own))
    return tuple(done), (*refused, *others_refused)


def _held_back(client: Client, sandbox: ClaimStep, step: ClaimStep, check_mode: bool, growing: Deadline) -> ClaimStep | None:
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


def _changed_all(
    client: Client, steps: Sequence[ClaimStep], check_mode: bool, deadline: Deadline
) -> tuple[Sequence[ClaimStep], Sequence[str]]:
    """Send several claims' changes, and see that the storage makes the clones; return what has become of each, and why some are no clones."""
    carried = [_changed(client, step, check_mode, deadline) for step in steps]
    cloning = deadline.within(_CLONE_TIMEOUT, "the storage's clones")
    done = [
        _as_the_storage_makes_it(client, step, step.made, cloning, deadline) if step.made is not None and step.source else (step, "")
        for step in carried
    ]
    return [step for step, _words in done], [words for _step, words in done if words]


def _as_the_storage_makes_it(
    client: Client, step: ClaimStep, made: Claim, cloning: Deadline, deadline: Deadline
) -> tuple[ClaimStep, str]:
    """Put an empty claim in the place of a clone that the storage refuses to make; return what there is, and why in words."""
    volume = step.volume
    try:
        why = why_not_cloned(client, made, cloning)
        if not why or start_empty(client, made, deadline).clone_of:  # it has its volume all the same
            return step, ""
    except DeadlineExceeded:
        return step, f"The storage has not made {volume} yet, a clone of {step.source}. It is filled when it has."
    except ClusterError as error:
        return replace(step, action=ClaimAction.FAILED, storage=step.before, why=error.message, remedy=error.remedy), ""
    return replace(step, source=""), f"{volume} starts empty, not as a clone of {step.source}. The cluster says: {why}"


def _changed(client: Client, step: ClaimStep, check_mode: bool, deadline: Deadline) -> ClaimStep:
    """Send one claim's change; return what has become of it."""
    try:
        answer = _send(client, step, check_mode, deadline)
    except AlreadyExists:
        return replace(step, action=ClaimAction.NOTHING, source="")  # somebody else has made it in the meantime
    except ClusterError as error:
        why, remedy = explain(step, error)
        return replace(step, action=ClaimAction.FAILED, storage=step.before, why=why, remedy=remedy)
    made = step.action is ClaimAction.CREATE and not check_mode
    return replace(step, made=parse_claim(answer)) if answer is not None and made else step


def _send(client: Client, step: ClaimStep, dry_run: bool, deadline: Deadline) -> Object | None:
    """Send what a step is to change; return the claim as it is then, or None where nothing is to be changed."""
    volume, resources = step.volume, {"requests": {"storage": step.storage}}
    if step.action is ClaimAction.CREATE:
        return client.create("PersistentVolumeClaim", volume.namespace, new_claim(step), deadline, dry_run=dry_run)
    if step.action in (ClaimAction.GROW, ClaimAction.LABEL):
        body = {"metadata": {"labels": dict(step.labels)}, "spec": {"resources": resources}}
        return client.patch("PersistentVolumeClaim", volume.namespace, volume.claim, body, deadline, dry_run=dry_run)
    return None


def new_claim(step: ClaimStep) -> Object:
    """Return the claim that a step makes. Pure."""
    template = step.template.get("spec") or {"accessModes": ["ReadWriteOnce"]}
    spec = {**template, "resources": {"requests": {"storage": step.storage}}}
    annotations = dict((step.template.get("metadata") or {}).get("annotations") or {})
    if step.storage_class:
        spec["storageClassName"] = step.storage_class
    if step.source:
        spec["dataSource"] = {"kind": "PersistentVolumeClaim", "name": step.source}
        annotations[CLONED_FROM] = step.source
    meta = {"name": step.volume.claim, "labels": dict(step.labels), "annotations": annotations}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def explain(step: ClaimStep, error: ClusterError) -> tuple[str, str]:
    """Return why a change was refused, in words, and what to do. Pure."""
    if isinstance(error, QuotaExceeded):
        why = f"The quota of namespace {step.volume.namespace} has no room for {step.storage}: {error.message}"
        return why, "Raise that quota, or ask for less (option `storage`)."
    if isinstance(error, Forbidden) and _NOT_GROWING in error.message:
        why = f"The storage class {step.storage_class or '(none)'} does not let claims grow (allowVolumeExpansion)."
        remedy = f"Ask a cluster administrator to allow it, or set option `storage` to {step.before}."
        return why, remedy
    return error.message, error.remedy
