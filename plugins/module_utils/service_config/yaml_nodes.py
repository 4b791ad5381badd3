# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A YAML document as a tree that knows where in the text each value is written. Pure.

The text itself is never written by a YAML library: that would touch quoting, comments and line ends. ruamel.yaml's event
stream says where things are, aliases included, and everything that is not edited stays byte for byte.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ..errors import DeploymentError, InvalidOption

try:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
except ImportError:  # told by the module, with the interpreter's name
    YAML = None

    class YAMLError(Exception):  # type: ignore[no-redef]
        """Only a name for `except`, as the package is missing."""

    class MarkedYAMLError(YAMLError):  # type: ignore[no-redef,misc]
        """Only a name for `except`, as the package is missing."""

try:
    import yaml
except ImportError:
    yaml = None


_TYPES = ("null", "bool", "int", "float", "binary", "timestamp", "omap", "pairs", "set", "str", "seq", "map", "merge", "value")
_KNOWN_TAGS = {"!", *(f"tag:yaml.org,2002:{name}" for name in _TYPES)}
"""The tags that PyYAML's SafeLoader knows."""


class Kind(Enum):
    """A kind of node."""

    SCALAR = "scalar"
    SEQUENCE = "list"
    MAPPING = "mapping"
    ALIAS = "alias"


@dataclass(frozen=True)
class Node:
    """One value. ``start`` and ``end`` are positions in the text; blanks and comments after the value are not in it.

    ``value`` is a scalar's text. An alias has the node that it stands for in ``items``.
    """

    kind: Kind
    start: int
    end: int
    value: str = ""
    plain: bool = True
    flow: bool = False
    tag: str = ""
    items: tuple[Node, ...] = ()
    pairs: tuple[tuple[Node, Node], ...] = ()

    @property
    def meant(self) -> Node:
        """The node itself, or what an alias stands for."""
        return self.items[0] if self.kind is Kind.ALIAS else self

    def get(self, name: str) -> tuple[Node, Node] | None:
        """Return the pair of that key in a mapping, as the service takes it: the last one."""
        return next((pair for pair in reversed(self.pairs) if pair[0].kind is Kind.SCALAR and pair[0].value == name), None)


def require_parser() -> None:
    """Raises DeploymentError where the YAML parser is missing."""
    if YAML is None:
        raise DeploymentError(
            f"Missing for the interpreter {sys.executable}: ruamel.yaml.", f"Install it there: {sys.executable} -m pip install ruamel.yaml"
        )


@dataclass(frozen=True)
class Document:
    """A text, the mapping that it holds, and where something can be added to its end.

    ``repeated``: keys that a mapping has twice, each with the key of the top level in which it is, and the first one.
    """

    source: str
    text: str
    root: Node
    end: int
    repeated: tuple[tuple[str, Node, Node], ...] = ()

    def line(self, position: int) -> int:
        """The number of the line of a position, from 1."""
        return len(re.findall(r"\r\n|\r|\n", self.text[:position])) + 1

    def at(self, node: Node) -> str:
        """Return where a node is, for messages."""
        return f"{self.source}, line {self.line(node.start)}"


def parse(source: str, text: str) -> Document:
    """Return the document. Raises InvalidOption with the line, for what the service's own loader refuses.

    Messages never quote the text, as there are credentials in it; and the parser's errors, which do, are no cause of ours.
    """
    parser = YAML(typ="safe", pure=True)
    parser.version = (1, 1)  # as PyYAML, with which the service reads it
    try:
        events = list(parser.parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise InvalidOption(f"{source}{line}: this is no valid YAML: {_unquoted(error.problem or 'it cannot be read')}.", _REPAIR) from None
    except YAMLError:
        raise InvalidOption(f"{source}: this is no valid YAML: it has a character that YAML does not allow.", _REPAIR) from None
    names = [type(event).__name__ for event in events]
    if names.count("DocumentStartEvent") > 1:
        second = [event for event in events if type(event).__name__ == "DocumentStartEvent"][1]
        where = f"{source}, line {second.start_mark.line + 1}"
        raise InvalidOption(f"{where}: a second document begins, and the service reads only one.", "Take it out.")
    if "DocumentStartEvent" not in names:
        raise InvalidOption(f"{source} is empty.", "The service needs at least the key `deployment`.")
    builder = _Builder(source, text, events)
    root = builder.root()
    if root.kind is not Kind.MAPPING:
        raise InvalidOption(
            f"{source}: its top level is a {root.kind.value} and no mapping.", "The service's configuration is a mapping of its keys."
        )
    ending = events[names.index("DocumentEndEvent")]
    explicit = ending.start_mark.index != ending.end_mark.index
    document = Document(source, text, root, ending.start_mark.index if explicit else len(text))
    _check_tags(document, root)
    _load(source, text)
    found = [(key.value, *pair) for key, value in root.pairs for pair in _repeated(value)]
    return replace(document, repeated=(*((key.value, key, first) for key, first in _repeated_here(root)), *found))


def _load(source: str, text: str) -> None:
    """Read the text as the service does, where its parser is here. Raises InvalidOption."""
    if yaml is None:
        return
    try:
        yaml.safe_load(text)
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # of values that are not what is said
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        words = _unquoted(str(getattr(error, "problem", "") or "a value is not what it is said to be"))
        unrendered = "; is it a template that was not rendered (`{{ … }}`)?" if "unhashable key" in words else "."
        raise InvalidOption(f"{source}{line}: the service cannot load this: {words}{unrendered}", _REPAIR) from None


_REPAIR = "Repair it first: the service does not start with it either."


class _Builder:
    """Makes the tree of the events of one document."""

    def __init__(self, source: str, text: str, events: list[Any]) -> None:
        self._source = source
        self._text = text
        self._events = iter(events)
        self._anchors: dict[str, Node] = {}

    def root(self) -> Node:
        """The document's value."""
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                break
        return self._node(next(self._events))

    def _node(self, event: Any) -> Node:
        name, start, end = type(event).__name__, event.start_mark.index, event.end_mark.index
        where = f"{self._source}, line {event.start_mark.line + 1}"
        tag = str(getattr(event, "tag", None) or "")
        if name == "AliasEvent":
            if event.anchor not in self._anchors:
                raise InvalidOption(f"{where}: this is no valid YAML: an alias stands for an anchor that is not there.", _REPAIR)
            return Node(Kind.ALIAS, start, end, items=(self._anchors[event.anchor],))
        if name == "ScalarEvent":
            if event.style in ("|", ">"):
                end = start + len(self._text[start:end].rstrip())
            node = Node(Kind.SCALAR, start, end, value=event.value, plain=event.style in (None, ""), tag=tag)
        elif name == "SequenceStartEvent":
            items = []
            for inner in self._until("SequenceEndEvent"):
                items.append(self._node(inner))
            node = Node(Kind.SEQUENCE, start, self._end(event, items, end), flow=bool(event.flow_style), tag=tag, items=tuple(items))
        else:
            pairs = []
            for inner in self._until("MappingEndEvent"):
                key = self._node(inner)
                value = self._node(next(self._events))
                if value.kind is Kind.SCALAR and value.start == value.end:
                    value = Node(Kind.SCALAR, key.end, key.end, tag=value.tag)  # nothing is written; the parser's place is later
                pairs.append((key, value))
            children = [node for pair in pairs for node in pair]
            node = Node(Kind.MAPPING, start, self._end(event, children, end), flow=bool(event.flow_style), tag=tag, pairs=tuple(pairs))
        if event.anchor:
            if event.anchor in self._anchors:
                raise InvalidOption(f"{where}: this anchor is there already, further up; the service's loader stops.", _REPAIR)
            self._anchors[event.anchor] = node
        return node

    def _until(self, name: str) -> Iterator[Any]:
        for event in self._events:
            if type(event).__name__ == name:
                self._last = event
                return
            yield event

    def _end(self, event: Any, children: list[Node], start: int) -> int:
        if event.flow_style:
            return int(self._last.end_mark.index)
        return max((child.end for child in children), default=start)


def _check_tags(document: Document, node: Node) -> None:
    """Refuse tags that the service's loader does not know."""
    if node.tag and node.tag not in _KNOWN_TAGS:
        raise InvalidOption(
            f"{document.at(node)}: the service's loader does not know this tag, and stops.", "Take the tag (`!…`) out of that line."
        )
    for inner in _inside(node):
        _check_tags(document, inner)


def _inside(node: Node) -> Iterator[Node]:
    for pair in node.pairs:
        yield from pair
    if node.kind is Kind.SEQUENCE:
        yield from node.items


def _repeated(node: Node) -> Iterator[tuple[Node, Node]]:
    """Find the keys that this or a mapping in it has twice, each with the first one."""
    yield from _repeated_here(node)
    for inner in _inside(node):
        yield from _repeated(inner)


def _repeated_here(node: Node) -> Iterator[tuple[Node, Node]]:
    seen: dict[str, Node] = {}
    for key, _value in node.pairs:
        if key.kind is Kind.SCALAR and key.value != "<<":  # several of these are merged
            if key.value in seen:
                yield key, seen[key.value]
            seen[key.value] = key


def meaning(node: Node) -> object:
    """Return what a node says, however it is written: equal for equal data."""
    node = node.meant
    if node.kind is Kind.SCALAR:
        return (node.tag, node.plain, node.value)
    if node.kind is Kind.SEQUENCE:
        return ("list", tuple(meaning(item) for item in node.items))
    return ("mapping", tuple((meaning(key), meaning(value)) for key, value in node.pairs))


def _unquoted(problem: str) -> str:
    """A parser's words without what they quote of the text: single characters and the names of tokens may stay."""
    harmless = re.sub(r"'[^']'|'<[a-z ]+>'", "", problem)
    return problem if not re.search(r"['\"`]", harmless) else re.sub(r"'.*'|\".*\"|`.*`", "…", problem)
