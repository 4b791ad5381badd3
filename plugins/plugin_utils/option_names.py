# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name options in texts as the author of a task knows them: by the variable that the task takes them from, as our roles' tasks do.

The modules write C(option `max_hold`), C(option `filler.resources`) and C(option `state: absent`). What the others take as C(filler), the module
C(filler_pod) takes as options of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
    return _replaced(value, _OPTION, lambda match: _named(match, variables))


def _replaced(value: Any, pattern: re.Pattern[str], words: Callable[[re.Match[str]], str]) -> Any:
    """Return a value, such as a result, with what a pattern finds in its texts replaced."""
    if isinstance(value, str):
        return pattern.sub(words, value)
    if isinstance(value, Mapping):
        return {key: item if key in _AS_THEY_ARE else _replaced(item, pattern, words) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_replaced(item, pattern, words) for item in value)
    if is_dataclass(value) and not isinstance(value, type):  # newer versions of Ansible keep warnings so
        return replace(value, **{one.name: _replaced(getattr(value, one.name), pattern, words) for one in fields(value) if one.init})
    return value


def own_pod_options(value: Any) -> Any:
    """Return texts that name what is inside of the option C(filler) as the options of the module C(filler_pod)."""
    return _replaced(value, re.compile(r"\b([Oo]ption )`filler\."), lambda match: f"{match[1]}`")


def _named(match: re.Match[str], variables: Mapping[str, str]) -> str:
    option, inner, setting = match.groups()
    if option not in variables:
        return match[0]
    if setting is None:
        return f"{variables[option]}{inner}"
    for key in reversed(inner.split(".")[1:]):
        setting = f"{{{key}: {setting}}}"
    return f"{variables[option]}: {setting}"


__all__ = ["own_pod_options", "variables_of", "worded"]
