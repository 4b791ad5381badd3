# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories that are worth a place in the cache: from the logs of packit's own clones, printed by pods as the workers print them."""

from __future__ import annotations

import pytest

from tests.clusters.base import SECURITY, USER
from tests.waiting import until

from .harness import ROOT, WORK, Scene

PLAYBOOK = ROOT / "playbooks/cache_candidates.yml"
TALKING = ["sh", "-c", 'printf "%s\\n" "$LOG"; trap "exit 0" TERM; while :; do sleep 1 & wait $!; done']


def worker_that_says(scene: Scene, log: str) -> None:
    """A short-running worker, which has no volume, with a log."""
    container = {
        "name": "packit-worker",
        "image": scene.cluster.image,
        "imagePullPolicy": "Never",
        "command": TALKING,
        "securityContext": SECURITY,
        "env": [{"name": "LOG", "value": log}],
    }
    body = {
        "metadata": {"name": "packit-worker-short-running-0"},
        "spec": {"terminationGracePeriodSeconds": 1, "securityContext": {"runAsUser": USER}, "containers": [container]},
    }
    scene.cluster.core.create_namespaced_pod(WORK, body)
    until(lambda: scene.cluster.is_ready(WORK, "packit-worker-short-running-0"), "the worker that talks")


def clone_log(url: str, seconds: int) -> str:
    """The lines that packit logs of a clone."""
    words, ended = f"['git', 'clone', '-v', '--tags', '--', '{url}', '/tmp/x']", f"09:{seconds // 60:02}:{seconds % 60:02}"
    return (
        f"[2026-11-28 09:00:00,000: DEBUG/ForkPoolWorker-1] Popen({words}, cwd=/src, stdin=None, shell=False, universal_newlines=True)\n"
        f"[2026-11-28 {ended},000: DEBUG/ForkPoolWorker-1] Cmd({words})'s unused stdout: \n"
    )


def test_the_clones_that_packit_logs_become_candidates(scene: Scene) -> None:
    scene.deploy()
    scene.repository("one")
    scene.repository("two", commits=5)
    scene.succeed()
    log = scene.packit.clone(scene.worker(), scene.url("one"), scene.directory / "one")
    for number in range(2):
        log += scene.packit.clone_without_cache(scene.worker(), scene.url("two"), scene.directory / f"two-{number}")
    worker_that_says(scene, log)
    answer = scene.module("cache_candidates", worker_namespace=WORK)
    two, one = answer["candidates"]
    assert (two["url"], two["name"], two["clones"], two["cached"]) == (scene.url("two"), "two", 2, 0)
    assert (one["url"], one["name"], one["clones"], one["cached"]) == (scene.url("one"), "one", 1, 1)
    assert answer["projects"] == [{"url": scene.url("two")}]
    assert "has the name of" not in answer["printed"]
    assert answer["pods"] == ["packit-worker-short-running-0"] and answer["requests"] <= 3
    assert answer["summary"][0].split() == ["CLONES", "CACHED", "SECONDS", "SAVED", "URL"]


def test_logs_without_a_clone_and_a_container_that_no_pod_has_say_what_to_do(scene: Scene) -> None:
    scene.deploy()
    quiet = scene.module("cache_candidates", worker_namespace=WORK, container="worker")
    assert quiet["candidates"] == [] and quiet["summary"] == ["No clone was found."]
    assert "The logs tell of no clone. packit writes them at level DEBUG: see LOGLEVEL of the workers" in quiet["printed"]
    refused = scene.module("cache_candidates", worker_namespace=WORK)
    assert f"No pod in {WORK} has a container `packit-worker`." in refused["msg"]


def test_of_two_urls_with_one_name_the_dearer_is_a_project_and_the_other_is_told(scene: Scene) -> None:
    scene.deploy()
    dear, cheap = "https://example.test/kernel.git", "https://fork.test/kernel"
    worker_that_says(scene, clone_log(dear, 100) + clone_log(cheap, 10) + clone_log("https://user:pa55word@example.test/x", 10))
    answer = scene.module("cache_candidates", worker_namespace=WORK)
    assert answer["projects"] == [{"url": dear}] and len(answer["candidates"]) == 2
    assert f"{cheap} has the name of {dear}, and the service finds a repository by that alone" in answer["printed"]
    assert "Clones that are left out: 1. Their URLs have credentials in them" in answer["printed"] and "pa55word" not in str(answer)


@pytest.mark.playbook
def test_the_playbook_shows_the_table(scene: Scene) -> None:
    scene.deploy()
    worker_that_says(scene, clone_log("https://example.test/kernel.git", 100))
    given = ("-e", scene.write_variables({"project": WORK}))
    shown = scene.start_playbook(PLAYBOOK, *given, environment={"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}).finish()
    assert shown.code == 0, shown.story
    assert "1 0 100.0 89.0 https://example.test/kernel.git" in shown.text
    assert "repository_cache_projects: - url: https://example.test/kernel.git" in shown.text
    assert "SAVED is an estimate of what the cache would have saved" in shown.text
