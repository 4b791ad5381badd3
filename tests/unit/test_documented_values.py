# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value stands once in the code, and what the documentation tells of it is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import FillerSpec, Purpose
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.overrides import OVERRIDES, PodOverrides
from ansible_collections.packit.deployment.plugins.module_utils.pods.filler_pod import ARGUMENT_SPEC as FILLER_SPEC
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.memory import LARGE
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.seed_options import (
    MEMORY,
    MOST_REPLICAS,
    SEED_KEYS,
    SeedOptions,
)
from ansible_collections.packit.deployment.plugins.module_utils.schedule import cron_job
from ansible_collections.packit.deployment.plugins.module_utils.schedule.module import POD_KEYS
from ansible_collections.packit.deployment.tests.modules.documented import options as documented
from ansible_collections.packit.deployment.tests.tools.role_options import handed_down

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
PROSE = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")])
TELLING = 10
"""The least number that is nobody else's in a paragraph."""


@cache
def options(module: str) -> dict[str, dict[str, Any]]:
    return documented(module)


def constants(path: Path) -> Iterator[object]:
    """Yield what a module's names stand for, where that is written out: tuples of numbers, and texts that are no words of a sentence."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, (ast.Constant, ast.Tuple)):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:  # it is put together from others
                continue
            numbers = isinstance(value, tuple) and len(value) > 2 and all(isinstance(item, (int, float)) for item in value)
            if numbers or (isinstance(value, str) and len(value) > 10 and " " not in value):
                yield value


def test_a_constant_that_no_accident_makes_stands_once() -> None:
    paths = sorted((ROOT / "plugins/module_utils").rglob("*.py"))
    known = {path: set(constants(path)) for path in paths}
    assert sum(map(len, known.values())) > 20
    twice = {value for path in paths for value in known[path] for other in paths if other < path and value in known[other]}
    assert twice == set()


@pytest.mark.parametrize("value", ["3600.0", "sandcastle-repository-cache-", "packit-worker-repository-cache"])
def test_a_value_of_many_modules_is_written_in_one(value: str) -> None:
    """The age of leftovers, and the names of claims."""
    found = []
    for path in (ROOT / "plugins/module_utils").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and not isinstance(node.value, bool) and str(node.value) == value:
                found.append(path.name)
    assert len(found) == 1, found


def test_a_choice_is_compared_by_the_name_that_it_has() -> None:
    choices = {choice for module in MODULES for about in options(module).values() for choice in about.get("choices", [])}
    choices |= {purpose.value for purpose in Purpose}
    bare = []
    for path in sorted((ROOT / "plugins/module_utils").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            # What a script found (its `kind`) is another language's word.
            if isinstance(node, ast.Compare) and ast.unparse(node.left) != "kind":
                bare += [f"{path.name}: {ast.unparse(node)}" for side in node.comparators if isinstance(side, ast.Constant) and side.value in choices]
    assert len(choices) > 15 and bare == []


def test_the_choices_of_a_state_stand_once() -> None:
    programs = [*(ROOT / "plugins/module_utils").rglob("*.py"), *(ROOT / "plugins/action").glob("*.py")]
    specs = [path.name for path in programs if '"present"' in path.read_text()]
    assert specs == ["given_values.py"]


def telling(default: object) -> bool:
    """Return whether a default is a number that is looked for in prose."""
    return isinstance(default, int) and not isinstance(default, bool) and default >= TELLING


@cache
def defaults() -> dict[str, set[int]]:
    """Return the numbers that are defaults, by the option's name or the role's variable."""
    found: dict[str, set[int]] = {}
    for module in MODULES:
        for option, about in options(module).items():
            if telling(about.get("default")):
                found.setdefault(option, set()).add(about["default"])
    for role in ROLES:
        for module, given in handed_down(role).items():
            for option, variable in given.items():
                if telling(options(module)[option].get("default")):
                    found.setdefault(variable, set()).add(options(module)[option]["default"])
    return found


def repeated(text: str, known: Iterable[tuple[str, Iterable[int]]]) -> list[str]:
    """Return which options a text names beside the number that is their default."""
    return [
        f"{option}: {number}"
        for option, numbers in known
        if re.search(rf"\b{option}\b", text)
        for number in numbers
        if re.search(rf"(?<![\w.,]){number}(?!\w|[.,]\d)", text)
    ]


def paragraphs(text: str) -> list[str]:
    """Return paragraphs, items of lists and rows of tables."""
    return re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) )", text)


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_names_an_option_and_not_the_number_that_is_its_default(path: Path) -> None:
    known = defaults().items()
    assert len(known) > 10
    assert [found for text in paragraphs(path.read_text()) for found in repeated(text, known)] == []


@pytest.mark.parametrize("module", MODULES)
def test_an_options_description_repeats_no_default(module: str) -> None:
    known = options(module)
    for option, about in known.items():
        for line in [about["description"]] if isinstance(about["description"], str) else about["description"]:
            named = {option, *re.findall(r"\bO\((\w+)", line)} & set(known)
            # Not the bounds, which may have the same number, nor another value that is spoken of.
            said = re.sub(r"From \d+ to \d+|V\(\d+\)", "", line)
            numbers = [(name, [known[name]["default"]]) for name in named if telling(known[name].get("default"))]
            assert repeated(f"{option} {said}", numbers) == [], (option, line)


def test_the_repeated_default_would_be_found() -> None:
    known = [("max_hold", [300])]
    assert repeated("longer than `max_hold` (300 s) at a time", known) == ["max_hold: 300"]
    assert repeated("`max_hold`, and 1,300 others, 300.5 or 300s", known) == []


def of(module: str, option: str) -> str:
    """Return the description of an option in one line."""
    words = options(module)[option]["description"]
    return words if isinstance(words, str) else " ".join(words)


def amounts(resources: Any, kind: str) -> str:
    """Return requests or limits of processors and memory, as the documentation tells them."""
    return f"{resources[kind]['cpu']} and {resources[kind]['memory']}"


def test_the_fillers_own_values_are_documented_as_they_are() -> None:
    ours = PodOverrides().all_resources
    words = f"Requests and limits, merged over requests of {amounts(ours, 'requests')}, and limits of {amounts(ours, 'limits')}."
    assert of("filler_pod", "resources") == words
    assert f"V(0) stands for {FillerSpec.deadline}." in of("filler_pod", "active_deadline")


def test_the_seeds_own_values_are_documented_as_they_are() -> None:
    told, seed = of("repository_cache", "seed"), SeedOptions()
    ours = seed.overrides(PodOverrides(), 0).all_resources
    requests, limits = ours["requests"], ours["limits"]
    for words in (
        f"C(size) is the size of its scratch space (C({seed.size}))",
        f"({requests['cpu']} and {limits['cpu']} processors, {requests['memory']} and {LARGE} of memory)",
        f"no room for {LARGE} beside the run's fillers, the limit of memory is {MEMORY}.",
        f"C(count) is the number of seed pods, 1 to {MOST_REPLICAS},",
    ):
        assert words in told


def test_the_jobs_own_values_are_documented_as_they_are() -> None:
    ours = cron_job._RESOURCES
    most = f"{ours['limits']['cpu']} CPU and {ours['limits']['memory']}"
    assert f"- The pod requests {amounts(ours, 'requests')}, and may use {most};" in (ROOT / "docs/schedule.md").read_text()


def keys(words: str) -> list[str]:
    """Return what a text marks as names, in order."""
    return re.findall(r"C\(([a-z_]+)\)", words)


def test_each_list_of_a_pods_settings_is_that_of_the_code() -> None:
    own = {"namespace", "claim", "path", "state", "image", "node", "timeout"}
    assert set(FILLER_SPEC) - own == set(options("filler_pod")) - own == set(OVERRIDES)
    assert [*FILLER_SPEC] == [*options("filler_pod")]
    known = of("repository_cache", "filler").partition("that describe the pod. ")[2].partition(".")[0]
    assert keys(known) == [*OVERRIDES]
    listed = of("schedule", "pod").partition("The keys are ")[2].partition(", as in")[0]
    assert keys(listed) == [*POD_KEYS]
    assert [*dict.fromkeys(key for key in keys(of("repository_cache", "seed")) if key in SEED_KEYS)] == [*SEED_KEYS]
