# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's surroundings, and pods that lack something: alike on both clusters, as recorded from the real one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clusters.base import LANE, SECURITY, TestCluster
from tests.waiting import until

from .test_contract import pod, refused

NS = f"packit-contract-pods{LANE}"
WAITS = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]


@pytest.fixture(scope="module")
def contract(shared_cluster: TestCluster) -> Iterator[TestCluster]:
    """A namespace with a Secret and a ConfigMap."""
    shared_cluster.reset()
    shared_cluster.namespace(NS)
    shared_cluster.core.create_namespaced_secret(NS, {"metadata": {"name": "secret"}, "stringData": {"a": "1", "b.conf": "two"}})
    shared_cluster.core.create_namespaced_config_map(NS, {"metadata": {"name": "settings"}, "data": {"k": "v", "x": "y"}})
    yield shared_cluster
    shared_cluster.reset()


def make(contract: TestCluster, name: str, *, volumes: Any = (), policy: str = "Always", **container: Any) -> None:
    """Make a pod whose container has these settings; None takes one away."""
    body = pod(name, volumes=list(volumes), restartPolicy=policy)
    settings = {**body["spec"]["containers"][0], **container}
    body["spec"]["containers"] = [{key: value for key, value in settings.items() if value is not None}]
    contract.core.create_namespaced_pod(NS, body)


def status(contract: TestCluster, name: str) -> Any:
    """A pod's status."""
    return contract.core.read_namespaced_pod(name, NS).status


def waits(contract: TestCluster, name: str) -> tuple[str, str]:
    """Return why a pod's container waits, and in which words."""
    found = (status(contract, name).container_statuses or [None])[0]
    waiting = found.state.waiting if found is not None else None
    return (waiting.reason, waiting.message or "") if waiting else ("", "")


def log(contract: TestCluster, name: str, **more: Any) -> str:
    """Return what a pod has printed."""
    said: str = contract.core.read_namespaced_pod_log(name, NS, **more)
    return said


def test_a_container_finds_its_name_its_variables_and_its_files(contract: TestCluster) -> None:
    script = (
        'exec 2>&1; echo "$HOME $(uname -n) $HOSTNAME $PWD"; echo "$A $B $NAME $MEMORY"; cd /all; ls | tr "\\n" " "; '
        "cat b.conf osh/k name; echo; ls -d ..data; cat /one /etc/rpkg/one.conf; echo; touch /all/z; touch /cache/z; exit 0"
    )
    make(
        contract,
        "full",
        policy="Never",
        volumes=[
            {
                "name": "all",
                "projected": {
                    "sources": [
                        {"secret": {"name": "secret"}},
                        {"configMap": {"name": "settings", "items": [{"key": "k", "path": "osh/k"}]}},
                        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                        {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}},
                    ]
                },
            },
            {"name": "one", "configMap": {"name": "settings"}},
            {"name": "cache", "emptyDir": {}},
        ],
        command=None,
        args=["sh", "-c", f"{script} # $(NAME)"],
        env=[
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "a"}}},
            {"name": "B", "value": "$(A)-$(NO)-$$(A)"},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        ],
        resources={"limits": {"memory": "64Mi", "cpu": "100m"}},
        volumeMounts=[
            {"name": "all", "mountPath": "/all"},
            {"name": "one", "mountPath": "/one", "subPath": "x"},
            {"name": "one", "mountPath": "/etc/rpkg/one.conf", "subPath": "x"},
            {"name": "cache", "mountPath": "/cache", "readOnly": True},
        ],
    )
    until(lambda: status(contract, "full").phase == "Succeeded", "the end of the pod")
    assert log(contract, "full").splitlines() == [
        "/ full full /",
        "1 1-$(NO)-$(A) full 67108864",
        "a b.conf name osh token twovfull",
        "..data",
        "yy",
        "touch: cannot touch '/all/z': Read-only file system",
        "touch: cannot touch '/cache/z': Read-only file system",
    ]


def test_a_host_name_is_cut_where_linux_cuts_it(contract: TestCluster) -> None:
    make(contract, "x" * 70, policy="Never", command=["uname", "-n"])
    until(lambda: status(contract, "x" * 70).phase == "Succeeded", "the end of the pod")
    assert log(contract, "x" * 70) == f"{'x' * 63}\n"


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"secret": {"secretName": "absent"}}, 'secret "absent" not found'),
        ({"secret": {"secretName": "secret", "items": [{"key": "q", "path": "q"}]}}, "references non-existent secret key: q"),
        ({"configMap": {"name": "settings", "items": [{"key": "q", "path": "q"}]}}, "configmap references non-existent config key: q"),
        (
            {"projected": {"sources": [{"secret": {"name": "absent"}}, {"configMap": {"name": "absent"}}]}},
            '[secret "absent" not found, configmap "absent" not found]',
        ),
    ],
    ids=["secret", "key", "settings", "projected"],
)
def test_a_volume_that_cannot_be_made_is_told_by_an_event(contract: TestCluster, volume: dict[str, Any], words: str) -> None:
    name = f"mount-{abs(hash(words)) % 10**8}"
    make(contract, name, volumes=[{"name": "v", **volume}], volumeMounts=[{"name": "v", "mountPath": "/v"}])

    def told() -> list[str]:
        events = contract.core.list_namespaced_event(NS, field_selector=f"involvedObject.name={name}").items
        return [item.message for item in events if item.reason == "FailedMount"]

    until(lambda: bool(told()), "the event")
    assert told()[0] == f'MountVolume.SetUp failed for volume "v" : {words}'
    assert waits(contract, name) == ("ContainerCreating", "")
    answer = refused(lambda: contract.core.read_namespaced_pod_log(name, NS))
    assert answer == (400, "BadRequest", f'container "main" in pod "{name}" is waiting to start: ContainerCreating')
    contract.delete_pod(NS, name)


@pytest.mark.parametrize(
    ("reference", "words"),
    [({"name": "absent", "key": "a"}, 'secret "absent" not found'), ({"name": "secret", "key": "q"}, f"couldn't find key q in Secret {NS}/secret")],
    ids=["secret", "key"],
)
def test_a_variable_that_cannot_be_had_keeps_a_container_from_starting(
    contract: TestCluster, reference: dict[str, str], words: str
) -> None:
    name = f"variable-{reference['name']}"
    make(contract, name, env=[{"name": "A", "valueFrom": {"secretKeyRef": reference}}])
    until(lambda: waits(contract, name)[0] == "CreateContainerConfigError", "the error")
    assert waits(contract, name)[1] == words
    assert status(contract, name).phase == "Pending"
    contract.delete_pod(NS, name)


def test_a_container_that_ends_is_started_again_and_backed_off(contract: TestCluster) -> None:
    make(contract, "crash", command=["sh", "-c", "echo hi; exit 3"])
    until(lambda: waits(contract, "crash")[0] == "CrashLoopBackOff", "the back-off")
    found = status(contract, "crash")
    main = found.container_statuses[0]
    assert found.phase == "Running"
    assert main.restart_count >= 1
    assert (main.ready, main.last_state.terminated.exit_code, main.last_state.terminated.reason) == (False, 3, "Error")
    words = re.sub(r"[0-9a-f-]{36}", "UID", waits(contract, "crash")[1])
    assert re.fullmatch(rf"back-off [0-9ms]+ restarting failed container=main pod=crash_{NS}\(UID\)", words), words
    assert log(contract, "crash") == "hi\n"
    contract.delete_pod(NS, "crash")


def test_a_container_that_succeeds_is_not_started_again_on_failure_only(contract: TestCluster) -> None:
    make(contract, "once", policy="OnFailure", command=["true"])
    until(lambda: status(contract, "once").phase == "Succeeded", "the end of the pod")
    assert status(contract, "once").container_statuses[0].restart_count == 0


def test_each_container_of_a_pod_runs_and_must_be_named(contract: TestCluster) -> None:
    body = pod("two", restartPolicy="Never")
    main = {**body["spec"]["containers"][0], "command": WAITS}
    body["spec"]["containers"] = [main, {**main, "name": "second", "command": ["sh", "-c", "echo second"]}]
    contract.core.create_namespaced_pod(NS, body)
    until(lambda: len([item for item in status(contract, "two").container_statuses or [] if item.state.terminated]) == 1, "the second's end")
    found = {item.name: item for item in status(contract, "two").container_statuses}
    assert found["main"].state.running
    assert found["second"].state.terminated.exit_code == 0
    assert not contract.is_ready(NS, "two")
    assert status(contract, "two").phase == "Running"
    assert log(contract, "two", container="second") == "second\n"
    answer = refused(lambda: contract.core.read_namespaced_pod_log("two", NS))
    assert answer == (400, "BadRequest", "a container name must be specified for pod two, choose one of: [main second]")
    answer = refused(lambda: contract.core.read_namespaced_pod_log("two", NS, container="third"))
    assert answer == (400, "BadRequest", "container third is not valid for pod two")
    contract.delete_pod(NS, "two")


def test_a_quota_demands_requests_and_limits_of_processors_and_memory_only(contract: TestCluster) -> None:
    contract.quota(NS, "most", {"requests.ephemeral-storage": "1Gi", "count/pods": "50"})
    try:
        contract.core.create_namespaced_pod(NS, pod("free"), dry_run="All")
    finally:
        contract.core.delete_namespaced_resource_quota("most", NS)
    contract.quota(NS, "more", {"limits.memory": "1Gi", "requests.cpu": "1"})
    try:
        words = 'pods "free" is forbidden: failed quota: more: must specify limits.memory for: main; requests.cpu for: main'
        assert refused(lambda: contract.core.create_namespaced_pod(NS, pod("free"))) == (403, "Forbidden", words)
    finally:
        contract.core.delete_namespaced_resource_quota("more", NS)


def template(**settings: Any) -> dict[str, Any]:
    """A StatefulSet without pods, whose template, its container or its metadata has these settings."""
    made = pod("x")["spec"]
    container = {**made["containers"][0], "securityContext": SECURITY}
    meta: dict[str, Any] = {"labels": {"a": "b"}}
    spec: dict[str, Any] = {"replicas": 0, "serviceName": "x", "selector": {"matchLabels": {"a": "b"}}}
    for key, value in settings.items():
        if key in ("labels", "annotations"):
            meta[key] = value
        elif key in ("selector", "volumeClaimTemplates"):
            spec[key] = value
        elif key in ("env", "volumeMounts"):
            container[key] = value
        else:
            made[key] = value
    containers = settings.get("containers", [container])
    return {"metadata": {"name": "x"}, "spec": {**spec, "template": {"metadata": meta, "spec": {**made, "containers": containers}}}}


CLAIM: dict[str, Any] = {"metadata": {"name": "w"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (template(volumeMounts=[{"name": "w", "mountPath": "/c"}]), 'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "w"'),
        (template(restartPolicy="Never"), 'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'),
        (
            template(activeDeadlineSeconds=100),
            "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported",
        ),
        (
            template(selector={"matchLabels": {"a": "c"}}),
            'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ),
        (template(labels={"a": "b", "c": "d e"}), 'spec.template.labels: Invalid value: "d e": a valid label must be an empty string or'),
        (template(annotations={"-": "x"}), 'spec.template.annotations: Invalid value: "-": name part must consist of alphanumeric'),
        (template(containers=[]), "spec.template.spec.containers: Required value"),
        (template(env=[{"name": "", "value": "a"}]), "spec.template.spec.containers[0].env[0].name: Required value"),
        (template(volumes=[{"name": "w", "secret": {}}]), "spec.template.spec.volumes[0].secret.secretName: Required value"),
        (
            template(volumeClaimTemplates=[{**CLAIM, "spec": {**CLAIM["spec"], "accessModes": ["Wrong"]}}]),
            'spec.volumeClaimTemplates[0].spec.accessModes: Unsupported value: "Wrong": supported values: "ReadOnlyMany", ',
        ),
        (
            template(volumeClaimTemplates=[{**CLAIM, "spec": {"accessModes": ["ReadWriteOnce"]}}]),
            "spec.volumeClaimTemplates[0].spec.resources[storage]: Required value",
        ),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_workload_that_is_wrong_is_refused_in_the_same_words(contract: TestCluster, body: dict[str, Any], words: str) -> None:
    code, _reason, message = refused(lambda: contract.apps.create_namespaced_stateful_set(NS, body))
    assert code == 422
    assert message.startswith(f'StatefulSet.apps "x" is invalid: {words}')


def test_a_workloads_own_claims_can_be_mounted(contract: TestCluster) -> None:
    body = template(volumeMounts=[{"name": "w", "mountPath": "/c"}], volumeClaimTemplates=[CLAIM])
    contract.apps.create_namespaced_stateful_set(NS, body, dry_run="All")


@pytest.mark.parametrize(
    ("method", "body", "code", "words"),
    [
        (
            "service",
            {"metadata": {"name": "9x"}, "spec": {"ports": [{"port": 80}]}},
            422,
            'Service "9x" is invalid: metadata.name: Invalid value: "9x": a DNS-1035 label must',
        ),
        ("service", {"metadata": {"name": "x"}, "spec": {}}, 422, 'Service "x" is invalid: spec.ports: Required value'),
        ("secret", {"metadata": {"name": "X"}}, 422, 'Secret "X" is invalid: metadata.name: Invalid value: "X": a lowercase RFC 1123 subdomain'),
        ("secret", {"metadata": {"name": "x"}, "data": {"a b": "aGk="}}, 422, 'Secret "x" is invalid: data[a b]: Invalid value: "a b": a valid config key'),
        ("secret", {"metadata": {"name": "x"}, "data": {"a": "h!"}}, 400, 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data'),
        ("secret", {"metadata": {"name": "x"}, "data": {"a": "A" * 2_000_000}}, 422, 'Secret "x" is invalid: data: Too long: may not be more than 1048576'),
        ("config_map", {"metadata": {"name": "x"}, "data": {"a": "b" * 2_000_000}}, 422, 'ConfigMap "x" is invalid: []: Too long: may not be more than'),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_an_object_that_is_wrong_is_refused_in_the_same_words(
    contract: TestCluster, method: str, body: dict[str, Any], code: int, words: str
) -> None:
    told = refused(lambda: getattr(contract.core, f"create_namespaced_{method}")(NS, body))
    assert told[0] == code
    assert told[2].startswith(words)
