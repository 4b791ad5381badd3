# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Missing rights, in words; of a namespace that is not there the API says the same as of one in which nothing is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.access import RBAC_STAGING, Right, require
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import Forbidden
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND

WANTED = (Right("pods", "list"), Right("pods", "create"))
EVERYONES = {"apiGroups": ["authorization.k8s.io", "project.openshift.io"], "resources": ["selfsubjectaccessreviews", "projects"], "verbs": ["*"]}
"""Rights that all users have everywhere, also in a namespace that is not there."""


class Reviews:
    """A client whose reviews answer with rules."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self._rules = rules

    def create(self, kind: str, _namespace: str, _body: object, _deadline: Deadline) -> dict[str, Any]:
        """See ``Client.create``."""
        assert kind == "SelfSubjectRulesReview"
        return {"status": {"resourceRules": list(self._rules)}}


def refusal(*rules: dict[str, Any]) -> str:
    with pytest.raises(Forbidden) as caught:
        require(Reviews(*rules), ["packit-prood"], WANTED, Deadline(BOUND, "this test"), RBAC_STAGING)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_right_that_is_missing_is_named_with_its_rule_and_its_file() -> None:
    told = refusal(EVERYONES, {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]})
    assert told.startswith("Rights are missing in namespace packit-prood: create pods. Add these rules to the Role (docs/rbac-staging.yml")
    assert 'resources: ["pods"]\n  verbs: ["create"]' in told


@pytest.mark.parametrize("rules", [(), (EVERYONES,)])
def test_a_namespace_in_which_nothing_is_allowed_may_not_be_there(rules: tuple[dict[str, Any], ...]) -> None:
    assert "You may do nothing in packit-prood: is the name right, and is the namespace there?" in refusal(*rules)
