# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options for the fillers of both sides, or of one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Role
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.populate.options import ARGUMENT_SPEC, parse_options
from ansible_collections.packit.deployment.plugins.module_utils.volumes.place import parse_filler


def test_each_side_can_have_the_ids_of_its_own_volumes_consumers() -> None:
    overrides = parse_filler(
        {"labels": {"team": "x"}, "pod_security_context": {"fsGroup": 1}, "sandbox": {"pod_security_context": {"fsGroup": 2}}, "worker": None}
    )
    assert {role: overrides[role].pod_security_context for role in Role} == {Role.WORKER: {"fsGroup": 1}, Role.SANDBOX: {"fsGroup": 2}}
    assert [overrides[role].labels for role in Role] == [{"team": "x"}] * 2


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"worker": 3}, "`filler.worker` is 3, and must be a dictionary."),
        ({"sandbox": {"colour": "red"}}, "Unknown key `filler.sandbox.colour`."),
        ({"worker": {"resources": {"limits": {"cpu": "x"}}}}, "`filler.worker.resources.limits.cpu` is 'x', which is no Kubernetes quantity"),
        ({"colour": "red"}, "Unknown key `filler.colour`."),
        ({"sandbox": {"sandbox": {}}}, "Unknown key `filler.sandbox.sandbox`."),
    ],
)
def test_what_is_wrong_is_named_where_it_stands(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_filler(raw)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("project", "method", "told"),
    [
        ({"path": "/srv/one.git"}, "git", True),
        ({"path": "/srv/one.git"}, "auto", False),
        ({"path": "/srv/one.git", "method": "rsync"}, "git", False),
        ({}, "git", False),
    ],
)
def test_a_project_that_goes_by_another_method_than_the_others_is_told(project: dict[str, Any], method: str, told: bool) -> None:
    given = {name: about.get("default") for name, about in ARGUMENT_SPEC.items()}
    given |= {"worker_namespace": "w", "sandbox_namespace": "s", "method": method}
    options = parse_options({**given, "projects": [{"url": "https://example.org/one.git", **project}]})
    words = "Project https://example.org/one.git goes by rsync, as it has a `path`; the method git is for the others."
    assert options.notes == ((words,) if told else ())
