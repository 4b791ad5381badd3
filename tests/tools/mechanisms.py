# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the lines of code that each mechanism costs into docs/architecture.md.

`make mechanisms` writes them. A row's second cell names its files: `` `a/b`: c, d; `e.py` `` are a/b/c.py, a/b/d.py and e.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/architecture.md"
PROGRAMS = ROOT / "plugins/module_utils"
_ROW = re.compile(r"^(\| [^|]+ \| )(`[^|]+)( \| )(\d+)( \| `(test_\w+)` \|)$", re.MULTILINE)


@dataclass(frozen=True)
class Mechanism:
    """One row: its files, and the test that fails without it."""

    files: tuple[str, ...]
    test: str


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


def page() -> str:
    """Return the text that the page should have."""
    return _ROW.sub(lambda row: f"{row[1]}{row[2]}{row[3]}{_lines(row[2])}{row[5]}", PAGE.read_text())


def mechanisms() -> Iterator[Mechanism]:
    """Yield each row of the page."""
    for row in _ROW.finditer(PAGE.read_text()):
        yield Mechanism(tuple(_files(row[2])), row[6])


def lines_of_code(path: Path) -> int:
    """Return the lines of a program without docstrings, comments and blanks."""
    text = path.read_text()
    said = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return sum(number not in said and bool(line.strip()) and not line.strip().startswith("#") for number, line in enumerate(text.splitlines(), 1))


def _lines(cell: str) -> int:
    return sum(lines_of_code(PROGRAMS / file) for file in _files(cell))


def _files(cell: str) -> Iterator[str]:
    for part in cell.split("; "):
        folder, colon, names = part.partition(": ")
        place = folder.strip("`")
        yield from (f"{place}/{name}.py" for name in names.split(", ")) if colon else [place]


if __name__ == "__main__":
    main()
