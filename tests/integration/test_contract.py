# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One list of requests, answered alike by both clusters: what is expected was recorded from the real one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import AlreadyExists, ClusterError, Conflict
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.streams import open_exec
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from tests.bounds import BOUND
from tests.clusters.base import LANE, PID1, SECURITY, TestCluster
from tests.waiting import until

NS = f"packit-contract{LANE}"


def pod(name: str, **spec: Any) -> dict[str, Any]:
    """A pod that passes PodSecurity."""
    container = {"name": "main", "image": "localhost/filler:test", "imagePullPolicy": "Never", "command": PID1, "securityContext": SECURITY}
    body = {"terminationGracePeriodSeconds": 1, "securityContext": {"runAsUser": 1000}, "containers": [container], **spec}
    return {"metadata": {"name": name}, "spec": body}


@pytest.fixture(scope="module")
def contract(shared_cluster: TestCluster) -> Iterator[TestCluster]:
    """A namespace with a running pod, a quota and a claim."""
    shared_cluster.reset()
    shared_cluster.namespace(NS)
    shared_cluster.claim(NS, "claim")
    shared_cluster.core.create_namespaced_pod(NS, pod("running"))
    until(lambda: shared_cluster.is_ready(NS, "running"), "the pod")
    yield shared_cluster
    shared_cluster.reset()


def refused(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Code, reason and message of a refusal, with uids and host names taken out."""
    with pytest.raises(client.ApiException) as caught:
        call()
    body = json.loads(caught.value.body)
    return body["code"], body["reason"], re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UID", body["message"])


def test_refusals_are_in_the_same_words(contract: TestCluster) -> None:
    core = contract.core
    assert refused(lambda: core.read_namespaced_pod("absent", NS)) == (404, "NotFound", 'pods "absent" not found')
    assert refused(lambda: core.create_namespaced_pod(NS, pod("running"))) == (409, "AlreadyExists", 'pods "running" already exists')
    assert refused(lambda: core.create_namespaced_pod("absent", pod("x"))) == (404, "NotFound", 'namespaces "absent" not found')
    code, reason, message = refused(
        lambda: core.create_namespaced_pod(NS, {"metadata": {"name": "root"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    )
    assert (code, reason) == (403, "Forbidden")
    assert message.startswith(
        'pods "root" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c"'
    )
    other = {"preconditions": {"uid": "11111111-1111-1111-1111-111111111111"}}
    code, reason, message = refused(lambda: core.delete_namespaced_pod("running", NS, body=other))
    assert (code, reason) == (409, "Conflict")
    assert (
        "Precondition failed: UID in precondition" in message
        or "the UID in the precondition (UID) does not match the UID in record (UID)" in message
    )


def changed(**settings: Any) -> dict[str, Any]:
    """A pod whose container, or whose spec, has these settings."""
    made = pod("x")
    container = made["spec"]["containers"][0]
    for key, value in settings.items():
        (made["spec"] if key in ("restartPolicy", "volumes") else container)[key] = value
    return made


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({**pod("x"), "metadata": {"name": "X_x"}}, 422, 'metadata.name: Invalid value: "X_x": a lowercase RFC 1123 subdomain must consist of'),
        (
            {**pod("x"), "metadata": {"name": "x", "labels": {"a": "b c"}}},
            422,
            'metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters',
        ),
        ({**pod("x"), "metadata": {"name": "x", "labels": {"-a": "b"}}}, 422, 'metadata.labels: Invalid value: "-a": name part must consist of'),
        (
            {**pod("x"), "metadata": {"name": "x", "annotations": {"a": "b" * 262144}}},
            422,
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        (changed(name="A"), 422, 'spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of'),
        (changed(image=""), 422, "spec.containers[0].image: Required value"),
        (changed(image=" i"), 422, 'spec.containers[0].image: Invalid value: " i": must not have leading or trailing whitespace'),
        (
            changed(imagePullPolicy="Sometimes"),
            422,
            'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
        ),
        (changed(restartPolicy="Sometimes"), 422, 'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "'),
        (
            changed(resources={"limits": {"cpu": "lots"}}),
            400,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            changed(volumes=[{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]),
            422,
            'spec.volumes[1].name: Duplicate value: "v"',
        ),
        (
            changed(volumes=[{"name": "v", "emptyDir": {}}], volumeMounts=[{"name": "v", "mountPath": "/c"}] * 2),
            422,
            'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/c": must be unique',
        ),
        (
            changed(volumes=[], volumeMounts=[{"name": "w", "mountPath": "/c"}]),
            422,
            'spec.containers[0].volumeMounts[0].name: Not found: "w"',
        ),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_pod_that_is_wrong_is_refused_in_the_same_words(contract: TestCluster, body: dict[str, Any], code: int, words: str) -> None:
    told = refused(lambda: contract.core.create_namespaced_pod(NS, body))
    assert told[0] == code
    assert words in told[2]


def test_a_quota_is_refused_in_the_same_words(contract: TestCluster) -> None:
    contract.quota(NS, "small", {"pods": "1"}, scopes=("Terminating",))
    try:
        contract.core.create_namespaced_pod(NS, pod("first", activeDeadlineSeconds=100))
        answer = refused(lambda: contract.core.create_namespaced_pod(NS, pod("second", activeDeadlineSeconds=100)))
        assert answer == (
            403,
            "Forbidden",
            'pods "second" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1',
        )
        contract.core.create_namespaced_pod(NS, pod("unlimited"))
    finally:
        contract.core.delete_namespaced_resource_quota("small", NS)


def claim(name: str, storage: str) -> dict[str, Any]:
    """A claim of the class whose claims do not grow."""
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard", "resources": {"requests": {"storage": storage}}}
    return {"metadata": {"name": name}, "spec": spec}


def test_claims_are_refused_in_the_same_words(contract: TestCluster) -> None:
    core = contract.core
    contract.claim(NS, "bound")
    contract.core.create_namespaced_pod(NS, pod("user", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "bound"}}]))
    until(lambda: bool(core.read_namespaced_persistent_volume_claim("bound", NS).spec.volume_name), "the claim's volume")
    core.create_namespaced_persistent_volume_claim(NS, claim("unbound", "1Gi"))

    def ask(name: str, storage: str) -> Callable[[], Any]:
        body = {"spec": {"resources": {"requests": {"storage": storage}}}}
        return lambda: core.patch_namespaced_persistent_volume_claim(name, NS, body, dry_run="All")

    words = 'persistentvolumeclaims "bound" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that '
    assert refused(ask("bound", "2Gi")) == (403, "Forbidden", f"{words}provisions the pvc must support resize")
    code, _reason, message = refused(ask("bound", "1Mi"))
    assert (code, message) == (
        422,
        'PersistentVolumeClaim "bound" is invalid: spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
    )
    code, _reason, message = refused(ask("unbound", "2Gi"))
    assert (code, message.splitlines()[0]) == (
        422,
        'PersistentVolumeClaim "unbound" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests and '
        "volumeAttributesClassName for bound claims",
    )
    code, _reason, message = refused(lambda: core.create_namespaced_persistent_volume_claim(NS, claim("none", "0")))
    assert (code, message) == (
        422,
        'PersistentVolumeClaim "none" is invalid: spec.resources[storage]: Invalid value: "0": must be greater than zero',
    )
    contract.quota(NS, "storage", {"requests.storage": "3Gi", "persistentvolumeclaims": "9"})
    try:
        answer = refused(lambda: core.create_namespaced_persistent_volume_claim(NS, claim("more", "1500Mi"), dry_run="All"))
        words = "requested: requests.storage=1500Mi, used: requests.storage=3Gi, limited: requests.storage=3Gi"
        assert answer == (403, "Forbidden", f'persistentvolumeclaims "more" is forbidden: exceeded quota: storage, {words}')
    finally:
        core.delete_namespaced_resource_quota("storage", NS)


def test_rights_are_refused_in_the_same_words(contract: TestCluster, tmp_path: Path) -> None:
    from kubernetes import config  # noqa: PLC0415

    core = client.CoreV1Api(config.new_client_from_config(str(contract.deployer([NS], tmp_path))))
    assert "claim" in [item.metadata.name for item in core.list_namespaced_persistent_volume_claim(NS).items]
    user = f"system:serviceaccount:{NS}:deployer"
    expected = f'secrets is forbidden: User "{user}" cannot list resource "secrets" in API group "" in the namespace "{NS}"'
    assert refused(lambda: core.list_namespaced_secret(NS)) == (403, "Forbidden", expected)
    assert client.AuthenticationV1Api(core.api_client).create_self_subject_review({}).status.user_info.username == user
    review = {"spec": {"namespace": NS}}
    rules = client.AuthorizationV1Api(core.api_client).create_self_subject_rules_review(review).status.resource_rules
    assert any("pods/exec" in rule.resources and "create" in rule.verbs for rule in rules)
    asked = {"spec": {"resourceAttributes": {"namespace": NS, "verb": "get", "resource": "pods", "subresource": "log"}}}
    assert client.AuthorizationV1Api(core.api_client).create_self_subject_access_review(asked).status.allowed is True
    wrong = tmp_path / "wrong"
    wrong.write_text(re.sub(r'"token": "[^"]*"', '"token": "wrong"', next(tmp_path.glob("*.kubeconfig")).read_text()))
    stranger = client.CoreV1Api(config.new_client_from_config(str(wrong)))
    assert refused(lambda: stranger.list_namespaced_pod(NS))[:2] == (401, "Unauthorized")


def test_an_annotation_is_merged_with_the_uid_as_a_precondition(contract: TestCluster) -> None:
    ours, deadline = Client(contract.api), Deadline(BOUND, "this test")
    claim = ours.get("PersistentVolumeClaim", NS, "claim", deadline)
    ours.patch("PersistentVolumeClaim", NS, "claim", {"metadata": {"uid": claim["metadata"]["uid"], "annotations": {"a": "1"}}}, deadline)
    assert contract.annotations(NS, "claim")["a"] == "1"
    with pytest.raises(ClusterError):
        wrong = {"metadata": {"uid": "11111111-1111-1111-1111-111111111111", "annotations": {"a": "2"}}}
        ours.patch("PersistentVolumeClaim", NS, "claim", wrong, deadline)
    ours.patch("PersistentVolumeClaim", NS, "claim", {"metadata": {"annotations": {"a": None}}}, deadline)
    assert "a" not in contract.annotations(NS, "claim")


def test_a_secret_is_patched_only_as_it_was_read(contract: TestCluster) -> None:
    ours, deadline = Client(contract.api), Deadline(BOUND, "this test")
    made = ours.create("Secret", NS, {"metadata": {"name": "config"}, "data": {"a": "MQ==", "b": "Mg=="}}, deadline)
    version = made["metadata"]["resourceVersion"]
    changed = ours.patch("Secret", NS, "config", {"metadata": {"resourceVersion": version}, "data": {"a": "Mw=="}}, deadline)
    assert changed["data"] == {"a": "Mw==", "b": "Mg=="}
    with pytest.raises(Conflict) as caught:
        ours.patch("Secret", NS, "config", {"metadata": {"resourceVersion": version}, "data": {"a": "NA=="}}, deadline)
    assert caught.value.message == (
        f'The API refused to patch Secret {NS}/config: Operation cannot be fulfilled on secrets "config": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    with pytest.raises(AlreadyExists):
        ours.create("Secret", NS, {"metadata": {"name": "config"}}, deadline)
    assert ours.get("Secret", NS, "config", deadline)["data"] == {"a": "Mw==", "b": "Mg=="}


def test_a_watch_tells_a_pods_life_from_pending_to_gone(contract: TestCluster) -> None:
    ours, deadline = Client(contract.api), Deadline(BOUND, "this test")
    made = ours.create("Pod", NS, pod("watched"), deadline)
    seen: list[str] = []
    for change in ours.watch("Pod", NS, "watched", made["metadata"]["resourceVersion"], deadline):
        if change is None:
            continue
        phase = change.object.get("status", {}).get("phase", "")
        state = "DELETED" if change.type == "DELETED" else phase
        if not seen or seen[-1] != state:
            seen.append(state)
            if state == "Running":
                ours.delete("Pod", NS, "watched", change.object["metadata"]["uid"], deadline)
        if state == "DELETED":
            break
    assert [state for state in seen if state not in ("Succeeded", "Failed")] == ["Pending", "Running", "DELETED"]


@pytest.mark.parametrize(
    ("argv", "stdin", "expected"),
    [
        (("sh", "-c", "echo out; echo err >&2; exit 3"), b"", (b"out\n", b"err\n", 3)),
        (("head", "-c", "5"), b"12345", (b"12345", b"", 0)),
        (("true",), b"", (b"", b"", 0)),
        (("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"), b"", (b"x" * 3_000_000, b"", 0)),
    ],
)
def test_exec_gives_the_same_streams_and_exit_codes(
    contract: TestCluster, argv: tuple[str, ...], stdin: bytes, expected: tuple[bytes, bytes, int]
) -> None:
    deadline = Deadline(BOUND, "this test")
    stream = open_exec(Client(contract.api), NS, "running", "main", argv, deadline)
    stream.write(stdin)
    out = {1: b"", 2: b""}
    while not stream.closed:
        for channel, data in stream.exchange(min(1.0, deadline.left()))[0]:
            out[channel] += data
    assert (out[1], out[2], stream.exit_code) == expected


def test_exec_in_a_container_that_is_not_there_is_refused(contract: TestCluster) -> None:
    with pytest.raises(ClusterError, match="container"):
        open_exec(Client(contract.api), NS, "running", "other", ("true",), Deadline(BOUND, "this test"))


def test_kubectl_gets_execs_and_reads_logs(contract: TestCluster) -> None:
    kubectl = shutil.which("kubectl", path=str(Path.home() / ".cache/packit-deployment/real-cluster"))
    if kubectl is None:
        pytest.skip("kubectl is built with the real cluster")

    def run(*words: str) -> str:
        argv = [kubectl, f"--kubeconfig={contract.kubeconfig}", "-n", NS, *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=BOUND).stdout

    assert "running" in run("get", "pods", "-o", "name")
    assert run("exec", "running", "--", "echo", "hello") == "hello\n"
    assert run("logs", "running") == ""


def test_kubernetes_core_modules_work(contract: TestCluster) -> None:
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client  # noqa: PLC0415

    api = get_api_client(kubeconfig=str(contract.kubeconfig))
    resource = api.resource("ConfigMap", "v1")
    api.create(resource, {"metadata": {"name": "settings"}, "data": {"a": "1"}}, namespace=NS)
    assert api.get(resource, name="settings", namespace=NS).data.a == "1"
    sets = api.resource("StatefulSet", "apps/v1")
    assert api.get(sets, namespace=NS).items == []
