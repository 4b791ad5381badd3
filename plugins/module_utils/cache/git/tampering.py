# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a sandbox's entry is good for its worker, from how it lies there and what reading its packs has shown. Pure.

Strangers' commands can write there, and git, which reads an object through a pack's index, does not look.
"""

from __future__ import annotations

from dataclasses import replace

from ...printable import printable
from ..domain.model import Layout
from ..domain.packs import Checksums, loose_words
from .entry import Entry, Use

PACKS_MOST = 2000
"""Most packs that an entry may have beyond its worker's: each is looked at while the volume is held."""


def fit_for(entry: Entry, worker: Layout, packs: int) -> Entry:
    """Return the entry, to be replaced if its objects cannot have the path at which its worker's checkouts look for them, or lie in
    far more packs than the worker's, which has ``packs``."""
    if not entry.usable:
        return entry
    if entry.layout is Layout.NON_BARE and worker is Layout.BARE and entry.objects_taken:
        reason = "it is non-bare and has a file or directory `objects` of its own, and the worker's entry is bare"
    elif entry.packs > packs + PACKS_MOST:
        reason = f"it has {entry.packs} packs, which is over {PACKS_MOST} more than its worker's entry has"
    else:
        return entry
    return replace(entry, use=Use.REPLACE_UNSHARED, reason=reason, remedy=REMOVE)


def tampered(entry: Entry, found: Checksums) -> Entry:
    """Return the entry, to be replaced if its objects are not what their names say. Damage alone is left to mending."""
    words = []
    if found.false:
        words.append(f"it was tampered with: the index of {_packs(found.false)} says other things than the pack")
    if found.loose:
        words.append(f"it was tampered with or is damaged: {loose_words(found.loose)}")
    if not words:
        return entry
    words += [f"it is damaged: {pack.words}" for pack in found.damaged[:1]]
    return replace(entry, use=Use.REPLACE, reason="; ".join(words))


REMOVE = "Remove the project from the sandbox's volume or from both (option `state: absent`), and run again."
"""The remedy for an entry that is not replaced, as another pod has the volume mounted."""


def _packs(checksums: tuple[str, ...]) -> str:
    more = f" (and {len(checksums) - 1} more)" if len(checksums) > 1 else ""
    return f"pack {printable(checksums[0])[:40]}{more}"
