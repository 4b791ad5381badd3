# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a plan of claims: the sandboxes' are made and grown first, and a worker's grows when its sandbox's volume has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..cluster.api.client import Client
from ..cluster.api.errors import AlreadyExists, ClusterError, Forbidden, QuotaExceeded
from ..cluster.api.objects import Object
from ..deadline import Deadline
from .claim_plan import ClaimAction, ClaimStep
from .growth import why_not_grown

_GROWTH_TIMEOUT = 60.0
"""Seconds in which the sandboxes' volumes must have grown, before their workers' do."""
_NOT_GROWING = "only dynamically provisioned pvc can be resized"
"""Of the admission plugin's words (kubernetes plugin/pkg/admission/storage/persistentvolume/resize)."""


def carry_out(
    client: Client, workers: Sequence[Sequence[ClaimStep]], check_mode: bool, deadline: Deadline
) -> tuple[tuple[ClaimStep, ...], ...]:
    """Change all sandboxes' claims, and then their workers'; return what has become of each. In check mode the server is asked what it would say.

    A worker's claim grows when its sandbox's volume has, so that this one is never the smaller.
    """
    sandboxes = [_changed(client, steps[0], check_mode, deadline) for steps in workers]
    growing = deadline.within(_GROWTH_TIMEOUT, "the growth of the sandbox's volume")
    done = []
    for sandbox, (_sandbox, *others) in zip(sandboxes, workers, strict=True):
        own = [_held_back(client, sandbox, step, check_mode, growing) or _changed(client, step, check_mode, deadline) for step in others]
        done.append((sandbox, *own))
    return tuple(done)


def _held_back(client: Client, sandbox: ClaimStep, step: ClaimStep, check_mode: bool, growing: Deadline) -> ClaimStep | None:
    """Return a worker's step that waits or is blocked, as its sandbox's volume has not grown; None where nothing is in its way."""
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


def _changed(client: Client, step: ClaimStep, check_mode: bool, deadline: Deadline) -> ClaimStep:
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
    """Ask the API for one claim's change. Raises ClusterError."""
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
    """Return why a change was refused, in words, and what to do. Pure."""
    if isinstance(error, QuotaExceeded):
        why = f"The quota of namespace {step.volume.namespace} has no room for {step.storage}: {error.message}"
        return why, "Raise that quota, or ask for less (option `storage`)."
    if isinstance(error, Forbidden) and _NOT_GROWING in error.message:
        why = f"The storage class {step.storage_class or '(none)'} does not let claims grow (allowVolumeExpansion)."
        remedy = f"Ask a cluster administrator to allow it, or set option `storage` to {step.before}."
        return why, remedy
    return error.message, error.remedy
