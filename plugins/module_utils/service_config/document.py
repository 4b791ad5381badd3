# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edit: the text with the cache's keys in it, or without them, and every other byte as it was. Pure.

An edit is a few replaced spans of the text. What comes out is parsed again and compared, so that nothing is written which
says anything else about another key.
"""

from __future__ import annotations

import re

from ..errors import InvalidOption
from .checks import is_own, scalar
from .spans import Span, after_line, apply, at_end, column, joined, lines_of, newline
from .wanted import ADD, CACHE, FALSE_FOR_ADD, KEYS, TRUE, VOLUMES, Wanted, entry_flow, entry_lines, lines
from .yaml_nodes import Document, Kind, Node, meaning, parse


def lacking(document: Document, wanted: Wanted) -> tuple[str, ...]:
    """Return those of our keys that do not say what is wanted."""
    cache, add = document.root.get(CACHE), document.root.get(ADD)
    return tuple(
        name
        for name, there in (
            (CACHE, cache is not None and cache[1].meant.value == wanted.path),
            (ADD, add is not None and add[1].meant.value in FALSE_FOR_ADD),
            (VOLUMES, any(not _differing(item.meant, wanted) for item in _own(document, wanted))),
        )
        if not there
    )


def add(document: Document, wanted: Wanted) -> str:
    """The text that says what is wanted; the same text where it does already. Raises InvalidOption where it cannot be edited."""
    missing = lacking(document, wanted)
    if not missing:
        return document.text
    if not document.root.flow:
        absent = [name for name in missing if document.root.get(name) is None]
        spans = [span for name in missing for span in _corrected(document, name, wanted)]
        # At the end, as people would. Where the end of the text belongs to a value (a block scalar), before the first key.
        for place in (_at_end, _at_start):
            edited = apply(document.text, [*spans, *([place(document, lines(wanted, absent))] if absent else [])])
            after = _parsed(document, edited)
            if after is not None and not lacking(after, wanted) and others(after, wanted) == others(document, wanted):
                return edited
    raise InvalidOption(
        f"{document.source} cannot be edited without changing more than the cache's keys.",
        "Put these lines into it by hand:\n" + "\n".join(lines(wanted, missing)),
    )


def remove(document: Document, wanted: Wanted) -> str:
    """The text without the cache's keys, as far as they are ours. Raises InvalidOption where it cannot be edited."""
    cache, volumes = document.root.get(CACHE), document.root.get(VOLUMES)
    ours = cache is None or cache[1].meant.value == wanted.path
    spans = []
    if cache is not None and ours:
        spans.append(lines_of(document.text, cache[0].start, cache[1].end))
    pair = document.root.get(ADD)
    if pair is not None and pair[1].meant.value in FALSE_FOR_ADD and ours:
        spans.append(lines_of(document.text, pair[0].start, pair[1].end))
    own = _own(document, wanted)
    if volumes is not None and own:
        spans += _without(document, volumes, own)
    if not spans:
        return document.text
    if all(key.value in KEYS for key, _value in document.root.pairs):
        raise InvalidOption(f"{document.source} has nothing but the cache's keys in it.", "Delete it, if the service is not to have it.")
    edited = apply(document.text, joined(document.text, spans))
    after = _parsed(document, edited) if not document.root.flow else None
    if after is None or others(after, wanted) != others(document, wanted) or _own(after, wanted):
        raise InvalidOption(
            f"{document.source} cannot be edited without changing more than the cache's keys.",
            f"Take {', '.join(KEYS[:2])} and the item for {wanted.path} of {VOLUMES} out by hand.",
        )
    return edited


def _own(document: Document, wanted: Wanted) -> list[Node]:
    volumes = document.root.get(VOLUMES)
    return [item for item in volumes[1].meant.items if is_own(item.meant, wanted)] if volumes is not None else []


def _differing(item: Node, wanted: Wanted) -> tuple[str, ...]:
    """The fields of the cache's item that are not as wanted."""
    is_read_only = scalar(item, "read_only") in TRUE
    differing = [name for name, value in wanted.fields[:2] if scalar(item, name) != value]
    return (*differing, *(("read_only",) if is_read_only is not wanted.read_only else ()))


def others(document: Document, wanted: Wanted) -> object:
    """Return what the document says of everything that is not ours."""
    volumes = document.root.get(VOLUMES)
    foreign = [meaning(item) for item in volumes[1].meant.items if not is_own(item.meant, wanted)] if volumes is not None else []
    return [(meaning(key), meaning(value)) for key, value in document.root.pairs if key.value not in KEYS], foreign


def _parsed(document: Document, edited: str) -> Document | None:
    try:
        return parse(document.source, edited)
    except InvalidOption:
        return None


def _corrected(document: Document, name: str, wanted: Wanted) -> list[Span]:
    """The spans that make a key right which is there; none where it is not."""
    pair = document.root.get(name)
    if pair is None:
        return []
    if name == CACHE:
        return [_value(document, pair, wanted.path)]
    if name == ADD:
        return [_value(document, pair, "false")]
    volumes, own = pair[1], _own(document, wanted)
    if volumes.kind is Kind.ALIAS or any(item.kind is Kind.ALIAS for item in own):
        return []  # what an alias stands for is another key's; the caller finds that nothing is better now
    if own:
        return _corrected_item(document, own[0], wanted)
    if volumes.flow:
        after = volumes.items[-1].end if volumes.items else document.text.index("[", volumes.start) + 1
        return [Span(after, after, f"{', ' if volumes.items else ''}{entry_flow(wanted)}")]
    return [after_line(document.text, volumes.end, entry_lines(wanted, column(document.text, volumes.start)))]


def _corrected_item(document: Document, item: Node, wanted: Wanted) -> list[Span]:
    spans = []
    added = []
    for name, value in wanted.fields:
        if name not in _differing(item, wanted):
            continue
        pair = item.get(name)
        instead = item.get("pvc") if name == "pvc_from_env" else None
        if pair is not None:
            spans.append(_value(document, pair, value))
        elif instead is not None:
            spans.append(Span(instead[0].start, instead[1].end, f"{name}: {value}"))
        else:
            added.append(f"{name}: {value}")
    if added and item.flow:
        spans.append(Span(item.pairs[-1][1].end, item.pairs[-1][1].end, "".join(f", {words}" for words in added)))
    elif added:
        indent = " " * column(document.text, item.start)
        spans.append(after_line(document.text, item.end, [indent + words for words in added]))
    return spans


def _value(document: Document, pair: tuple[Node, Node], text: str) -> Span:
    """A new text for a scalar, with its anchor kept."""
    key, value = pair
    if value.start == value.end:  # nothing is written
        after = document.text.index(":", key.end) + 1
        return Span(after, after, f" {text}")
    anchor = re.match(r"(?:[&!]\S*\s+)*", document.text[value.start : value.end]) if value.kind is Kind.SCALAR else None
    return Span(value.start + (anchor.end() if anchor is not None else 0), value.end, text)


def _without(document: Document, volumes: tuple[Node, Node], own: list[Node]) -> list[Span]:
    """The spans that take items out of the list; the whole key where a block list would be empty."""
    key, listed = volumes
    if listed.kind is Kind.ALIAS:
        return []
    if not listed.flow and len(own) == len(listed.items):
        return [lines_of(document.text, key.start, listed.end)]
    spans = []
    for item in own:
        number = listed.items.index(item)
        if not listed.flow:
            spans.append(lines_of(document.text, _dash(document.text, item.start), item.end))
        elif number:
            spans.append(Span(listed.items[number - 1].end, item.end))
        elif len(listed.items) > 1:
            spans.append(Span(item.start, listed.items[1].start))
        else:
            comma = re.compile(r"\s*,").match(document.text, item.end)
            spans.append(Span(item.start, comma.end() if comma is not None else item.end))
    return spans


def _at_end(document: Document, added: list[str]) -> Span:
    indent = " " * column(document.text, document.root.start)
    return at_end(document.text, document.end, [indent + line for line in added])


def _at_start(document: Document, added: list[str]) -> Span:
    indent, line_end = column(document.text, document.root.start), newline(document.text)
    start = document.root.start - indent
    return Span(start, start, "".join(" " * indent + line + line_end for line in added))


def _dash(text: str, start: int) -> int:
    """Return where the dash of an item of a block list is."""
    return [found.start() for found in re.finditer(r"[\n\r] *-(?=\s)", text[:start])][-1] + 1
