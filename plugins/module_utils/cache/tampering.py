# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the objects on a sandbox's volume are what their names say: strangers' commands can write there, and git, which reads an
object through a pack's index, does not look. Pure."""

from __future__ import annotations

from dataclasses import replace

from ..printable import printable
from .entry import Entry, Use
from .packs import Checksums


def tampered(entry: Entry, found: Checksums) -> Entry:
    """The entry, to be replaced where something in it is not what it says, though its checksums hold. What is damaged is mended."""
    words = []
    if found.false:
        words.append(f"it was tampered with: the index of {_packs(found.false)} says other things than the pack")
    if found.loose:
        words.append(f"it was tampered with or is damaged: {found.loose} of its loose objects are not what their names say")
    if not words:
        return entry
    words += [f"it is damaged: {pack.words}" for pack in found.damaged[:1]]
    return replace(entry, use=Use.REPLACE, reason="; ".join(words))


def _packs(checksums: tuple[str, ...]) -> str:
    more = f" (and {len(checksums) - 1} more)" if len(checksums) > 1 else ""
    return f"pack {printable(checksums[0])[:40]}{more}"
