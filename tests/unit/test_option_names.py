# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts name options as the author of the task knows them."""

from __future__ import annotations

import pytest

from ansible_collections.packit.deployment.plugins.plugin_utils.option_names import own_pod_options, variables_of, worded

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
