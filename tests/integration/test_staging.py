# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staging: pods land on its nodes only after the role ran, annotations are found broken and repaired, workloads get smaller."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from kubernetes.client import ApiException

from ansible_collections.packit.deployment.plugins.module_utils.cluster.workloads import LAST_APPLIED
from ansible_collections.packit.deployment.plugins.module_utils.staging.annotations import DEFAULTS, WHITELIST
from ansible_collections.packit.deployment.plugins.module_utils.staging.settings import RECORD
from tests.clusters.base import SECURITY, TestCluster
from tests.clusters.embedded import EmbeddedTestCluster
from tests.waiting import until

from .harness import SAND, WORK, Scene
from .runs import Run

STAGE = {"key": "environment", "operator": "Equal", "value": "stage", "effect": "NoSchedule"}
WRITTEN = '[{"key":"environment","operator":"Equal","value":"stage","effect":"NoSchedule"}]'
ROLES = ("staging", "staging-annotate", "staging-workloads")
NODE = "node2"


@pytest.fixture
def staged(scene: Scene) -> Iterator[Scene]:
    """Both namespaces, and nodes that are left as they were."""
    scene.cluster.namespace(WORK)
    scene.cluster.namespace(SAND)
    yield scene
    scene.cluster.core.patch_node(NODE, {"spec": {"taints": None}, "metadata": {"labels": {"env": None}}})


def allow(scene: Scene, *roles: str, drop: tuple[str, str] | None = None) -> None:
    """Somebody with exactly these documented Roles."""
    scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory, drop, roles or ROLES)


def play(scene: Scene, *arguments: str, **variables: Any) -> Run:
    """The role, from a playbook of the deployment's."""
    return _play(scene, [{"ansible.builtin.include_role": {"name": "packit.deployment.staging"}, "vars": _named(variables)}], *arguments)


def refusals(scene: Scene, *cases: Mapping[str, Any]) -> list[str]:
    """Return what the role says in each of these cases, all in one play, whose start takes most of the time; in one line each."""
    tasks: list[dict[str, Any]] = []
    for number, variables in enumerate(cases):
        include = {"name": "packit.deployment.staging", "apply": {"ignore_errors": True}}
        marked = {"ansible.builtin.debug": {"msg": f"case {number}"}}
        tasks += [marked, {"ansible.builtin.include_role": include, "vars": _named(variables)}]
    output = _play(scene, tasks).output
    places = [output.index(f'"msg": "case {number}"') for number in range(len(cases))]
    return [" ".join(output[start:end].split()) for start, end in zip(places, [*places[1:], len(output)], strict=True)]


def _named(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {f"staging_{name}": value for name, value in variables.items()}


def _play(scene: Scene, tasks: list[dict[str, Any]], *arguments: str) -> Run:
    return scene.play(tasks, "--diff", *arguments, project=WORK, sandbox_namespace=SAND, host="", api_key="")


def our_annotations(cluster: TestCluster, namespace: str = WORK) -> dict[str, str]:
    """The annotations of a namespace that concern us."""
    found = cluster.core.read_namespace(namespace).metadata.annotations or {}
    return {name: value for name, value in found.items() if name in (DEFAULTS, WHITELIST)}


def annotate(cluster: TestCluster, **changes: str | None) -> None:
    """Somebody writes on the workers' namespace."""
    names = {"defaults": DEFAULTS, "whitelist": WHITELIST, "off": "embedded.test/no-pod-toleration-restriction"}
    cluster.core.patch_namespace(WORK, {"metadata": {"annotations": {names[key]: value for key, value in changes.items()}}})


def refuses_pods(cluster: TestCluster) -> bool:
    """Return whether a pod that is right in itself could not be made in the workers' namespace now."""
    container = {"name": "main", "image": cluster.image, "securityContext": SECURITY}
    body = {"metadata": {"name": "tried"}, "spec": {"securityContext": {"runAsUser": 1000}, "containers": [container]}}
    try:
        cluster.core.create_namespaced_pod(WORK, body, dry_run="All")
    except ApiException:
        return True
    return False


def tolerate(scene: Scene, check: bool = False, **options: Any) -> dict[str, Any]:
    """The module namespace_tolerations."""
    return scene.module("namespace_tolerations", check, **{"namespaces": [WORK], "tolerations": [STAGE], **options})


def settings(scene: Scene, check: bool = False, **options: Any) -> dict[str, Any]:
    """The module workload_settings."""
    return scene.module("workload_settings", check, namespace=WORK, **options)


def pod_spec(cluster: TestCluster, name: str = "dashboard") -> dict[str, Any]:
    """A Deployment's pod template."""
    spec: dict[str, Any] = cluster.api.sanitize_for_serialization(cluster.apps.read_namespaced_deployment(name, WORK).spec.template.spec)
    return spec


def available(cluster: TestCluster, name: str = "dashboard") -> int:
    """Return how many pods of a Deployment are available."""
    status = cluster.apps.read_namespaced_deployment(name, WORK).status
    return (status.available_replicas if status is not None else 0) or 0


@pytest.mark.alone
def test_a_pod_lands_on_a_tainted_node_only_after_the_role_ran(staged: Scene) -> None:
    cluster = staged.cluster
    allow(staged)
    cluster.core.patch_node(
        NODE, {"spec": {"taints": [{key: STAGE[key] for key in ("key", "value", "effect")}]}, "metadata": {"labels": {"env": "stage"}}}
    )
    cluster.deployment(WORK, "dashboard")
    until(lambda: available(cluster) == 1, "the Deployment")
    before = cluster.core.list_namespaced_pod(WORK).items[0]
    assert before.spec.node_name == "node1"
    wanted = {"tolerations": [STAGE], "workloads": ["deployment/dashboard"], "node_selector": {"env": "stage"}}
    planned = play(staged, "--check", **wanted)
    assert planned.code == 0 and "changed=1" in planned.output, planned.output
    assert our_annotations(cluster) == {}
    assert f"{WORK}: environment=stage:NoSchedule is to be annotated, and is proved then." in planned.text
    shown = play(staged, **wanted)
    assert shown.code == 0 and "changed=1" in shown.output, shown.output
    assert f"+{WRITTEN}" in shown.output
    assert (
        f"The pod template of Deployment {WORK}/dashboard is not changed, because that starts its pods anew and kills the tasks that run in "
        "them: spec.template.spec.nodeSelector.env: nothing -> stage. Set staging_restart: true when they may." in shown.text
    )
    assert f"{SAND}: its pods get environment=stage:NoSchedule." in shown.text
    assert our_annotations(cluster) == our_annotations(cluster, SAND) == {DEFAULTS: WRITTEN}
    assert "nodeSelector" not in pod_spec(cluster)
    done = play(staged, **wanted, restart=True)
    assert done.code == 0 and "changed=1" in done.output, done.output
    assert "+spec.template.spec.nodeSelector.env: stage" in done.output
    running = [item for item in cluster.core.list_namespaced_pod(WORK).items if item.metadata.deletion_timestamp is None]
    assert [item.spec.node_name for item in running] == [NODE]
    if isinstance(cluster, EmbeddedTestCluster):
        cluster.requests(clear=True)
    started = time.monotonic()
    again = play(staged, **wanted, restart=True)
    print(f"nothing to do took {time.monotonic() - started:.1f} s, ansible-playbook's start included")
    assert again.code == 0 and "changed=0" in again.output, again.output
    assert "deployment/dashboard: as wanted" in again.text
    if isinstance(cluster, EmbeddedTestCluster):
        counted = cluster.requests()
        assert sum(counted.values()) <= 6 + 1, counted
    gone = play(staged, **wanted, restart=True, state="absent")
    assert gone.code == 0 and "changed=2" in gone.output, gone.output
    assert our_annotations(cluster) == {} and not pod_spec(cluster).get("nodeSelector")
    assert RECORD not in (cluster.apps.read_namespaced_deployment("dashboard", WORK).metadata.annotations or {})


def test_nothing_is_asked_for_and_nothing_is_changed(staged: Scene) -> None:
    allow(staged, "staging")
    done = play(staged)
    assert done.code == 0 and "changed=0" in done.output, done.output


def test_an_annotation_that_stops_every_pod_is_found_and_repaired(staged: Scene) -> None:
    cluster = staged.cluster
    allow(staged)
    broken = '[{"key":"old","operator":"Exists"'
    annotate(cluster, defaults=broken)
    until(lambda: refuses_pods(cluster), "the annotation's effect")
    cluster.deployment(WORK, "dashboard")
    found = play(staged, tolerations=[STAGE])
    assert found.code != 0
    assert f"The annotation {DEFAULTS} of namespace {WORK} stops every pod creation there: it is no valid JSON" in found.text
    assert "have it repaired (staging_repair: true)" in found.text
    assert our_annotations(cluster) == {DEFAULTS: broken} and our_annotations(cluster, SAND) == {}
    done = play(staged, tolerations=[STAGE], repair=True)
    assert done.code == 0, done.output
    assert "It is taken away; it was:" in done.text
    assert our_annotations(cluster) == {DEFAULTS: WRITTEN}
    until(lambda: available(cluster) == 1, "a pod after the repair")


def test_a_wrong_toleration_is_taken_out_and_the_others_stay(staged: Scene) -> None:
    allow(staged)
    other = {"key": "other", "operator": "Exists", "comment": "kept"}
    annotate(staged.cluster, defaults=json.dumps([{"key": "a", "operator": "In"}, other]))
    refused = tolerate(staged)
    assert "{'key': 'a', 'operator': 'In'}: operator `In` is none of Equal, Exists" in refused["msg"]
    done = tolerate(staged, repair=True)
    assert done["changed"] is True and done["namespaces"][0]["works"] is True, done
    assert json.loads(our_annotations(staged.cluster)[DEFAULTS]) == [other, STAGE]
    assert tolerate(staged)["changed"] is False


def test_a_whitelist_that_forbids_the_toleration_is_refused_and_extended_on_request(staged: Scene) -> None:
    allow(staged)
    annotate(staged.cluster, whitelist=WRITTEN)
    refused = tolerate(staged)
    assert (
        f"The annotation {WHITELIST} of namespace {WORK} does not allow node.kubernetes.io/not-ready:NoExecute for 300 s, "
        "node.kubernetes.io/unreachable:NoExecute for 300 s, node.kubernetes.io/memory-pressure:NoSchedule: every pod would be refused."
        in refused["msg"]
    )
    assert our_annotations(staged.cluster) == {WHITELIST: WRITTEN}
    done = tolerate(staged, repair=True)
    assert done["changed"] is True and done["namespaces"][0]["works"] is True, done
    assert len(json.loads(our_annotations(staged.cluster)[WHITELIST])) == 4
    assert tolerate(staged)["changed"] is False
    assert done["requests"] <= 4 + 2 * 10


def test_others_are_kept_unless_it_is_exclusive(staged: Scene) -> None:
    allow(staged)
    annotate(
        staged.cluster, defaults='[ {"effect": "NoSchedule", "value": "stage", "key": "environment"}, {"key":"x","operator":"Exists"} ]'
    )
    before = our_annotations(staged.cluster)
    assert tolerate(staged)["changed"] is False
    assert our_annotations(staged.cluster) == before
    planned = tolerate(staged, check=True, exclusive=True)
    assert planned["changed"] is True and our_annotations(staged.cluster) == before
    done = tolerate(staged, exclusive=True)
    assert json.loads(our_annotations(staged.cluster)[DEFAULTS]) == [{"effect": "NoSchedule", "value": "stage", "key": "environment"}]
    assert f"-{before[DEFAULTS]}" in done["printed"]
    unchanged = tolerate(staged, exclusive=True)
    assert unchanged["changed"] is False and unchanged["requests"] <= 3, unchanged
    assert tolerate(staged, state="absent")["changed"] is True
    assert our_annotations(staged.cluster) == {}
    assert tolerate(staged, state="absent")["changed"] is False


def test_who_may_not_annotate_gets_the_command_and_templates_instead(staged: Scene) -> None:
    cluster = staged.cluster
    allow(staged, "staging", "staging-workloads")
    cluster.deployment(WORK, "dashboard")
    command = f"kubectl annotate --overwrite namespace {WORK} {shlex.quote(f'{DEFAULTS}={WRITTEN}')}"
    for check in (True, False):
        refused = tolerate(staged, check)
        assert f"You may not annotate namespace {WORK}:" in refused["msg"]
        assert refused["commands"] == [command]
        assert command in refused["msg"]
    done = play(staged, tolerations=[STAGE], tolerations_via="auto", workloads=["dashboard"], restart=True)
    assert done.code == 0 and "changed=1" in done.output, done.output
    assert "Sandbox pods, which the service makes, cannot be reached that way." in done.text
    assert pod_spec(cluster)["tolerations"] == [STAGE]
    again = play(staged, tolerations=[STAGE], tolerations_via="auto", workloads=["dashboard"], restart=True)
    assert again.code == 0 and "changed=0" in again.output, again.output
    # Somebody runs the command.
    words = shlex.split(command)
    name, _sign, value = words[-1].partition("=")
    cluster.core.patch_namespace(words[-2], {"metadata": {"annotations": {name: value}}})
    cluster.core.patch_namespace(SAND, {"metadata": {"annotations": {name: value}}})
    until(lambda: tolerate(staged)["namespaces"][0]["works"] is True, "the annotation's effect")
    reached = play(staged, tolerations=[STAGE], tolerations_via="auto", workloads=["dashboard"], restart=True)
    assert reached.code == 0 and "changed=1" in reached.output, reached.output
    assert not pod_spec(cluster).get("tolerations")


@pytest.mark.embedded
def test_a_cluster_that_does_not_heed_the_annotation_is_told(staged: Scene) -> None:
    allow(staged)
    annotate(staged.cluster, off="true")
    done = tolerate(staged)
    assert done["changed"] is True and done["namespaces"][0]["works"] is False
    assert done["unreached"] == [WORK]
    assert "the admission plugin PodTolerationRestriction is off in this cluster" in done["printed"]
    staged.cluster.deployment(WORK, "dashboard")
    role = play(staged, tolerations=[STAGE], tolerations_via="auto", workloads=["deployment/dashboard"], restart=True)
    assert role.code == 0, role.output
    assert pod_spec(staged.cluster)["tolerations"] == [STAGE]


def test_a_proof_that_a_quota_refuses_is_no_failure(staged: Scene) -> None:
    allow(staged)
    staged.cluster.quota(WORK, "full", {"pods": "0"})
    done = tolerate(staged)
    assert done["changed"] is True and done["namespaces"][0]["works"] is None
    assert f"Whether pods of namespace {WORK} get the tolerations could not be proved:" in done["printed"]
    assert "exceeded quota: full" in done["printed"]


def test_templates_instead_of_the_annotation(staged: Scene) -> None:
    allow(staged)
    staged.cluster.deployment(WORK, "dashboard")
    done = play(staged, tolerations=[STAGE], tolerations_via="templates", workloads=["deployment/dashboard"], restart=True)
    assert done.code == 0 and "changed=1" in done.output, done.output
    assert "Sandbox pods, which the service makes, cannot be reached that way." in done.text
    assert our_annotations(staged.cluster) == {} and pod_spec(staged.cluster)["tolerations"] == [STAGE]


def test_a_roll_out_that_hangs_is_explained(staged: Scene) -> None:
    cluster = staged.cluster
    allow(staged)
    cluster.deployment(WORK, "dashboard")
    until(lambda: available(cluster) == 1, "the Deployment")
    wanted = {"workloads": ["deployment/dashboard"], "node_selector": {"env": "nowhere"}, "restart": True, "force": True, "timeout": 30}
    for _run in range(2):  # a second run changes nothing, and does not call it well
        hangs = play(staged, **wanted)
        assert hangs.code != 0
        assert f"The roll-out of Deployment {WORK}/dashboard hangs: 1 of 1 pods are new, 1 are ready." in hangs.text
        assert "No node matches the pod's node selector. The scheduler says: 0/2 nodes are available" in hangs.text
        assert "Check its node selector (staging_node_selector)." in hangs.text
    assert available(cluster) == 1
    back = play(staged, **{**wanted, "node_selector": {}})
    assert back.code == 0 and "changed=1" in back.output, back.output


@pytest.mark.alone
def test_a_selector_that_no_node_matches_is_refused_before_a_pod_stops(staged: Scene) -> None:
    allow(staged)
    staged.cluster.deployment(WORK, "dashboard")
    staged.cluster.core.patch_node(NODE, {"metadata": {"labels": {"env": "stage"}}})
    wanted: dict[str, Any] = {"workloads": ["dashboard"], "node_selector": {"env": "stage"}, "restart": True}
    done = settings(staged, **wanted)  # nodes may not be read with the documented Roles
    assert done["changed"] is True, done
    assert "Nodes may not be read by you, so whether a node matches the node selector was not looked at." in done["printed"]
    staged.kubeconfig = staged.cluster.kubeconfig
    refused = settings(staged, **{**wanted, "node_selector": {"env": "staging"}})
    words = f"Pods of Deployment {WORK}/dashboard would find no node. No node has the labels env=staging. Label or add a node"
    assert words in refused["msg"]
    assert pod_spec(staged.cluster)["nodeSelector"] == {"env": "stage"}
    assert "There is no namespace packit-nowhere." in tolerate(staged, namespaces=["packit-nowhere"])["msg"]


def test_fewer_workers_leave_their_claims_and_say_so(staged: Scene) -> None:
    cluster = staged.cluster
    allow(staged)
    cluster.workers(WORK, replicas=2)
    sizes = [{"workload": "statefulset/packit-worker", "replicas": 1}]
    planned = settings(staged, check=True, sizes=sizes)
    assert planned["changed"] is True
    assert "-spec.replicas: 2 +spec.replicas: 1" in planned["printed"]
    done = settings(staged, sizes=sizes)
    assert done["changed"] is True
    said = f"StatefulSet {WORK}/packit-worker goes from 2 replicas to 1. Claims that stay: packit-worker-repository-cache-packit-worker-1."
    assert said in done["printed"]
    assert cluster.pods(WORK) == ["packit-worker-0"]
    claims = [item.metadata.name for item in cluster.core.list_namespaced_persistent_volume_claim(WORK).items]
    assert claims == [f"packit-worker-repository-cache-packit-worker-{number}" for number in range(2)]
    unchanged = settings(staged, sizes=sizes)
    assert unchanged["changed"] is False and unchanged["requests"] == 1, unchanged


def test_a_field_of_the_deployments_template_is_refused_unless_forced(staged: Scene) -> None:
    cluster = staged.cluster
    allow(staged)
    said = json.dumps({"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "dashboard"}]}}}})
    cluster.deployment(WORK, "dashboard", replicas=2, annotations={LAST_APPLIED: said})
    sizes = [{"workload": "dashboard", "replicas": 1, "limits": {"memory": "256Mi"}, "requests": {"memory": "64Mi"}}]
    refused = settings(staged, sizes=sizes, restart=True)
    assert (
        f"spec.replicas of Deployment {WORK}/dashboard belongs to the deployment's template (last-applied-configuration), which says 2: "
        "the next deployment would set it back. Write 1 into the template, or insist (option `force: true`)." in refused["msg"]
    )
    assert cluster.apps.read_namespaced_deployment("dashboard", WORK).spec.replicas == 2
    done = settings(staged, sizes=sizes, restart=True, force=True)
    assert done["changed"] is True, done
    assert "The next deployment sets spec.replicas of Deployment" in done["printed"]
    after = cluster.apps.read_namespaced_deployment("dashboard", WORK)
    assert (after.spec.replicas, after.spec.template.spec.containers[0].resources.limits) == (1, {"memory": "256Mi"})
    assert settings(staged, sizes=sizes, restart=True)["changed"] is False


def test_a_pod_that_does_not_fit_is_explained(staged: Scene) -> None:
    allow(staged)
    staged.cluster.deployment(WORK, "dashboard")
    sizes = [{"workload": "deployment/dashboard", "requests": {"memory": "4Ti"}, "limits": {"memory": "4Ti"}}]
    staged.cluster.limit_range(WORK, "limits", [{"type": "Container", "max": {"memory": "1Gi"}, "default": {"memory": "512Mi"}}])
    done = settings(staged, sizes=sizes, restart=True, timeout=30)
    assert "No pod can be made:" in done["msg"] and "maximum memory usage per Container is 1Gi, but limit is 4" in done["msg"], done


def test_wrong_input_is_refused_before_anything_is_made(staged: Scene) -> None:
    allow(staged)
    staged.cluster.deployment(WORK, "dashboard", replicas=0)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"tolerations": [{**STAGE, "operator": "Exists"}]}, "operator Exists takes no value, but value is `stage`"),
        ({"tolerations": [{**STAGE, "operator": "In"}]}, "must be one of: Equal, Exists, got: In"),
        ({"tolerations": [{**STAGE, "effect": "Never"}]}, "must be one of: NoSchedule, PreferNoSchedule, NoExecute, got: Never"),
        ({"tolerations": [{**STAGE, "value": 5}]}, "`value` is 5, and must be text"),
        ({"tolerations": [{**STAGE, "colour": "red"}]}, "colour"),
        ({"tolerations": [STAGE], "namespaces": ["packit-nowhere"]}, "Namespace packit-nowhere may not be read"),
        ({"namespaces": []}, "`namespaces` is empty"),
        ({"workloads": ["deployment/postgres"]}, f"`deployment/postgres` in namespace {WORK}. There are: deployment/dashboard."),
        ({"workloads": ["job/x"]}, "`job/x` names no workload."),
        ({"workloads": ["dashboard"], "node_selector": {"env": True}}, "`env` of the node selector is True, and must be text."),
        ({"sizes": [{"workload": "dashboard", "replicas": -1}]}, "replicas of `dashboard` is -1"),
        ({"sizes": [{"workload": "dashboard", "replicas": "many"}]}, "many"),
        ({"sizes": [{"workload": "dashboard", "limits": {"memory": "1GB"}}]}, "no Kubernetes quantity"),
        ({"sizes": [{"workload": "dashboard", "replicas": 1}] * 2}, "is named twice in `sizes`"),
        (
            {"sizes": [{"workload": "dashboard", "replicas": 1}], "workloads": ["deployment/dashboard"]},
            f"Deployment {WORK}/dashboard is named in two ways. Write deployment/dashboard everywhere.",
        ),
    )
    for (_variables, words), said in zip(cases, refusals(staged, *(variables for variables, _words in cases)), strict=True):
        assert "fatal: " in said and words in said, (words, said)
    assert our_annotations(staged.cluster) == {}


def test_a_missing_verb_is_named_with_the_rule_to_add(staged: Scene) -> None:
    allow(staged, drop=("patch", "deployments"))
    staged.cluster.deployment(WORK, "dashboard")
    done = settings(staged, sizes=[{"workload": "dashboard", "replicas": 2}])
    assert f"in namespace {WORK}: patch deployments" in done["msg"]
    assert 'apiGroups: ["apps"]' in done["msg"] and 'verbs: ["patch"]' in done["msg"]


def test_a_namespace_that_may_not_be_read_is_named_with_the_rule_to_add(staged: Scene) -> None:
    allow(staged, "staging-annotate")
    done = tolerate(staged)
    assert f"Namespace {WORK} may not be read" in done["msg"] and 'resources: ["namespaces"]' in done["msg"]
