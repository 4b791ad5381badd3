# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminals that README shows: drawn from real runs, and whole without anything from elsewhere."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.populate.report import COLUMNS

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("terminal-success.svg", "terminal-failure.svg")
_TEXT = "{http://www.w3.org/2000/svg}text"


def lines(name: str) -> list[str]:
    """Return what the drawing shows, line by line, with single blanks."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for text in ElementTree.parse(DOCS / name).iter(_TEXT):
        rows.setdefault(float(text.attrib["y"]), []).append((float(text.attrib.get("x", 0)), text.text or ""))
    return [" ".join(" ".join(text for _x, text in sorted(row)).split()) for _y, row in sorted(rows.items())]


@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_shows_the_command_that_readme_gives_and_the_table(name: str) -> None:
    shown = lines(name)
    (command,) = [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
    assert f"    {command} " in (DOCS.parent / "README.md").read_text()
    rows = takewhile(lambda line: len(line.split()) == len(COLUMNS), shown[shown.index(" ".join(COLUMNS)) + 1 :])
    actions = {Action(row.split()[2]) for row in rows}
    assert Action.ADD in actions and (Action.FAILED in actions) == ("failure" in name)


@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_loads_nothing(name: str) -> None:
    drawn = (DOCS / name).read_text()
    assert not re.search(r"url\((?!#|\")|@font-face|<script|href=", drawn)
    assert str(DOCS.parent) not in drawn
