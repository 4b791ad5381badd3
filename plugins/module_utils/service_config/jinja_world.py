# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a Jinja source whose variables are not known: all of them empty, and either all false or all true. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MISSING = False
"""Whether jinja2 cannot be imported. It comes with ansible-core, but not to every host."""

try:
    from jinja2 import TemplateError, Undefined
    from jinja2.sandbox import SandboxedEnvironment
except ImportError:
    MISSING = True
    SandboxedEnvironment = Undefined = object

    class TemplateError(Exception):  # type: ignore[no-redef]
        """Only a name for `except`, as the package is missing."""


class CannotRender(ValueError):
    """The template says something that cannot be rendered without its variables; the text is the kind of error, not its words."""


def render(text: str, truth: bool) -> str:
    """The rendered text. Raises CannotRender."""
    environment = SandboxedEnvironment(undefined=_True if truth else _False, keep_trailing_newline=True)
    environment.filters = _Passing(environment.filters)
    environment.tests = _Passing(environment.tests)
    try:
        return str(environment.from_string(text).render())
    except (TemplateError, TypeError, ValueError) as error:  # the two are what filters make of a value that is not there
        raise CannotRender(type(error).__name__) from None  # a template's traceback quotes the template


class _Passing(dict[str, Any]):
    """Filters and tests. Those of Ansible are not known here, and give back what they get."""

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, _name: str) -> Any:
        return lambda value, *_arguments, **_named: value

    def get(self, name: str, _default: Any = None) -> Any:
        return self[name]


class _False(Undefined):  # type: ignore[misc]
    """A variable, or anything that is made of one."""

    _truth = False

    def __str__(self) -> str:
        return ""

    def __bool__(self) -> bool:
        return self._truth

    def __len__(self) -> int:
        return int(self._truth)

    def __iter__(self) -> Iterator[Any]:
        return iter([self] * self._truth)

    def __call__(self, *_arguments: Any, **_named: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _key: Any) -> Any:
        return self


class _True(_False):
    """The same, and true."""

    _truth = True
