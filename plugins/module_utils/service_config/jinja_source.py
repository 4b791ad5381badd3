# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Jinja source of the configuration (``.j2``): edited line by line, and checked by rendering it. Never parsed as YAML. Pure.

Its variables are not known here. It is rendered twice, once with every variable empty and false, once with every variable
true, so that what stands in an ``{% if %}`` counts only when it is there both times. Where that check cannot be made, the
source is left alone and the user is told the lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import InvalidOption
from . import document
from .checks import check, is_own
from .jinja_world import MISSING, CannotRender, render
from .model import ADD, CACHE, KEYS, VOLUMES, Wanted, entry_lines, lines
from .nodes import Document, parse
from .spans import Span, after_line, apply, at_end, joined, lines_of


def add(source: str, text: str, wanted: Wanted) -> tuple[str, tuple[str, ...]]:
    """The text that renders to what is wanted, and warnings. Raises InvalidOption, with the lines to add by hand."""
    for found in re.finditer(rf"(?m)^({'|'.join(KEYS)}):.*(?:\{{\{{|\{{%)", text):
        line = text.count("\n", 0, found.start()) + 1
        raise _refused(f"{source}, line {line}: `{found.group(1)}` is set by a Jinja expression, which is not edited.", wanted)
    worlds = _worlds(source, text, wanted)
    try:
        warnings = check(worlds[0], wanted)
    except InvalidOption as error:
        raise _refused(error.message, wanted) from error
    missing = [name for name in KEYS if any(name in document.lacking(world, wanted) for world in worlds)]
    if not missing:
        return text, warnings
    spans = []
    absent = []
    for name in missing:
        lines_with_it = re.findall(rf"(?m)^{name}:", text)
        if not lines_with_it:
            absent.append(name)
            continue
        span = _corrected(text, name, wanted)
        if span is None or len(lines_with_it) > 1:
            raise _refused(f"{source}: `{name}` cannot be edited in a Jinja source.", wanted)
        spans.append(span)
    if absent:
        spans.append(at_end(text, len(text), lines(wanted, absent)))
    edited = apply(text, spans)
    _compare(source, worlds, edited, wanted, lambda world: not document.lacking(world, wanted))
    return edited, warnings


def remove(source: str, text: str, wanted: Wanted) -> str:
    """The text without the cache's lines, where they are as ``add`` writes them. Raises InvalidOption."""
    worlds = _worlds(source, text, wanted)
    spans = []
    for name, value in ((CACHE, wanted.path), (ADD, "false")):
        line = rf"(?m)^{name}:[ \t]*{re.escape(value)}(?=[ \t]*(?:#.*)?\r?$)"
        spans += [lines_of(text, found.start(), found.end()) for found in re.finditer(line, text)]
    path, rest = re.escape(wanted.path), r"\r?\n(?P=indent)  "
    item = rf"(?m)^(?P<indent> *)- path: {path}{rest}pvc_from_env: {wanted.pvc_from_env}{rest}read_only: \w+"
    for found in re.finditer(item, text):
        alone = re.search(rf"(?m)^{VOLUMES}:[^\n]*\n\Z", text[: found.start()]) if not _followed(text, found.end()) else None
        spans.append(lines_of(text, alone.start() if alone is not None else found.start(), found.end()))
    edited = apply(text, joined(text, spans)) if spans else text
    _compare(source, worlds, edited, wanted, lambda world: not _has(world, wanted))
    return edited


def _has(world: Document, wanted: Wanted) -> bool:
    volumes, cache = world.root.get(VOLUMES), world.root.get(CACHE)
    own = volumes is not None and any(is_own(item.meant, wanted) for item in volumes[1].meant.items)
    return own or (cache is not None and cache[1].meant.value == wanted.path)


def _followed(text: str, end: int) -> bool:
    """Whether another item of the list comes after this line."""
    return re.compile(r"[^\n]*\n *- ").match(text, end) is not None


def _corrected(text: str, name: str, wanted: Wanted) -> Span | None:
    """What makes a line right which is there; None where its form is not simple."""
    if name == VOLUMES:
        found = re.search(rf"(?m)^{VOLUMES}:[ \t]*(?:#.*)?\r?\n(?P<indent> *)- ", text)
        return after_line(text, found.start(), entry_lines(wanted, len(found["indent"]))) if found is not None else None
    found = re.search(rf"(?m)^{name}:[ \t]*(?P<value>[\w./-]+)(?=[ \t]*(?:#.*)?\r?$)", text)
    return Span(found.start("value"), found.end("value"), wanted.path if name == CACHE else "false") if found is not None else None


def _compare(source: str, worlds: list[Document], edited: str, wanted: Wanted, good: Callable[[Document], bool]) -> None:
    after = _worlds(source, edited, wanted)
    for one, other in zip(worlds, after, strict=True):
        if not good(other) or document.others(one, wanted) != document.others(other, wanted):
            raise _refused(f"{source}: an edit would change more than the cache's keys, or not all of them.", wanted)


def _worlds(source: str, text: str, wanted: Wanted) -> list[Document]:
    """What the source renders to, with all variables empty and with all of them true."""
    if MISSING:
        raise _refused(f"{source} is a Jinja source, which cannot be checked: the Python that runs this has no jinja2.", wanted)
    worlds = []
    for truth in (False, True):
        try:
            worlds.append(parse(f"{source} (rendered)", render(text, truth)))
        except InvalidOption as error:
            raise _refused(f"{source} cannot be checked by rendering it without its variables. {error.message}", wanted) from error
        except CannotRender as error:
            raise _refused(f"{source} cannot be rendered without its variables ({error}).", wanted) from error
    return worlds


def _refused(words: str, wanted: Wanted) -> InvalidOption:
    return InvalidOption(words, "The file stays as it is. These are the lines:\n" + "\n".join(lines(wanted)))
