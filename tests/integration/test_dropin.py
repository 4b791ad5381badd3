# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles in an existing deployment's playbook (tests/dropin), with no other variables than it has."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.clusters.base import SANDBOX_PREFIX, USER, WORKER_TEMPLATE
from tests.repositories import make
from tests.waiting import until

from .harness import ROOT, SAND, WORK, Scene
from .runs import Run

DROPIN = ROOT / "tests" / "dropin"
CACHED = ["packit-worker-long-running-0", "packit-worker-long-running-1"]
IDLE = ["sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 1 & wait $!; done"]
ROLES = ("repository-cache", "service-config", "staging", "staging-annotate")
VERBS = ["get", "list", "create", "patch", "update"]
OPENSHIFT = ["image.openshift.io", "route.openshift.io", "tenant.paas.redhat.com"]
DEPLOYMENT = [
    {"apiGroups": [""], "resources": ["secrets", "configmaps", "services"], "verbs": VERBS},
    {"apiGroups": ["apps", *OPENSHIFT], "resources": ["*"], "verbs": VERBS},
]
"""Rights that a deployment's own tasks need, beside docs/rbac.yml."""


CONFIGURED = "packit.deployment.service_config : Bring the cache's keys to the service's configuration"


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


def deploy(scene: Scene, *arguments: str, source: Path = DROPIN, **more: Any) -> Run:
    """Run the playbook as its operators do, with this cluster's address and images that are there."""
    access = yaml.safe_load(scene.kubeconfig.read_text())
    given = {
        "project": WORK,
        "tenant_namespace": WORK,
        "host": access["clusters"][0]["cluster"]["server"],
        "api_key": access["users"][0]["user"]["token"],
        "repository_cache_storage": "1Gi",
        "image_worker": scene.cluster.image,
        "image_postgres": scene.cluster.image,
        "postgres_args": IDLE,
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
    words = ("-i", str(source / "inventory.yml"), "-e", scene.write_variables(given), *arguments)
    return scene.start_playbook(source / "deploy.yml", *words, environment=environment).finish()


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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of the deployment, whose files may be edited."""
    return Path(shutil.copytree(DROPIN, tmp_path / "deployment"))


def configuration(scene: Scene) -> dict[str, Any]:
    """The service's configuration, as its Secret has it."""
    data = scene.cluster.core.read_namespaced_secret("packit-config", WORK).data
    loaded: dict[str, Any] = yaml.safe_load(base64.b64decode(data["packit-service.yaml"]))
    return loaded


def test_a_deployment_from_nothing_again_with_nothing_left_to_do_and_the_cache_alone_by_its_tag(site: Scene) -> None:
    first = deploy(site)
    assert first.code == 0, first.story
    until(lambda: all(site.cluster.is_ready(WORK, pod) for pod in CACHED), "the workers")
    site.check()
    claims = [item.metadata.name for item in site.cluster.core.list_namespaced_persistent_volume_claim(SAND).items]
    assert sorted(claims) == [f"{SANDBOX_PREFIX}{pod}" for pod in CACHED]
    for pod in CACHED:  # each worker exports the name of its own sandboxes' claim
        said = site.cluster.core.read_namespaced_pod_log(pod, WORK, container="packit-worker")
        assert said == f"packit_service.worker.tasks reads long-running,rate-limited as packit; its sandboxes have {SANDBOX_PREFIX}{pod}\n"
    second = deploy(site)
    assert second.code == 0, second.story
    assert changed(second) == []
    make.commit(site.server.root / "one.git", "main")
    tagged = deploy(site, "--tags", "repository-cache")
    assert tagged.code == 0, tagged.story
    assert changed_by_us(tagged) == changed(tagged) != []
    site.check()


def test_a_variable_without_its_twin_in_the_template_stops_their_own_check(site: Scene, checkout: Path) -> None:
    with (checkout / "vars/packit/prod.yml").open("a") as own:
        own.write("repository_cache_max_hold: 120\n")
    stopped = deploy(site, source=checkout)
    assert stopped.code != 0
    assert "prod.yml and prod_template.yml differ in: repository_cache_max_hold" in stopped.text


def test_a_staging_deployment_has_its_tolerations_and_an_item_without_read_only_gets_it_for_good(site: Scene, checkout: Path) -> None:
    taint = {"key": "environment", "operator": "Equal", "value": "stage", "effect": "NoSchedule"}
    stage: dict[str, Any] = {"deployment": "stg", "workers_long_running": 2, "staging_tolerations": [taint], "source": checkout}
    first = deploy(site, **stage)
    assert first.code == 0, first.story
    for namespace in (WORK, SAND):
        annotations = site.cluster.core.read_namespace(namespace).metadata.annotations
        assert json.loads(annotations["scheduler.alpha.kubernetes.io/defaultTolerations"]) == [taint]
    item = {"path": "/repository-cache", "pvc_from_env": "SANDCASTLE_REPOSITORY_CACHE_VOLUME", "read_only": True}
    assert configuration(site)["command_handler_pvc_volume_specs"] == [item]
    second = deploy(site, **stage)
    assert second.code == 0, second.story
    assert changed_by_us(second) == [CONFIGURED]  # the source lacks a field, and was applied again
    source = checkout / "secrets/packit/stg/packit-service.yaml.j2"
    before = source.read_text()
    edited = deploy(site, "--tags", "repository-cache", service_config_file=str(source), **stage)
    assert edited.code == 0, edited.story
    added = "    pvc_from_env: SANDCASTLE_REPOSITORY_CACHE_VOLUME\n"
    assert source.read_text() == before.replace(added, f"{added}    read_only: true\n")
    deploy(site, **stage)  # their own task brings the source to the Secret
    assert configuration(site)["command_handler_pvc_volume_specs"] == [item]
    last = deploy(site, **stage)
    assert last.code == 0, last.story
    assert changed(last) == []


def test_without_a_repository_cache_nothing_is_made_for_it(site: Scene) -> None:
    done = deploy(site, with_repository_cache=False)
    assert done.code == 0, done.story
    assert "The variable with_repository_cache is false, so the role repository_cache does nothing." in done.text
    assert changed_by_us(done) == []
    for namespace in (WORK, SAND):
        assert site.cluster.core.list_namespaced_persistent_volume_claim(namespace).items == []
