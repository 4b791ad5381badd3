# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs as they lie on a volume, and whether they are whole. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import DeploymentError

PACK_NAME = re.compile(r"pack-[0-9a-f]{40}")


class BadPack(DeploymentError):
    """A pack or its index is not what its checksums say."""


@dataclass(frozen=True)
class Pack:
    """A pack's base name, ``pack-`` and 40 hexadecimal digits, and its size in bytes."""

    name: str
    bytes: int


def parse_checks(output: str, where: str) -> tuple[Pack, ...]:
    """The packs in what ``scripts.CHECK_PACKS`` printed. Raises BadPack, naming the first one that is wrong.

    The last 20 bytes of a pack and of an index are the SHA-1 of what is before them; the index has the pack's too
    (gitformat-pack(5)). A pack's name need not be its checksum in old versions of git, so only indexes and trailers count.
    """
    packs = []
    for line in output.splitlines():
        words = line.split()
        if len(words) != 7:
            raise BadPack(f"A pack in {where} could not be read: {line!r}.", "Run again; the damaged pack is not used.")
        name, size, pack_sum, pack_end, index_names, index_sum, index_end = words
        if pack_sum != pack_end:
            raise BadPack(f"Pack {name} in {where} is damaged: its checksum is {pack_sum}, and it says {pack_end}.", _REMEDY)
        if index_names != pack_end:
            raise BadPack(f"The index of pack {name} in {where} belongs to another pack ({index_names}).", _REMEDY)
        if index_sum != index_end:
            raise BadPack(f"The index of pack {name} in {where} is damaged.", _REMEDY)
        packs.append(Pack(name, int(size)))
    return tuple(packs)


_REMEDY = "Run again: it is received anew. If it happens again, suspect the volume or the network."
