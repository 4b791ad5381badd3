# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where foreign text is made fit to be shown: what a volume, an upstream, a pod, the API or an option's value says.

A terminal obeys control characters, a reader is misled by bidirectional ones, and whoever reads line by line takes what stands
behind a line's end for a line of ours.
"""

from __future__ import annotations

import re

_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def printable(text: str) -> str:
    r"""Return ``text`` in one line, with an escape such as ``\x1b`` or ``\u202e`` for each character that is not seen as itself.

    These are control and format characters, ends of lines and paragraphs, blanks other than the space, unassigned and private
    characters, and surrogates; one that stands for a byte that is no UTF-8 (``surrogateescape``) is shown as that byte. What is
    printable already stays the same, so that text may pass here more than once.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def printable_lines(text: str) -> str:
    """Return ``text`` with each of its lines printable, tabs as they are: for texts of ours that have several lines, and for data."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def in_one_line(text: str) -> str:
    """Return ``text``, printable, with `` | `` where it had ends of lines: for what programs say within a sentence."""
    return printable(text if text.isprintable() else " | ".join(line.strip() for line in re.split(r"[\r\n]+", text.strip())))


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
