# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tolerations that the API takes, and those that are one and the same."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.staging.tolerations import (
    Toleration,
    admitted,
    covers,
    parse_tolerations,
    to_data,
    tolerates,
)

STAGE = {"key": "environment", "operator": "Equal", "value": "stage", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("environment", "is no toleration, which is an object with key, operator, value and effect"),
        ({**STAGE, "operator": "In"}, "operator `In` is none of Equal, Exists"),
        ({**STAGE, "operator": "exists"}, "operator `exists` is none of"),
        ({**STAGE, "effect": "Never"}, "effect `Never` is none of NoSchedule, PreferNoSchedule, NoExecute"),
        ({**STAGE, "operator": "Exists"}, "operator Exists takes no value, but value is `stage`"),
        ({"value": "stage"}, "without a key the operator must be Exists"),
        ({**STAGE, "value": 1}, "`value` is 1, and must be text. Quote text that looks like a number"),
        ({**STAGE, "value": True}, "`value` is True, and must be text"),
        ({**STAGE, "tolerationSeconds": 5}, "tolerationSeconds needs the effect NoExecute"),
        ({**STAGE, "effect": "NoExecute", "tolerationSeconds": "5"}, "`tolerationSeconds` is '5', and must be a whole number"),
        ({**STAGE, "key": "a/b/c"}, "`a/b/c` is no name of a taint"),
        ({**STAGE, "value": "b c"}, "`b c` is no value of a taint"),
        ({**STAGE, "Key": "x"}, "has the unknown field `Key`. Known are: key, operator, value, effect, tolerationSeconds."),
    ],
)
def test_what_is_wrong_is_named_with_the_toleration(data: Any, words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_tolerations([STAGE, data])
    assert str(caught.value).startswith("Toleration 2 (")
    assert words in str(caught.value)


def test_the_operator_is_written_out_and_repetitions_are_one() -> None:
    assert [to_data(item) for item in parse_tolerations([{"key": "a", "value": "b"}, {"value": "b", "operator": "Equal", "key": "a"}])] == [
        {"key": "a", "operator": "Equal", "value": "b"}
    ]


@pytest.mark.parametrize(
    ("whole", "part", "expected"),
    [
        # Each of these was tried on Kubernetes 1.34 as a whitelist and a default toleration.
        (Toleration("a", "", "b"), Toleration("a", "Equal", "b", "NoSchedule"), True),
        (Toleration("a", "Equal", "b", "NoSchedule"), Toleration("a", "", "b", "NoSchedule"), False),
        (Toleration("a", "", "b"), Toleration("a", "", "b", "NoSchedule"), False),
        (Toleration("a", "", "b"), Toleration("a", "", "b"), True),
        (Toleration("", "Exists"), Toleration("a", "", "b"), True),
        (Toleration("a", "Exists"), Toleration("a", "Equal", "b", "NoSchedule"), True),
        (Toleration("a", "Exists", "", "NoExecute", 300), Toleration("a", "Exists", "", "NoExecute", 200), True),
        (Toleration("a", "Exists", "", "NoExecute", 200), Toleration("a", "Exists", "", "NoExecute", 300), False),
        (Toleration("a", "Exists", "", "NoExecute", 200), Toleration("a", "Exists", "", "NoExecute"), False),
        (Toleration("a", "Equal", "b"), Toleration("a", "Equal", "c"), False),
    ],
)
def test_what_the_admission_plugin_takes_for_a_superset(whole: Toleration, part: Toleration, expected: bool) -> None:
    assert covers(whole, part) is expected


def test_a_missing_operator_does_not_hide_what_a_pod_tolerates() -> None:
    assert tolerates([Toleration("a", "", "b", "NoSchedule")], Toleration("a", "Equal", "b", "NoSchedule"))
    assert tolerates([Toleration("a", "Equal", "b")], Toleration("a", "", "b", "NoSchedule"))
    assert not tolerates([Toleration("a", "Equal", "c")], Toleration("a", "", "b", "NoSchedule"))


def test_what_pods_are_admitted_with() -> None:
    assert [str(item) for item in admitted([], requests=True)] == [
        "node.kubernetes.io/not-ready:NoExecute for 300 s",
        "node.kubernetes.io/unreachable:NoExecute for 300 s",
        "node.kubernetes.io/memory-pressure:NoSchedule",
    ]
    longer = Toleration("node.kubernetes.io/not-ready", "Exists", "", "NoExecute", 600)
    assert admitted([longer], requests=False)[-1] == longer
    assert admitted([Toleration("", "Exists")], requests=True) == (Toleration("", "Exists"),)
