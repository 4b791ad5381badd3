# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell projects, repositories made by hand, leftovers and foreign files of a volume apart, and sum them up. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .overlap import PackFiles


@dataclass(frozen=True)
class Listing:
    """A list of what lies on a volume. Sizes are bytes on disk.

    ``free`` is None where the file system does not say. ``sizes`` are by the names in the root, none where it took too long to sum them up.
    ``set_aside`` is what runs found in entries and could only rename, which is in no other size; ``left`` by name what a killed git has left there.
    ``packs`` are by the directory of packs, below the root.
    """

    free: int | None = None
    names: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    set_aside: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    packs: Mapping[str, tuple[PackFiles, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """Bytes on disk, by what they are; ``used`` is the sum of the others.

    ``projects``: what a run has filled. ``by_hand``: other repositories. ``leftovers``: of runs, and of a git, that were interrupted. ``foreign``:
    everything else.
    """

    projects: int = 0
    by_hand: int = 0
    leftovers: int = 0
    foreign: int = 0

    @property
    def used(self) -> int:
        """Return the sum."""
        return self.projects + self.by_hand + self.leftovers + self.foreign


def usage(listing: Listing, filled: Collection[str], repositories: Collection[str], ours: tuple[str, ...]) -> Usage:
    """Return what the space goes to. ``filled`` are names of entries that a run has filled, ``repositories`` of all; what begins as ``ours`` is a run's."""
    found = {"projects": 0, "by_hand": 0, "leftovers": listing.set_aside, "foreign": 0}
    for name, size in listing.sizes.items():
        left = min(size, listing.left.get(name, 0))
        found["leftovers"] += left
        found[_kind(name, filled, repositories, ours)] += size - left
    return Usage(**found)


def _kind(name: str, filled: Collection[str], repositories: Collection[str], ours: tuple[str, ...]) -> str:
    if name.startswith(ours):
        return "leftovers"
    if name in filled:
        return "projects"
    return "by_hand" if name in repositories else "foreign"
