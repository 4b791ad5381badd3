# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes that the API would refuse are refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import exact_quantity
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.staging.sizes import parse_sizes, same_quantity


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ({"replicas": -1}, "replicas of `statefulset/x` is -1, and must be 0 or more."),
        ({}, "The size of `statefulset/x` says nothing."),
        ({"requests": {"mem": "1Gi"}}, "requests of `statefulset/x` has `mem`, which is no resource."),
        ({"limits": {"memory": "1GB"}}, "limits.memory of `statefulset/x` is '1GB', which is no Kubernetes quantity. Write 500m"),
        ({"limits": {"memory": "nan"}}, "is no Kubernetes quantity"),
        ({"limits": {"memory": "1_000"}}, "is no Kubernetes quantity"),
        ({"limits": {"cpu": True}}, "limits.cpu of `statefulset/x` is True"),
        ({"requests": {"cpu": "-1"}}, "requests.cpu of `statefulset/x` is -1, and must be 0 or more."),
        (
            {"requests": {"memory": "2Gi"}, "limits": {"memory": "1024Mi"}},
            "`statefulset/x` would request 2Gi of memory, and its limit is 1024Mi: a request may not be beyond its limit.",
        ),
    ],
)
def test_what_is_wrong_is_named(size: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_sizes([{"workload": "statefulset/x", **size}])
    assert words in str(caught.value)


def test_numbers_and_other_resources_are_taken() -> None:
    (size,) = parse_sizes([{"workload": "x", "replicas": 0, "requests": {"cpu": 1, "example.org/gpu": 2}, "limits": {"cpu": 1.5}}])
    assert (size.replicas, size.requests, size.limits) == (0, {"cpu": "1", "example.org/gpu": "2"}, {"cpu": "1.5"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500m", 0.5), ("1Gi", 2**30), ("1e3", 1000), ("1E3", 1000), ("1E", 10**18), (".5", 0.5), ("5.", 5), ("100u", 1e-4), ("+1k", 1000)],
)
def test_quantities(text: str, expected: float) -> None:
    assert exact_quantity(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "1GB", "inf", "nan", "1_0", "1 Gi", "Gi", "1e", "0x1", "1e3Ki", "1.2.3", "--1"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no Kubernetes quantity"):
        exact_quantity(text)


def test_one_amount_in_two_spellings() -> None:
    assert same_quantity("1Gi", "1024Mi") and same_quantity("0.7", "700m") and not same_quantity("1G", "1Gi")
