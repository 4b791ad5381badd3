# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user wants of the seed pod, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..cluster.manifest import Wishes, parse_wishes, whole_number
from ..cluster.objects import quantity
from ..errors import InvalidOption

DEFAULT_SIZE = "4Gi"
"""As large as a cache volume is by default: what does not fit there does not fit on a volume either."""
_RESOURCES = {
    "requests": {"cpu": "200m", "memory": "256Mi", "ephemeral-storage": "1Gi"},
    "limits": {"cpu": "2", "memory": "768Mi"},
}
_MARGIN = 256 * 1024 * 1024
"""Bytes of ephemeral storage beside the scratch: logs, and the pod's other files."""
_LEAST = 16 * 1024 * 1024
_KINDS: Mapping[str, type] = {"size": str, "claim": str, "resources": dict, "network_policy": bool, "count": int}


@dataclass(frozen=True)
class SeedOptions:
    """``size`` is a quantity for the scratch of each seed pod; ``claim`` is the first one's instead, kept between runs; ``count`` 0
    lets the run decide."""

    size: str = DEFAULT_SIZE
    claim: str = ""
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    network_policy: bool = False
    count: int = 0

    @property
    def bytes(self) -> int:
        """The scratch's size."""
        return quantity(self.size)

    def wishes(self, filler: Wishes, start_timeout: int) -> Wishes:
        """The seed pod's, over the fillers' own. A large image takes its time: nobody waits for a pod without volumes."""
        scratch = {} if self.claim else {"ephemeral-storage": str(self.bytes + _MARGIN)}
        resources = {
            "requests": {**_RESOURCES["requests"], **self.resources.get("requests", {})},
            "limits": {**_RESOURCES["limits"], **scratch, **self.resources.get("limits", {})},
        }
        if self.claim:
            resources["requests"].pop("ephemeral-storage")
        return replace(filler, resources=resources, start_timeout=max(start_timeout, filler.start_timeout), active_deadline=0)


def parse_seed(raw: Mapping[str, Any]) -> SeedOptions:
    """The options. Raises InvalidOption, naming the key."""
    raw = {key: whole_number(value) if _KINDS.get(key) is int else value for key, value in raw.items()}
    for key, value in raw.items():
        if key not in _KINDS:
            raise InvalidOption(f"Unknown key `{key}` in the seed's options.", f"Known keys: {', '.join(sorted(_KINDS))}.")
        if not isinstance(value, _KINDS[key]) or (isinstance(value, bool) and _KINDS[key] is int):
            raise InvalidOption(f"`{key}` in the seed's options is no {_KINDS[key].__name__}: {value!r}.")
    options = SeedOptions(**raw)
    try:
        too_small = options.bytes < _LEAST
    except ValueError as error:
        raise InvalidOption(f"In the seed's options, {error}.", "For example 4Gi.") from error
    if too_small:
        raise InvalidOption(f"`size` of the seed's scratch is `{options.size}`, which is too small for any repository.", "For example 4Gi.")
    if not 0 <= options.count <= 8:
        raise InvalidOption(f"`count` in the seed's options is {options.count}.", "Use 1 to 8, or 0 to have it decided.")
    parse_wishes({"resources": dict(options.resources)})
    return options
