# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""StatefulSets and Deployments: found, restarted, rolled out, and explained when they hang."""

from __future__ import annotations

import json

import pytest
from kubernetes import client

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import RolloutStuck
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.cluster.workloads import (
    RESTARTED_AT,
    find_workload,
    restart,
    rolled_out,
    wait_for_rollout,
)
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from tests.bounds import BOUND
from tests.clusters.base import TestCluster
from tests.waiting import until

from .harness import WORK


def ages(cluster: TestCluster, component: str) -> dict[str, str]:
    """Pod → uid."""
    return {
        item.metadata.name: item.metadata.uid
        for item in cluster.core.list_namespaced_pod(WORK, label_selector=f"component={component}").items
    }


def test_a_restart_replaces_every_pod_and_is_waited_for(cluster: TestCluster) -> None:
    cluster.namespace(WORK)
    cluster.workers(WORK, replicas=2)
    cluster.deployment(WORK, "dashboard", replicas=2)
    ours, deadline = Client(cluster.api), Deadline(BOUND, "this test")
    for name, component in (("statefulset/packit-worker", "packit-worker"), ("dashboard", "dashboard")):
        found = find_workload(ours, WORK, name, deadline)
        wait_for_rollout(ours, found, deadline, print)
        before = ages(cluster, component)
        changed = restart(ours, find_workload(ours, WORK, name, deadline), deadline)
        assert changed.generation == found.generation + 1 and not rolled_out(changed)
        assert RESTARTED_AT in changed.template["metadata"]["annotations"]
        wait_for_rollout(ours, changed, deadline, print)
        # A Deployment does not count its pods that are on their way out.
        until(lambda component=component: len(ages(cluster, component)) == 2, "the end of the former pods")  # type: ignore[misc]
        after = ages(cluster, component)
        assert not set(before.values()) & set(after.values())
        done = find_workload(ours, WORK, name, deadline)
        assert rolled_out(done) and done.generation == changed.generation


def test_a_stateful_set_rolls_downwards_and_waits_for_each_pod(cluster: TestCluster) -> None:
    cluster.namespace(WORK)
    cluster.workers(WORK, replicas=2)
    ours, deadline = Client(cluster.api), Deadline(BOUND, "this test")
    before = ages(cluster, "packit-worker")
    cluster.give_missing_image(WORK)
    with pytest.raises(RolloutStuck) as caught:
        wait_for_rollout(ours, find_workload(ours, WORK, "packit-worker", deadline), deadline, print)
    assert caught.value.message.startswith(f"The roll-out of StatefulSet {WORK}/packit-worker hangs: 1 of 2 pods are new, 1 are ready. ")
    assert f"Pod {WORK}/packit-worker-1: the image missing.test/nothing:1 cannot be pulled" in caught.value.message
    assert "Check the image's name" in caught.value.remedy
    after = ages(cluster, "packit-worker")
    assert after["packit-worker-0"] == before["packit-worker-0"] and after["packit-worker-1"] != before["packit-worker-1"]


def test_a_pod_that_finds_no_node_is_explained_at_the_deadline(cluster: TestCluster) -> None:
    cluster.namespace(WORK)
    cluster.deployment(WORK, "dashboard", replicas=1)
    ours = Client(cluster.api)
    wait_for_rollout(ours, find_workload(ours, WORK, "dashboard", Deadline(BOUND, "this test")), Deadline(BOUND, "this test"), print)
    cluster.apps.patch_namespaced_deployment("dashboard", WORK, {"spec": {"template": {"spec": {"nodeSelector": {"env": "nowhere"}}}}})
    told: list[str] = []
    with pytest.raises(RolloutStuck) as caught:
        found = find_workload(ours, WORK, "dashboard", Deadline(BOUND, "this test"))
        # The deadline comes when there is something to be told.
        deadline = Deadline(BOUND, "the roll-out", clock=lambda: 2 * BOUND if told else 0.0)
        wait_for_rollout(ours, found, deadline, told.append)
    assert "cannot be placed. No node matches the pod's node selector. The scheduler says: 0/2 nodes are available" in str(caught.value)
    assert "Check its node selector (option `node_selector` of workload_settings)." in str(caught.value)
    assert len(told) == 1 and told[0].startswith(f"Deployment {WORK}/dashboard: Pod {WORK}/dashboard-")


def test_names_that_are_wrong_or_ambiguous_list_the_workloads(cluster: TestCluster) -> None:
    cluster.namespace(WORK)
    cluster.workers(WORK, replicas=1, running=False)
    cluster.deployment(WORK, "packit-worker", replicas=0)
    ours, deadline = Client(cluster.api), Deadline(BOUND, "this test")
    with pytest.raises(InvalidOption) as missing:
        find_workload(ours, WORK, "deployment/postgres", deadline)
    assert str(missing.value) == (
        f"There is no workload `deployment/postgres` in namespace {WORK}. There are: statefulset/packit-worker, deployment/packit-worker."
    )
    with pytest.raises(InvalidOption, match="the name of two workloads"):
        find_workload(ours, WORK, "packit-worker", deadline)
    with pytest.raises(InvalidOption, match="names no workload"):
        find_workload(ours, WORK, "job/x", deadline)
    assert find_workload(ours, WORK, "deployment/packit-worker", deadline).kind == "Deployment"


def test_volume_claim_templates_cannot_be_changed(cluster: TestCluster) -> None:
    cluster.namespace(WORK)
    cluster.workers(WORK, replicas=1, running=False)
    with pytest.raises(client.ApiException) as caught:
        cluster.apps.patch_namespaced_stateful_set("packit-worker", WORK, {"spec": {"serviceName": "other"}})
    body = json.loads(caught.value.body)
    assert (body["code"], body["reason"], body["message"]) == (
        422,
        "Invalid",
        'StatefulSet.apps "packit-worker" is invalid: spec: Forbidden: updates to statefulset spec for fields other than '
        "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' "
        "and 'minReadySeconds' are forbidden",
    )
