# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a volume holds, as it is written on its claim: the state that needs no lock to read.

The annotation is JSON of at most ``LIMIT`` bytes. It names the claim's uid and volume, so that a restored or copied
claim is *unknown*, not believed. There are no lists of refs in it: digests only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

ANNOTATION = "packit.dev/repository-cache"
LIMIT = 32 * 1024
"""Bytes. All annotations of an object share 256 KiB."""

_VERSION = 2


@dataclass(frozen=True)
class Inventory:
    """What the objects of an entry lie in: the number of its packs and loose objects, and the SHA-256 of all their names.

    A pack is named after its content, so equal sums mean equal sets of objects.
    """

    packs: int
    loose: int
    sha256: str


@dataclass(frozen=True)
class Held:
    """What a volume holds of one project. ``bytes`` is the size of its packs; ``time`` is ISO 8601 in UTC."""

    url: str
    snapshot: str
    refs: int
    bytes: int
    layout: str
    method: str
    time: str
    inventory: Inventory


@dataclass(frozen=True)
class Record:
    """All that is known of one volume. ``absent`` names projects that were looked for and are not there."""

    claim_uid: str
    volume_name: str
    projects: Mapping[str, Held] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    def with_project(self, name: str, held: Held) -> Record:
        """This record, with what the volume now holds of a project."""
        absent = tuple(other for other in self.absent if other != name)
        return replace(self, projects={**self.projects, name: held}, absent=absent)

    def without_project(self, name: str) -> Record:
        """This record, with a project known to be absent."""
        projects = {other: held for other, held in self.projects.items() if other != name}
        return replace(self, projects=projects, absent=tuple(sorted({*self.absent, name})))

    def forget_project(self, name: str) -> Record:
        """This record, with nothing known of a project: the next run looks inside."""
        projects = {other: held for other, held in self.projects.items() if other != name}
        return replace(self, projects=projects, absent=tuple(other for other in self.absent if other != name))


def parse(text: str | None, claim_uid: str, volume_name: str) -> Record | None:
    """The record in an annotation, or None where nothing is known (none, unreadable, or of another claim or volume)."""
    if not text:
        return None
    try:
        data = json.loads(text)
        if data["version"] != _VERSION or data["claim_uid"] != claim_uid or data["volume_name"] != volume_name:
            return None
        projects = {str(name): Held(**{**item, "inventory": Inventory(**item["inventory"])}) for name, item in data["projects"].items()}
        return Record(claim_uid, volume_name, projects, tuple(data["absent"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def render(record: Record) -> str:
    """The annotation's text, equal for equal records. Projects that do not fit are left out: they are looked at again."""
    kept = dict(sorted(record.projects.items()))
    while True:
        data = {
            "version": _VERSION,
            "claim_uid": record.claim_uid,
            "volume_name": record.volume_name,
            "projects": {name: asdict(held) for name, held in kept.items()},
            "absent": list(record.absent),
        }
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        if len(text.encode()) <= LIMIT or not kept:
            return text
        kept.popitem()
