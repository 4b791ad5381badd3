# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's pods without cache volumes in the workers' namespace: the one that reads upstream's refs, and the seed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from ..cache.domain.model import Role
from ..cluster.api.claims import read_claim
from ..cluster.api.client import Client
from ..cluster.pods.consumers import consumers, identity, image, placement
from ..cluster.pods.manifest import DEFAULT_IMAGE, FillerSpec, Mount, Placement, Purpose, copied_labels
from ..deadline import Deadline
from ..errors import InvalidOption
from ..volumes.discovery import Observed
from .options import PopulateOptions
from .seed.context import KEPT

_SEED_DEADLINES = 4
"""A seed pod serves the whole run; after so many times the time for one volume it ends in any case."""


def workers_pod(
    options: PopulateOptions, observed: Observed, openshift: frozenset[str], owner: Mapping[str, str], purpose: Purpose
) -> FillerSpec:
    """A pod with a worker's image and identity, where there is one. Pure."""
    pair = observed.found.pairs[0] if observed.found.pairs else None
    namespace = pair.worker.namespace if pair is not None else options.place.worker_namespace
    claim = pair.worker.claim if pair is not None else ""
    used = consumers(observed.pods, claim)
    at = placement(used)
    return FillerSpec(
        namespace=namespace,
        name=f"packit-cache-{purpose.value}-{uuid.uuid4().hex[:12]}",
        mount=None,
        image=options.place.image or image(used.any, claim) or DEFAULT_IMAGE,
        owner=owner,
        overrides=options.place.overrides[Role.WORKER],
        identity=identity(used.any, claim, namespace in openshift),
        placement=Placement("", at.tolerations, used.any.spec.get("nodeSelector") or {} if used.any is not None else {}),
        labels=copied_labels(observed.claims[pair.worker]) if pair is not None else {},
        purpose=purpose,
    )


def seed_pod(
    client: Client, options: PopulateOptions, observed: Observed, openshift: frozenset[str], owner: Mapping[str, str], deadline: Deadline
) -> FillerSpec:
    """The seed pod, with its scratch. Raises InvalidOption where the claim that is to keep it does not exist."""
    spec = replace(
        workers_pod(options, observed, openshift, owner, Purpose.SEED),
        overrides=options.seed.overrides(options.place.overrides[Role.WORKER], options.timeout),
        scratch_limit=options.seed.size,
        deadline=_SEED_DEADLINES * options.timeout,
    )
    if not options.seed.claim:
        return spec
    taken = [volume for pair in observed.found.pairs for volume in pair.volumes if volume.namespace == spec.namespace]
    if options.seed.claim in [volume.claim for volume in taken]:
        raise InvalidOption(
            f"The seed's claim {options.seed.claim} is a repository cache, which a filler may hold at the same time.",
            "Give the seed a claim of its own (option `seed.claim`).",
        )
    claim = read_claim(client, spec.namespace, options.seed.claim, deadline, "Create it for the seed pod, or leave out option `seed.claim`.")
    # Named after the claim: two runs never work in it at once.
    return replace(spec, name=f"packit-cache-seed-{claim.uid}", mount=Mount(claim.name, KEPT))
