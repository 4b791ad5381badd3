# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the cluster's state: the pairs with their claims, and the pods of their namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..cache.domain.model import Volume
from ..cluster.api.access import Right, require
from ..cluster.api.api_errors import Forbidden, NotFound
from ..cluster.api.client import Client
from ..cluster.api.objects import Claim, Pod, parse_claim, parse_pod
from ..deadline import Deadline
from .pairs import Found, find_pairs, select_pairs
from .place import Place

READ_TIMEOUT = 120.0
"""Seconds for reading the cluster's state."""
_UID_RANGE = "openshift.io/sa.scc.uid-range"


@dataclass(frozen=True)
class Observed:
    """The cluster's state."""

    found: Found
    namespaces: frozenset[str]
    claims: Mapping[Volume, Claim]
    pods: tuple[Pod, ...]
    absent: tuple[Volume, ...] = ()
    """Volumes that the user listed and whose claims do not exist."""


def observe(client: Client, place: Place, rights: Sequence[Right], deadline: Deadline) -> Observed:
    """Look. Two requests a namespace. Raises DeploymentError; where looking is refused, it names all that is lacking of ``rights``."""
    listed = {volume.namespace for pair in place.listed for volume in pair.volumes}
    namespaces = frozenset(listed or {place.worker_namespace, place.sandbox_namespace})
    claims: dict[tuple[str, str], Claim] = {}
    pods: list[Pod] = []
    try:
        for namespace in sorted(namespaces):
            for item in client.list("PersistentVolumeClaim", namespace, deadline):
                claim = parse_claim(item)
                claims[claim.namespace, claim.name] = claim
            pods += [parse_pod(item) for item in client.list("Pod", namespace, deadline)]
    except Forbidden:
        require(client, namespaces, rights, deadline)
        raise
    if place.listed:
        complete = tuple(pair for pair in place.listed if all((volume.namespace, volume.claim) in claims for volume in pair.volumes))
        found = Found(complete, tuple(pair for pair in place.listed if pair not in complete))
    else:
        worker, sandbox = place.worker_namespace, place.sandbox_namespace
        names = {namespace: [name for of, name in claims if of == namespace] for namespace in (worker, sandbox)}
        found = find_pairs(worker, names[worker], sandbox, names[sandbox])
    chosen = select_pairs(place.select, found.pairs + found.unpaired_workers)
    pairs = tuple(pair for pair in found.pairs if pair in chosen)
    unpaired = tuple(pair for pair in found.unpaired_workers if pair in chosen)
    known = {volume: claims[volume.namespace, volume.claim] for pair in pairs for volume in pair.volumes}
    absent = tuple(volume for pair in place.listed for volume in pair.volumes if (volume.namespace, volume.claim) not in claims)
    return Observed(Found(pairs, unpaired, found.orphans), namespaces, known, tuple(pods), absent)


def openshift_namespaces(client: Client, observed: Observed, deadline: Deadline) -> frozenset[str]:
    """The namespaces whose user ids OpenShift assigns. Read from what it writes on pods, else from the namespaces."""
    namespaces = {volume.namespace for volume in observed.claims}
    if any("openshift.io/scc" in pod.annotations for pod in observed.pods):
        return frozenset(namespaces)
    found = set()
    for namespace in sorted(namespaces):
        try:
            annotations = client.get("Namespace", "", namespace, deadline)["metadata"].get("annotations") or {}
        except (Forbidden, NotFound):
            continue
        if _UID_RANGE in annotations:
            found.add(namespace)
    return frozenset(found)
