# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each right in docs/rbac.yml is needed for what stands beside it there: removed one by one."""

from __future__ import annotations

import pytest
import yaml
from kubernetes import client

from .harness import ROOT, SAND, WORK, Scene

OPTIONAL = {
    ("get", "pods/log"),
    ("list", "events"),
    ("create", "networkpolicies"),
    ("delete", "networkpolicies"),
    ("list", "networkpolicies"),
    ("create", "persistentvolumeclaims"),
    ("delete", "persistentvolumeclaims"),
    ("list", "statefulsets"),
    ("get", "configmaps"),
    ("patch", "configmaps"),
    ("create", "configmaps"),
}
"""Rights that the file calls optional, or for explanations only."""
RIGHTS = sorted(
    (verb, resource)
    for rule in yaml.safe_load((ROOT / "docs" / "rbac.yml").read_text())["rules"]
    for resource in rule["resources"]
    for verb in rule["verbs"]
)


@pytest.mark.embedded
def test_a_run_asks_for_each_right_that_it_needs_and_for_no_other(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    rbac = client.RbacAuthorizationV1Api(scene.cluster.api)
    complete = {space: rbac.read_namespaced_role("repository-cache", space) for space in (WORK, SAND)}
    for verb, resource in RIGHTS:
        for space, role in complete.items():
            rules = [
                {"apiGroups": rule.api_groups, "resources": rule.resources, "resourceNames": rule.resource_names, "verbs": verbs}
                for rule in role.rules
                if (verbs := [item for item in rule.verbs if not (item == verb and resource in rule.resources)])
            ]
            rbac.replace_namespaced_role("repository-cache", space, {"metadata": {"name": "repository-cache"}, "rules": rules})
        done = scene.run()
        if (verb, resource) in OPTIONAL:
            assert done.code == 0, (verb, resource, done.story)
            scene.run(state="absent")
        else:
            assert done.code != 0, (verb, resource)
            assert f"{verb} {resource}" in done.text, done.story
            assert scene.fillers() == []
    assert {right for right in OPTIONAL if right not in RIGHTS} == set()
