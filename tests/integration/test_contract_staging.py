# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests around tolerations, taints and workloads, answered alike by both clusters: recorded from the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import Invalid
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.staging.annotations import (
    DEFAULTS,
    WHITELIST,
    forbidden,
    read_list,
    refused_entries,
)
from ansible_collections.packit.deployment.plugins.module_utils.staging.proof import proof_pod
from ansible_collections.packit.deployment.plugins.module_utils.staging.tolerations import admitted, read_toleration
from tests.bounds import BOUND
from tests.clusters.base import LANE, TestCluster
from tests.waiting import until

from .test_contract import refused

NS = f"packit-contract-staging{LANE}"
STAGE = {"key": "environment", "operator": "Equal", "value": "stage", "effect": "NoSchedule"}
BARE = {"key": "environment", "value": "stage", "effect": "NoSchedule"}
INJECTED = [
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for name in ("not-ready", "unreachable")
]
PRESSURE = {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}
CONFLICT = "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist"


@pytest.fixture(scope="module")
def contract(shared_cluster: TestCluster) -> Iterator[TestCluster]:
    """A namespace."""
    shared_cluster.reset()
    shared_cluster.namespace(NS)
    yield shared_cluster
    shared_cluster.reset()


def annotate(contract: TestCluster, defaults: str | None, whitelist: str | None = None) -> None:
    """Both annotations. The admission plugin sees a change a little later, so a mark that it shows is changed with them."""
    contract.core.patch_namespace(NS, {"metadata": {"annotations": {DEFAULTS: "[{mark", WHITELIST: None}}})
    until(lambda: admit(contract)[0] == 500, "the mark")
    contract.core.patch_namespace(NS, {"metadata": {"annotations": {DEFAULTS: defaults, WHITELIST: whitelist}}})
    mark = "invalid character 'm' looking for beginning of object key string"
    until(lambda: admit(contract)[1] != mark, "the end of the mark")


def admit(contract: TestCluster, requests: bool = False, **spec: Any) -> tuple[int, Any]:
    """Return what becomes of a pod: its tolerations, or the refusal's code and words."""
    body = proof_pod(requests)
    body["spec"].update(spec)
    try:
        answer = contract.core.create_namespaced_pod(NS, body, dry_run="All", _preload_content=False)
    except client.ApiException as error:
        refusal = json.loads(error.body)
        return refusal["code"], refusal["message"]
    return 201, json.loads(answer.data)["spec"].get("tolerations")


@pytest.mark.parametrize(
    ("defaults", "words"),
    [
        ("[{bad", "invalid character 'b' looking for beginning of object key string"),
        ("'x'", "invalid character '\\'' looking for beginning of value"),
        (" ", "unexpected end of JSON input"),
        ("[] x", "invalid character 'x' after top-level value"),
        ('[{"key":"a"', "unexpected end of JSON input"),
        ('[{"key" "a"}]', "invalid character '\"' after object key"),
        ('[{"key":"a" "b"}]', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{}", "json: cannot unmarshal object into Go value of type []v1.Toleration"),
        ('"x"', "json: cannot unmarshal string into Go value of type []v1.Toleration"),
        ("true", "json: cannot unmarshal bool into Go value of type []v1.Toleration"),
        ("[1]", "json: cannot unmarshal number into Go value of type v1.Toleration"),
        ('[{"key":true}]', "json: cannot unmarshal bool into Go struct field Toleration.key of type string"),
        (
            '[{"tolerationSeconds":1.5}]',
            "json: cannot unmarshal number 1.5 into Go struct field Toleration.tolerationSeconds of type int64",
        ),
    ],
)
def test_an_annotation_that_cannot_be_read_stops_every_pod(contract: TestCluster, defaults: str, words: str) -> None:
    annotate(contract, defaults)
    assert admit(contract) == (500, words)
    assert read_list(defaults).unreadable
    annotate(contract, None, defaults)
    assert admit(contract) == (500, words)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"key": "a", "operator": "Bogus"}, '[2].operator: Unsupported value: "Bogus": supported values: "Equal", "Exists"'),
        (
            {"key": "a", "operator": "Exists", "value": "x"},
            "[2].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
        ),
        (
            {"key": "a", "effect": "Never"},
            '[2].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
        ),
        (
            {"operator": "Equal", "value": "x"},
            '[2].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
        (
            {"key": "a", "tolerationSeconds": 5},
            "[2].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set",
        ),
        ({"key": "a/b/c", "value": "b"}, '[2].key: Invalid value: "a/b/c": a qualified name must consist of'),
        ({"key": "x", "value": "b c"}, '[2].operator: Invalid value: "b c": a valid label must be an empty string or consist of'),
    ],
)
def test_a_wrong_toleration_in_it_stops_every_pod(contract: TestCluster, entry: dict[str, Any], words: str) -> None:
    annotate(contract, json.dumps([entry]))
    code, message = admit(contract)
    assert code == 422
    assert message.startswith(f'Pod "packit-staging-proof-without-requests" is invalid: spec.tolerations{words}')
    assert len(refused_entries(read_list(json.dumps([entry])))) == 1


@pytest.mark.parametrize(
    ("defaults", "whitelist", "expected"),
    [
        (None, None, [*INJECTED]),
        ("null", "", [*INJECTED]),
        (json.dumps([STAGE]), "[]", [*INJECTED, STAGE]),
        (json.dumps([STAGE, STAGE]), None, [*INJECTED, STAGE]),
        ('[{"KEY":"a","Operator":"Exists","comment":1}]', None, [*INJECTED, {"key": "a", "operator": "Exists"}]),
        (json.dumps([{"operator": "Exists"}]), None, [{"operator": "Exists"}]),
        (json.dumps([{**INJECTED[0], "tolerationSeconds": 600}]), None, [INJECTED[1], {**INJECTED[0], "tolerationSeconds": 600}]),
        (json.dumps([{**INJECTED[0], "tolerationSeconds": 5}]), None, [*INJECTED]),
        (json.dumps([STAGE]), json.dumps([STAGE]), CONFLICT),
        (json.dumps([STAGE]), json.dumps([STAGE, *INJECTED]), [*INJECTED, STAGE]),
        (json.dumps([STAGE]), json.dumps([*INJECTED]), CONFLICT),
        (json.dumps([BARE]), json.dumps([STAGE, *INJECTED]), CONFLICT),
        (json.dumps([STAGE]), json.dumps([{"key": "environment", "value": "stage"}, *INJECTED]), [*INJECTED, STAGE]),
        (json.dumps([STAGE]), json.dumps([STAGE, INJECTED[0], {**INJECTED[1], "tolerationSeconds": 200}]), CONFLICT),
    ],
)
def test_what_a_pod_is_admitted_with_is_as_foretold(
    contract: TestCluster, defaults: str | None, whitelist: str | None, expected: list[dict[str, Any]] | str
) -> None:
    annotate(contract, defaults, whitelist)
    stops, stops_with_requests = forbidden(read_list(whitelist), read_list(defaults).tolerations)
    for requests in (False, True):
        code, answer = admit(contract, requests)
        if stops or (requests and stops_with_requests):
            assert (code, answer) == (500, CONFLICT)
            continue
        assert code == 201, answer
        foretold = admitted(read_list(defaults).tolerations, requests)
        assert [read_toleration(item).meaning for item in answer] == [item.meaning for item in foretold]
    if isinstance(expected, str):
        assert stops
    else:
        assert admit(contract)[1] == expected


def test_a_pods_own_tolerations_stay_beside_the_namespaces(contract: TestCluster) -> None:
    annotate(contract, json.dumps([STAGE]))
    assert admit(contract, tolerations=[{**STAGE, "value": "prod"}]) == (201, [{**STAGE, "value": "prod"}, *INJECTED, STAGE])
    assert admit(contract, tolerations=[{"key": "environment", "operator": "Exists"}]) == (
        201,
        [{"key": "environment", "operator": "Exists"}, *INJECTED],
    )
    assert admit(contract, requests=True) == (201, [*INJECTED, STAGE, PRESSURE])


def test_a_namespace_is_read_and_annotated_by_its_own_roles(contract: TestCluster) -> None:
    ours, deadline = Client(contract.api), Deadline(BOUND, "this test")
    annotate(contract, None)
    before = ours.get("Namespace", "", NS, deadline)["metadata"]
    body = {"metadata": {"resourceVersion": before["resourceVersion"], "annotations": {DEFAULTS: "[]"}}}
    answer = ours.patch("Namespace", "", NS, body, deadline, dry_run=True)
    assert answer["metadata"]["annotations"][DEFAULTS] == "[]"
    assert DEFAULTS not in (ours.get("Namespace", "", NS, deadline)["metadata"].get("annotations") or {})
    ours.patch("Namespace", "", NS, body, deadline)
    assert refused(lambda: contract.core.patch_namespace(NS, body))[:2] == (409, "Conflict")


def test_a_workload_that_is_wrong_is_refused_in_the_same_words(contract: TestCluster) -> None:
    contract.deployment(NS, "dashboard", replicas=0)
    ours, deadline = Client(contract.api), Deadline(BOUND, "this test")
    template = ours.get("Deployment", NS, "dashboard", deadline)["spec"]["template"]["spec"]
    container = {**template["containers"][0], "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}
    for spec, words in (
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"template": {"spec": {"containers": [container]}}},
            'spec.template.spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi',
        ),
        (
            {"template": {"spec": {"tolerations": [{"key": "a", "operator": "Bogus"}]}}},
            'spec.template.spec.tolerations[0].operator: Unsupported value: "Bogus": supported values: "Equal", "Exists"',
        ),
    ):
        with pytest.raises(Invalid) as caught:
            ours.patch("Deployment", NS, "dashboard", {"spec": spec}, deadline, dry_run=True)
        assert caught.value.message.endswith(f'Deployment.apps "dashboard" is invalid: {words}')


@pytest.mark.alone
def test_a_taint_that_is_not_tolerated_is_named_by_the_scheduler(contract: TestCluster) -> None:
    annotate(contract, None)
    nodes = [item.metadata.name for item in contract.core.list_node().items]
    for name in nodes:
        contract.core.patch_node(name, {"spec": {"taints": [{"key": "environment", "value": "stage", "effect": "NoSchedule"}]}})
    try:
        body = proof_pod(False)
        contract.core.create_namespaced_pod(NS, body)

        def message() -> str:
            conditions = contract.core.read_namespaced_pod(body["metadata"]["name"], NS).status.conditions or []
            return next((item.message or "" for item in conditions if item.type == "PodScheduled"), "")

        until(lambda: bool(message()), "the scheduler's word")
        assert message() == (
            "0/2 nodes are available: 2 node(s) had untolerated taint(s). no new claims to deallocate, preemption: "
            "0/2 nodes are available: 2 Preemption is not helpful for scheduling."
        )
        contract.delete_pod(NS, body["metadata"]["name"])
    finally:
        for name in nodes:
            contract.core.patch_node(name, {"spec": {"taints": None}})
