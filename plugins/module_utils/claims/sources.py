# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the claims that new ones start as clones of. Pure.

A sandbox's claim starts as any other sandbox's that is filled. A worker's starts as another's only together with its sandbox's, of the
same pair: then the sandbox's volume has all that the worker's has, as it has in that pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..cache.domain.model import Role
from ..cache.domain.plan import proved
from ..cluster.api.objects import Claim, Pod, quantity
from ..cluster.pods.consumers import users
from ..volumes.holding import known
from ..volumes.pairs import SANDBOX_PREFIX, WORKER_PREFIX
from .claim_plan import ClaimAction, ClaimPlan, ClaimStep


def choose_sources(plan: ClaimPlan, claims: Iterable[Claim], pods: Sequence[Pod]) -> ClaimPlan:
    """Return the plan with a source for each new claim that has one. ``pods`` are those of the claims' namespaces."""
    filled = sorted((claim for claim in claims if _is_filled(claim, pods)), key=_worth, reverse=True)
    return replace(plan, workers=tuple(_with_sources(steps, filled) for steps in plan.workers))


def _is_filled(claim: Claim, pods: Sequence[Pod]) -> bool:
    """Return whether a claim's volume is known to hold projects, and nobody holds it."""
    record = known(claim)
    if record is None or not record.projects or record.damaged or claim.deleting or not claim.volume_name:
        return False
    return not users([pod for pod in pods if pod.namespace == claim.namespace], claim.name)


def _worth(claim: Claim) -> tuple[int, str, str]:
    record = known(claim)
    projects = {} if record is None else record.projects
    return len(projects), max((held.time for held in projects.values()), default=""), claim.name


def _with_sources(steps: tuple[ClaimStep, ...], filled: Sequence[Claim]) -> tuple[ClaimStep, ...]:
    sandbox, *others = steps
    if sandbox.action is not ClaimAction.CREATE:
        return steps
    sandboxes = [claim for claim in filled if _fits(sandbox, claim)]
    for own in [step for step in others if step.action is ClaimAction.CREATE]:
        pairs = [(claim, worker) for claim in sandboxes for worker in filled if _fits(own, worker) and _is_pair(claim, worker)]
        if pairs:
            return (_clone(sandbox, pairs[0][0]), _clone(own, pairs[0][1]))
    return (_clone(sandbox, sandboxes[0]), *others) if sandboxes else steps


def _fits(step: ClaimStep, claim: Claim) -> bool:
    """Return whether a claim that is made by this step can be a clone of another one."""
    prefix = SANDBOX_PREFIX if step.volume.role is Role.SANDBOX else WORKER_PREFIX
    mode = ((step.template.get("spec") or {}).get("volumeMode") or "Filesystem") == "Block"
    return bool(
        claim.namespace == step.volume.namespace
        and claim.name.startswith(prefix)
        and claim.storage_class
        and step.storage_class in ("", claim.storage_class)
        and max(claim.capacity, quantity(claim.storage)) <= quantity(step.storage)
        and claim.block == mode
    )


def _is_pair(sandbox: Claim, worker: Claim) -> bool:
    """Return whether two claims are a pair's, and say that the sandbox's volume has all that the worker's has."""
    if sandbox.name[len(SANDBOX_PREFIX) :] != worker.name[len(WORKER_PREFIX) :]:
        return False
    held = known(worker)
    return held is not None and all(proved(name, known(sandbox), held) for name in held.projects)


def _clone(step: ClaimStep, source: Claim) -> ClaimStep:
    """The step, of the same class as its source: where none is asked for, the cluster's default may be another one by now."""
    return replace(step, source=source.name, storage_class=source.storage_class)
