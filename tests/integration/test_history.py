# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history that each run leaves behind in the workers' namespace."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone

import pytest
from kubernetes import client

from ansible_collections.packit.deployment.plugins.module_utils.history.config_map import NAME
from ansible_collections.packit.deployment.plugins.module_utils.history.runs import RUNS, History, HistoryUpdate, Run, parse, render
from tests.receiver import receiver
from tests.repositories import make
from tests.upstream.server import Page

from .harness import SAND, WORK, Scene
from .runs import Run as Done


def data_of(scene: Scene) -> dict[str, str]:
    return dict(scene.cluster.core.read_namespaced_config_map(NAME, WORK).data)


def history(scene: Scene) -> History:
    return parse(data_of(scene), datetime.now(timezone.utc))


def run_of(found: History, done: Done) -> Run:
    """Return what the history has of a run. Those of one second are in no order."""
    return next(run for run in found.runs if run.id == done.result["run"]["id"])


def written(scene: Scene) -> list[str]:
    """Names of the ConfigMaps of ours that are there."""
    found = [item for space in (WORK, SAND) for item in scene.cluster.core.list_namespaced_config_map(space).items]
    return [item.metadata.name for item in found if item.metadata.name == NAME]


def test_each_run_leaves_what_it_did_and_when_upstream_was_checked(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository()
    assert scene.run(arguments=("--check",)).result["summary_line"].startswith(f"{WORK}: 2 volumes, 1 project: 1 would be updated; ")
    assert written(scene) == []

    first = scene.succeed()
    filled = history(scene)
    (run,) = filled.runs
    assert (run.changed, run.failed, run.volumes, run.projects) == ({"one": 2}, {}, 2, 1)
    assert run.longest_hold > 0 and run.held == f"{SAND}/{scene.sandbox_claim()}"
    assert re.fullmatch(r"system:serviceaccount:\S+:deployer \(\S+ on \S+\)", run.by)
    assert first.result["run"]["id"] == run.id
    assert f"{WORK}: 2 volumes, 1 project: 1 updated; longest sandbox hold {run.longest_hold:.1f} s; " in first.result["summary_line"]
    digest = first.project(scene.worker_claim(), "one")["snapshot"]
    assert filled.checked["one"].snapshot == filled.changed["one"].snapshot == digest

    second = scene.succeed()
    assert second.result["changed"] is False and second.result["requests"] <= 8, "one of them writes this"
    assert "1 project: nothing to do; " in second.result["summary_line"]
    checked = history(scene)
    assert len(checked.runs) == 2 and run_of(checked, second).changed == {}
    assert checked.changed == filled.changed
    assert checked.checked["one"].time >= filled.checked["one"].time

    make.commit(upstream, "main")
    scene.server.pages["one.git"] = Page(404)
    dead = scene.run()
    failed = history(scene)
    assert "could not be read" in run_of(failed, dead).failed["one"]
    assert "1 failed (one: " in dead.result["summary_line"]
    assert failed.checked == checked.checked, "what could not be read was not checked"
    del scene.server.pages["one.git"]

    removal = scene.succeed(state="absent")
    gone = history(scene)
    assert (run_of(gone, removal).state, run_of(gone, removal).changed) == ("absent", {"one": 2})
    assert (len(gone.runs), gone.checked, gone.changed) == (4, {}, {})


def test_runs_at_once_all_stay_and_only_the_oldest_go(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    begun = datetime.now(timezone.utc) - timedelta(days=90)
    old: dict[str, str | None] = {}
    for number in range(2 * RUNS):
        old |= render(HistoryUpdate(Run(f"{number:012x}", begun + timedelta(hours=number), "me", "present", 1)))
    scene.cluster.core.create_namespaced_config_map(WORK, {"metadata": {"name": NAME}, "data": {**old, "foreign": "\x07"}})
    runs = [scene.start() for _number in range(2)]
    ids = {run.finish().result["run"]["id"] for run in runs}
    assert {run.id for run in history(scene).runs[:2]} == ids
    left = data_of(scene)
    assert "foreign" in left
    assert RUNS <= sum(key.startswith("run.") for key in left) <= RUNS + 1


def test_a_run_that_could_do_nothing_is_told_too(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    wrong = scene.run(select="[?worker.pod=='nobody']")
    assert wrong.code != 0
    (run,) = history(scene).runs
    assert "selects none of the 1 pairs" in run.error and run.changed == {}


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_without_the_right_to_write_it_a_run_warns_and_succeeds(scene: Scene, verb: str) -> None:
    scene.deploy()
    scene.repository()
    rbac = client.RbacAuthorizationV1Api(scene.cluster.api)
    role = rbac.read_namespaced_role("repository-cache", WORK)
    role.rules = [rule for rule in role.rules if not ("configmaps" in rule.resources and verb in rule.verbs)]
    rbac.replace_namespaced_role("repository-cache", WORK, role)
    done = scene.succeed()
    assert f"What this run did could not be written to ConfigMap {WORK}/{NAME}: The API refused to {verb} ConfigMap" in done.text
    assert "docs/rbac.yml has the rule for it." in done.text
    assert written(scene) == []


def test_a_run_is_told_to_a_hook_and_a_hook_that_fails_is_a_warning(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    with receiver() as hook:
        url = hook.url("hooks/s3cret-token", user="me:PA55word")
        assert "summary_line" in scene.run(notify=url, arguments=("--check",)).result and hook.received == []
        done = scene.succeed(notify=url)
        (request,) = hook.received
        told = json.loads(request.body)
        assert (request.method, request.headers["Content-Type"], set(told)) == ("POST", "application/json", {"summary", "namespace", "run"})
        assert told["summary"].startswith(f"{WORK}: 2 volumes, 1 project: 1 updated; longest sandbox hold ")
        assert told["run"] == done.result["run"]

        hook.status = 500
        scene.server.pages["one.git"] = Page(404)
        failed = scene.run(notify=url)
        assert json.loads(hook.received[-1].body)["summary"].startswith(f"{WORK}: 2 volumes, 1 project: 1 failed (one: The refs of ")
    refused = scene.run(notify="ftp://me:PA55word@s3cret-token/")
    assert "The notification of this run was not sent: http://127.0.0.1 answered with HTTP status 500." in failed.text
    assert "The value of repository_cache_notify is no URL that starts with http:// or https://" in refused.text
    assert not [run for run in (done, failed, refused) if "s3cret" in run.everything or "PA55word" in run.everything]


@pytest.mark.playbook
def test_the_roles_line_is_a_fact_of_the_play(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    role = {"ansible.builtin.include_role": {"name": "packit.deployment.repository_cache"}}
    done = scene.play([role, {"ansible.builtin.debug": {"msg": "Told: {{ repository_cache_summary }}"}}], **scene.variables())
    assert f"Told: {WORK}: 2 volumes, 1 project: 1 updated; longest sandbox hold " in done.text


def test_a_run_gives_metrics_to_a_pushgateway_and_to_a_file(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    path = scene.directory / "cache.prom"
    with receiver() as gateway:
        done = scene.succeed(pushgateway=gateway.url(), metrics_file=str(path))
        scene.server.pages["one.git"] = Page(404)
        failed = scene.run(pushgateway=gateway.url(), metrics_file=str(scene.directory / "nowhere" / "cache.prom"))
    pushed = [request.body.decode() for request in gateway.received]
    assert path.read_text() == pushed[0]
    sandbox = f'deployment="{WORK}",volume="{SAND}/{scene.sandbox_claim()}"'
    first, second = (dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")) for text in pushed)
    prefix = "packit_repository_cache_"
    held = next(volume for volume in done.result["volumes"] if volume["role"] == "sandbox")
    assert abs(float(first[f"{prefix}hold_seconds{{{sandbox}}}"]) - held["held_seconds"]) < 0.01
    assert float(first[f"{prefix}free_bytes{{{sandbox}}}"]) > 0
    checked = f'{prefix}checked_timestamp_seconds{{deployment="{WORK}",project="one"}}'
    assert first[checked] == second[checked], "what could not be read was not checked"
    run_failed = f'{prefix}run_failed{{deployment="{WORK}"}}'
    assert (first[run_failed], second[run_failed]) == ("0.0", "1.0")
    assert "The metrics of this run were not written: " in failed.text
