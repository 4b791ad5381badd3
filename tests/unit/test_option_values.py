# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From each option's documented type, bounds and choices: values that are taken, and values that are refused by the option's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import parse_projects
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import credentials
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.given_values import LIMITS
from ansible_collections.packit.deployment.tests.modules.documented import options
from ansible_collections.packit.deployment.tests.unit.test_modules import MODULES, PLACE, POD, PROJECT, answer_of, given

ROOT = Path(__file__).parents[2]
TAKEN = "The options were taken."
NEEDED: dict[str, dict[str, Any]] = {
    "cache_candidates": {"worker_namespace": "w"},
    "filler_pod": {"namespace": "ns", "claim": "c", "path": "/a"},
    "namespace_tolerations": {"namespaces": ["ns"], "tolerations": []},
    "pod_git": {**POD, **PROJECT, "path": "/cache/one"},
    "pod_rsync": {**POD, "src": "/usr/share", "dest": "/cache/x"},
    "repository_cache": PLACE,
    "repository_cache_claims": {"worker_namespace": "w", "sandbox_namespace": "s"},
    "repository_cache_info": {"worker_namespace": "w", "sandbox_namespace": "s"},
    "schedule": {
        **{"namespace": "ns", "sandbox_namespace": "s", "image": "i", "rules": [{"verbs": ["get"]}]},
        "variables": {"repository_cache_projects": [PROJECT]},
    },
    "service_config": {"namespace": "ns"},
    "workload_settings": {"namespace": "ns", "workloads": ["statefulset/x"]},
}
"""The options that each module must be given."""


NEED_PATH = tuple(method.name for method in METHODS if method.needs_path)


def wrong(name: str, about: dict[str, Any]) -> Iterator[Any]:
    """Values that an option of that kind must refuse."""
    kind, choices = about["type"], about.get("choices")
    if choices:
        yield from (choices[0].swapcase(), "", "nonsense", 3, [choices[0], choices[0]])
    elif kind == "int":
        least, most = LIMITS[name]
        yield from (least - 1, most + 1, -(10**12), 10**12, "x", "", [1], {"a": 1}, "1.5")
    elif kind == "bool":
        yield from ("perhaps", "", [1], 7)
    elif kind == "dict":
        yield from (3, ["x"], "text only")
    elif kind == "list":
        yield {"a": 1}
        if about.get("elements") == "dict":
            yield from (3, [3], [None], ["a text"], ["a=b c"])
    elif kind == "path":
        yield from ("", "  ")
    elif about.get("required"):
        yield from ("", "  ", None)


def right(name: str, about: dict[str, Any]) -> Iterator[Any]:
    """Values that it must take: its default, its choices, and its bounds as numbers and as text."""
    if about.get("default"):  # an empty one stands for what another option or the cluster says
        yield about["default"]
    yield from (choice for choice in about.get("choices") or () if choice not in NEED_PATH)
    if about["type"] == "int":
        yield from (*LIMITS[name], str(LIMITS[name][1]))
    if about["type"] == "bool":
        yield from (True, "no")


CASES = [
    (module, option, value, taken)
    for module in NEEDED
    for option, about in options(module).items()
    for taken, values in ((False, wrong(option, about)), (True, right(option, about)))
    for value in values
]


@pytest.mark.parametrize(("module", "option", "value", "taken"), CASES, ids=lambda value: repr(value)[:20])
def test_a_value_is_taken_or_refused_by_its_options_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str, option: str, value: Any, taken: bool
) -> None:
    def connect(*_arguments: object) -> None:
        raise DeploymentError(TAKEN)

    monkeypatch.setattr(credentials, "trim", connect)
    given(monkeypatch, {**NEEDED[module], option: value})
    told = answer_of(import_module(f"{MODULES}.{module}").main, capsys)
    if taken:
        assert told["msg"] == TAKEN
    else:
        assert TAKEN not in told["msg"] and re.search(rf"\b{option}\b", told["msg"])
        assert "exception" not in told


@pytest.mark.parametrize("module", sorted(NEEDED))
def test_a_module_takes_what_it_documents_and_nothing_else(module: str) -> None:
    spec = import_module(f"{MODULES}.{module}").ARGUMENT_SPEC
    assert {name: about.get("default") for name, about in spec.items()} == {name: about.get("default") for name, about in options(module).items()}


def test_every_module_is_here() -> None:
    assert {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")} == set(NEEDED)


@pytest.mark.parametrize("module", NEEDED)
def test_the_bounds_of_each_number_are_documented(module: str) -> None:
    for name, about in options(module).items():
        if about["type"] == "int":
            least, most = LIMITS[name]
            assert f"From {least} to {most}." in str(about["description"]), name


@pytest.mark.parametrize("role", sorted(path.name for path in ROOT.glob("roles/*")))
def test_the_bounds_of_each_number_of_a_role_are_documented(role: str) -> None:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())
    numbers = {name: about for name, about in specs["argument_specs"]["main"]["options"].items() if about["type"] == "int"}
    for name, about in numbers.items():
        least, most = LIMITS[name.removeprefix(f"{role}_")]
        assert f"From {least} to {most}." in str(about["description"]), name
    assert numbers


def examples() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each task of a module's EXAMPLES: its module, its name, and its arguments with a text for each template."""
    for module in NEEDED:
        for task in yaml.safe_load(import_module(f"{MODULES}.{module}").EXAMPLES):
            for name, arguments in task.items():
                if name.startswith("packit.deployment."):
                    yield name.removeprefix("packit.deployment."), task["name"], _filled(arguments)


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    return "of-a-template" if isinstance(value, str) and "{{" in value else value


@pytest.mark.parametrize(("module", "name", "arguments"), list(examples()), ids=lambda value: value if isinstance(value, str) else "")
def test_each_example_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str, name: str, arguments: dict[str, Any]
) -> None:
    def connect(*_arguments: object) -> None:
        raise DeploymentError(TAKEN)

    monkeypatch.setattr(credentials, "trim", connect)
    given(monkeypatch, arguments)
    told = answer_of(import_module(f"{MODULES}.{module}").main, capsys)
    # Which files there are on this machine is not the example's matter.
    assert told["msg"] == TAKEN or "on the controller" in told["msg"] or "There is no file" in told["msg"], name


def test_the_readmes_variables_are_the_roles_own() -> None:
    documented = yaml.safe_load((ROOT / "roles" / "repository_cache" / "meta" / "argument_specs.yml").read_text())
    known = documented["argument_specs"]["main"]["options"]
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    variables, tasks = map(yaml.safe_load, blocks)
    assert set(variables) <= set(known)
    parse_projects(variables["repository_cache_projects"])
    (task,) = tasks
    assert task["ansible.builtin.include_role"] == {"name": "packit.deployment.repository_cache"}
    assert set(task["vars"]) <= set(known)
