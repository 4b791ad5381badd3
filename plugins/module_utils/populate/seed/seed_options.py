# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the seed pod, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ...cluster.api.objects import quantity
from ...cluster.pods.overrides import Check, PodOverrides, Resources, checked, merge_resources, parse_resources, require_text
from ...errors import InvalidOption
from ...given_values import whole_number

DEFAULT_SIZE = "4Gi"
"""The scratch is as large as a cache volume is by default: what does not fit there does not fit on a volume either."""
MEMORY = "768Mi"
"""The limit that any namespace should have room for; see ``memory`` for more."""
_RESOURCES: Resources = {
    "requests": {"cpu": "200m", "memory": "256Mi", "ephemeral-storage": "1Gi"},
    "limits": {"cpu": "2", "memory": MEMORY},
}
_MARGIN = 256 * 1024 * 1024
"""Bytes of ephemeral storage beside the scratch: logs, and the pod's other files."""
_LEAST = 16 * 1024 * 1024
MOST_REPLICAS = 8
"""Seed pods in a run."""


@dataclass(frozen=True)
class SeedOptions:
    """``size`` is a quantity for the scratch of each seed pod; ``claim`` is the first one's instead, kept between runs; ``count`` 0
    lets the run decide."""

    size: str = DEFAULT_SIZE
    claim: str = ""
    resources: Resources = field(default_factory=dict)
    network_policy: bool = False
    count: int = 0

    @property
    def sets_memory(self) -> bool:
        """Return whether the user has said how much memory the pod has."""
        return any("memory" in self.resources.get(kind, {}) for kind in ("requests", "limits"))

    @property
    def bytes(self) -> int:
        """The scratch's size."""
        return quantity(self.size)

    def overrides(self, filler: PodOverrides, start_timeout: int) -> PodOverrides:
        """The seed pod's, over the fillers' own. A large image takes its time: nobody waits for a pod without volumes."""
        scratch = {} if self.claim else {"ephemeral-storage": str(self.bytes + _MARGIN)}
        ours = {**_RESOURCES, "limits": {**_RESOURCES["limits"], **scratch}}
        resources = merge_resources(ours, self.resources)
        if self.claim:
            resources["requests"].pop("ephemeral-storage")
        return replace(filler, resources=resources, start_timeout=max(start_timeout, filler.start_timeout), active_deadline=0)


def parse_seed(raw: Mapping[str, Any]) -> SeedOptions:
    """Return the options, checked. Raises InvalidOption, naming the key."""
    return SeedOptions(**checked(raw, _CHECKS, "seed"))


def _size(name: str, value: Any) -> str:
    try:
        size = quantity(require_text(name, value))
    except ValueError as error:
        raise InvalidOption(f"`{name}`: {error}.", "For example 4Gi.") from error
    if size < _LEAST:
        raise InvalidOption(f"`{name}` is `{value}`, which is too small for any repository.", "For example 4Gi.")
    return str(value)


def _truth(name: str, value: Any) -> bool:
    try:
        return bool(boolean(value))
    except TypeError as error:
        raise InvalidOption(f"`{name}` is {value!r}, and must be true or false.") from error


_CHECKS: Mapping[str, Check] = {
    "size": _size,
    "claim": require_text,
    "resources": parse_resources,
    "network_policy": _truth,
    "count": partial(whole_number, least=0, most=MOST_REPLICAS),
}
SEED_KEYS = tuple(_CHECKS)
"""The keys that ``parse_seed`` knows."""
