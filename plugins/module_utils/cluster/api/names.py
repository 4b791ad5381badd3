# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the API's objects, checked before they become a part of a request's path. Pure."""

from __future__ import annotations

import re

from ...errors import InvalidOption

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LIMIT = 253


def require_namespace(name: str) -> None:
    """Raises InvalidOption where ``name`` cannot be a namespace's."""
    if not _NAMESPACE.fullmatch(name):
        raise InvalidOption(
            f"{name!r} is no name of a namespace.",
            "Those have up to 63 small letters, digits and `-`, and start and end with a letter or digit.",
        )


def is_name(name: str) -> bool:
    """Return whether ``name`` can be an object's."""
    return len(name) <= _LIMIT and _NAME.fullmatch(name) is not None


def require_name(kind: str, name: str) -> None:
    """Raises InvalidOption where ``name`` cannot be that of an object of this kind."""
    if not is_name(name):
        raise InvalidOption(
            f"{name!r} is no name of a {kind}.",
            f"Those have up to {_LIMIT} small letters, digits, `-` and `.`, and start and end with a letter or digit.",
        )
