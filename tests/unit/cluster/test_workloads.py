# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a roll-out, the workload that a name means, and why a workload's pod does not start."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.diagnosis import Observed, Whose, judge
from ansible_collections.packit.deployment.plugins.module_utils.cluster.workloads import (
    LAST_APPLIED,
    choose_workload,
    parse_workload,
    rolled_out,
    split_name,
    wait_for_rollout,
)
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.tests.bounds import BOUND

DONE = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


def workload(kind: str = "StatefulSet", status: dict[str, Any] | None = None, meta: dict[str, Any] | None = None, **spec: Any) -> Any:
    return parse_workload(
        {
            "kind": kind,
            "metadata": {"name": "x", "namespace": "ns", "generation": 3, **(meta or {})},
            "spec": {"replicas": 2, "template": {}, **spec},
            "status": DONE if status is None else {**DONE, **status},
        }
    )


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("StatefulSet", {}, True),
        ("Deployment", {}, True),
        ("StatefulSet", {"observedGeneration": 2}, False),  # the controller has not seen the change
        ("StatefulSet", {"updatedReplicas": 1}, False),
        ("StatefulSet", {"readyReplicas": 1}, False),
        ("StatefulSet", {"replicas": 3}, False),  # one is being scaled away
        ("Deployment", {"replicas": 3}, False),  # an old one is still there
        ("Deployment", {"availableReplicas": 1}, False),
        ("Deployment", {"updatedReplicas": 1}, False),
    ],
)
def test_when_every_pod_is_as_the_template_says(kind: str, status: dict[str, Any], expected: bool) -> None:
    assert rolled_out(workload(kind, status)) is expected


def test_a_partition_is_the_end_of_a_roll_out() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    assert rolled_out(workload(status={"updatedReplicas": 1}, updateStrategy=strategy))


def test_nothing_is_there_of_a_workload_without_replicas() -> None:
    assert rolled_out(workload(status={name: 0 for name in DONE if name != "observedGeneration"}, replicas=0))


@pytest.mark.parametrize("text", ["", "no json", "[]", "null"])
def test_a_last_applied_configuration_that_cannot_be_read_is_none(text: str) -> None:
    assert workload(meta={"annotations": {LAST_APPLIED: text}}).last_applied == {}


def test_names_with_and_without_a_kind() -> None:
    present = [workload(), workload("Deployment"), workload("Deployment", meta={"name": "y"})]
    assert split_name("StatefulSet/x") == ("StatefulSet", "x") and split_name("x") == ("", "x")
    assert choose_workload(present, "ns", "deployment/x") is present[1]
    assert choose_workload(present, "ns", "y") is present[2]
    with pytest.raises(InvalidOption, match="Say statefulset/x or deployment/x"):
        choose_workload(present, "ns", "x")
    for name in ("", "x/", "pods/x"):
        with pytest.raises(InvalidOption, match="names no workload"):
            split_name(name)


def pod(**status: Any) -> Any:
    spec = {"containers": [{"name": "main", "image": "img:1"}]}
    return parse_pod({"metadata": {"name": "p", "namespace": "ns"}, "spec": spec, "status": {"phase": "Pending", **status}})


def waiting(reason: str, message: str) -> Any:
    return pod(containerStatuses=[{"name": "main", "state": {"waiting": {"reason": reason, "message": message}}}])


def test_a_workloads_pod_is_explained_in_its_own_words() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: 2 Insufficient memory."}
    found = judge(Observed(pod(conditions=[condition])), Whose.WORKLOAD)
    assert found.sentence == (
        "Pod ns/p cannot be placed. The node has not enough room for the pod's requests. The scheduler says: 0/2 nodes: 2 Insufficient memory."
    )
    assert found.remedy == "Make its requests or the number of replicas smaller." and not found.fatal
    image = judge(Observed(waiting("ImagePullBackOff", "Back-off")), Whose.WORKLOAD)
    assert image.sentence == "Pod ns/p: the image img:1 cannot be pulled (ImagePullBackOff): Back-off." and image.fatal
    assert "repository_cache" not in image.remedy


def test_a_container_that_ends_again_and_again_is_not_quoted() -> None:
    found = judge(Observed(waiting("CrashLoopBackOff", "back-off 10s restarting failed container"), log="password=1"), Whose.WORKLOAD)
    assert "ends again and again: back-off 10s" in found.sentence and "password" not in str(found)
    assert found.remedy == "See its log: kubectl logs --previous -n ns p -c main"


def test_a_paused_deployment_is_said_and_not_waited_for() -> None:
    told: list[str] = []
    paused = workload("Deployment", {"updatedReplicas": 0}, paused=True)
    wait_for_rollout(SimpleNamespace(), workload("Deployment", paused=True), Deadline(BOUND, "this test"), told.append)  # type: ignore[arg-type]
    assert told == [], "nothing is to be rolled out"
    wait_for_rollout(SimpleNamespace(), paused, Deadline(BOUND, "this test"), told.append)  # type: ignore[arg-type]
    assert told == [
        f"{paused} is paused, so its pods stay as they are until somebody goes on with it: "
        f"kubectl rollout resume {paused.named} -n {paused.namespace}"
    ]
