# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles and modules in other people's plays: under tags, with module_defaults, in the background, with nothing to find."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests import background_jobs

from .harness import SAND, WORK, Scene
from .runs import Run

ROLE = "packit.deployment.repository_cache"
SERVICE = "packit.deployment.service_config"
GROUP = "group/packit.deployment.deployment"
pytestmark = pytest.mark.playbook


def play(scene: Scene, tasks: list[dict[str, Any]], *arguments: str, **variables: Any) -> Run:
    """Run tasks in a play that finds no kubeconfig by itself."""
    path = scene.directory / "other-play.yml"
    path.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]))
    environment = {"K8S_AUTH_KUBECONFIG": None, "KUBECONFIG": "/nonexistent", **background_jobs.environment(scene.directory)}
    return scene.start_playbook(path, *arguments, environment=environment).finish()


def ran(run: Run) -> dict[str, str]:
    """Of each task that ended, in how far it did: `changed`, `ok` or `skipping`."""
    found = {}
    for part in run.output.split("\nTASK [")[1:]:
        name = part.partition("]")[0].rpartition(" : ")[2]
        ended = re.search(r"^(changed|ok|skipping|fatal): \[localhost\]", part, re.MULTILINE)
        if ended is not None:
            found[name] = ended[1]
    return found


def access(scene: Scene) -> dict[str, Any]:
    """Return what a play gives to log in without a kubeconfig."""
    given = yaml.safe_load(scene.kubeconfig.read_text())
    cluster = given["clusters"][0]["cluster"]
    return {"host": cluster["server"], "api_key": given["users"][0]["user"]["token"], "ca_cert": cluster["certificate-authority"]}


def test_roles_run_under_the_tags_of_their_include_with_the_plays_defaults(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    (scene.directory / "beside-the-play.yml").write_text(scene.kubeconfig.read_text())
    context = yaml.safe_load(scene.kubeconfig.read_text())["current-context"]
    tasks: list[dict[str, Any]] = [
        {
            "module_defaults": {GROUP: "{{ our_defaults }}"},
            "block": [
                {"name": "Fill", "ansible.builtin.include_role": {"name": ROLE}, "tags": ["cache"]},
                {"name": "Tell", "ansible.builtin.import_role": {"name": SERVICE}, "tags": ["config"]},
            ],
        },
        {
            "name": "Look, in the background",
            "packit.deployment.repository_cache_info": {
                **{"worker_namespace": WORK, "sandbox_namespace": SAND, "kubeconfig": "beside-the-play.yml"},
            },
            **{"async": 300, "poll": 0, "register": "job", "changed_when": False},
            "tags": ["cache"],
        },
        {
            "name": "Until it has been seen",
            "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
            **{"register": "seen", "failed_when": "seen is failed or not seen.finished"},
            "tags": ["cache"],
        },
        {
            "name": "Again",
            "ansible.builtin.include_role": {"name": ROLE},
            "vars": {"kubeconfig": f"beside-the-play.yml:{scene.kubeconfig}", "context": context},
            "tags": ["cache"],
        },
    ]
    variables = {**scene.variables(), "service_config_namespace": WORK, "our_defaults": access(scene)}
    done = play(scene, tasks, "--tags", "cache", **variables)
    assert done.code == 0, done.story
    scene.check()
    told = ran(done)
    assert told["Bring the cache's keys to the service's configuration"] == "skipping"
    assert told["Show the lines for the source of the configuration"] == "skipping"
    assert told["Until it has been seen"] == "ok"
    assert told["Bring the projects to every repository-cache volume"] == "ok", "the second time there is nothing to do"
    assert "changed=1 " in done.text


def test_a_namespace_that_is_not_there_is_one_error_that_says_so(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    tasks = [{"name": "Fill", "ansible.builtin.include_role": {"name": ROLE}}]
    wrong = {"repository_cache_worker_namespace": "packit-prood", "repository_cache_sandbox_namespace": "packit-prood-sandbox"}
    done = play(scene, tasks, **{**scene.variables(), **wrong, "kubeconfig": str(scene.kubeconfig)})
    assert done.code != 0
    assert "You may do nothing in packit-prood and packit-prood-sandbox: is the name right, and is the namespace there?" in done.text
    assert "Rights are missing in namespace packit-prood: list persistentvolumeclaims" in done.text
    assert done.text.count("fatal: ") == 1
    assert "Go on with the volumes that are there" not in done.text


def test_no_cluster_is_one_error_that_says_where_was_looked(scene: Scene) -> None:
    tasks = [{"name": "Fill", "ansible.builtin.include_role": {"name": ROLE}}]
    done = play(scene, tasks, **scene.variables())
    assert done.code != 0
    assert "No cluster is configured" in done.text
    assert done.text.count("fatal: ") == 1
    assert "Used to log in: nothing, as there is no kubeconfig (looked for /nonexistent)." in done.text
