# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's options are its modules' options: in its documentation, its defaults and its tasks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.packit.deployment.tests.modules.documented import options as documented
from ansible_collections.packit.deployment.tests.tools.role_options import HANDED_DOWN, calls, defaults, handed_down, specs_file, specs_text

ROLES = Path(__file__).parents[2] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir())
CONNECTION = {
    "host": "{{ host | default(omit, true) }}",
    "api_key": "{{ api_key | default(omit, true) }}",
    "validate_certs": "{{ omit if validate_certs | default('') | string | length == 0 else validate_certs }}",
    "kubeconfig": "{{ kubeconfig | default(omit, true) }}",
    "context": "{{ context | default(omit, true) }}",
}
"""The options by which each task of a role hands down which cluster is meant."""
LEFT = {
    "repository_cache": {"progress_file"},
    "repository_cache_claims": {"wait_timeout"},
    "namespace_tolerations": {"timeout"},
    "workload_settings": set(),
    "schedule": set(),
    "service_config": set(),
}
"""The options that a role leaves as they are, by module."""


def options(role: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(specs_file(role).read_text())["argument_specs"]["main"]["options"]
    return found


def shape(option: dict[str, Any]) -> dict[str, Any]:
    """Return what an option takes, without its words."""
    kept = {key: value for key, value in option.items() if key in ("type", "elements", "choices", "required")}
    inside = option.get("options") or option.get("suboptions") or {}
    return {**kept, "options": {name: shape(about) for name, about in inside.items()}}


@pytest.mark.parametrize("role", NAMES)
def test_a_role_gives_each_option_to_its_modules(role: str) -> None:
    given = list(calls(role))
    assert given
    for module, arguments in given:
        assert set(arguments) | LEFT[module] == set(documented(module)) | set(CONNECTION), module
        assert {name: arguments[name] for name in CONNECTION} == CONNECTION


@pytest.mark.parametrize("role", NAMES)
def test_an_option_that_a_role_hands_down_has_the_modules_words(role: str) -> None:
    assert sum(len(options) for options in handed_down(role).values()) > 4
    assert specs_file(role).read_text() == specs_text(role), "`make role-options` writes what the modules document"


@pytest.mark.parametrize("role", NAMES)
def test_a_roles_option_takes_what_the_modules_option_takes(role: str) -> None:
    compared = 0
    for module, arguments in calls(role):
        for option, value in arguments.items():
            if plain := HANDED_DOWN.fullmatch(str(value)):
                if option in CONNECTION:
                    continue
                of_role, of_module = options(role)[plain[1]], documented(module)[option]
                ours = {**shape(of_role), "required": False}
                theirs = {**shape(of_module), "required": False}  # a role's default may be a variable of the deployment's
                assert ours == theirs, (module, option)
                default = defaults(role)[plain[1]]
                if "{{" not in str(default) and "default" in of_module:
                    assert default == of_module["default"], (module, option)
                compared += 1
    assert compared >= 3


@pytest.mark.parametrize("role", NAMES)
def test_a_roles_documented_default_is_its_default(role: str) -> None:
    known, given = options(role), defaults(role)
    ours = {name for name in known if name not in CONNECTION and name != "with_repository_cache"}
    assert set(given) == ours
    for name, value in given.items():
        if "default" in known[name]:
            assert known[name]["default"] == value, name
        else:
            assert value in ("", None) or "{{" in str(value), name


@pytest.mark.parametrize("role", NAMES)
def test_a_role_reads_each_of_its_options(role: str) -> None:
    tasks = "".join(path.read_text() for path in (ROLES / role / "tasks").glob("*.yml"))
    assert [name for name in options(role) if not re.search(rf"\b{name}\b", tasks)] == []


@pytest.mark.parametrize("step", ["converge", "verify", "side_effect"])
def test_each_role_has_its_part_in_the_scenario_of_molecule(step: str) -> None:
    scenario = ROLES.parent / "extensions" / "molecule" / "default"
    parts = [play["ansible.builtin.import_playbook"] for play in yaml.safe_load((scenario / f"{step}.yml").read_text())]
    assert [f"{role}/{step}.yml" for role in NAMES] == [part for part in parts if "/" in part]


def test_only_roles_know_their_variables() -> None:
    """The modules name their options; the action plugin names the variables of whoever called."""
    modules = {path.stem for path in (ROLES.parent / "plugins/modules").glob("*.py")}
    variables = {name for role in NAMES for name in defaults(role)} - modules
    texts = {path: path.read_text() for path in (ROLES.parent / "plugins/module_utils").rglob("*.py")}
    assert len(variables) > 40 and len(texts) > 100
    assert [(path.name, name) for path, text in texts.items() for name in variables if re.search(rf"\b{name}\b", text)] == []
