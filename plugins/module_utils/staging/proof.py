# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove that a namespace gives its pods the tolerations, by pods that the server admits and does not keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..cluster.api.api_errors import ClusterError, Unauthorized, Unreachable
from ..cluster.api.client import Client
from ..deadline import Deadline
from .tolerations import Toleration, read_toleration, tolerates

_NAME = "packit-staging-proof"
_SMALL = {"cpu": "10m", "memory": "16Mi"}
_TRIES = 10
"""Most times that it is asked again after a change, which the server sees a little later."""
_PAUSE = 0.5
"""Seconds between two tries."""


@dataclass(frozen=True)
class Proof:
    """``works`` is None where no pod was admitted. ``lacking`` are the tolerations that an admitted pod did not get,
    ``refusals`` why a pod was not admitted."""

    works: bool | None
    lacking: tuple[Toleration, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def blocking(self) -> str:
        """A refusal because of tolerations, or empty. Others, such as a full quota's, say nothing of what we have done."""
        return next((words for words in self.refusals if "toleration" in words.lower()), "")


def prove(client: Client, namespace: str, wanted: Sequence[Toleration], deadline: Deadline, *, changed: bool) -> Proof:
    """Two pods, one without and one with requests, that are admitted and not made. Two requests; more where the annotation
    was ``changed`` just now, because the server sees it a little later."""
    found = _once(client, namespace, wanted, deadline)
    for _again in range(_TRIES if changed else 0):
        if found.works:
            break
        deadline.sleep(_PAUSE)
        found = _once(client, namespace, wanted, deadline)
    return found


def _once(client: Client, namespace: str, wanted: Sequence[Toleration], deadline: Deadline) -> Proof:
    refusals: list[str] = []
    lacking: list[Toleration] = []
    admitted = 0
    for requests in (False, True):
        try:
            made = client.create("Pod", namespace, proof_pod(requests), deadline, dry_run=True)
        except (Unauthorized, Unreachable):
            raise
        except ClusterError as error:
            refusals.append(error.message)
            continue
        admitted += 1
        found = [read_toleration(item) for item in made["spec"].get("tolerations") or []]
        lacking += [item for item in wanted if not tolerates(found, item) and item not in lacking]
    works = None if admitted == 0 else not lacking
    return Proof(works, tuple(lacking), tuple(refusals))


def proof_pod(requests: bool) -> dict[str, Any]:
    """A pod that every policy should take."""
    container: dict[str, Any] = {
        "name": "proof",
        "image": "localhost/proof",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if requests:
        container["resources"] = {"requests": _SMALL, "limits": _SMALL}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{_NAME}-{'with' if requests else 'without'}-requests"},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }
