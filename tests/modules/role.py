# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that the role ``repository_cache`` calls, and their arguments, read from the role's own files.

So a run without Ansible gets what the role would give, and a line that is missing in the role is missing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2.environment import TemplateExpression

from ansible_collections.packit.deployment.plugins.plugin_utils.option_names import variables_of

from .launcher import Call

ROLE = Path(__file__).parents[2] / "roles" / "repository_cache"
_OURS = "packit.deployment."
_OMIT = object()


def calls(variables: Mapping[str, Any]) -> list[Call]:
    """Return the calls for these variables of a play, in order."""
    given = {**_read("defaults/main.yml"), **variables, "omit": _OMIT}
    return list(_calls("main.yml", given))


def _calls(name: str, variables: dict[str, Any]) -> Iterator[Call]:
    for task in _flat(_read(f"tasks/{name}"), ()):
        found = [key for key in task if key.startswith(_OURS) or key == "ansible.builtin.import_tasks"]
        if not found or not all(_value(condition, variables) for condition in task["when"]):
            continue
        if found[0].startswith(_OURS):
            values = {option: _resolve(value, variables) for option, value in task[found[0]].items()}
            yield Call(found[0].removeprefix(_OURS), {option: value for option, value in values.items() if value is not _OMIT}, variables_of(task[found[0]]))
        else:
            yield from _calls(task[found[0]], variables)


def _flat(tasks: list[dict[str, Any]], conditions: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The tasks, those of blocks with their blocks' conditions. What a rescue holds is not for a run that goes well."""
    for task in tasks:
        when = task.get("when", [])
        wanted = (*conditions, *(when if isinstance(when, list) else [when]))
        if "block" in task:
            yield from _flat(task["block"], wanted)
        else:
            yield {**task, "when": wanted}


def _resolve(value: Any, variables: dict[str, Any]) -> Any:
    """The value of an argument: an expression in braces, or a plain value."""
    if isinstance(value, str) and value.startswith("{{") and value.endswith("}}"):
        return _value(value[2:-2], variables)
    return value


def _value(expression: str, variables: dict[str, Any]) -> Any:
    """The value of an expression; what comes of it may be an expression itself, as defaults are."""
    resolved = {name: _resolve(value, variables) for name, value in variables.items() if name in expression}
    return _compiled(expression)(**resolved)


@cache
def _read(name: str) -> Any:
    """Return what one of the role's files holds. Who reads it changes nothing in it."""
    return yaml.safe_load((ROLE / name).read_text())


@cache
def _compiled(expression: str) -> TemplateExpression:
    environment = jinja2.Environment(undefined=jinja2.ChainableUndefined)
    environment.filters["bool"] = lambda value: str(value).lower() in ("true", "yes", "on", "1")
    return environment.compile_expression(expression, undefined_to_none=False)
