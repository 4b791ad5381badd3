# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say where the volumes are, and what their fillers are like. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..cache.domain.model import Pair, Role
from ..cluster.api.given_paths import target
from ..cluster.api.names import require_namespace
from ..cluster.pods.overrides import PodOverrides, parse_overrides, require_mapping
from ..errors import InvalidOption
from ..given_values import SET_NAMESPACE
from .pairs import LISTED_PAIRS, listed_pairs


class InUse(str, Enum):
    """The ways to go on where a running pod holds a volume: the option ``in_use``."""

    SAME_NODE = "same_node"
    HOLDER = "holder"
    WAIT = "wait"
    SKIP = "skip"


VOLUMES_SPEC: dict[str, Any] = {
    "worker_namespace": {"type": "str", "default": ""},
    "sandbox_namespace": {"type": "str", "default": ""},
    "volumes": LISTED_PAIRS,
    "select": {"type": "str", "default": ""},
    "path": {"type": "str", "default": "/repository-cache"},
    "image": {"type": "str", "default": ""},
    "filler": {"type": "dict", "default": {}},
    "in_use": {"type": "str", "choices": [way.value for way in InUse], "default": InUse.SAME_NODE.value},
}
"""The options of each module that works on the cache's volumes; they are documented in plugins/doc_fragments/cache_volumes.py."""


@dataclass(frozen=True)
class Place:
    """The place of the volumes, and the settings of their fillers."""

    worker_namespace: str
    sandbox_namespace: str
    listed: tuple[Pair, ...]
    select: str
    path: str
    image: str
    overrides: Mapping[Role, PodOverrides]
    in_use: InUse

    @property
    def home(self) -> str:
        """The workers' namespace, where a run leaves what it did; of listed claims, the first worker's."""
        return self.worker_namespace or self.listed[0].worker.namespace


def parse_place(params: Mapping[str, Any]) -> Place:
    """Return where the volumes are. Raises InvalidOption, naming the value."""
    listed = listed_pairs(params["volumes"])
    for name in SET_NAMESPACE:
        if not params[name] and not listed:
            raise InvalidOption(f"{name} is not set.", SET_NAMESPACE[name])
        if params[name]:
            require_namespace(params[name])
    return Place(
        worker_namespace=params["worker_namespace"],
        sandbox_namespace=params["sandbox_namespace"],
        listed=listed,
        select=params["select"],
        path=str(target("path", params["path"])),
        image=params["image"],
        overrides=parse_filler(params["filler"]),
        in_use=InUse(params["in_use"]),
    )


def parse_filler(raw: Mapping[str, Any]) -> Mapping[Role, PodOverrides]:
    """Return what fillers of each side are to be like: what is said for one side takes the place of what is said for both.

    Raises InvalidOption, naming the key.
    """
    both = {key: value for key, value in raw.items() if key not in [role.value for role in Role]}
    parse_overrides(both, "filler")  # so that a key is named where it stands
    overrides = {}
    for role in Role:
        own = raw.get(role.value)
        alone = {} if own is None else require_mapping(f"filler.{role.value}", own)
        parse_overrides(alone, f"filler.{role.value}")
        overrides[role] = parse_overrides({**both, **alone}, "filler")
    return overrides
