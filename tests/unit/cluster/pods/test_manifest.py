# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a filler pod: as whom and where it runs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.access import Right, granted, role_rules
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_pod, quantity
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.consumers import (
    consumers,
    identity,
    image,
    placement,
    sub_path,
)
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.filler import is_left_behind
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import (
    LABEL,
    FillerSpec,
    Identity,
    Mount,
    Placement,
    manifest,
)
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.overrides import PodOverrides, parse_overrides
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption


def spec(**more: Any) -> FillerSpec:
    return FillerSpec("ns", "filler", Mount("claim", "/repository-cache"), "image:1", {"run": "r"}, **more)


def test_the_defaults_pass_restricted_pod_security() -> None:
    pod = manifest(spec())["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"], pod["restartPolicy"]) == (False, False, "Never")
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "256Mi"}
    assert "serviceAccountName" not in pod and "affinity" not in pod


def test_a_node_is_required_by_its_name_and_never_around_the_scheduler() -> None:
    pod = manifest(spec(placement=Placement("n1", ({"key": "a"},), {"zone": "x"})))["spec"]
    term = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"][0]
    assert term == {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    assert "nodeName" not in pod and "nodeSelector" not in pod
    assert pod["tolerations"] == [{"key": "a"}]


def test_on_openshift_the_namespace_decides_who_it_is() -> None:
    overrides = PodOverrides(pod_security_context={"runAsUser": 5, "fsGroup": 6})
    made = manifest(spec(identity=Identity(openshift=True), overrides=overrides))
    assert made["metadata"]["annotations"]["openshift.io/required-scc"] == "restricted-v2"
    assert not {"runAsUser", "fsGroup"} & set(made["spec"]["securityContext"])


def test_elsewhere_it_is_who_the_consumer_is_unless_the_user_says_otherwise() -> None:
    pod = manifest(spec(identity=Identity(security={"runAsUser": 1, "fsGroup": 2}), overrides=PodOverrides(pod_security_context={"fsGroup": 9})))
    assert pod["spec"]["securityContext"]["runAsUser"] == 1
    assert pod["spec"]["securityContext"]["fsGroup"] == 9


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"colour": 1}, "Unknown key `colour`"),
        ({"labels": []}, "`labels` is [], and must be a dictionary."),
        ({"labels": {"a": 1}}, "`labels.a` is 1, and must be text. Put it in quotes."),
        ({"node_selector": {"zone": None}}, "`node_selector.zone` is None, and must be text."),
        ({"pull_policy": "Sometimes"}, "`pull_policy` is 'Sometimes'. Use Always, IfNotPresent or Never."),
        ({"resources": 3}, "`resources` is 3, and must be a dictionary."),
        ({"resources": {"limit": {}}}, "Unknown key `resources.limit`. Known keys: limits, requests."),
        ({"resources": {"limits": {"memory": "lots"}}}, "`resources.limits.memory` is 'lots', which is no Kubernetes quantity"),
        ({"resources": {"limits": {"cpu": None}}}, "`resources.limits.cpu` is None, which is no Kubernetes quantity"),
        ({"resources": {"limits": {"cpu": [1]}}}, "`resources.limits.cpu` is [1], which is no Kubernetes quantity"),
        ({"resources": {"limits": {"cpu": True}}}, "`resources.limits.cpu` is True, which is no Kubernetes quantity"),
        ({"resources": {"limits": {"cpu": 0}}}, "of more than 0"),
        ({"resources": {"limits": {"memory": "1e400"}}}, "which is no Kubernetes quantity"),
        ({"resources": {"limits": {"memory": "9" * 400}}}, "which is no Kubernetes quantity"),
        (
            {"resources": {"limits": {"cpu": 1}, "requests": {"cpu": "1500m"}}},
            "`resources.requests.cpu` is 1500m, and `resources.limits.cpu` is 1: less than what is asked for.",
        ),
        ({"pod_security_context": {"fsGroup": "staff"}}, "`pod_security_context.fsGroup` is 'staff', and must be a whole number from 0"),
        ({"tolerations": ["x"]}, "`tolerations[0]` is 'x', and must be a dictionary."),
        ({"image_pull_secrets": "one"}, "`image_pull_secrets` is 'one', and must be a list."),
        ({"service_account": 7}, "`service_account` is 7, and must be text."),
        ({"start_timeout": 0}, "`start_timeout` is 0, and must be a whole number from 1"),
        ({"heartbeat": True}, "`heartbeat` is True, and must be a whole number"),
        ({"heartbeat": 5}, "`heartbeat` is 5. Use at least 12, or 0 to switch it off."),
        ({"active_deadline": 10**12}, "`active_deadline` is 1000000000000, and must be a whole number from 0 to 2147483647."),
        ({"active_deadline": "9" * 5000}, "must be a whole number from 0 to 2147483647."),
    ],
    ids=lambda value: str(value)[:60],
)
def test_wrong_wishes_are_named(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_overrides(raw)
    assert words in str(caught.value)


def test_a_lower_limit_lowers_the_request() -> None:
    overrides = parse_overrides({"resources": {"limits": {"cpu": "50m"}}})
    assert overrides.all_resources["requests"]["cpu"] == "50m"


def test_a_request_above_our_limit_raises_the_limit() -> None:
    overrides = parse_overrides({"resources": {"requests": {"memory": "1Gi"}}})
    assert (overrides.all_resources["requests"]["memory"], overrides.memory_bytes) == ("1Gi", 2**30)


def test_what_is_as_much_in_another_unit_is_no_contradiction() -> None:
    for thousandths in range(1, 5000):
        parse_overrides({"resources": {"requests": {"cpu": f"{thousandths}m"}, "limits": {"cpu": f"{thousandths / 1000}"}}})


def test_plain_numbers_are_quantities_and_numbers_that_a_template_made_text_are_numbers() -> None:
    raw = {"resources": {"limits": {"cpu": 1}}, "pod_security_context": {"runAsUser": "1000"}, "start_timeout": "90", "labels": None}
    overrides = parse_overrides(raw)
    assert (overrides.cpus, overrides.pod_security_context, overrides.start_timeout, overrides.labels) == (1.0, {"runAsUser": 1000}, 90, {})


@pytest.mark.parametrize(("text", "number"), [("1Gi", 2**30), ("500M", 500_000_000), ("1500m", 2), ("12", 12), ("1e3", 1000)])
def test_quantities(text: str, number: int) -> None:
    assert quantity(text) == number


def pod(name: str, phase: str = "Running", node: str = "n1", claim: str = "c", **meta: Any) -> Any:
    return parse_pod(
        {
            "metadata": {"name": name, "namespace": "ns", **meta},
            "spec": {
                "nodeName": node,
                "tolerations": [{"key": "own"}, {"key": "node.kubernetes.io/not-ready"}],
                "securityContext": {"runAsUser": 7, "fsGroup": 8},
                "containers": [
                    {"name": "side", "image": "side:1"},
                    {
                        "name": "main",
                        "image": "main:1",
                        "volumeMounts": [{"name": "v", "mountPath": "/m"}],
                        "securityContext": {"runAsUser": 9},
                    },
                ],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}],
            },
            "status": {"phase": phase},
        }
    )


def test_the_holder_is_whoever_has_it_on_a_node_and_not_one_of_ours() -> None:
    used = consumers(
        [pod("ours", labels={LABEL: "true"}), pod("done", "Succeeded"), pod("other", claim="x"), pod("a"), pod("pending", "Pending", "")],
        "c",
    )
    assert used.holder is not None and used.holder.name == "a"
    assert used.waiting is not None and used.waiting.name == "pending"
    at = placement(used)
    assert (at.node, list(at.tolerations)) == ("n1", [{"key": "own"}])
    assert image(used.any, "c") == "main:1"
    assert identity(used.any, "c", False).security == {"runAsUser": 9, "fsGroup": 8}
    assert identity(used.any, "c", True) == Identity(True)


def test_nobody_holds_it_and_the_consumers_own_placement_counts() -> None:
    assert placement(consumers([], "c")) == Placement()
    assert placement(consumers([pod("pending", "Pending", "")], "c")).node == ""


@pytest.mark.parametrize("wrong", [timedelta(0), timedelta(minutes=10), timedelta(hours=-1)])
def test_only_what_nobody_is_there_for_is_left_behind_whatever_this_machines_clock_says(wrong: timedelta) -> None:
    now = datetime.now(timezone.utc) + wrong  # the API server's
    young, old = ((now - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ") for age in (10, 500))
    assert is_left_behind(pod("a", "Failed", creationTimestamp=young), now)
    assert not is_left_behind(pod("a", "Running", creationTimestamp=old), now)
    assert not is_left_behind(pod("a", "Pending", creationTimestamp=young), now)
    assert is_left_behind(pod("a", "Pending", creationTimestamp=old), now)
    assert not is_left_behind(pod("a", "Pending", creationTimestamp=old, deletionTimestamp=old), now)
    patient = {"packit.dev/owner": '{"run": "r", "start_timeout": "1800"}'}
    assert not is_left_behind(pod("a", "Pending", creationTimestamp=old, annotations=patient), now)


def test_rights_are_found_in_rules_and_shown_as_rules() -> None:
    right = Right("pods/exec", "create")
    assert granted(right, [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}])
    assert granted(right, [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
    assert not granted(right, [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}])
    assert not granted(right, [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"], "resourceNames": ["x"]}])
    assert role_rules([right, Right("pods/exec", "get")]) == '- apiGroups: [""]\n  resources: ["pods/exec"]\n  verbs: ["create", "get"]'


def test_known_meshes_are_kept_out_unless_the_user_wants_them() -> None:
    meta = manifest(spec())["metadata"]
    assert meta["annotations"]["sidecar.istio.io/inject"] == meta["labels"]["sidecar.istio.io/inject"] == "false"
    assert meta["annotations"]["linkerd.io/inject"] == "disabled"
    wanted = manifest(spec(overrides=PodOverrides(annotations={"linkerd.io/inject": "enabled"}, labels={"sidecar.istio.io/inject": "true"})))[
        "metadata"
    ]
    assert (wanted["annotations"]["linkerd.io/inject"], wanted["labels"]["sidecar.istio.io/inject"]) == ("enabled", "true")


def test_a_priority_and_a_proxy_are_the_users() -> None:
    overrides = parse_overrides({"priority_class": "low", "proxy": {"HTTPS_PROXY": "http://proxy.x:3128", "no_proxy": ".svc"}})
    pod = manifest(spec(overrides=overrides))["spec"]
    variables = {item["name"]: item.get("value") for item in pod["containers"][0]["env"]}
    assert pod["priorityClassName"] == "low"
    assert variables["HTTPS_PROXY"] == variables["https_proxy"] == "http://proxy.x:3128"
    assert variables["NO_PROXY"] == variables["no_proxy"] == ".svc"
    assert "priorityClassName" not in manifest(spec())["spec"]


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ({"LD_PRELOAD": "/x.so"}, "which is no proxy variable"),
        ({"HTTPS_PROXY": 3128}, "which is no proxy variable with a text"),
        ({"HTTPS_PROXY": "http://me:s3cret@proxy.x"}, "has a user name or a password in HTTPS_PROXY"),
    ],
)
def test_a_proxy_that_is_none_or_has_a_password_is_refused(proxy: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption, match=words) as caught:
        parse_overrides({"proxy": proxy})
    assert "s3cret" not in str(caught.value)


def test_a_consumer_that_sees_a_part_of_its_volume_has_that_part_filled() -> None:
    mounts = [{"name": "v", "mountPath": "/repository-cache", "subPath": "cache"}, {"name": "other", "mountPath": "/o"}]
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "claim"}}]
    pod = parse_pod({"metadata": {"name": "w"}, "spec": {"containers": [{"name": "c", "volumeMounts": mounts}], "volumes": volumes}})
    assert (sub_path(pod, "claim"), sub_path(pod, "another"), sub_path(None, "claim")) == ("cache", "", "")
    made = manifest(FillerSpec("ns", "filler", Mount("claim", "/repository-cache", "cache"), "image:1", {"run": "r"}))
    assert {"name": "claim", "mountPath": "/repository-cache", "subPath": "cache"} in made["spec"]["containers"][0]["volumeMounts"]
