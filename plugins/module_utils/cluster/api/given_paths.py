# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths as users give them: an empty one is none, and some places are never written to, or copied from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import InvalidOption
from .ours import SCRATCH

_NEVER = ("/proc", "/sys", "/dev", SCRATCH)


def require_paths(spec: Mapping[str, Any], params: Mapping[str, Any], of: str = "") -> None:
    """Refuse each option of type ``path`` that is given and blank: the working directory would be meant. Raises InvalidOption.

    Such a value is what a template made of a variable that is not defined.
    """
    for name, about in spec.items():
        value, shown = params.get(name), f"{of}{name}"
        blank = about.get("required") if value is None else isinstance(value, str) and not value.strip()
        if about.get("type") == "path" and blank:
            raise InvalidOption(_EMPTY.format(shown), _EMPTY_REMEDY)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping) and "options" in about:
                require_paths(about["options"], item, f"{shown}.")


_EMPTY = "`{}` is empty, which is never taken for a path."
_EMPTY_REMEDY = (
    "Give a path; where it comes from a template, look whether its variable is defined (or leave the option out: default(omit, true))."
)


def source(option: str, value: str) -> Path:
    """A path of this machine from which something may be copied, without links and `..`. Raises InvalidOption.

    All of the machine is none, nor is the working directory, or what it is in, where the value does not name it in full: nobody sees which that is.
    """
    path, here = Path(value).resolve(), Path.cwd()
    why = ""
    if path == Path("/"):
        why = "all of this machine"
    elif not value.startswith("/") and path in (here, *here.parents):
        why = f"{path}, where this runs or what that is in"
    if why:
        raise InvalidOption(f"`{option}` is `{value}`, which is {why}.", "Name a directory, such as /srv/clones/one.git.")
    return path


def target(option: str, value: str | None) -> PurePosixPath:
    """A path in a pod to which something may be written. Raises InvalidOption."""
    if value is None or not value.strip():
        raise InvalidOption(_EMPTY.format(option), _EMPTY_REMEDY)
    path = PurePosixPath("/", value.lstrip("/"))
    why = ""
    if not value.startswith("/"):
        why = "it is not absolute"
    elif ".." in path.parts:
        why = "it has `..` in it"
    elif not path.name:
        why = "it is the root of everything"
    elif any(path == PurePosixPath(place) or PurePosixPath(place) in path.parents for place in _NEVER):
        why = f"nothing is to be put into {', '.join(_NEVER)}"
    elif any(ord(character) < 32 or ord(character) == 127 for character in value):
        why = "it has control characters in it"
    if why:
        raise InvalidOption(f"`{option}` is `{value}`, which cannot be used: {why}.", "Name a directory, such as /repository-cache.")
    return path
