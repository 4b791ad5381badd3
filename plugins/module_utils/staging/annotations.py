# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two annotations of a namespace with tolerations: read as the API server reads them, merged, and written. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .tolerations import Toleration, WrongType, admitted, covers, read_toleration, to_data, wrong

DEFAULTS = "scheduler.alpha.kubernetes.io/defaultTolerations"
"""Given to every pod of the namespace when it is made."""
WHITELIST = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
"""The only tolerations that pods of the namespace may have; an empty list allows all."""


@dataclass(frozen=True)
class Entry:
    """One element of an annotation: as it is written, and as the API reads it."""

    written: Any
    toleration: Toleration


@dataclass(frozen=True)
class Listed:
    """An annotation's list. ``text`` is None where there is none. ``unreadable`` says why no pod can be made with it."""

    text: str | None
    entries: tuple[Entry, ...] = ()
    unreadable: str = ""

    @property
    def tolerations(self) -> tuple[Toleration, ...]:
        """Return the tolerations as the API reads them."""
        return tuple(entry.toleration for entry in self.entries)


def read_list(text: str | None) -> Listed:
    """An annotation's value, as the API server reads it: nothing at all, JSON's null, or a list of objects."""
    if not text:
        return Listed(text)
    try:
        data = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        return Listed(text, unreadable=f"it is no valid JSON ({error})")
    if data is None:
        return Listed(text)
    if not isinstance(data, list):
        return Listed(text, unreadable="it is no list of tolerations")
    try:
        return Listed(text, tuple(Entry(item, read_toleration(item)) for item in data))
    except WrongType as error:
        return Listed(text, unreadable=str(error))


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no value of JSON")


def refused_entries(listed: Listed) -> tuple[tuple[Entry, str], ...]:
    """Entries of the default tolerations with which the API refuses every pod, each with the reason."""
    return tuple((entry, why) for entry in listed.entries if (why := wrong(entry.toleration)))


def merged(entries: Sequence[Entry], wanted: Sequence[Toleration], *, exclusive: bool) -> tuple[Entry, ...]:
    """``entries`` with what is missing of ``wanted`` after them. ``exclusive``: without those that are not wanted."""
    kept = [entry for entry in entries if not exclusive or _among(entry.toleration, wanted)]
    present = [entry.toleration for entry in kept]
    return (*kept, *(Entry(to_data(item), item) for item in wanted if not _among(item, present)))


def removed(entries: Sequence[Entry], unwanted: Sequence[Toleration]) -> tuple[Entry, ...]:
    """``entries`` without those that say the same as one of ``unwanted``."""
    return tuple(entry for entry in entries if not _among(entry.toleration, unwanted))


def _among(toleration: Toleration, others: Sequence[Toleration]) -> bool:
    return toleration.meaning in [other.meaning for other in others]


def written(before: Listed, entries: Sequence[Entry]) -> str | None:
    """The annotation's new value; None where it goes. The same text where the list stays the same."""
    if not before.unreadable and tuple(entries) == before.entries:
        return before.text
    if not entries:
        return None
    return json.dumps([entry.written for entry in entries], separators=(",", ":"), ensure_ascii=False)


def forbidden(whitelist: Listed, defaults: Sequence[Toleration]) -> tuple[tuple[Toleration, ...], tuple[Toleration, ...]]:
    """Return what the whitelist does not allow of the tolerations with which pods are admitted: of every pod, and of pods with
    requests beyond that. As the plugin does, an empty whitelist allows everything."""
    if not whitelist.entries:
        return (), ()
    allowed = whitelist.tolerations
    lists = [
        tuple(item for item in admitted(defaults, requests) if not any(covers(whole, item) for whole in allowed))
        for requests in (False, True)
    ]
    return lists[0], tuple(item for item in lists[1] if item not in lists[0])
