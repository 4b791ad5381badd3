# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sh scripts that run on a volume. Constants: data comes as "$1", … or by standard input, and is never evaluated.

They need sh, coreutils, findutils, grep, sed and git, and use openssl where it is. They print facts, a line each, ``word value``; what follows from them is
decided in Python.
"""

from __future__ import annotations

from .batch import BATCH, NO_RESULT_CODES, OUTPUT_MOST, PARALLEL, TIMED_OUT
from .compact import ALL_JOINED, DROP_COVERED, JOIN_PACKS, PACK_FILES
from .look import ABSENT_REFS, ANSWER_MOST, CLEAN, CONFIG_MOST, INSPECT, LOCKS, REF_BUCKETS, REFS_MOST, TAKE, VIEW
from .measure import INDEX_STARTS, NAMES_MOST, USAGE
from .mend import COMMON, DROP_LOOSE, DROP_PACKS, GOOD_OBJECTS, LOST, NAMES, SALVAGE
from .object_lists import (
    CHECK_PACKS,
    CHECKSUMS,
    DISCARD,
    HOLDING,
    IDS,
    INDEX,
    INVENTORY,
    MISSING,
    PACK_SINGLE,
    QUARANTINE,
    QUARANTINED,
    RECEIVE,
    SEND,
    SUMS,
)
from .places import CHANGED, OPEN
from .publish import BRIDGE, CHANGE_REFS, HEAD, LOCKING, MOVE_PACKS, PUBLISH_NEW, REMOVE, SETTINGS
from .repair import REPAIR
from .tidy import LEFT, WORK

__all__ = [
    "ABSENT_REFS",
    "ALL_JOINED",
    "ANSWER_MOST",
    "BATCH",
    "BRIDGE",
    "CHANGED",
    "CHANGE_REFS",
    "CHECKSUMS",
    "CHECK_PACKS",
    "CLEAN",
    "COMMON",
    "CONFIG_MOST",
    "DISCARD",
    "DROP_COVERED",
    "DROP_LOOSE",
    "DROP_PACKS",
    "GOOD_OBJECTS",
    "HEAD",
    "HOLDING",
    "IDS",
    "INDEX",
    "INDEX_STARTS",
    "INSPECT",
    "INVENTORY",
    "JOIN_PACKS",
    "LEFT",
    "LOCKING",
    "LOCKS",
    "LOST",
    "MISSING",
    "MOVE_PACKS",
    "NAMES",
    "NAMES_MOST",
    "NO_RESULT_CODES",
    "OPEN",
    "OUTPUT_MOST",
    "PACK_FILES",
    "PACK_SINGLE",
    "PARALLEL",
    "PUBLISH_NEW",
    "QUARANTINE",
    "QUARANTINED",
    "RECEIVE",
    "REFS_MOST",
    "REF_BUCKETS",
    "REMOVE",
    "REPAIR",
    "SALVAGE",
    "SEND",
    "SETTINGS",
    "SUMS",
    "TAKE",
    "TIMED_OUT",
    "USAGE",
    "VIEW",
    "WORK",
    "argv",
]


def argv(text: str, *arguments: str) -> tuple[str, ...]:
    """Return what runs a script of ours with this data."""
    return ("sh", "-c", text, "packit-cache", *arguments)
