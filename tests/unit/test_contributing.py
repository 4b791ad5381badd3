# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that CONTRIBUTING.md and docs/architecture.md name is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from ansible_collections.packit.deployment.tests.tools.mechanisms import PAGE, PROGRAMS, mechanisms, page

ROOT = Path(__file__).parents[2]
FOLDERS = ("cache", "cluster", "populate", "volumes")
TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def layers() -> list[list[str]]:
    """Return the names in each contract of layers."""
    contracts = re.findall(r"^layers = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    return [re.findall(r"\w+", contract) for contract in contracts]


def test_each_path_and_target_that_it_names_is_there() -> None:
    paths = set(re.findall(r"`((?:plugins|tests|docs|changelogs)/[^` ]+|pyproject\.toml|\.ci/run)`", TEXT))
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in re.findall(r"`make ([\w-]+)`", TEXT) if not re.search(rf"^{target}:|^{target} ", makefile, re.MULTILINE)] == []


def test_the_first_target_that_it_names_installs_all_that_its_commands_need() -> None:
    first = re.findall(r"`make ([\w-]+)`", TEXT)[0]
    assert re.search(rf"^{first}:.*\$\(VENV\)/dev-installed", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_each_module_that_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:\w+/)+\w+\.py|shell\.py)`", text))
    assert len(named) > 15
    assert [name for name in sorted(named) if not (ROOT / "plugins" / "module_utils" / name).exists()] == []


def test_no_file_name_stands_for_two_things() -> None:
    names = Counter(path.name for path in ROOT.glob("plugins/module_utils/**/*.py"))
    # Each folder of a use case has its module's main; two of them are large enough to have the options beside it.
    assert {name for name, count in names.items() if count > 1} == {"__init__.py", "module.py", "options.py"}


def test_each_file_beside_the_folders_has_its_layer() -> None:
    files = {path.stem for path in PROGRAMS.glob("*.py")} - {"__init__"}
    assert files - set(layers()[0]) == set()


def test_the_architecture_names_each_layer_and_each_part_of_the_largest_use_case() -> None:
    folders = {path.parent.name for path in PROGRAMS.glob("*/__init__.py")}
    parts = {path.stem for path in PROGRAMS.glob("populate/*.py")} - {"__init__", "module", "options", "run"}
    section = PAGE.read_text().partition("## The layers\n")[2].partition("\n## ")[0]
    assert {*folders, *parts, *(name for contract in layers() for name in contract)} - set(re.findall(r"`(\w+)/?`", section)) == set()


def test_each_name_that_a_docstring_refers_to_is_there() -> None:
    for path in [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        for name in re.findall(rf"``((?:{'|'.join(FOLDERS)})(?:\.\w+)+)``", path.read_text()):
            place = ROOT.joinpath("plugins/module_utils", *(part for part in name.split(".") if not part[0].isupper()))
            file = place.with_suffix(".py")
            assert file.exists() or place.is_dir(), (path, name)
            assert all(f"class {part}" in file.read_text() for part in name.split(".") if part[0].isupper()), (path, name)


def test_each_name_of_a_module_or_a_class_that_a_docstring_refers_to_is_there() -> None:
    """Such as ``lock_files.shown``, ``RecordedEntry.key``, or both in one."""
    paths = [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("tests/**/*.py")]
    inside: dict[str, set[str]] = {}
    for path in paths:
        tree = ast.parse(path.read_text())
        inside.setdefault(path.parent.name if path.stem == "__init__" else path.stem, set()).update(_defined(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                inside.setdefault(node.name, set()).update(_defined(node))
    said = {name for path in paths for name in re.findall(r"``([A-Za-z_]\w*(?:\.\w+)+)``", path.read_text())}
    others = {"core.fsmonitor", "statefulsets.apps"}  # git's, and the API's
    pairs = {(name, *pair) for name in said - others if name.partition(".")[0] not in FOLDERS for pair in pairwise(name.split("."))}
    assert len(pairs) > 20
    assert [name for name, holder, part in sorted(pairs) if part not in inside.get(holder, set())] == []


def _defined(holder: ast.Module | ast.ClassDef) -> set[str]:
    """Return the names that a module or a class has, and those that it imports."""
    names = {node.name for node in holder.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    names |= {alias.asname or alias.name for node in holder.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    stored = (node for node in ast.walk(holder) if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store))
    return names | {node.id if isinstance(node, ast.Name) else node.attr for node in stored}


def test_a_value_with_many_texts_is_made_by_their_names() -> None:
    """Two of them that have changed places are no error of types."""
    by_place = []
    for path in ROOT.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and "dataclass" in (made := " ".join(map(ast.unparse, node.decorator_list))):
                fields = [(ast.unparse(item.annotation), item) for item in node.body if isinstance(item, ast.AnnAssign)]
                named = "kw_only=True" in made or any(kind == "KW_ONLY" for kind, _item in fields)
                if not named and sum(kind == "str" for kind, _item in fields) > 5:
                    by_place.append(node.name)
    assert by_place == []


def test_each_test_that_it_runs_is_there() -> None:
    runs = re.findall(r"^    \.venv/bin/pytest (?:--real )?(\S+)(?: -k (\w+))?", TEXT, re.MULTILINE)
    assert len(runs) == 4
    for path, name in runs:
        files = [ROOT / path] if path.endswith(".py") else (ROOT / path).rglob("test_*.py")
        assert any(not name or re.search(rf"def test_\w*{name.removeprefix('test_')}", file.read_text()) for file in files), (path, name)


def test_each_file_has_one_mechanism_and_the_page_has_its_lines() -> None:
    named = [file for mechanism in mechanisms() for file in mechanism.files]
    programs = [str(path.relative_to(PROGRAMS)) for path in PROGRAMS.rglob("*.py") if path.stat().st_size]
    assert sorted(named) == sorted(programs), "each file has one row in docs/architecture.md"
    assert PAGE.read_text() == page(), "make mechanisms writes the lines"


def test_a_docstring_begins_with_what_the_thing_does_or_is() -> None:
    """And not in the middle of a sentence, of which the reader has to guess the beginning."""
    riddles = []
    for path in [ROOT / "noxfile.py", *ROOT.glob("plugins/**/*.py"), *ROOT.glob("tests/**/*.py")]:
        begun = r"(What|Whose)\b" if path.is_relative_to(ROOT / "tests") else r"(What|Whose|Of|As|Those|Its|Nothing|With)\b"
        alone = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Expr))
        riddles += [f"{path}:{node.lineno}" for node in alone if isinstance(node, ast.Constant) and re.match(begun, str(node.value))]
    assert riddles == []


def test_each_mechanism_has_its_test() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").glob("**/test_*.py"))
    assert [mechanism.test for mechanism in mechanisms() if f"def {mechanism.test}(" not in tests] == []
