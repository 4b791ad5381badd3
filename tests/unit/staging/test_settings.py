# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of a workload: whose they are, and that what we put there is what we take away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.packit.deployment.plugins.module_utils.cluster.workloads import LAST_APPLIED, Workload, parse_workload
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.staging.node_fit import no_place, parse_node
from ansible_collections.packit.deployment.plugins.module_utils.staging.settings import RECORD, Wanted, decide
from ansible_collections.packit.deployment.plugins.module_utils.staging.sizes import Size
from ansible_collections.packit.deployment.plugins.module_utils.staging.tolerations import Toleration

STAGE = Toleration("environment", "Equal", "stage", "NoSchedule")
NOTHING = Wanted(True, {}, (), None)


def workload(pod: Mapping[str, Any] | None = None, applied: Any = None, record: str = "", replicas: int = 2) -> Workload:
    containers = [{"name": "worker", "resources": {"requests": {"memory": "512Mi"}, "limits": {"memory": "1Gi"}}}]
    annotations = {LAST_APPLIED: json.dumps({"spec": applied})} if applied is not None else {}
    annotations |= {RECORD: record} if record else {}
    return parse_workload(
        {
            "kind": "StatefulSet",
            "metadata": {"name": "packit-worker", "namespace": "ns", "uid": "u", "resourceVersion": "1", "annotations": annotations},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": containers, **(pod or {})}}},
        }
    )


def merge(target: Any, patch: Any) -> Any:
    """A JSON merge patch, as the server applies it."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def applied(before: Workload, wanted: Wanted) -> Workload:
    """The workload after the patch."""
    change = decide(before, wanted)
    body = change.body("1", template=True)
    pod = merge(before.template["spec"], body["spec"].get("template", {}).get("spec", {}))
    record = body["metadata"].get("annotations", {}).get(RECORD, before.annotations.get(RECORD))
    return workload(pod, None, record or "", body["spec"].get("replicas", before.replicas))


LABELS = st.dictionaries(st.sampled_from(["env", "zone", "disk"]), st.sampled_from(["stage", "prod"]), max_size=3)
TOLERATIONS = st.lists(
    st.sampled_from([STAGE, Toleration("a", "Exists"), Toleration("b", "Equal", "c")]), max_size=3, unique_by=lambda item: item.meaning
).map(tuple)


@given(LABELS, LABELS, TOLERATIONS)
def test_what_is_put_there_is_taken_away_again_and_nothing_else(
    present: dict[str, str], wanted: dict[str, str], tolerations: tuple[Toleration, ...]
) -> None:
    own = {name: value for name, value in present.items() if name not in wanted}
    before = workload({"nodeSelector": own} if own else {})
    there = applied(before, Wanted(True, wanted, tolerations, None))
    assert there.template["spec"].get("nodeSelector", {}) == {**own, **wanted}
    assert len(there.template["spec"].get("tolerations", [])) == len(tolerations)
    assert decide(there, Wanted(True, wanted, tolerations, None)).fields == ()
    after = applied(there, NOTHING)
    assert after.template["spec"].get("nodeSelector", {}) == own
    assert not after.template["spec"].get("tolerations")
    assert RECORD not in after.annotations


def test_what_was_there_before_is_not_ours_to_take_away() -> None:
    before = workload({"nodeSelector": {"env": "stage"}, "tolerations": [{"key": "environment", "value": "stage", "effect": "NoSchedule"}]})
    wanted = Wanted(True, {"env": "stage"}, (STAGE,), None)
    assert decide(before, wanted).fields == ()
    assert decide(before, NOTHING).fields == ()


def test_a_value_that_somebody_changed_since_is_theirs() -> None:
    before = workload({"nodeSelector": {"env": "prod"}}, record='{"nodeSelector":{"env":"stage"}}')
    assert decide(before, NOTHING).fields == ()


def test_a_record_that_somebody_spoiled_is_no_record() -> None:
    assert decide(workload({"nodeSelector": {"env": "stage"}}, record="[no json"), NOTHING).fields == ()


def size(**wanted: Any) -> Wanted:
    whole = {"replicas": None, "container": "", "requests": {}, "limits": {}, **wanted}
    return Wanted(False, {}, (), Size("statefulset/packit-worker", **whole))


def test_the_same_amount_in_another_spelling_changes_nothing() -> None:
    assert decide(workload(), size(replicas=2, requests={"memory": "0.5Gi"}, limits={"memory": "1024Mi"})).fields == ()


def test_replicas_alone_restart_nothing_and_leave_the_template_alone() -> None:
    change = decide(workload(), size(replicas=1))
    assert not change.restarts
    assert change.body("7", template=True) == {"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": {"replicas": 1}}


def test_a_request_beyond_the_present_limit_is_refused() -> None:
    with pytest.raises(InvalidOption) as caught:
        decide(workload(), size(requests={"memory": "2Gi"}))
    assert str(caught.value) == (
        "Container worker of StatefulSet ns/packit-worker would request 2Gi of memory, and its limit is 1Gi: "
        "a request may not be beyond its limit. Set both requests.memory and limits.memory."
    )


def test_a_container_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(InvalidOption, match=r"has no container `x`\. It has: worker"):
        decide(workload(), size(container="x", limits={"memory": "1Gi"}))
    two = workload({"containers": [{"name": "a"}, {"name": "b"}]})
    with pytest.raises(InvalidOption, match=r"has several containers\. Say which one with `container`: a, b"):
        decide(two, size(limits={"memory": "1Gi"}))


TEMPLATE = {
    "replicas": 2,
    "template": {
        "spec": {
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [],
            "containers": [{"name": "worker", "resources": {"limits": {"memory": "1Gi"}}}],
        }
    },
}


@pytest.mark.parametrize(
    ("wanted", "reverted"),
    [
        (size(replicas=1), ["spec.replicas"]),
        (size(limits={"memory": "2Gi"}), ["spec.template.spec.containers[worker].resources.limits.memory"]),
        (size(limits={"cpu": "1"}, requests={"memory": "256Mi"}), []),
        (Wanted(True, {"env": "stage"}, (), None), []),
        (Wanted(True, {"disk": "hdd"}, (), None), ["spec.template.spec.nodeSelector.disk"]),
        (Wanted(True, {}, (STAGE,), None), ["spec.template.spec.tolerations"]),
    ],
)
def test_fields_of_the_deployments_templates_are_known(wanted: Wanted, reverted: list[str]) -> None:
    change = decide(workload({"nodeSelector": {"disk": "ssd"}}, TEMPLATE), wanted)
    assert change.fields
    assert [item.path for item in change.fields if item.reverted] == reverted


def test_what_the_template_says_too_may_be_restored() -> None:
    change = decide(workload(applied=TEMPLATE, replicas=5), size(replicas=2))
    assert [item.reverted for item in change.fields] == [False]


def test_nodes_without_the_labels_or_with_other_taints_are_no_place() -> None:
    taint = {"key": "environment", "value": "stage", "effect": "NoSchedule"}
    nodes = [
        parse_node({"metadata": {"name": "n1", "labels": {"env": "stage"}}, "spec": {"taints": [taint]}}),
        parse_node({"metadata": {"name": "n2", "labels": {}}}),
    ]
    assert no_place(nodes, {"env": "stage"}, [STAGE]) == ""
    assert no_place(nodes, {"env": "prod"}, [STAGE]) == "No node has the labels env=prod."
    assert no_place(nodes, {"env": "stage"}, []) == (
        "Each node with the labels env=stage has a taint that is not tolerated: n1 has the taint environment=stage:NoSchedule."
    )
    soft = parse_node({"metadata": {"name": "n3"}, "spec": {"taints": [{**taint, "effect": "PreferNoSchedule"}]}})
    assert no_place([soft], {}, []) == ""
