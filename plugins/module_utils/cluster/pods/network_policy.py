# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network policy for the time of a run: its fillers may reach its seed pod, and nobody else may by it. Pure but for what takes a client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from ...deadline import AWAY_SECONDS, Deadline
from ..api.api_errors import NotFound
from ..api.client import Client
from ..api.objects import Object, Pod
from .manifest import LABEL, RUN, Purpose


def policies(run: str, seed_namespace: str, filler_namespace: str, port: int) -> tuple[tuple[str, Object], ...]:
    """(namespace, policy): into the run's seed pods from its fillers, and out of its fillers to its seed pods."""
    seeds = {"matchLabels": {LABEL: Purpose.SEED.value, RUN: run}}
    fillers = {
        "matchExpressions": [
            {"key": LABEL, "operator": "In", "values": [Purpose.FILLER.value, Purpose.IMAGE.value]},
            {"key": RUN, "operator": "In", "values": [run]},
        ]
    }
    ports = [{"protocol": "TCP", "port": port}]

    def peer(namespace: str, pods: Object) -> Object:
        return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}, "podSelector": pods}

    into = {"podSelector": seeds, "policyTypes": ["Ingress"], "ingress": [{"from": [peer(filler_namespace, fillers)], "ports": ports}]}
    out = {"podSelector": fillers, "policyTypes": ["Egress"], "egress": [{"to": [peer(seed_namespace, seeds)], "ports": ports}]}
    return (
        # One for each namespace of fillers: the names must differ.
        (seed_namespace, _policy(f"packit-cache-seed-{run}-{filler_namespace}", run, into)),
        (filler_namespace, _policy(f"packit-cache-filler-{run}", run, out)),
    )


def _policy(name: str, run: str, spec: Object) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": {RUN: run, LABEL: "policy"}},
        "spec": spec,
    }


@contextmanager
def allowed(client: Client, run: str, seed_namespace: str, filler_namespace: str, port: int, deadline: Deadline) -> Iterator[None]:
    """The policies are there while the context is open. Raises Forbidden where the user may not make them."""
    made: list[tuple[str, Object]] = []
    try:
        for namespace, body in policies(run, seed_namespace, filler_namespace, port):
            made.append((namespace, client.create("NetworkPolicy", namespace, body, deadline)))
        yield
    finally:
        closing = Deadline(AWAY_SECONDS, "removing the run's network policies")
        with ExitStack() as stack:  # each is tried, whatever becomes of the other
            for namespace, body in made:
                stack.callback(_remove, client, namespace, body, closing)


def sweep_policies(client: Client, namespaces: Iterable[str], pods: Iterable[Pod], deadline: Deadline) -> tuple[str, ...]:
    """Remove the policies of runs that were killed: those of which no pod is left. Returns their names. Raises ClusterError."""
    alive = {pod.labels.get(RUN, "") for pod in pods if LABEL in pod.labels and not pod.ended}
    removed = []
    for namespace in sorted(set(namespaces)):
        for body in client.list("NetworkPolicy", namespace, deadline, labels=f"{LABEL}=policy"):
            if body["metadata"].get("labels", {}).get(RUN) not in alive:
                _remove(client, namespace, body, deadline)
                removed.append(f"{namespace}/{body['metadata']['name']}")
    return tuple(removed)


def _remove(client: Client, namespace: str, body: Object, deadline: Deadline) -> None:
    try:
        client.delete("NetworkPolicy", namespace, body["metadata"]["name"], body["metadata"]["uid"], deadline)
    except NotFound:
        return
