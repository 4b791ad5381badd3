# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide changes of a namespace's annotations, from what they are and what is wanted. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..cluster.api.api_errors import ClusterError
from ..cluster.api.objects import Object
from ..errors import InvalidOption
from .annotations import DEFAULTS, WHITELIST, Entry, Listed, forbidden, merged, read_list, refused_entries, removed, written
from .tolerations import Toleration, to_data


class Blocked(ClusterError):
    """The namespace takes no pod, or would take none, because of its annotations."""


@dataclass(frozen=True)
class Wish:
    """The wanted default tolerations."""

    tolerations: tuple[Toleration, ...]
    absent: bool
    exclusive: bool
    repair: bool


@dataclass(frozen=True)
class Space:
    """A namespace, as far as it concerns us. ``tool`` is the command that its administrators use.

    ``selectors``: of each annotation that puts a node selector on all pods, the labels that it asks for.
    """

    name: str
    uid: str
    resource_version: str
    defaults: Listed
    whitelist: Listed
    tool: str
    selectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The annotations as they are to be; None where one goes, or is not there. ``warnings`` are for the user."""

    space: Space
    defaults: str | None
    whitelist: str | None
    warnings: tuple[str, ...]

    @property
    def changes(self) -> Mapping[str, str | None]:
        """The annotations that change, for a merge patch."""
        pairs = ((DEFAULTS, self.space.defaults.text, self.defaults), (WHITELIST, self.space.whitelist.text, self.whitelist))
        return {name: after for name, before, after in pairs if before != after}

    @property
    def command(self) -> str:
        """Return what a cluster administrator runs to make the change; empty where there is none."""
        if not self.changes:
            return ""
        words = [f"{name}-" if value is None else f"{name}={value}" for name, value in self.changes.items()]
        return shlex.join([self.space.tool, "annotate", "--overwrite", "namespace", self.space.name, *words])


def parse_space(data: Object) -> Space:
    """A namespace from the API's object."""
    meta = data["metadata"]
    annotations = meta.get("annotations") or {}
    return Space(
        name=meta["name"],
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        defaults=read_list(annotations.get(DEFAULTS)),
        whitelist=read_list(annotations.get(WHITELIST)),
        tool="oc" if any(name.startswith("openshift.io/") for name in annotations) else "kubectl",
        selectors={name: _labels(annotations[name]) for name in _NODE_SELECTORS if annotations.get(name)},
    )


_NODE_SELECTORS = ("openshift.io/node-selector", "scheduler.alpha.kubernetes.io/node-selector")
"""Annotations of OpenShift's projects (OriginPodNodeEnvironment), and of the admission plugin PodNodeSelector. A pod that asks for another value is refused."""


def _labels(text: str) -> dict[str, str]:
    """The labels in ``key=value,key=value``; what is written in another way is left out, as only the API server knows what it means."""
    pairs = (item.replace("==", "=").partition("=") for item in text.split(","))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals and not key.strip().endswith("!")}


def contradiction(space: Space, selector: Mapping[str, str]) -> str:
    """Return in words how a pod's node selector and its namespace's exclude each other; empty where they do not."""
    for name, labels in space.selectors.items():
        for key, value in labels.items():
            if selector.get(key, value) != value:
                return f"The annotation {name} of namespace {space.name} puts {key}={value} on all its pods, and {key}={selector[key]} is asked for here."
    return ""


def decide(space: Space, wish: Wish) -> Decision:
    """Return what to write. Raises Blocked for annotations that stop pods unless they are to be repaired, InvalidOption for a
    toleration that the whitelist forbids."""
    warnings: list[str] = []
    entries = _sound(space, wish.repair, warnings)
    entries = removed(entries, wish.tolerations) if wish.absent else merged(entries, wish.tolerations, exclusive=wish.exclusive)
    whitelist = _whitelist(space, tuple(entry.toleration for entry in entries), wish, warnings)
    return Decision(space, written(space.defaults, entries), whitelist, tuple(warnings))


def _sound(space: Space, repair: bool, warnings: list[str]) -> tuple[Entry, ...]:
    """The entries that the API accepts."""
    where = f"The annotation {DEFAULTS} of namespace {space.name}"
    if space.defaults.unreadable:
        words = f"{where} stops every pod creation there: {space.defaults.unreadable}."
        if not repair:
            raise Blocked(words, f"{_REPAIR} It is: {space.defaults.text}")
        warnings.append(f"{words} It is taken away; it was: {space.defaults.text}")
        return ()
    refused = refused_entries(space.defaults)
    if not refused:
        return space.defaults.entries
    reasons = "; ".join(f"{entry.written}: {why}" for entry, why in refused)
    words = f"{where} stops every pod creation there: {reasons}."
    if not repair:
        raise Blocked(words, _REPAIR)
    warnings.append(f"{words} What is wrong is taken out.")
    bad = [entry for entry, _why in refused]
    return tuple(entry for entry in space.defaults.entries if entry not in bad)


_REPAIR = "Correct it, or have it repaired (option `repair: true`)."


def _whitelist(space: Space, defaults: Sequence[Toleration], wish: Wish, warnings: list[str]) -> str | None:
    """The whitelist's text: as it is, or repaired."""
    where = f"The annotation {WHITELIST} of namespace {space.name}"
    if space.whitelist.unreadable:
        words = f"{where} stops every pod creation there: {space.whitelist.unreadable}."
        if not wish.repair:
            raise Blocked(words, f"{_REPAIR} It is: {space.whitelist.text}")
        warnings.append(f"{words} It is taken away, so every toleration is allowed; it was: {space.whitelist.text}")
        return None
    always, with_requests = forbidden(space.whitelist, defaults)
    if not always and not with_requests:
        return space.whitelist.text
    lacking = [*always, *with_requests]
    whom = "every pod" if always else "every pod with requests or limits"
    words = f"{where} does not allow {', '.join(str(item) for item in lacking)}: {whom} would be refused."
    if wish.repair:
        warnings.append(f"{words} It is extended.")
        return written(space.whitelist, (*space.whitelist.entries, *(Entry(to_data(item), item) for item in lacking)))
    if wish.absent or not wish.tolerations:
        warnings.append(f"{words} {_REPAIR}")
        return space.whitelist.text
    added = written(Listed(None), [Entry(to_data(item), item) for item in lacking])
    raise InvalidOption(words, f"Add to it, or have it extended (option `repair: true`): {added}")
