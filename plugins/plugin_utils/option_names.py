# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name options in texts as the author of a task knows them: by the variable that the task takes them from, as our roles' tasks do.

The modules write C(option `max_hold`), C(option `filler.resources`) and C(option `state: absent`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

_OPTION = re.compile(r"\b[Oo]ption `(\w+)((?:\.\w+)*)(?:: ([^`]*))?`(?: of \w+)?")
_VARIABLE = re.compile(r"\{\{\s*(?!(?:omit|item|true|false|none)\b)([a-z_]\w*)\s*(?:(?:\||if\b)(?:(?!\}\}).)*)?\}\}", re.IGNORECASE)
_AS_THEY_ARE = ("invocation", "diff")
"""Parts of a result that have others' words."""


def variables_of(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return, by option, the variable whose value it gets in a task as it is written. Options that get something else are left out."""
    found = {option: _VARIABLE.fullmatch(value.strip()) for option, value in arguments.items() if isinstance(value, str)}
    return {option: match[1] for option, match in found.items() if match is not None}


def worded(value: Any, variables: Mapping[str, str]) -> Any:
    """Return texts, in a result or alone, in which each option with a variable is named by that."""
    if isinstance(value, str):
        return _OPTION.sub(lambda match: _named(match, variables), value)
    if isinstance(value, Mapping):
        return {key: item if key in _AS_THEY_ARE else worded(item, variables) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(worded(item, variables) for item in value)
    if is_dataclass(value) and not isinstance(value, type):  # newer versions of Ansible keep warnings so
        return replace(value, **{one.name: worded(getattr(value, one.name), variables) for one in fields(value) if one.init})
    return value


def _named(match: re.Match[str], variables: Mapping[str, str]) -> str:
    option, inner, setting = match.groups()
    if option not in variables:
        return match[0]
    if setting is None:
        return f"{variables[option]}{inner}"
    for key in reversed(inner.split(".")[1:]):
        setting = f"{{{key}: {setting}}}"
    return f"{variables[option]}: {setting}"


__all__ = ["variables_of", "worded"]
