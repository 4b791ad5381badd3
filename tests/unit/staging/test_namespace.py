# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The annotations that a namespace gets, and the command for those who may write them."""

from __future__ import annotations

import json
import shlex

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.staging.annotations import DEFAULTS, WHITELIST
from ansible_collections.packit.deployment.plugins.module_utils.staging.namespace import (
    Blocked,
    Decision,
    Wish,
    contradiction,
    decide,
    parse_space,
)
from ansible_collections.packit.deployment.plugins.module_utils.staging.tolerations import Toleration, to_data

STAGE = Toleration("environment", "Equal", "stage", "NoSchedule")
WRITTEN = json.dumps([to_data(STAGE)], separators=(",", ":"))


def decided(
    annotations: dict[str, str], *wanted: Toleration, absent: bool = False, exclusive: bool = False, repair: bool = False
) -> Decision:
    space = parse_space({"metadata": {"name": "packit-stg", "annotations": annotations}})
    return decide(space, Wish(wanted, absent, exclusive, repair))


def test_the_command_for_an_administrator_survives_a_shell() -> None:
    command = decided({}, STAGE).command
    assert shlex.split(command) == ["kubectl", "annotate", "--overwrite", "namespace", "packit-stg", f"{DEFAULTS}={WRITTEN}"]
    on_openshift = decided({"openshift.io/description": "x", DEFAULTS: WRITTEN}, STAGE, absent=True).command
    assert on_openshift == f"oc annotate --overwrite namespace packit-stg {DEFAULTS}-"
    assert decided({DEFAULTS: WRITTEN}, STAGE).command == ""


@pytest.mark.parametrize("name", [DEFAULTS, WHITELIST])
@pytest.mark.parametrize("wanted", [(), (STAGE,)])
def test_what_cannot_be_read_is_never_overwritten_unasked(name: str, wanted: tuple[Toleration, ...]) -> None:
    with pytest.raises(Blocked) as caught:
        decided({name: "[{bad"}, *wanted)
    assert f"The annotation {name} of namespace packit-stg stops every pod creation there" in caught.value.message
    assert caught.value.remedy.endswith("It is: [{bad")
    repaired = decided({name: "[{bad"}, *wanted, repair=True)
    assert repaired.changes[name] == (WRITTEN if wanted and name == DEFAULTS else None)
    assert "it was: [{bad" in repaired.warnings[0]


def test_a_whitelist_that_is_amiss_without_us_is_a_warning() -> None:
    found = decided({WHITELIST: WRITTEN})
    assert found.changes == {}
    assert "does not allow node.kubernetes.io/not-ready" in found.warnings[0] and "every pod would be refused" in found.warnings[0]


def test_only_pods_with_requests_are_named_where_only_they_are_refused() -> None:
    injected = [Toleration(f"node.kubernetes.io/{name}", "Exists", "", "NoExecute", 300) for name in ("not-ready", "unreachable")]
    whitelist = json.dumps([to_data(item) for item in (STAGE, *injected)])
    with pytest.raises(InvalidOption) as caught:
        decided({WHITELIST: whitelist}, STAGE)
    assert "does not allow node.kubernetes.io/memory-pressure:NoSchedule: every pod with requests or limits would be refused." in str(
        caught.value
    )
    assert str(caught.value).endswith('[{"key":"node.kubernetes.io/memory-pressure","operator":"Exists","effect":"NoSchedule"}]')


def test_a_toleration_without_an_operator_is_not_what_the_whitelist_takes_it_for() -> None:
    bare = '[{"key":"environment","value":"stage","effect":"NoSchedule"}]'
    everything_but = json.dumps([to_data(STAGE), {"operator": "Exists", "key": "node.kubernetes.io/not-ready"}])
    found = decided({DEFAULTS: bare, WHITELIST: everything_but})
    assert "environment=stage:NoSchedule" in found.warnings[0]


@pytest.mark.parametrize(
    ("annotation", "selector", "words"),
    [
        ("env=prod", {"env": "stage"}, "puts env=prod on all its pods, and env=stage is asked for here."),
        ("zone=a, env==prod", {"env": "stage"}, "puts env=prod on all its pods"),
        ("env=prod", {"env": "prod", "disk": "ssd"}, ""),
        ("env!=stage,env in (a,b)", {"env": "stage"}, ""),
        ("", {"env": "stage"}, ""),
    ],
)
@pytest.mark.parametrize("name", ["openshift.io/node-selector", "scheduler.alpha.kubernetes.io/node-selector"])
def test_a_node_selector_that_the_namespaces_own_excludes_is_told(name: str, annotation: str, selector: dict[str, str], words: str) -> None:
    told = contradiction(parse_space({"metadata": {"name": "packit-stg", "annotations": {name: annotation}}}), selector)
    assert words in told and bool(told) == bool(words)
    assert not told or told.startswith(f"The annotation {name} of namespace packit-stg")
