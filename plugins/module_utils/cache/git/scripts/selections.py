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
    """The packs whose checksums are computed, and compared with those that they have at their ends.

    KNOWN: those that are given. ALL: the others are read in full, too, and so are loose objects. STORED: every pack as a given one, and loose
    objects in full.
    """

    KNOWN = "known"
    ALL = "all"
    STORED = "stored"


class Holding(Enum):
    """The packs that hold wanted objects: ANY of them, or so MANY that to copy the whole pack is cheaper than to pack the objects anew."""

    ANY = "any"
    MANY = "many"
