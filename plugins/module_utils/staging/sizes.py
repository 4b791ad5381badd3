# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wanted size of a workload: replicas and resources, checked as the API server does. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cluster.api.objects import exact_quantity
from ..errors import InvalidOption

_STANDARD = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True)
class Size:
    """The wanted size of one workload. ``replicas`` is None where they stay; ``container`` is empty for the only one."""

    workload: str
    replicas: int | None
    container: str
    requests: Mapping[str, str]
    limits: Mapping[str, str]


def parse_sizes(raw: Sequence[Mapping[str, Any]]) -> tuple[Size, ...]:
    """The sizes that a user wants. Raises InvalidOption, naming workload and value."""
    sizes = []
    for item in raw:
        name, replicas = item["workload"], item.get("replicas")
        if replicas is not None and replicas < 0:
            raise InvalidOption(f"replicas of `{name}` is {replicas}, and must be 0 or more.")
        lists = {kind: _resources(name, kind, item.get(kind) or {}) for kind in ("requests", "limits")}
        if replicas is None and not any(lists.values()):
            raise InvalidOption(f"The size of `{name}` says nothing.", "Give replicas, requests or limits.")
        check_resources(f"`{name}`", lists["requests"], lists["limits"])
        sizes.append(Size(name, replicas, item.get("container") or "", lists["requests"], lists["limits"]))
    return tuple(sizes)


def _resources(name: str, kind: str, raw: Mapping[str, Any]) -> Mapping[str, str]:
    found = {}
    for resource, value in raw.items():
        if resource not in _STANDARD and "/" not in resource and not resource.startswith("hugepages-"):
            raise InvalidOption(f"{kind} of `{name}` has `{resource}`, which is no resource.", f"Known are {', '.join(_STANDARD)}.")
        text = "" if isinstance(value, bool) else str(value)
        try:
            number = exact_quantity(text)
        except ValueError as error:
            words = f"{kind}.{resource} of `{name}` is {value!r}, which is no Kubernetes quantity."
            raise InvalidOption(words, "Write 500m or 0.5 processors, 256Mi or 1Gi of memory.") from error
        if number < 0:
            raise InvalidOption(f"{kind}.{resource} of `{name}` is {text}, and must be 0 or more.")
        found[resource] = text
    return found


def check_resources(where: str, requests: Mapping[str, str], limits: Mapping[str, str]) -> None:
    """Raises InvalidOption for a request beyond its limit."""
    for resource, value in requests.items():
        if resource in limits and exact_quantity(value) > exact_quantity(limits[resource]):
            raise InvalidOption(
                f"{where} would request {value} of {resource}, and its limit is {limits[resource]}: a request may not be beyond its limit.",
                f"Set both requests.{resource} and limits.{resource}.",
            )


def same_quantity(one: str, other: str) -> bool:
    """Return whether two quantities are the same amount (1Gi is 1024Mi)."""
    return math.isclose(exact_quantity(one), exact_quantity(other), rel_tol=1e-12)
