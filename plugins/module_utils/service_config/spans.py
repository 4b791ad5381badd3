# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a text, and what stands there instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, order=True)
class Span:
    """A part of the text, and what stands there instead."""

    start: int
    end: int
    text: str = ""


def after_line(text: str, position: int, added: list[str]) -> Span:
    """Lines after the line of a position."""
    line_end = newline(text)
    found = _LINE_END.search(text, position)
    if found is None:
        return Span(len(text), len(text), "".join(line_end + line for line in added))
    return Span(found.end(), found.end(), "".join(line + line_end for line in added))


def at_end(text: str, end: int, added: list[str]) -> Span:
    """Lines at the end. A text without a last line end stays without."""
    line_end = newline(text)
    block = line_end.join(added)
    return Span(end, end, block + line_end if text[:end].endswith(("\n", "\r")) else line_end + block)


def lines_of(text: str, start: int, end: int) -> Span:
    """The whole lines of a part of the text."""
    found = _LINE_END.search(text, end)
    return Span(start - column(text, start), found.end() if found is not None else len(text))


def joined(text: str, spans: Iterable[Span]) -> list[Span]:
    """Neighbours as one. Where the last line goes and had no line end, the line before loses its own."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and whole[-1].end == span.start:
            whole[-1] = Span(whole[-1].start, span.end)
        else:
            whole.append(span)
    last = whole[-1]
    if last.end == len(text) and not text.endswith(("\n", "\r")):
        before = re.compile(r"(?:\r\n|\r|\n)\Z").search(text[: last.start])
        whole[-1] = Span(before.start() if before is not None else last.start, last.end)
    return whole


def apply(text: str, spans: Iterable[Span]) -> str:
    """The text with its parts replaced; they must not overlap."""
    for span in sorted(spans, reverse=True):
        text = text[: span.start] + span.text + text[span.end :]
    return text


def column(text: str, position: int) -> int:
    """Return how far a position is from the beginning of its line."""
    return position - max(text.rfind("\n", 0, position), text.rfind("\r", 0, position), 0 if text[:1] == "\ufeff" else -1) - 1


def newline(text: str) -> str:
    """Return how the text ends its lines."""
    found = _LINE_END.search(text)
    return found.group() if found is not None else "\n"
