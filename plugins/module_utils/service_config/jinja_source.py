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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import InvalidOption
from . import document
from .checks import check, is_cache, is_own, repeated
from .jinja_probe import MISSING, CannotRender, render
from .spans import Span, after_line, apply, at_end, joined, lines_of
from .wanted import ADD, CACHE, FALSE, KEYS, TRUE, VOLUMES, Wanted, entry_lines, lines
from .yaml_nodes import Document, parse

_WORD = "unknown-value"
"""The word that an unknown value is printed as, where it has to be something."""
_ALONE = re.compile(rf"(?m)^[ \t]*{_WORD}[ \t]*(?=\r?$)")
"""A line with nothing but such a value, which may be any number of lines (``{{ everything | to_nice_yaml }}``)."""


def add(source: str, text: str, wanted: Wanted) -> tuple[str, tuple[str, ...]]:
    """The text that renders to what is wanted, and warnings. Raises InvalidOption, with the lines to add by hand."""
    for found in re.finditer(rf"(?m)^({'|'.join(KEYS)}):.*(?:\{{\{{|\{{%)", text):
        line = text.count("\n", 0, found.start()) + 1
        raise _refused(f"{source}, line {line}: `{found.group(1)}` is set by a Jinja expression, which is not edited.", wanted)
    _require_literal_items(source, text, wanted)
    worlds = _worlds(source, text, wanted)
    try:
        warnings = tuple(dict.fromkeys(words for world in worlds for words in check(world, wanted)))
    except InvalidOption as error:
        raise _refused(error.message, wanted) from error
    missing = [name for name in KEYS if any(name in document.lacking(world, wanted) for world in worlds)]
    if not missing:
        return text, warnings
    spans = []
    absent = []
    for name in missing:
        if len({world.root.get(name) is None for world in worlds}) > 1:
            raise _refused(f"{source}: `{name}` stands in a condition or a loop, so it is not always there.", wanted)
        lines_with_it = re.findall(rf"(?m)^{name}:", text)
        if not lines_with_it:
            if re.search(rf"(?m)^[^#\n]*(?<![\w-])[\"']?{name}[\"']?[ \t]*:", text):
                raise _refused(f"{source}: `{name}` stands in a condition or a loop, or is written in an unusual way.", wanted)
            absent.append(name)
            continue
        corrected = _corrected(text, name, wanted)
        if corrected is None or len(lines_with_it) > 1:
            raise _refused(f"{source}: `{name}` cannot be edited in a Jinja source.", wanted)
        spans += corrected
    # Ansible takes away the line end after a block: behind one at the end of the text, the lines need an empty one before them.
    for before in ([], [""]):
        added = [at_end(text, len(text), [*before, *lines(wanted, absent)])] if absent else []
        edited = apply(text, [*spans, *added])
        if _only_ours_changed(source, worlds, edited, wanted, lambda world: _right(world, wanted)):
            return edited, warnings
    raise _more_would_change(source, wanted)


def _require_literal_items(source: str, text: str, wanted: Wanted) -> None:
    """Refuse a list in which an expression makes a line, a path or a variable: it may be the cache's item. Raises InvalidOption."""
    block = re.search(rf"(?ms)^{VOLUMES}:.*?(?=^[^\s#{{-]|\Z)", text)
    if block is None:
        return
    for found in re.finditer(r"(?m)^[ \t]+(?:- )?\{\{[^\n]*\}\}[ \t]*\r?$", block.group()):
        line = text.count("\n", 0, block.start() + found.start()) + 1
        raise _refused(f"{source}, line {line}: a part of `{VOLUMES}` is made by a Jinja expression, so the list is not edited.", wanted)
    for found in re.finditer(r"(?m)^[^#\n]*(?P<name>path|pvc_from_env):[ \t]*(?P<value>.*\{[{%].*)$", block.group()):
        value = found["value"].strip("'\" \r")
        if value.startswith("{") or wanted.path in value or wanted.pvc_from_env in value:
            line = text.count("\n", 0, block.start() + found.start()) + 1
            words = f"`{found['name']}` of an item is set by a Jinja expression, so it may be the cache's, and is not edited"
            raise _refused(f"{source}, line {line}: {words}.", wanted)


def _right(world: Document, wanted: Wanted) -> bool:
    """Return whether what is to be written is what would be accepted if it were found."""
    try:
        check(world, wanted)
    except InvalidOption:
        return False
    return not document.lacking(world, wanted)


def remove(source: str, text: str, wanted: Wanted) -> tuple[str, bool]:
    """Return the text without the cache's lines, where they are as ``add`` writes them, and whether another path's stay. Raises InvalidOption."""
    _require_literal_items(source, text, wanted)
    worlds = _worlds(source, text, wanted)
    spans = []
    there = [pair[1].meant.value for world in worlds if (pair := world.root.get(CACHE)) is not None]
    another = any(path != wanted.path for path in there)
    for name, value in ((CACHE, wanted.path), *(() if another else ((ADD, "false"),))):
        line = rf"(?m)^{name}:[ \t]*{re.escape(value)}(?=[ \t]*(?:#.*)?\r?$)"
        spans += [lines_of(text, found.start(), found.end()) for found in re.finditer(line, text)]
    path, rest = re.escape(wanted.path), r"\r?\n(?P=indent)  "
    item = rf"(?m)^(?P<indent> *)- path: {path}{rest}pvc_from_env: {wanted.pvc_from_env}{rest}read_only: \w+"
    for found in re.finditer(item, text):
        alone = re.search(rf"(?m)^{VOLUMES}:[^\n]*\n\Z", text[: found.start()]) if not _followed(text, found.end()) else None
        spans.append(lines_of(text, alone.start() if alone is not None else found.start(), found.end()))
    edited = apply(text, joined(text, spans)) if spans else text
    if not _only_ours_changed(source, worlds, edited, wanted, lambda world: not _has(world, wanted)):
        raise _more_would_change(source, wanted)
    return edited, another


def _has(world: Document, wanted: Wanted) -> bool:
    volumes, cache = world.root.get(VOLUMES), world.root.get(CACHE)
    own = volumes is not None and any(is_own(item.meant, wanted) for item in volumes[1].meant.items)
    return own or (cache is not None and cache[1].meant.value == wanted.path)


def _followed(text: str, end: int) -> bool:
    """Return whether another item of the list comes after this line."""
    return re.compile(r"[^\n]*\n *- ").match(text, end) is not None


def _corrected(text: str, name: str, wanted: Wanted) -> list[Span] | None:
    """Return what makes right what is there of a key; None where its form is not simple."""
    if name == VOLUMES:
        found = re.search(rf"(?m)^{VOLUMES}:[ \t]*(?:#.*)?\r?\n(?P<indent> *)- ", text)
        if found is None:
            return None
        own = [item for item in _items(text, found.end("indent"), found["indent"]) if item.is_own(wanted)]
        if not own:
            if re.search(rf"(?m)^[^#\n]*(?:path|pvc_from_env)[\"']?:[ \t]*[\"']?(?:{re.escape(wanted.path)}|{wanted.pvc_from_env})(?![\w/-])", text):
                return None  # it is somewhere all the same
            return [after_line(text, found.start(), entry_lines(wanted, len(found["indent"])))]
        return own[0].corrected(text, wanted) if len(own) == 1 else None
    found = re.search(rf"(?m)^{name}:[ \t]*(?P<value>[\w./-]+)(?=[ \t]*(?:#.*)?\r?$)", text)
    return [Span(found.start("value"), found.end("value"), wanted.path if name == CACHE else "false")] if found is not None else None


@dataclass(frozen=True)
class _Item:
    """An item of a block list, by its lines: its fields with the places of their names and values, where it ends, and its fields' indent."""

    fields: Mapping[str, re.Match[str]]
    end: int
    indent: int

    def value(self, name: str) -> str:
        """Return the text of a field, without quotes; empty where there is none."""
        return self.fields[name]["value"].strip("'\"") if name in self.fields else ""

    def is_own(self, wanted: Wanted) -> bool:
        """Return whether it is the cache's."""
        return is_cache(self.value("path"), self.value("pvc_from_env"), wanted)

    def corrected(self, text: str, wanted: Wanted) -> list[Span]:
        """Return what makes its fields right."""
        spans, added = [], []
        for name, value in wanted.fields:
            there = self.value(name)
            if there == value or (name == "read_only" and there in (TRUE if wanted.read_only else FALSE)):
                continue
            if name in self.fields:
                spans.append(Span(*self.fields[name].span("value"), value))
            elif name == "pvc_from_env" and "pvc" in self.fields:
                spans.append(Span(self.fields["pvc"].start("name"), self.fields["pvc"].end("value"), f"{name}: {value}"))
            else:
                added.append(f"{' ' * self.indent}{name}: {value}")
        return [*spans, *([after_line(text, self.end, added)] if added else [])]


def _items(text: str, start: int, indent: str) -> Iterator[_Item]:
    """Find the items of the block list whose first dash is at ``start``, as far as they are lines of fields."""
    line = re.compile(rf"(?:{indent}(?P<dash>- )|{indent}  )(?P<name>\w+):[ \t]*(?P<value>[^\s#]+)?[ \t]*(?:#.*)?\r?(?:\n|\Z)")
    fields: dict[str, re.Match[str]] = {}
    position = end = start - len(indent)
    while (found := line.match(text, position)) is not None:
        if found["dash"] and fields:
            yield _Item(fields, end, len(indent) + 2)
            fields = {}
        if found["value"] is not None:
            fields[found["name"]] = found
        end, position = found.end("name"), found.end()
    if fields:
        yield _Item(fields, end, len(indent) + 2)


def _only_ours_changed(source: str, before: list[Document], edited: str, wanted: Wanted, good: Callable[[Document], bool]) -> bool:
    """Return whether all that an edited text renders to is ``good``, and says the same of everything that is not ours."""
    try:
        pairs = zip(before, _worlds(source, edited, wanted), strict=True)
    except InvalidOption:
        return False
    return all(good(other) and document.others(one, wanted) == document.others(other, wanted) for one, other in pairs)


def _more_would_change(source: str, wanted: Wanted) -> InvalidOption:
    return _refused(f"{source}: an edit would change more than the cache's keys, or not all of them.", wanted)


def _worlds(source: str, text: str, wanted: Wanted) -> list[Document]:
    """Return what the source renders to, with all variables empty and with all of them true."""
    if MISSING:
        raise _refused(f"{source} is a Jinja source, which cannot be checked: the Python that runs this has no jinja2.", wanted)
    worlds = []
    for truth in (False, True):
        try:
            worlds.append(_world(source, text, truth))
            repeated(worlds[-1])
        except InvalidOption as error:
            raise _refused(f"{source} cannot be checked by rendering it without its variables. {error.message}", wanted) from error
        except CannotRender as error:
            raise _refused(f"{source} cannot be rendered without its variables ({error}).", wanted) from error
    return worlds


def _world(source: str, text: str, truth: bool) -> Document:
    """Return what the source renders to; with words for unknown values where that is no YAML without. Raises InvalidOption, CannotRender."""
    named = f"{source} (rendered)"
    try:
        return parse(named, render(text, truth))
    except InvalidOption as error:
        without_words = error
    try:
        return parse(named, _ALONE.sub("", render(text, truth, _WORD)))
    except InvalidOption:
        raise without_words from None


def _refused(words: str, wanted: Wanted) -> InvalidOption:
    return InvalidOption(words, "The file stays as it is. These are the lines:\n" + "\n".join(lines(wanted)))
