# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the pairs of claims, by their names or as the user lists them. Pure."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cache.domain.model import Pair, Role, Volume
from ..cluster.api.names import require_name, require_namespace
from ..errors import InvalidOption

TEMPLATE = "packit-worker-repository-cache"
"""The volumeClaimTemplate of the workers' StatefulSets, and the volume of that name in their pods."""
WORKER_PREFIX = f"{TEMPLATE}-"
SANDBOX_PREFIX = "sandcastle-repository-cache-"
"""The prefix that the service's own start-up script puts before the worker's name (packit-service, files/run_worker.sh)."""

_CLAIM = {
    "type": "dict",
    "required": True,
    "options": {"namespace": {"type": "str", "required": True}, "claim": {"type": "str", "required": True}},
}
LISTED_PAIRS: dict[str, Any] = {"type": "list", "elements": "dict", "default": [], "options": {"worker": _CLAIM, "sandbox": _CLAIM}}
"""The option `volumes` of a module."""


@dataclass(frozen=True)
class Found:
    """The found volumes: pairs, workers' volumes without a sandbox's, and sandboxes' claims without a worker's."""

    pairs: tuple[Pair, ...]
    unpaired_workers: tuple[Pair, ...] = ()
    orphans: tuple[Volume, ...] = ()


def find_pairs(worker_namespace: str, worker_claims: Collection[str], sandbox_namespace: str, sandbox_claims: Collection[str]) -> Found:
    """Pairs by the claims' names. Raises InvalidOption where there is no worker's claim: that is no success."""
    pods = sorted(_pod(claim, WORKER_PREFIX) for claim in worker_claims if claim.startswith(WORKER_PREFIX))
    pairs = {pod: _pair(worker_namespace, sandbox_namespace, pod) for pod in pods}
    orphans = tuple(
        Volume(sandbox_namespace, claim, Role.SANDBOX, _pod(claim, SANDBOX_PREFIX))
        for claim in sorted(sandbox_claims)
        if claim.startswith(SANDBOX_PREFIX) and _pod(claim, SANDBOX_PREFIX) not in pairs
    )
    if not pairs:
        raise InvalidOption(
            f"No repository-cache volume was found: namespace {worker_namespace} has {len(worker_claims)} claims, none of them "
            f"named {WORKER_PREFIX}<pod>.",
            "Check option `worker_namespace`, and whether the workers were deployed with a repository cache "
            "(with_repository_cache); or list the claims in option `volumes`.",
        )
    complete = {pod: pair for pod, pair in pairs.items() if pair.sandbox.claim in sandbox_claims}
    unpaired = tuple(pair for pod, pair in pairs.items() if pod not in complete)
    return Found(tuple(complete.values()), unpaired, orphans)


def listed_pairs(raw: Sequence[Mapping[str, Mapping[str, str]]]) -> tuple[Pair, ...]:
    """The pairs that the user listed. Raises InvalidOption."""
    pairs = []
    for item in raw:
        sides = {}
        for role in (Role.WORKER, Role.SANDBOX):
            side = item.get(role.value)
            if not isinstance(side, Mapping) or not side.get("namespace") or not side.get("claim"):
                raise InvalidOption(
                    f"An item of the list of volumes has no {role.value} with a namespace and a claim: {dict(item)!r}.",
                    "Each is {worker: {namespace: …, claim: …}, sandbox: {namespace: …, claim: …}}.",
                )
            require_namespace(str(side["namespace"]))
            require_name("PersistentVolumeClaim", str(side["claim"]))
            sides[role] = Volume(side["namespace"], side["claim"], role, _served(side["claim"]))
        pairs.append(Pair(sides[Role.WORKER], sides[Role.SANDBOX]))
    volumes = [volume for pair in pairs for volume in pair.volumes]
    keys = [(volume.namespace, volume.claim) for volume in volumes]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise InvalidOption(f"The claim {twice[0]}/{twice[1]} is listed twice.", "Each volume is for one worker or its sandbox.")
    return tuple(pairs)


def select_pairs(expression: str, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The pairs that a JMESPath expression yields. Raises InvalidOption."""
    if not expression:
        return pairs
    described = {pair.worker.claim + "\n" + pair.worker.namespace: pair for pair in pairs}
    answer = _search(expression, [describe(pair) for pair in pairs], "[?worker.pod=='packit-worker-0']")
    items = [answer] if isinstance(answer, Mapping) else answer
    if not isinstance(items, list):
        raise InvalidOption(f"The expression `{expression}` yields {answer!r}, not pairs of volumes.", _SELECT_REMEDY)
    chosen = []
    for item in items:
        worker = item.get("worker") if isinstance(item, Mapping) else None
        key = f"{worker.get('claim')}\n{worker.get('namespace')}" if isinstance(worker, Mapping) else ""
        if key not in described:
            raise InvalidOption(f"The expression `{expression}` yields {item!r}, which is no pair of volumes.", _SELECT_REMEDY)
        chosen.append(described[key])
    if not chosen:
        names = ", ".join(pair.name for pair in pairs)
        raise InvalidOption(
            f"The expression `{expression}` selects none of the {len(pairs)} pairs that were found: {names}.", _SELECT_REMEDY
        )
    return tuple(dict.fromkeys(chosen))


_SELECT_REMEDY = (
    "It is searched in a list of {worker: {namespace, claim, pod}, sandbox: {namespace, claim}} and must yield items of that list."
)


def _search(expression: str, data: object, example: str) -> object:
    try:
        import jmespath  # noqa: PLC0415  needed by those alone who give an expression
    except ImportError:
        raise InvalidOption(
            f"The expression `{expression}` needs the package jmespath, which is missing for the interpreter {sys.executable}.",
            f"Install it there: {sys.executable} -m pip install jmespath",
        ) from None
    try:
        return jmespath.search(expression, data)
    except jmespath.exceptions.JMESPathError as error:
        raise InvalidOption(f"The expression `{expression}` is no JMESPath: {error}", f"An example: {example}") from error


def query(expression: str, data: object) -> object:
    """Return what a JMESPath expression yields. Raises InvalidOption."""
    return _search(expression, data, "volumes[?known].claim")


def describe(pair: Pair) -> dict[str, dict[str, str]]:
    """A pair, as expressions see it."""
    return {
        "worker": {"namespace": pair.worker.namespace, "claim": pair.worker.claim, "pod": pair.worker.serves},
        "sandbox": {"namespace": pair.sandbox.namespace, "claim": pair.sandbox.claim},
    }


def _pair(worker_namespace: str, sandbox_namespace: str, pod: str) -> Pair:
    return Pair(
        Volume(worker_namespace, WORKER_PREFIX + pod, Role.WORKER, pod),
        Volume(sandbox_namespace, SANDBOX_PREFIX + pod, Role.SANDBOX, pod),
    )


def _served(claim: str) -> str:
    for prefix in (WORKER_PREFIX, SANDBOX_PREFIX):
        if claim.startswith(prefix):
            return _pod(claim, prefix)
    return ""


def _pod(claim: str, prefix: str) -> str:
    return claim[len(prefix) :]
