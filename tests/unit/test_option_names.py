# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts name options as the author of the task knows them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import BY_RSYNC, BY_SEED
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import BY_CONTROLLER, METHODS
from ansible_collections.packit.deployment.plugins.plugin_utils.option_names import own_pod_options, variables_of, worded
from ansible_collections.packit.deployment.tests.modules.documented import options

PLUGINS = Path(__file__).parents[2] / "plugins"
ROLE = {"max_hold": "{{ repository_cache_max_hold }}", "state": "{{repository_cache_state}}", "filler": "{{ repository_cache_filler | default({}) }}"}
OTHERS = {
    "image": "{{ registry }}/x", "method": "{{ item }}", "timeout": "{{ true if slow else 1 }}",
    "path": "/repository-cache", "verify": True, "host": "{{ omit if host == '' else host }}", "seed": "x{{ seed }}", "select": "{{ (a or b) }}",
}
CHOSEN = {"tolerations": "{{ staging_tolerations if staging_state == 'present' else [] }}"}


def test_an_option_is_known_by_the_variable_that_it_is_taken_from() -> None:
    assert variables_of(CHOSEN) == {"tolerations": "staging_tolerations"}
    assert variables_of({**ROLE, **OTHERS}) == {
        "max_hold": "repository_cache_max_hold",
        "state": "repository_cache_state",
        "filler": "repository_cache_filler",
    }


@pytest.mark.parametrize(
    ("text", "in_role"),
    [
        ("Raise option `max_hold`.", "Raise repository_cache_max_hold."),
        ("Remove it (option `state: absent`).", "Remove it (repository_cache_state: absent)."),
        ("Set option `filler.resources.limits.memory`", "Set repository_cache_filler.resources.limits.memory"),
        ("option `filler.pod_security_context: {fsGroup: 1}`", "repository_cache_filler: {pod_security_context: {fsGroup: 1}}"),
        ("the option `filler` of repository_cache", "the repository_cache_filler"),
        ("An adoption `state`, or option `node_selector` of workload_settings.", "An adoption `state`, or option `node_selector` of workload_settings."),
        ("Option `state` is empty.", "repository_cache_state is empty."),
        ("Check option `path`, and `max_hold`.", "Check option `path`, and `max_hold`."),
    ],
)
def test_a_role_names_its_variables_and_a_module_its_options(text: str, in_role: str) -> None:
    result = {"msg": text, "volumes": [{"error": text, "refs": 3}], "summary": (text,), "diff": {"after": text}}
    variables = variables_of({**ROLE, **OTHERS})
    assert worded(result, variables) == {"msg": in_role, "volumes": [{"error": in_role, "refs": 3}], "summary": (in_role,), "diff": {"after": text}}
    assert worded(text, {}) == text


def test_what_others_have_as_filler_are_options_of_the_filler_pod_itself() -> None:
    result = {"msg": "Check option `filler.node_selector`.", "warnings": ["Option `filler.resources.requests` is small, and option `image`."]}
    assert own_pod_options(result) == {"msg": "Check option `node_selector`.", "warnings": ["Option `resources.requests` is small, and option `image`."]}
    assert worded(own_pod_options("Set option `filler.labels`."), {"labels": "my_labels", "filler": "x"}) == "Set my_labels."


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a program but for docstrings, with a blank for what is put into them."""
    tree = ast.parse(path.read_text())
    inside = {part for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.Expr)) for part in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else " " for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield node.value


def untranslated(text: str) -> str | None:
    """Return a setting that a text advises without the words by which a role's variable is found; None where there is none."""
    rest = re.sub(r"\b[Oo]ption `[^`]*`", "", text)
    found = SETTING.search(rest) or re.search(rf"\b(method|[Uu]se) `?({'|'.join(method.name for method in METHODS)})\b", rest)
    found = found or re.search(rf"\b([Ss]et|[Rr]aise|[Ll]ower|[Ll]eave) `?({'|'.join(OPTIONS)})\b", rest)
    return None if found is None else found[0]


OPTIONS = {name: about for path in sorted((PLUGINS / "modules").glob("*.py")) for name, about in options(path.stem).items()}
SETTING = re.compile(
    "|".join(rf"\b{name}: (?:{'|'.join(map(str, about.get('choices', ['true', 'false'])))})\b" for name, about in sorted(OPTIONS.items()))
)


def test_a_text_advises_a_setting_as_it_is_translated() -> None:
    known = [(path.name, text) for path in sorted((PLUGINS / "module_utils").rglob("*.py")) for text in texts(path) if " " in text and "\n" not in text]
    assert sum("ption `" in text for _name, text in known) > 50
    assert [(name, found) for name, text in known if (found := untranslated(text))] == []


@pytest.mark.parametrize("text", ["Use method rsync.", "verify: true looks", "Remove it (`state: absent`).", "Leave restart out.", "use `seed`"])
def test_a_setting_without_its_words_would_be_found(text: str) -> None:
    assert untranslated(text) is not None
    assert untranslated("Raise option `seed.size`, or use option `method: rsync`, or an image that has git.") is None


def test_remedies_name_the_methods_by_their_names() -> None:
    """Where the git layer cannot know the methods themselves."""
    assert f"option `method: {BY_CONTROLLER.name}`" == BY_RSYNC
    assert [f"option `method: {method.name}`" for method in METHODS if method.by_seed] == [BY_SEED]
    assert worded(f"Use {BY_RSYNC}.", {"method": "repository_cache_method"}) == "Use repository_cache_method: rsync."
