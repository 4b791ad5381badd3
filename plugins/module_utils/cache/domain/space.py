# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a volume's free space before anything is written. Pure."""

from __future__ import annotations

from ...errors import DeploymentError

_RESERVE = 8_000_000
"""Bytes that are left for refs, directories and the file system's own use."""
_OVERHEAD = 0.05
"""The part of a volume's size that its file system may keep for itself."""


MORE_SPACE = "Grow the claim, or take projects off it (option `state: absent`)."


class NoSpace(DeploymentError):
    """A volume cannot hold what is to come."""


def check_free(project: str, where: str, needs: int, free: int) -> None:
    """``needs`` and ``free`` in bytes, as seen on the volume itself. Raises NoSpace, with by how much to grow it."""
    if needs and needs + _RESERVE > free:
        raise NoSpace(
            f"{project} needs {size(needs)} more on the volume, which has {size(free)} free (seen in {where}). Nothing was written.",
            _remedy(needs + _RESERVE - free),
        )


def check_capacity(project: str, needs: int, capacity: int, used: int) -> None:
    """Before a volume is taken: ``capacity`` is the claim's, ``used`` what is known to be there. Raises NoSpace."""
    most = about_free(capacity, used)
    if needs and capacity and needs + _RESERVE > capacity - used:
        raise NoSpace(
            f"{project} needs {size(needs)}, and the volume has about {size(max(0, most))} free: its size is {size(capacity)}, and "
            f"{size(used)} are known to be used. It was not taken.",
            _remedy(needs + _RESERVE - most),
        )


def about_free(capacity: int, used: int) -> int:
    """Return about how much is free on a volume of this capacity, of which so much is known to be used."""
    return int(capacity * (1 - _OVERHEAD)) - used


def _remedy(lacking: int) -> str:
    return f"Grow the claim by at least {size(max(1_000_000, lacking))}, or take projects off it (option `state: absent`)."


def size(number: float) -> str:
    """Bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
