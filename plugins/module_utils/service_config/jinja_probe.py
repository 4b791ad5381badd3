# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a Jinja source whose variables are not known: all of them empty, and either all false or all true. Pure.

Whatever an expression makes of such a value (a call, arithmetic, a filter, a comparison) is such a value again. Blocks and line ends are as
Ansible's template module has them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

MISSING = False
"""True where jinja2 cannot be imported. It comes with ansible-core, but not to every host."""

try:
    from jinja2 import TemplateError, Undefined, nodes
    from jinja2.sandbox import SandboxedEnvironment
    from jinja2.visitor import NodeTransformer
except ImportError:
    MISSING = True
    SandboxedEnvironment = Undefined = NodeTransformer = object

    class TemplateError(Exception):  # type: ignore[no-redef]
        """Only a name for `except`, as the package is missing."""


_FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError)
"""Errors beside jinja2's own of a template that does something else with its values than what is foreseen here."""
_HEADER = re.compile(r"#jinja2:(?P<settings>[^\n]*)\n")
"""A first line with settings of Ansible's."""
_SETTING = re.compile(r"\s*(trim_blocks|lstrip_blocks)\s*:\s*(True|False)\s*", re.IGNORECASE)
_PARTS, _PARTS_OF_EACH, _CONTAINED = "packit_parts", "packit_parts_of_each", "packit_contained"
"""Filters of our own, for what a value that is not known cannot tell by itself."""


class CannotRender(ValueError):
    """The template says something that cannot be rendered without its variables; the text is the kind of error, not its words."""


def render(text: str, truth: bool, word: str = "") -> str:
    """Return the rendered text, where unknown values are printed as ``word``. Raises CannotRender."""
    settings = {"trim_blocks": True}
    header = _HEADER.match(text)
    if header is not None:
        text = text[header.end() :]
        for part in header["settings"].split(","):
            setting = _SETTING.fullmatch(part)
            if setting is None:
                raise CannotRender("its first line has settings that are not known here")
            settings[setting[1].lower()] = setting[2].lower() == "true"
    unknown = type("Unknown", (_Unknown,), {"truth": truth, "word": word})
    environment = _Environment(undefined=unknown, keep_trailing_newline=True, **settings)
    environment.filters = _Lenient(environment.filters, _filtered)
    environment.filters.update({_PARTS: _parts, _PARTS_OF_EACH: _parts_of_each, _CONTAINED: _contained})
    environment.tests = _Lenient(environment.tests, _tested)
    try:
        return str(environment.from_string(text).render())
    except (TemplateError, *_FAILURES) as error:  # a template's traceback quotes the template
        raise CannotRender(type(error).__name__) from None


class _Environment(SandboxedEnvironment):  # type: ignore[misc]
    """Calls that cannot do with a value that is not known give back such a value."""

    def _parse(self, source: str, name: str | None, filename: str | None) -> Any:
        return _Unpacking().visit(super()._parse(source, name, filename))

    def call(self, context: Any, function: Any, *arguments: Any, **named: Any) -> Any:
        """See jinja2's."""
        try:
            return super().call(context, function, *arguments, **named)
        except (TemplateError, *_FAILURES):
            if any(isinstance(value, _Unknown) for value in (*arguments, *named.values())):
                return self.undefined()
            raise


class _Unpacking(NodeTransformer):  # type: ignore[misc]
    """Tells values that are not known into how many names they are unpacked, and asks them what they are in."""

    def visit_Assign(self, node: Any) -> Any:
        """``{% set a, b = x %}``."""
        self.generic_visit(node)
        if isinstance(node.target, nodes.Tuple):
            node.node = _filter(node.node, _PARTS, _shape(node.target))
        return node

    def visit_For(self, node: Any) -> Any:
        """``{% for a, b in x %}``."""
        self.generic_visit(node)
        if isinstance(node.target, nodes.Tuple):
            node.iter = _filter(node.iter, _PARTS_OF_EACH, _shape(node.target))
        return node

    def visit_Compare(self, node: Any) -> Any:
        """``x in 'text'``."""
        self.generic_visit(node)
        if len(node.ops) > 1 or node.ops[0].op not in ("in", "notin"):
            return node
        found = _filter(node.expr, _CONTAINED, node.ops[0].expr)
        return nodes.Not(found) if node.ops[0].op == "notin" else found


def _filter(node: Any, name: str, argument: Any) -> Any:
    return nodes.Filter(node, name, [argument], [], None, None)


def _shape(target: Any) -> Any:
    """Return a list with an item for each name, and such a list for names in parentheses."""
    return nodes.List([_shape(item) if isinstance(item, nodes.Tuple) else nodes.Const(None) for item in target.items])


def _parts(value: Any, shape: list[Any] | None) -> Any:
    return [_parts(value, part) for part in shape] if shape is not None and isinstance(value, _Unknown) else value


def _parts_of_each(values: Any, shape: list[Any]) -> Any:
    return [_parts(value, shape) for value in values]


def _contained(value: Any, whole: Any) -> bool:
    unknown = next((item for item in (whole, value) if isinstance(item, _Unknown)), None)
    return bool(unknown) if unknown is not None else value in whole


class _Lenient(dict[str, Any]):
    """Filters or tests. Those of Ansible are not known here, and give back what they get."""

    def __init__(self, known: dict[str, Any], unknown_value: Callable[..., Any]) -> None:
        super().__init__({name: _lenient(name, function, unknown_value) for name, function in known.items()})
        self._unknown_value = unknown_value

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        return _lenient(name, lambda value, *_arguments, **_named: value, self._unknown_value)

    def get(self, name: str, _default: Any = None) -> Any:
        return self[name]


def _lenient(name: str, function: Any, unknown_value: Callable[..., Any]) -> Any:
    """Return the function for values that are known; where it cannot do with one, that is what it gives back."""
    position = 1 if hasattr(function, "jinja_pass_arg") else 0

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        value = arguments[position]
        if isinstance(value, _Unknown):
            return unknown_value(name, value, *arguments[position + 1 :])
        try:
            return function(*arguments, **named)
        except (TemplateError, *_FAILURES):
            return value

    return called


def _filtered(name: str, value: _Unknown, *arguments: Any) -> Any:
    return arguments[0] if name in ("default", "d") and arguments and not value else value


def _tested(name: str, value: _Unknown, *_arguments: Any) -> bool:
    return bool(value) is not (name in ("undefined", "none"))


class _Unknown(Undefined):  # type: ignore[misc]
    """A variable, or anything that is made of one. Printed as ``word``."""

    truth = False
    word = ""

    def __str__(self) -> str:
        return self.word

    def __bool__(self) -> bool:
        return self.truth

    def __len__(self) -> int:
        return int(self.truth)

    def __iter__(self) -> Iterator[Any]:
        return iter([self] * self.truth)

    def __eq__(self, other: object) -> bool:
        return bool(other) is self.truth

    def __ne__(self, other: object) -> bool:
        return bool(other) is not self.truth

    def __hash__(self) -> int:
        return id(type(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return False if name in ("unsafe_callable", "alters_data") else self  # what jinja2's sandbox asks of whatever is called

    def _compared(self, _other: object) -> bool:
        return self.truth

    def _number(self) -> int:
        return int(self.truth)

    def _itself(self, *_arguments: Any, **_named: Any) -> Any:
        return self

    __contains__ = __lt__ = __le__ = __gt__ = __ge__ = _compared
    __int__ = __index__ = _number
    __call__ = __getitem__ = __neg__ = __pos__ = __abs__ = _itself
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = _itself
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = _itself

    def __float__(self) -> float:
        return float(self.truth)
