# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests around CronJobs, Jobs and their pods, answered alike by both clusters: recorded from the real one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.clusters.base import LANE, PID1, SECURITY, TestCluster
from tests.waiting import until

from .test_contract import refused

NS = f"packit-contract-jobs{LANE}"
NEVER = "0 0 29 2 *"


def cron_job(name: str, command: list[str], **of_job: Any) -> dict[str, Any]:
    """A CronJob whose pods run a command, and pass PodSecurity."""
    container = {"name": "main", "image": "localhost/filler:test", "imagePullPolicy": "Never", "command": command, "securityContext": SECURITY}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "securityContext": {"runAsUser": 1000}, "containers": [container]}
    job = {"backoffLimit": 0, "template": {"metadata": {"labels": {"made": "by-template"}}, "spec": pod}, **of_job}
    return {"metadata": {"name": name}, "spec": {"schedule": NEVER, "jobTemplate": {"metadata": {"labels": {"of": "jobs"}}, "spec": job}}}


@pytest.fixture(scope="module")
def contract(shared_cluster: TestCluster) -> Iterator[TestCluster]:
    """A namespace."""
    shared_cluster.reset()
    shared_cluster.namespace(NS)
    yield shared_cluster
    shared_cluster.reset()


def pods_of(contract: TestCluster, job: str) -> list[Any]:
    return list(contract.core.list_namespaced_pod(NS, label_selector=f"job-name={job}").items)


def test_a_wrong_cron_job_is_refused_in_the_same_words(contract: TestCluster) -> None:
    def told(*path: Any, value: Any) -> str:
        body = cron_job("wrong", PID1)
        part = body
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        code, _reason, message = refused(lambda: contract.batch.create_namespaced_cron_job(NS, body))
        assert code == 422
        return message

    of = 'CronJob.batch "wrong" is invalid: '
    assert told("spec", "schedule", value="1 2 3") == f'{of}spec.schedule: Invalid value: "1 2 3": expected exactly 5 fields, found 3: [1 2 3]'
    assert told("spec", "concurrencyPolicy", value="Never") == (
        f'{of}spec.concurrencyPolicy: Unsupported value: "Never": supported values: "Allow", "Forbid", "Replace"'
    )
    pod = ("spec", "jobTemplate", "spec", "template", "spec")
    assert told(*pod, "restartPolicy", value="Always") == (
        f'{of}spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    )
    assert told(*pod, "containers", 0, "image", value="") == f"{of}spec.jobTemplate.spec.template.spec.containers[0].image: Required value"


def test_a_job_runs_one_pod_to_its_end(contract: TestCluster) -> None:
    contract.batch.create_namespaced_cron_job(NS, cron_job("ends", ["sh", "-c", "echo done"]))
    contract.start_job(NS, "ends", "good")
    until(lambda: contract.job_ended(NS, "good"), "the job's end")
    status = contract.batch.read_namespaced_job("good", NS).status
    assert (contract.job_ended(NS, "good"), status.succeeded, status.failed or 0) == ("CompletionsReached", 1, 0)
    (pod,) = pods_of(contract, "good")
    assert pod.metadata.name.startswith("good-") and pod.metadata.labels["made"] == "by-template"
    assert (pod.metadata.owner_references[0].kind, pod.metadata.owner_references[0].name) == ("Job", "good")
    assert contract.core.read_namespaced_pod_log(pod.metadata.name, NS) == "done\n"


def test_a_pod_that_fails_or_is_deleted_fails_its_job(contract: TestCluster) -> None:
    contract.batch.create_namespaced_cron_job(NS, cron_job("fails", ["false"]))
    contract.start_job(NS, "fails", "bad")
    until(lambda: contract.job_ended(NS, "bad"), "the job's end")
    assert (contract.job_ended(NS, "bad"), len(pods_of(contract, "bad"))) == ("BackoffLimitExceeded", 1)
    contract.batch.create_namespaced_cron_job(NS, cron_job("stays", PID1))
    contract.start_job(NS, "stays", "drained")
    until(lambda: any(pod.status.phase == "Running" for pod in pods_of(contract, "drained")), "the job's pod")
    contract.delete_pod(NS, pods_of(contract, "drained")[0].metadata.name)
    until(lambda: contract.job_ended(NS, "drained"), "the job's end")
    assert (contract.job_ended(NS, "drained"), pods_of(contract, "drained")) == ("BackoffLimitExceeded", [])


def test_at_its_deadline_a_jobs_pod_is_ended(contract: TestCluster) -> None:
    contract.batch.create_namespaced_cron_job(NS, cron_job("long", PID1, activeDeadlineSeconds=2))
    contract.start_job(NS, "long", "late")
    until(lambda: contract.job_ended(NS, "late"), "the job's end")
    assert contract.job_ended(NS, "late") == "DeadlineExceeded"
    until(lambda: not pods_of(contract, "late"), "the end of its pod")


def test_with_a_cron_job_go_its_jobs_and_their_pods(contract: TestCluster) -> None:
    contract.batch.create_namespaced_cron_job(NS, cron_job("owner", PID1))
    contract.start_job(NS, "owner", "owned")
    until(lambda: pods_of(contract, "owned"), "the job's pod")
    contract.batch.delete_namespaced_cron_job("owner", NS)
    until(lambda: not pods_of(contract, "owned"), "the end of its pod")
    assert "owned" not in [item.metadata.name for item in contract.batch.list_namespaced_job(NS).items]


def test_what_is_replaced_in_a_dry_run_is_told_and_not_kept(contract: TestCluster) -> None:
    contract.core.create_namespaced_config_map(NS, {"metadata": {"name": "plain", "labels": {"a": "b"}}, "data": {"x": "1", "y": "2"}})
    before = contract.core.read_namespaced_config_map("plain", NS)
    body = copy.deepcopy(before)
    body.data = {"x": "3"}
    told = contract.core.replace_namespaced_config_map("plain", NS, body, dry_run="All")
    assert (told.data, told.metadata.uid, told.metadata.labels) == ({"x": "3"}, before.metadata.uid, {"a": "b"})
    assert contract.core.read_namespaced_config_map("plain", NS).data == before.data
    contract.core.replace_namespaced_config_map("plain", NS, body)
    assert contract.core.read_namespaced_config_map("plain", NS).data == {"x": "3"}
    code, reason, _message = refused(lambda: contract.core.replace_namespaced_config_map("plain", NS, before, dry_run="All"))
    assert (code, reason) == (409, "Conflict")


def test_a_pod_asks_the_api_with_its_service_account_alone(contract: TestCluster) -> None:
    account = {"metadata": {"name": "reader"}}
    contract.core.create_namespaced_service_account(NS, account)
    rbac = client.RbacAuthorizationV1Api(contract.api)
    rbac.create_namespaced_role(NS, {"metadata": {"name": "reader"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    subjects = [{"kind": "ServiceAccount", "name": "reader", "namespace": NS}]
    rbac.create_namespaced_role_binding(NS, {"metadata": {"name": "reader"}, "roleRef": reference, "subjects": subjects})
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = f"cat {place}/namespace && head -n 1 {place}/ca.crt && test -s {place}/token && echo https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"
    body = cron_job("reads", ["sh", "-c", script])
    body["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"] = "reader"
    contract.batch.create_namespaced_cron_job(NS, body)
    contract.start_job(NS, "reads", "read")
    until(lambda: contract.job_ended(NS, "read"), "the job's end")
    (pod,) = pods_of(contract, "read")
    said = contract.core.read_namespaced_pod_log(pod.metadata.name, NS)
    assert said.startswith(f"{NS}-----BEGIN CERTIFICATE-----\nhttps://")
    other = copy.deepcopy(body["spec"]["jobTemplate"]["spec"]["template"])
    other = {"metadata": {"name": "stranger"}, "spec": {**other["spec"], "serviceAccountName": "nobody"}}
    words = f'pods "stranger" is forbidden: error looking up service account {NS}/nobody: serviceaccount "nobody" not found'
    assert refused(lambda: contract.core.create_namespaced_pod(NS, other)) == (403, "Forbidden", words)
