# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out whether a pod with a node selector has a node, before the selector is applied. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..cluster.api.objects import Object
from .tolerations import Toleration


@dataclass(frozen=True)
class Node:
    """A node: its labels, and the taints that keep pods away, as key, value and effect."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[tuple[str, str, str], ...]


def parse_node(data: Object) -> Node:
    """A node from the API's object."""
    taints = (data.get("spec") or {}).get("taints") or []
    return Node(
        name=data["metadata"]["name"],
        labels=data["metadata"].get("labels") or {},
        taints=tuple((item["key"], item.get("value", ""), item["effect"]) for item in taints if item["effect"] != "PreferNoSchedule"),
    )


def no_place(nodes: Sequence[Node], selector: Mapping[str, str], tolerations: Sequence[Toleration]) -> str:
    """Return why a pod finds no node, or empty."""
    words = ", ".join(f"{name}={value}" for name, value in selector.items())
    matching = [node for node in nodes if all(node.labels.get(name) == value for name, value in selector.items())]
    if not matching:
        return f"No node has the labels {words}."
    kept_away = []
    for node in matching:
        taints = [taint for taint in node.taints if not any(_tolerated(item, taint) for item in tolerations)]
        if not taints:
            return ""
        kept_away.append(f"{node.name} has the taint {', '.join(f'{key}={value}:{effect}' for key, value, effect in taints)}")
    return f"Each node with the labels {words} has a taint that is not tolerated: {'; '.join(kept_away)}."


def _tolerated(item: Toleration, taint: tuple[str, str, str]) -> bool:
    key, value, effect = taint
    if item.effect not in ("", effect):
        return False
    if item.operator == "Exists":
        return item.key in ("", key)
    return (item.key, item.value) == (key, value)
