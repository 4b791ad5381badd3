# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's configuration in its Secret: edited, refused, shared with other writers, and seen by those that are restarted."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.service_config.edit import Edit, edit
from ansible_collections.packit.deployment.plugins.module_utils.service_config.secret import ConfigSecret, Content, Place
from ansible_collections.packit.deployment.plugins.module_utils.service_config.wanted import VARIABLE, lines, parse_wanted
from tests.bounds import BOUND
from tests.clusters.base import PID1, TestCluster
from tests.clusters.embedded import EmbeddedTestCluster
from tests.waiting import until

from .harness import SAND, WORK, Scene
from .runs import Run

KEY = "packit-service.yaml"
CONFIG = f"""---
# The service's configuration
deployment: stg
fas_password: "s3cret-1"   # nobody sees this
command_handler_k8s_namespace: {SAND}
webhook_secret: s3cret-2
"""
WANTED = parse_wanted("/repository-cache", VARIABLE, True)
LINES = lines(WANTED)
ADDED = "".join(f"{line}\n" for line in LINES)
ROLES = ("repository-cache", "service-config")
EXPORT = f'export {VARIABLE}="sandcastle-repository-cache-$(uname --nodename)"; '


def write(cluster: TestCluster, text: str, **more: Any) -> None:
    """The Secret, with another key in it."""
    data = {KEY: text, "copr": "s3cret-3"}
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    cluster.core.create_namespaced_secret(WORK, {"metadata": {"name": "packit-config"}, "data": coded, **more})


def read(cluster: TestCluster, name: str = "packit-config", key: str = KEY) -> str:
    """Return what is in a key of a Secret."""
    return base64.b64decode(cluster.core.read_namespaced_secret(name, WORK).data[key]).decode()


def put(cluster: TestCluster, text: str) -> None:
    """Another writer's new content."""
    cluster.core.patch_namespaced_secret("packit-config", WORK, {"data": {KEY: base64.b64encode(text.encode()).decode()}})


def prepare(scene: Scene, roles: tuple[str, ...] = ROLES, drop: tuple[str, str] | None = None, command: str = EXPORT) -> None:
    """Two workers, no pod of them needed, that read the Secret and look up their own claims; and the Secret."""
    cluster = scene.cluster
    cluster.namespace(WORK)
    cluster.namespace(SAND)
    scene.pods = [f"packit-worker-{number}" for number in range(2)]
    cluster.workers(WORK, replicas=2, running=False)
    cluster.sandboxes(SAND, scene.pods)

    def read_the_secret(workers: Any) -> None:
        pod = workers.template.spec
        pod.containers[0].command = ["sh", "-c", command + PID1[2]]
        pod.volumes = [{"name": "packit-config", "secret": {"secretName": "packit-config"}}]
        workers.replicas = 2

    cluster.change_workers(WORK, read_the_secret)
    cluster.deployment(WORK, "dashboard", replicas=1)
    write(cluster, CONFIG)
    scene.kubeconfig = cluster.deployer([WORK, SAND], scene.directory, drop, roles)


def config(scene: Scene, check: bool = False, **options: Any) -> dict[str, Any]:
    """The module."""
    return scene.module("service_config", check, **{"namespace": WORK, "sandbox_namespace": SAND, **options})


def play(scene: Scene, *arguments: str, **variables: Any) -> Run:
    """The role, from a playbook of the deployment's."""
    tasks = [{"ansible.builtin.include_role": {"name": "packit.deployment.service_config"}}]
    given = {"project": WORK, "sandbox_namespace": SAND, "host": "", "api_key": "", **variables}
    return scene.play(tasks, "--diff", "-vvv", *arguments, **given)


def test_the_role_puts_the_keys_in_and_a_second_run_changes_nothing(scene: Scene) -> None:
    prepare(scene)
    planned = play(scene, "--check")
    assert planned.code == 0 and "changed=1" in planned.output, planned.output
    assert read(scene.cluster) == CONFIG
    first = play(scene)
    assert first.code == 0 and "changed=1" in first.output, first.output
    assert read(scene.cluster) == CONFIG + ADDED
    assert read(scene.cluster, key="copr") == "s3cret-3"
    second = play(scene)
    assert second.code == 0 and "changed=0" in second.output, second.output
    for done in (planned, first):
        assert "+repository_cache: /repository-cache" in done.output
        assert "is applied again from its source at the next deployment" in done.text
        assert f"kubectl rollout restart -n {WORK} statefulset/packit-worker" in done.text
        assert "does not set" not in done.text and "does not exist" not in done.text
        assert all(f'"{line}"' in done.output for line in LINES)
    for done in (planned, first, second):
        assert "s3cret" not in done.output and "czNjcmV0" not in done.output


def test_a_broken_file_is_refused_without_a_word_of_it_even_with_tracebacks(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(scene)
    monkeypatch.setenv("ANSIBLE_DISPLAY_TRACEBACK", "always")
    put(scene.cluster, CONFIG + "gitlab_token_secret: [s3cret-4\n")
    done = play(scene)
    assert done.code != 0
    assert f"Secret {WORK}/packit-config, key {KEY}, line 8: this is no valid YAML: expected" in done.text
    assert "s3cret" not in done.output


def test_nothing_to_do_takes_six_requests_at_most(scene: Scene) -> None:
    prepare(scene)
    put(scene.cluster, CONFIG + ADDED)
    done = config(scene)
    assert done["changed"] is False and done["requests"] <= 6, done
    assert done["must_restart"] == [] and done["inconsistencies"] == []
    if isinstance(scene.cluster, EmbeddedTestCluster):
        scene.cluster.requests(clear=True)
        config(scene)
        counted = scene.cluster.requests()
        assert sum(counted.values()) <= 6, counted
        assert not any(" patch " in what or " create " in what for what in counted), counted


def test_what_was_put_in_is_taken_out_and_a_backup_keeps_the_former_content(scene: Scene) -> None:
    prepare(scene, roles=(*ROLES, "service-config-create"))
    put(scene.cluster, CONFIG + ADDED)
    done = config(scene, state="absent", backup=True)
    assert done["changed"] is True and read(scene.cluster) == CONFIG
    assert read(scene.cluster, done["backup"]) == CONFIG + ADDED
    assert list(scene.cluster.core.read_namespaced_secret(done["backup"], WORK).data) == [KEY]
    assert config(scene, state="absent", backup=True)["changed"] is False
    assert read(scene.cluster, key="copr") == "s3cret-3"


def test_another_writers_change_in_between_is_not_lost(cluster: TestCluster) -> None:
    cluster.namespace(WORK)
    write(cluster, CONFIG)
    deadline, versions = Deadline(BOUND, "this test"), []

    def make(content: Content) -> Edit:
        assert content.data is not None
        made = edit("file", content.data, State.PRESENT, WANTED)
        versions.append(content.version)
        if len(versions) == 1:
            put(cluster, CONFIG + "appcode: PCKT-002\n")
        return made

    secret = ConfigSecret(Client(cluster.api), Place(WORK, "packit-config", KEY), deadline)
    assert secret.change(make, backup=False, check_mode=False).edit.changed
    assert len(versions) == 2 and versions[0] != versions[1]
    assert read(cluster) == CONFIG + "appcode: PCKT-002\n" + ADDED


def test_a_busy_writer_beside_us_loses_nothing_and_neither_do_we(scene: Scene) -> None:
    prepare(scene)
    argv = [sys.executable, "-c", WRITER, str(scene.cluster.kubeconfig), WORK, KEY]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        for state in ("present", "absent", "present", "absent"):
            done = config(scene, state=state)
            assert done["changed"] is True, done
        output, _nothing = writer.communicate(timeout=BOUND)  # which closes its standard input, and so ends it
    assert writer.returncode == 0 and output
    written = [f"# written {number}" for number in (first + output).split()]
    text = read(scene.cluster).splitlines()
    assert [line for line in reversed(text) if line.startswith("# written")] == written
    assert [line for line in text if not line.startswith("# written")] == CONFIG.splitlines()


WRITER = """
import base64, select, sys
from kubernetes import client, config
path, namespace, key = sys.argv[1:]
core = client.CoreV1Api(config.new_client_from_config(path))
number = 0
while not select.select([sys.stdin], [], [], 0.05)[0]:
    found = core.read_namespaced_secret("packit-config", namespace)
    text = base64.b64decode(found.data[key]).decode().replace("deployment: stg\\n", f"deployment: stg\\n# written {number}\\n", 1)
    body = {"metadata": {"resourceVersion": found.metadata.resource_version}, "data": {key: base64.b64encode(text.encode()).decode()}}
    try:
        core.patch_namespaced_secret("packit-config", namespace, body)
    except client.ApiException as error:
        assert error.status == 409, error
        continue
    print(number, flush=True)
    number += 1
"""


def test_a_missing_secret_or_key_is_explained_and_made_when_asked(scene: Scene) -> None:
    prepare(scene, roles=(*ROLES, "service-config-create"))
    wrong = config(scene, key="other.yaml")
    assert wrong["msg"] == (
        f"Secret {WORK}/packit-config has no key `other.yaml`. It has: copr, packit-service.yaml. Name one of them; or let this make one with "
        "nothing but the cache's keys (option `create: true`)."
    )
    scene.cluster.core.delete_namespaced_secret("packit-config", WORK)
    missing = config(scene)
    assert missing["msg"] == (
        f"There is no Secret {WORK}/packit-config. Create it from the service's configuration: kubectl create secret generic packit-config "
        f"-n {WORK} --from-file=packit-service.yaml; or let this make one with nothing but the cache's keys (option `create: true`)."
    )
    assert config(scene, state="absent")["changed"] is False
    assert config(scene, create=True, check=True)["changed"] is True
    assert config(scene, create=True)["changed"] is True
    assert read(scene.cluster) == "---\n" + ADDED
    assert config(scene, create=True)["changed"] is False
    assert config(scene, create=True, key="other.yaml")["changed"] is True
    assert read(scene.cluster, key="other.yaml") == "---\n" + ADDED


def test_an_immutable_secret_is_refused_before_anything_is_asked_of_it(scene: Scene) -> None:
    prepare(scene)
    scene.cluster.core.delete_namespaced_secret("packit-config", WORK)
    write(scene.cluster, CONFIG, immutable=True)
    for check in (True, False):
        done = config(scene, check=check)
        assert done["msg"] == (
            f"Secret {WORK}/packit-config is immutable, so nobody can change it. Delete it and create it again, from a source with the "
            "cache's keys in it."
        )
    scene.cluster.core.delete_namespaced_secret("packit-config", WORK)
    write(scene.cluster, CONFIG + ADDED, immutable=True)
    assert config(scene)["changed"] is False


@pytest.mark.parametrize("verb", ["get", "patch"])
def test_a_missing_verb_is_named_with_the_rule_for_this_one_secret(scene: Scene, verb: str) -> None:
    prepare(scene, drop=(verb, "secrets"))
    for check in (True, False):
        done = config(scene, check=check)
        assert "msg" in done, done
        assert done["msg"].startswith(
            f"Rights are missing in namespace {WORK}: {verb} secrets (packit-config). Add these rules to the Role"
        )
        assert f'  resources: ["secrets"]\n  resourceNames: ["packit-config"]\n  verbs: ["{verb}"]' in done["msg"]
    assert read(scene.cluster) == CONFIG


def test_a_restart_without_the_right_changes_nothing(scene: Scene) -> None:
    prepare(scene)
    done = config(scene, restart=True)
    assert done["msg"].startswith(f"Rights are missing in namespace {WORK}: get statefulsets, patch statefulsets. Add these rules"), done
    assert '- apiGroups: ["apps"]\n  resources: ["statefulsets"]\n  verbs: ["get", "patch"]' in done["msg"]
    assert read(scene.cluster) == CONFIG


def test_workers_that_may_not_be_looked_at_are_no_reason_to_stop(scene: Scene) -> None:
    prepare(scene, drop=("list", "statefulsets"))
    done = config(scene)
    assert done["changed"] is True and read(scene.cluster) == CONFIG + ADDED
    assert done["inconsistencies"][0].startswith(
        "Workloads could not be looked at, so nothing is known of workers and restarts. The API refused to"
    )


def test_those_that_read_it_are_restarted_when_asked_and_no_others(scene: Scene) -> None:
    prepare(scene, roles=(*ROLES, "service-config-restart"))
    cluster = scene.cluster
    until(lambda: all(cluster.is_ready(WORK, pod) for pod in scene.pods) and len(_uids(cluster)) == 3, "all pods")
    before = _uids(cluster)
    assert config(scene, check=True, restart=True)["restarted"] == ["statefulset/packit-worker"]
    assert _uids(cluster) == before
    done = config(scene, restart=True)
    assert done["changed"] is True and done["restarted"] == ["statefulset/packit-worker"] and done["must_restart"] == [], done
    after = _uids(cluster)
    assert {name for name in before if before[name] != after.get(name)} == set(scene.pods)
    assert config(scene, restart=True)["restarted"] == []
    assert _uids(cluster) == after


def test_a_restart_that_hangs_is_explained_and_says_that_the_configuration_was_changed(scene: Scene) -> None:
    prepare(scene, roles=(*ROLES, "service-config-restart"))
    scene.cluster.give_missing_image(WORK)
    done = config(scene, restart=True, timeout=600)
    assert done["changed"] is True and done["restarted"] == [], done
    words = f"Secret {WORK}/packit-config, key {KEY} was changed, but not all that read it could be restarted. The roll-out of StatefulSet"
    assert done["msg"].startswith(f"{words} {WORK}/packit-worker hangs: "), done["msg"]
    assert read(scene.cluster) == CONFIG + ADDED


def test_a_deployment_that_does_not_fit_is_told(scene: Scene) -> None:
    prepare(scene, command="")
    put(scene.cluster, CONFIG.replace(SAND, "elsewhere"))
    done = play(scene, service_config_read_only=False)
    assert done.code == 0, done.output
    assert f"StatefulSet packit-worker does not set {VARIABLE}" in done.text
    assert f"has its sandboxes in namespace elsewhere, and sandbox_namespace is {SAND}" in done.text
    assert "read_only is off: sandboxes run strangers' commands" in done.text
    assert "read_only: false" in read(scene.cluster)


def test_a_claim_that_a_worker_looks_up_in_vain_is_told(scene: Scene) -> None:
    prepare(scene)
    assert config(scene, check=True)["inconsistencies"] == []
    claim = f"sandcastle-repository-cache-{scene.pods[1]}"
    scene.cluster.core.delete_namespaced_persistent_volume_claim(claim, SAND)
    words = f"Worker {scene.pods[1]} looks up the claim {SAND}/{claim}, which does not exist: its sandboxes do not start."
    for options in ({}, {"sandbox_namespace": ""}):  # the configuration names the namespace too
        assert [item.startswith(words) for item in config(scene, check=True, **options)["inconsistencies"]] == [True]


def test_a_path_unlike_that_of_the_cache_and_wrong_options_are_refused(scene: Scene) -> None:
    prepare(scene)
    two = play(scene, repository_cache_path="/cache", service_config_path="/repository-cache")
    assert two.code != 0 and "service_config_path is /repository-cache, and the volumes are filled at /cache (repository_cache_path)" in two.text
    none = play(scene, project="")
    assert none.code != 0 and "namespace is not set. Set service_config_namespace (or the variable project" in none.text
    wrong = play(scene, service_config_read_only="perhaps")
    assert wrong.code != 0 and "read_only" in wrong.text
    assert "is no absolute path of a directory" in config(scene, path="repository-cache")["msg"]
    assert "nothing to restart" in config(scene, file="x", restart=True)["msg"]
    assert read(scene.cluster) == CONFIG


def test_a_local_file_and_its_jinja_source_need_no_cluster(scene: Scene) -> None:
    scene.kubeconfig = scene.directory / "none"
    plain, source = scene.directory / KEY, scene.directory / f"{KEY}.j2"
    plain.write_text(CONFIG.replace("\n", "\r\n"))
    plain.chmod(0o640)
    template = CONFIG.replace("stg", "{{ deployment }}")
    source.write_text(template)
    assert "There is no file" in config(scene, file=str(scene.directory / "absent"))["msg"]
    assert config(scene, file=str(plain), check=True)["changed"] is True
    done = config(scene, file=str(plain), backup=True)
    assert plain.read_bytes().decode() == (CONFIG + ADDED).replace("\n", "\r\n")
    assert plain.stat().st_mode & 0o777 == 0o640
    assert Path(done["backup_file"]).read_bytes().decode() == CONFIG.replace("\n", "\r\n")
    assert config(scene, file=str(plain))["changed"] is False
    assert config(scene, file=str(source))["changed"] is True
    assert source.read_text() == template + ADDED
    assert play(scene, service_config_file=str(source)).code == 0
    assert config(scene, file=str(source), state="absent")["changed"] is True
    assert source.read_text() == template


def _uids(cluster: TestCluster) -> dict[str, str]:
    """Pod → uid."""
    return {item.metadata.name: item.metadata.uid for item in cluster.core.list_namespaced_pod(WORK).items}
