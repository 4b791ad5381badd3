# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seed pod's options: good defaults, and wrong values named."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.overrides import PodOverrides
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.seed_options import parse_seed


def test_the_scratch_has_requests_and_limits_of_ephemeral_storage() -> None:
    resources = parse_seed({"size": "2Gi"}).overrides(PodOverrides(), 600).all_resources
    assert resources["requests"]["ephemeral-storage"] == "1Gi"
    assert int(resources["limits"]["ephemeral-storage"]) == 2 * 2**30 + 256 * 2**20


def test_with_a_claim_nothing_is_asked_of_the_nodes_own_storage() -> None:
    resources = parse_seed({"claim": "kept"}).overrides(PodOverrides(), 600).all_resources
    assert all("ephemeral-storage" not in kind for kind in resources.values())


def test_the_users_resources_count_and_the_image_has_time_to_be_pulled() -> None:
    overrides = parse_seed({"resources": {"limits": {"memory": "2Gi"}}}).overrides(PodOverrides(start_timeout=180), 1800)
    assert overrides.memory_bytes == 2 * 2**30
    assert overrides.start_timeout == 1800


def test_a_request_above_the_seeds_limit_raises_the_limit() -> None:
    overrides = parse_seed({"resources": {"requests": {"memory": "4Gi"}}, "network_policy": "yes"}).overrides(PodOverrides(), 600)
    assert (overrides.all_resources["requests"]["memory"], overrides.memory_bytes) == ("4Gi", 4 * 2**30)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"colour": "red"}, "Unknown key `seed.colour`. Known keys: claim, count, network_policy, resources, size."),
        ({"size": 4}, "`seed.size` is 4, and must be text."),
        ({"size": "4Gb"}, "`seed.size`: `4Gb` is no Kubernetes quantity."),
        ({"size": "1Mi"}, "`seed.size` is `1Mi`, which is too small for any repository."),
        ({"count": 99}, "`seed.count` is 99, and must be a whole number from 0 to 8."),
        ({"count": True}, "`seed.count` is True, and must be a whole number from 0 to 8."),
        ({"network_policy": "perhaps"}, "`seed.network_policy` is 'perhaps', and must be true or false."),
        ({"resources": {"limits": {"memory": "lots"}}}, "`seed.resources.limits.memory` is 'lots', which is no Kubernetes quantity"),
    ],
)
def test_wrong_values_are_named(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption) as refused:
        parse_seed(raw)
    assert words in str(refused.value)
