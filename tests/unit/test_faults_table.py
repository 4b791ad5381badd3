# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/faults.md names tests that there are, and where they run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| ([^|]+) \| (\w+) \| `(test_\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs/faults.md").read_text(), re.MULTILINE)
_CLUSTERS = {frozenset({"real"}): "real", frozenset({"embedded"}): "embedded", frozenset[str](): "both"}


def marks(tree: ast.AST) -> frozenset[str]:
    """Return which of the clusters' marks are in a decorator or a `pytestmark`."""
    return frozenset(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ("real", "embedded"))


def where_tests_run() -> dict[str, str]:
    """Return each test's name and where it runs, in the table's words."""
    found: dict[str, str] = {}
    for path in (ROOT / "tests").glob("**/test_*.py"):
        module = ast.parse(path.read_text())
        of_all = [marks(node.value) for node in module.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"]
        for node in module.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                own = frozenset[str]().union(*of_all, *map(marks, node.decorator_list))
                found[node.name] = _CLUSTERS[own] if path.parent.name == "integration" else "local"
    return found


def test_each_fault_names_a_test_that_is_there_and_the_cluster_that_it_runs_on() -> None:
    assert len(ROWS) >= 40
    tests = where_tests_run()
    assert [(where, name) for _fault, where, name, *_seen in ROWS if tests.get(name) != where] == []


def test_each_fault_stands_once_and_each_row_of_the_page_is_one() -> None:
    assert len({fault for fault, *_rest in ROWS}) == len(ROWS) == len({name for _fault, _where, name, *_seen in ROWS})
    tables = [line for line in (ROOT / "docs/faults.md").read_text().splitlines() if line.startswith("| ") and not line.startswith(("| fault", "| ---"))]
    assert len(tables) == len(ROWS)
