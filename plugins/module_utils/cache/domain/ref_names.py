# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check names of refs: those that no git makes are refused, whatever a server lists."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Set

from ...printable import printable
from .model import encoded

_REFUSED = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|(^|/)\.|\.lock(/|\Z)|[./]\Z")
_LONGEST = 250
"""Bytes of a part between slashes: a file of that name, with `.lock` after it, must be possible where refs are written."""
_NAMED, _SHOWN = 50, 120
"""Most names in a warning, and the length of each."""


def is_ref_name(name: str) -> bool:
    """Return whether ``git check-ref-format`` takes it."""
    return "/" in name and not _REFUSED.search(name)


def refused(names: Set[str]) -> frozenset[str]:
    """Return those of ``names`` that cannot be a ref's, or not beside the others (where ``dev`` is a ref, ``dev/x`` is none)."""
    return frozenset(
        name for name in names if not is_ref_name(name) or _too_long(name) or any(parent in names for parent in _parents(name))
    )


def left_out(project: str, names: Collection[str]) -> str:
    """Return what the user should know of refs that were left out."""
    named = ", ".join(f"`{printable(name)[:_SHOWN]}`" for name in sorted(names)[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"Refs of {project} at upstream were left out, as git refuses such names: {named}{more}."


def _too_long(name: str) -> bool:
    return any(len(part) > _LONGEST for part in encoded(name).split(b"/"))


def _parents(name: str) -> Iterator[str]:
    end = name.find("/")
    while end >= 0:
        yield name[:end]
        end = name.find("/", end + 1)
