# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles in an existing deployment's playbook (tests/dropin), with no other variables than it has."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.clusters.base import SANDBOX_PREFIX, USER, WORKER_TEMPLATE
from tests.waiting import until

from .harness import ROOT, SAND, WORK, Scene
from .runs import Run

DROPIN = ROOT / "tests" / "dropin"
CACHED = ["packit-worker-0", "packit-worker-long-running-0"]
IDLE = "trap 'exit 0' TERM INT; while :; do sleep 1 & wait $!; done"
ROLES = ("repository-cache", "service-config", "staging", "staging-annotate")
VERBS = ["get", "list", "create", "patch", "update"]
DEPLOYMENT = [{"apiGroups": [""], "resources": ["secrets"], "verbs": VERBS}, {"apiGroups": ["apps"], "resources": ["*"], "verbs": VERBS}]
"""What a deployment's own tasks need, beside docs/rbac.yml."""


def changed(run: Run) -> list[str]:
    """The tasks that changed something."""
    task, found = "", []
    for line in run.output.splitlines():
        named = re.match(r"TASK \[(.*)\] \*", line)
        task = named[1] if named else task
        if line.startswith("changed: "):
            found.append(task)
    return found


def changed_by_us(run: Run) -> list[str]:
    """Those of this collection's roles."""
    return [task for task in changed(run) if task.startswith("packit.deployment.")]


def deploy(scene: Scene, *arguments: str, **more: Any) -> Run:
    """Run the playbook as its operators do, with this cluster's address and images that are there."""
    access = yaml.safe_load(scene.kubeconfig.read_text())
    given = {
        "project": WORK,
        "host": access["clusters"][0]["cluster"]["server"],
        "api_key": access["users"][0]["user"]["token"],
        "repository_cache_storage": "1Gi",
        "image_worker": scene.cluster.image,
        "image_postgres": scene.cluster.image,
        "worker_command": IDLE,
        "postgres_command": IDLE,
        "worker_security_context": {"runAsUser": USER, "fsGroup": USER},
        "repository_cache_image": scene.cluster.image,
        "repository_cache_projects": [{"url": scene.url()}],
        **more,
    }
    environment = {
        "K8S_AUTH_KUBECONFIG": None,
        "K8S_AUTH_SSL_CA_CERT": access["clusters"][0]["cluster"]["certificate-authority"],
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }
    words = ("-i", str(DROPIN / "inventory.yml"), "-e", scene.write_variables(given), *arguments)
    return scene.start_playbook(DROPIN / "deploy.yml", *words, environment=environment).finish()


@pytest.fixture
def site(scene: Scene) -> Scene:
    """Two empty namespaces, an account with a deployment's rights and ours, and room for the volumes."""
    for namespace in (WORK, SAND):
        scene.cluster.namespace(namespace)
    for pod in CACHED:
        scene.cluster.room(WORK, f"{WORKER_TEMPLATE}-{pod}")
        scene.cluster.room(SAND, f"{SANDBOX_PREFIX}{pod}")
    scene.pods = CACHED
    scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory, roles=ROLES)
    rbac = client.RbacAuthorizationV1Api(scene.cluster.api)
    rbac.create_namespaced_role(WORK, {"metadata": {"name": "deployment"}, "rules": DEPLOYMENT})
    binding = {
        "metadata": {"name": "deployment"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployment"},
        "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": WORK}],
    }
    rbac.create_namespaced_role_binding(WORK, binding)
    scene.repository()
    return scene


def test_a_deployment_from_nothing_and_again_with_nothing_left_to_do(site: Scene) -> None:
    first = deploy(site)
    assert first.code == 0, first.story
    assert "Deploy the workers for all tasks" in changed(first)
    until(lambda: all(site.cluster.is_ready(WORK, pod) for pod in CACHED), "the workers")
    site.check()
    claims = [item.metadata.name for item in site.cluster.core.list_namespaced_persistent_volume_claim(SAND).items]
    assert sorted(claims) == [f"{SANDBOX_PREFIX}{pod}" for pod in CACHED]
    second = deploy(site)
    assert second.code == 0, second.story
    assert changed(second) == []


def test_a_staging_deployment_has_its_tolerations_from_the_same_playbook(site: Scene) -> None:
    stage = {"key": "environment", "operator": "Equal", "value": "stage", "effect": "NoSchedule"}
    first = deploy(site, deployment="stg", staging_tolerations=[stage])
    assert first.code == 0, first.story
    for namespace in (WORK, SAND):
        annotations = site.cluster.core.read_namespace(namespace).metadata.annotations
        assert json.loads(annotations["scheduler.alpha.kubernetes.io/defaultTolerations"]) == [stage]
    second = deploy(site, deployment="stg", staging_tolerations=[stage])
    assert second.code == 0, second.story
    assert changed_by_us(second) == []


def test_without_a_repository_cache_nothing_is_made_for_it(site: Scene) -> None:
    done = deploy(site, with_repository_cache=False)
    assert done.code == 0, done.story
    assert "The variable with_repository_cache is false, so the role repository_cache does nothing." in done.text
    assert changed_by_us(done) == []
    for namespace in (WORK, SAND):
        assert site.cluster.core.list_namespaced_persistent_volume_claim(namespace).items == []
