# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule's objects: safe defaults, the user's settings over them, and nothing that the user did not ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.schedule.cron_job import GRACE, LABEL, names, objects
from ansible_collections.packit.deployment.plugins.module_utils.schedule.module import ARGUMENT_SPEC, parse_schedule

RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
PROJECTS = {"repository_cache_projects": [{"url": "https://example.org/one.git"}]}


def params(**more: Any) -> dict[str, Any]:
    defaults = {name: about.get("default") for name, about in ARGUMENT_SPEC.items()}
    return {**defaults, "namespace": "work", "sandbox_namespace": "sand", "image": "i", "rules": RULES, "variables": PROJECTS, **more}


def made(**more: Any) -> dict[str, Any]:
    """The objects by kind; of two, the last."""
    return {item["kind"]: item for item in objects(parse_schedule(params(**more)))}


def pod(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = made(**more)["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]
    return found


def test_one_job_at_a_time_tried_once_and_ended_in_time() -> None:
    spec = made(timeout=600, suspend=True, time_zone="Europe/Prague")["CronJob"]["spec"]
    job = spec["jobTemplate"]["spec"]
    assert (spec["concurrencyPolicy"], spec["schedule"], spec["timeZone"], spec["suspend"]) == ("Forbid", "17 3 * * *", "Europe/Prague", True)
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 600)
    assert spec["startingDeadlineSeconds"] > 0 and spec["successfulJobsHistoryLimit"] + spec["failedJobsHistoryLimit"] <= 5
    assert "timeZone" not in made()["CronJob"]["spec"]


def test_the_pod_has_no_more_than_it_needs() -> None:
    spec = pod()["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod()["metadata"]["annotations"] == {"openshift.io/required-scc": "restricted-v2"}
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"], spec["serviceAccountName"]) == ("Never", GRACE, "repository-cache-schedule")
    assert not {"priorityClassName", "imagePullSecrets", "tolerations", "nodeSelector"} & set(spec)
    assert [volume["name"] for volume in spec["volumes"]] == ["work", "variables"]
    assert [mount["mountPath"] for mount in container["volumeMounts"] if not mount["readOnly"]] == ["/packit-schedule"]


def test_the_users_settings_of_the_pod_are_over_ours() -> None:
    given = {
        "labels": {"paas.redhat.com/appcode": "X"}, "priority_class": "low", "image_pull_secrets": ["pull"], "pull_policy": "Always",
        "proxy": {"https_proxy": "http://proxy:3128", "no_proxy": "example.org"}, "resources": {"limits": {"memory": "1Gi"}}, "node_selector": {"env": "stage"},
        "pod_security_context": {"runAsUser": 7},
    }  # fmt: skip
    template = pod(pod=given)
    spec, (container,) = template["spec"], template["spec"]["containers"]
    assert template["metadata"]["labels"] == {"paas.redhat.com/appcode": "X", LABEL: "repository-cache-schedule"}
    assert (spec["priorityClassName"], spec["imagePullSecrets"], spec["nodeSelector"]) == ("low", [{"name": "pull"}], {"env": "stage"})
    assert (container["imagePullPolicy"], container["resources"]["limits"], spec["securityContext"]["runAsUser"]) == (
        "Always", {"cpu": "1", "memory": "1Gi"}, 7,
    )  # fmt: skip
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["HTTPS_PROXY"] == environment["https_proxy"] == "http://proxy:3128"
    assert environment["NO_PROXY"] == environment["no_proxy"] == "example.org,$(KUBERNETES_SERVICE_HOST)"
    assert environment["LOGNAME"] == "schedule"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repository_cache_notify", "https://hooks.example.com/s3cret"),
        ("repository_cache_pushgateway", "https://user:s3cret@pushgateway.example.com"),
    ],
)
def test_a_secret_variable_is_refused_as_anybody_may_read_the_config_map(name: str, value: str) -> None:
    with pytest.raises(InvalidOption, match=f"`variables` has {name}, which is a secret") as caught:
        made(variables={**PROJECTS, name: value})
    assert "s3cret" not in str(caught.value) and "the Secret of option `upstream_secret`, in the key variables.yml" in str(caught.value)


def test_credentials_and_certificates_are_mounted_where_they_are_looked_for() -> None:
    (container,) = (spec := pod(upstream_secret="keys", trusted_ca="trusted")["spec"])["containers"]
    assert spec["volumes"][2:] == [{"name": "upstream", "secret": {"secretName": "keys"}}, {"name": "trusted-ca", "configMap": {"name": "trusted"}}]
    mounts = {mount["name"]: (mount["mountPath"], mount["readOnly"]) for mount in container["volumeMounts"]}
    assert (mounts["upstream"], mounts["trusted-ca"]) == (("/upstream", True), ("/trusted-ca", True))
    assert {"name": "GIT_SSL_CAINFO", "value": "/trusted-ca/ca-bundle.crt"} in container["env"]
    assert "/upstream/ssh-privatekey" in container["command"][2]


def test_each_object_is_named_and_labelled_alike_and_all_of_them_are_removed() -> None:
    found = objects(parse_schedule(params(name="nightly")))
    assert {item["metadata"]["name"] for item in found} == {"nightly"}
    assert all(item["metadata"]["labels"] == {LABEL: "nightly"} for item in found)
    assert [(item["kind"], item["metadata"]["namespace"]) for item in found] == [
        ("ServiceAccount", "work"), ("Role", "sand"), ("Role", "work"), ("RoleBinding", "sand"), ("RoleBinding", "work"),
        ("ConfigMap", "work"), ("CronJob", "work"),
    ]  # fmt: skip
    removed = names("nightly", "work", "sand")
    assert [(item["kind"], item["metadata"]) for item in removed] == [
        (item["kind"], {key: item["metadata"][key] for key in ("namespace", "name")}) for item in found
    ]
    assert len(names("nightly", "work", "work")) == 5


def test_the_variables_are_what_the_playbook_reads() -> None:
    (text,) = made()["ConfigMap"]["data"].values()
    assert json.loads(text) == PROJECTS


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"image": " "}, "`image` is empty. Name an image that has this collection"),
        ({"rules": []}, "`rules` is empty"),
        ({"pod": {"heartbeat": 3}}, "Unknown key `pod.heartbeat`. Known keys: annotations, image_pull_secrets, labels"),
        ({"pod": {"resources": {"limits": {"cpu": "lots"}}}}, "`pod.resources.limits.cpu` is 'lots'"),
        ({"upstream_secret": "a b"}, "'a b' is no name of a Secret."),
        ({"trusted_ca": "../x"}, "'../x' is no name of a ConfigMap."),
    ],
)
def test_what_could_only_fail_at_night_is_refused_at_once(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_schedule(params(**wrong))
    assert words in str(caught.value)
