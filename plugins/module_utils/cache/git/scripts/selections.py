# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packs and objects for which the scripts of ``object_lists`` run, in the scripts' own words."""

from __future__ import annotations

from enum import Enum


class Ids(Enum):
    """The objects whose ids are listed: all, those in the packs that are given, or those in other packs and loose ones."""

    ALL = "all"
    THESE = "these"
    OTHERS = "others"


class Sums(Enum):
    """The packs whose checksums are computed.

    KNOWN: those that are given. ALL: the others too, in full, and loose objects. STORED: each pack as if it were given, and loose objects.
    """

    KNOWN = "known"
    ALL = "all"
    STORED = "stored"


class Holding(Enum):
    """The packs that hold wanted objects: with ANY of them, or with so MANY that to pack these anew would be no gain."""

    ANY = "any"
    MANY = "many"
