# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a volume on its claim: state that can be read without a lock.

The annotation is JSON, and a long one is compressed: zlib in base64. It names the claim's uid and volume, so that a restored or
copied claim is *unknown*, not believed. There are no lists of refs in it: digests only.
"""

from __future__ import annotations

import base64
import json
import zlib
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ...annotation import parse_object
from ...errors import InvalidOption
from .projects import check_name

ANNOTATION = "packit.dev/repository-cache"
LIMIT = 160 * 1024
"""Bytes of the annotation's text: some 600 projects. All annotations of an object share 256 KiB."""
_READABLE = 8 * 1024
"""Bytes of JSON that stay as they are, for people who read the claim."""
_MOST_JSON = 4 * 1024 * 1024
"""Bytes of JSON that are taken out of a compressed annotation, which anybody may have written."""

_VERSION = 2
_MOST = 2**63
"""No file is larger, and no number of them."""


@dataclass(frozen=True)
class Inventory:
    """An inventory of an entry's object files: the number of its packs and loose objects, and the SHA-256 of all their names.

    A pack is named after its content, so equal sums mean equal sets of objects. ``stamp``: of the packs' files (inodes, sizes, times of the
    last change), where every one of them was proved to be what its checksums say; the same files later are that still.
    """

    packs: int
    loose: int
    sha256: str
    stamp: str = ""


@dataclass(frozen=True, kw_only=True)
class RecordedEntry:
    """The recorded entry of one project. ``bytes`` is the size of its packs; ``time`` is ISO 8601 in UTC.

    ``patterns`` are those of its refs that were wanted, in a row; ``url`` is empty where no run has filled it. ``includes``, on a
    sandbox's volume: the key of what its worker's volume had when the two were compared, where that was another.

    ``covering``: the checksums, as ``packs.Contents`` has them, of the joined pack that covers older ones, and ``covering_since`` when it was
    published, as ``time``; empty where no covered packs are left. ``settled`` packs were found not worth joining.
    """

    url: str
    snapshot: str
    refs: int
    bytes: int
    layout: str
    method: str
    time: str
    inventory: Inventory
    patterns: str = ""
    includes: str = ""
    covering: str = ""
    covering_since: str = ""
    settled: int = 0

    @property
    def key(self) -> str:
        """Return one word for all its objects and the path to them."""
        return key(self.layout, self.inventory)

    def proves(self, worker: str) -> bool:
        """Return whether this, on a sandbox's volume, has all of what its worker's volume has under this key, at the same path."""
        return worker in (self.key, self.includes)


def key(layout: str, inventory: Inventory) -> str:
    """See ``RecordedEntry.key``."""
    return f"{layout}:{inventory.sha256}"


@dataclass(frozen=True)
class Record:
    """The facts that are known of one volume. ``absent`` names projects that were looked for and are not there; ``damaged`` those that
    were not whole when they were looked at last: they are looked at in whole until they are."""

    claim_uid: str
    volume_name: str
    projects: Mapping[str, RecordedEntry] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the projects of which something is there, whole or damaged."""
        return (*self.projects, *(name for name in self.damaged if name not in self.projects))

    def with_project(self, name: str, recorded: RecordedEntry) -> Record:
        """This record, with what the volume now holds of a project, whole."""
        return replace(
            self, projects={**self.projects, name: recorded}, absent=_without(self.absent, name), damaged=_without(self.damaged, name)
        )

    def without_project(self, name: str) -> Record:
        """This record, with a project known to be absent."""
        forgotten = self.forget_project(name)
        return replace(forgotten, absent=tuple(sorted({*self.absent, name})), damaged=_without(self.damaged, name))

    def forget_project(self, name: str) -> Record:
        """This record, with nothing known of a project but whether it was damaged: the next run looks inside."""
        projects = {other: recorded for other, recorded in self.projects.items() if other != name}
        return replace(self, projects=projects, absent=_without(self.absent, name))

    def with_damage(self, name: str) -> Record:
        """This record, with nothing known of a project but that it is damaged: the next run looks at all of it, and mends it."""
        return replace(self.forget_project(name), damaged=tuple(sorted({*self.damaged, name})))


Change = Callable[[Record], Record]
"""A change of a volume's record: made to the record that is on the claim when it is written, whoever has written that."""


def unchanged(record: Record) -> Record:
    """The change that changes nothing."""
    return record


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)


def parse(text: str | None, claim_uid: str, volume_name: str) -> Record | None:
    """The record in an annotation, or None where nothing is known (none, unreadable, or of another claim or volume)."""
    if not text:
        return None
    try:
        data = parse_object(text if text.startswith("{") else _decompressed(text))
        if data["version"] != _VERSION or data["claim_uid"] != claim_uid or data["volume_name"] != volume_name:
            return None
        projects = {_name(name): _held(item) for name, item in data["projects"].items()}
        return Record(claim_uid, volume_name, projects, _names(data["absent"]), _names(data.get("damaged", [])))
    except (KeyError, TypeError, AttributeError, InvalidOption):
        return None


def _held(item: Mapping[str, Any]) -> RecordedEntry:
    """Raises TypeError where it is none, KeyError."""
    return RecordedEntry(**{**_typed(item, RecordedEntry), "inventory": Inventory(**_typed(item["inventory"], Inventory))})


def _typed(item: Mapping[str, Any], kind: type[RecordedEntry | Inventory]) -> dict[str, Any]:
    """The values of an object for a dataclass of texts and numbers. Raises TypeError where one is of another type, or no size."""
    types = {field.name: field.type for field in fields(kind)}
    for name, value in item.items():
        wanted = types.get(name)
        number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST
        if (wanted == "str" and not isinstance(value, str)) or (wanted == "int" and not number):
            raise TypeError(name)
    return dict(item)


def _name(value: Any) -> str:
    """A name of a project: it becomes a part of paths. Raises TypeError, InvalidOption."""
    if not isinstance(value, str):
        raise TypeError("no name")
    check_name(value)
    return value


def _names(values: Any) -> tuple[str, ...]:
    """Raises TypeError where it is no list of names, InvalidOption."""
    if not isinstance(values, list):
        raise TypeError("no names")
    return tuple(map(_name, values))


def render(record: Record) -> str:
    """The annotation's text, equal for equal records."""
    data = {
        "version": _VERSION,
        "claim_uid": record.claim_uid,
        "volume_name": record.volume_name,
        "projects": {name: {**vars(recorded), "inventory": vars(recorded.inventory)} for name, recorded in record.projects.items()},
        "absent": list(record.absent),
        "damaged": list(record.damaged),
    }
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return text if len(text) <= _READABLE else base64.b64encode(zlib.compress(text.encode())).decode()


def _decompressed(text: str) -> str:
    """The JSON in a compressed annotation; an empty text where there is none, or more than this would ever write."""
    try:
        inflater = zlib.decompressobj()
        raw = inflater.decompress(base64.b64decode(text, validate=True), _MOST_JSON)
        return raw.decode() if inflater.eof else ""
    except (ValueError, zlib.error):
        return ""


def fit(record: Record) -> Record:
    """Return as much of a record as one annotation may have: of too many projects, the first by name. The others are looked at again."""
    names = sorted(record.projects)
    if len(render(record)) <= LIMIT:
        return record

    def first(number: int) -> Record:
        return replace(record, projects={name: record.projects[name] for name in names[:number]})

    fitting = bisect_left(range(1, len(names) + 1), True, key=lambda number: len(render(first(number))) > LIMIT)
    return first(fitting)


def left_out(written: Record | None, news: Change) -> str:
    """Return which projects of the news did not ``fit`` into the record that was written, in words; empty where all did."""
    if written is None:
        return ""
    missing = sorted(set(news(written).projects) - set(written.projects))
    if not missing:
        return ""
    return (
        f"what it holds of {len(missing)} projects, from {missing[0]} to {missing[-1]}, does not fit on its claim beside "
        f"{len(written.projects)} others: every run looks at them again"
    )
