# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the seed pod the memory for a repository as large as the kernel, where no quota forbids it."""

from __future__ import annotations

from dataclasses import replace

from ...cluster.api.api_errors import ClusterError
from ...cluster.api.client import Client
from ...cluster.api.objects import Object, quantity
from ...cluster.pods.manifest import FillerSpec, manifest
from ...cluster.pods.overrides import merge_resources
from ...deadline import Deadline
from ...errors import DeadlineExceeded, Interrupted

LARGE = "3Gi"
"""The limit of the pod's memory. git needs about 190 bytes for each object, so that is enough for 16 millions. Only what is used is taken from a node."""


def with_large_memory(client: Client, spec: FillerSpec, others: int, deadline: Deadline) -> FillerSpec:
    """Return the seed pod's ``spec`` with a limit of ``LARGE``, or as it is where the namespace does not take that.

    The server is asked whether it would admit such a pod with ``others`` bytes more, which are for the run's other pods there: they must not wait
    for a quota that the seed has used up. Nothing is made.
    """
    asked = limited(replace(spec, name=f"{spec.name[:240]}-memory"), str(quantity(LARGE) + others))
    wanted = manifest(asked)
    try:
        admitted = client.create("Pod", spec.namespace, wanted, deadline, dry_run=True)
    except Interrupted:
        raise
    except (ClusterError, DeadlineExceeded):  # a quota, a LimitRange, a policy, or a webhook that cannot be asked so; the pod itself tells what else is wrong
        return spec
    if _memory_request(admitted) > _memory_request(wanted):  # derived from the limit by a webhook: a small node would have no room for it
        return spec
    return limited(spec, LARGE)


def _memory_request(pod: Object) -> int:
    """Return the bytes of memory that a pod's containers request."""
    containers = (pod.get("spec") or {}).get("containers") or []
    return sum(quantity(((item.get("resources") or {}).get("requests") or {}).get("memory") or "0") for item in containers)


def limited(spec: FillerSpec, memory: str) -> FillerSpec:
    """Return ``spec`` with another limit of memory."""
    resources = merge_resources(spec.overrides.all_resources, {"limits": {"memory": memory}})
    return replace(spec, overrides=replace(spec.overrides, resources=resources))
