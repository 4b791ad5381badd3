# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each text in docs/troubleshooting.md is one that the code prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
TEXTS = [text for row in ROWS for one in re.split(r" / (?=`)", row) for text in [one.strip("` ")]]
OPEN = "\0"
"""Stands for what differs each time."""


def literals(path: Path) -> Iterator[str]:
    """The texts of a program, with OPEN for what is put into them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w*\}", OPEN, node.value)
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else OPEN for part in node.values)


@cache
def printed() -> str:
    texts = [text for path in sorted((ROOT / "plugins").rglob("*.py")) for text in literals(path)]
    return "\n".join(texts).replace("`", "")


@pytest.mark.parametrize("text", TEXTS)
def test_what_it_lists_is_what_is_printed(text: str) -> None:
    fragments = [part.strip() for part in re.split(r"…|`|\b[NMK]\b|\b\d+\w*\b|<pod>|[.:,(] ?", text)]
    fragments = [part for part in fragments if len(part) > 3]
    assert fragments
    assert [part for part in fragments if part not in printed()] == []


def test_there_are_rows() -> None:
    assert len(TEXTS) >= 60
