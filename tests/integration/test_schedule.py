# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache filled by a CronJob's jobs, with a service account alone."""

from __future__ import annotations

import signal
from datetime import datetime, timezone
from typing import Any

import pytest
import yaml

from ansible_collections.packit.deployment.plugins.module_utils.history.config_map import NAME as HISTORY
from ansible_collections.packit.deployment.plugins.module_utils.history.runs import parse
from tests.clusters.base import TestCluster
from tests.receiver import receiver
from tests.repositories import make
from tests.upstream.server import Page
from tests.waiting import until

from .harness import ROOT, SAND, WORK, Scene
from .runs import Run

NAME = "repository-cache-schedule"
RIGHTS = ("repository-cache", "schedule")
PLACE: dict[str, Any] = {"namespace": WORK, "sandbox_namespace": SAND}
RULES = yaml.safe_load((ROOT / "docs" / "rbac.yml").read_text())["rules"]


def settings(scene: Scene, *names: str, **more: Any) -> dict[str, Any]:
    """The module's options for a schedule that makes no job by the clock, unless one is made on a leap day."""
    place = {**PLACE, "cron": "0 0 29 2 *", "image": scene.cluster.execution_environment}
    of_pod = {"pull_policy": "Never", **more.pop("pod", {})}
    return {**place, "rules": RULES, "variables": scene.variables(*names, **more.pop("cache", {})), "pod": of_pod, **more}


def apply(scene: Scene, *names: str, **more: Any) -> dict[str, Any]:
    answer = scene.module("schedule", **settings(scene, *names, **more))
    assert not answer.get("failed"), answer["printed"]
    return answer


def pod_of(cluster: TestCluster, job: str) -> str:
    """The name of a job's pod, when it is there."""
    return until(lambda: (cluster.pods(WORK, f"job-name={job}") or [""])[0], f"the pod of job {job}")


def finish(scene: Scene, job: str) -> str:
    """Wait until a job has ended, which must be well; return what its pod has printed."""
    until(lambda: scene.cluster.job_ended(WORK, job), f"the end of job {job}")
    printed = str(scene.cluster.core.read_namespaced_pod_log(pod_of(scene.cluster, job), WORK))
    assert scene.cluster.job_ended(WORK, job) in ("CompletionsReached", "Completed"), printed
    return printed


def there(cluster: TestCluster) -> list[str]:
    """All that a schedule makes, and its jobs make."""
    rbac = cluster.api_of("RbacAuthorizationV1Api")
    found = [
        *(item for space in (WORK, SAND) for item in rbac.list_namespaced_role(space).items),
        *(item for space in (WORK, SAND) for item in rbac.list_namespaced_role_binding(space).items),
        *(item for space in (WORK, SAND) for item in cluster.core.list_namespaced_service_account(space).items),
        *(item for space in (WORK, SAND) for item in cluster.core.list_namespaced_config_map(space).items),
        *cluster.batch.list_namespaced_cron_job(WORK).items,
        *cluster.batch.list_namespaced_job(WORK).items,
        *cluster.core.list_namespaced_pod(WORK, label_selector=f"packit.dev/repository-cache-schedule={NAME}").items,
    ]
    return [item.metadata.name for item in found if item.metadata.name.startswith(NAME)]


@pytest.mark.playbook
def test_the_role_makes_a_schedule_whose_job_fills_all_pairs(scene: Scene) -> None:
    scene.deploy(2, roles=RIGHTS)
    scene.repository()
    of_cache = {name: value for name, value in scene.variables().items() if not name.endswith("namespace")}
    of_deployment = {"project": WORK, "sandbox_namespace": SAND}
    of_pod = {"pull_policy": "Never", "proxy": {"https_proxy": "http://127.0.0.1:9"}}  # no way to the API
    of_schedule = {"schedule_cron": "0 0 29 2 *", "schedule_pod": of_pod, "schedule_image": scene.cluster.execution_environment}
    hook = "https://hooks.example.com/s3cret"
    variables = scene.write_variables({**of_cache, **of_deployment, **of_schedule, "repository_cache_notify": hook})

    def play(*arguments: str) -> str:
        done = scene.start_playbook("packit.deployment.schedule_cache", "-e", variables, *arguments).finish()
        assert done.code == 0, done.output
        return done.output

    shown = play("--check", "--diff")
    assert "changed=1" in shown and f"CronJob {WORK}/{NAME}: create" in shown and '"concurrencyPolicy": "Forbid"' in shown
    assert "repository_cache_notify is a secret" in shown and "s3cret" not in shown
    assert there(scene.cluster) == []
    play()
    assert len(there(scene.cluster)) == 7
    assert "changed=0" in play("--diff")
    scene.cluster.start_job(WORK, NAME, f"{NAME}-1")
    printed = finish(scene, f"{NAME}-1")
    assert f"{scene.sandbox_claim(1)}  one      add" in printed
    scene.check()
    fetches = scene.server.fetches
    scene.cluster.start_job(WORK, NAME, f"{NAME}-2")
    assert "changed=0" in finish(scene, f"{NAME}-2")
    assert scene.server.fetches == fetches
    assert "changed=1" in play("-e", "schedule_state=absent")
    assert there(scene.cluster) == []
    assert "changed=0" in play("-e", "schedule_state=absent")


def at_work(scene: Scene, job: str) -> str:
    """Start a job, whose fetches are held; return its pod's name when it has a volume."""
    fetches = scene.server.fetches
    scene.server.hold()
    scene.cluster.start_job(WORK, NAME, job)
    until(lambda: scene.server.fetches > fetches, "the first fetch")
    return pod_of(scene.cluster, job)


def test_a_drained_job_gives_all_volumes_back_and_what_a_killed_one_leaves_is_swept(scene: Scene) -> None:
    scene.deploy(2, roles=RIGHTS)
    scene.repository(commits=20)
    apply(scene, cache={"filler": {"heartbeat": 12}})
    pod, fillers = at_work(scene, f"{NAME}-1"), scene.fillers()
    person = scene.start()
    person.until_it_says(f"schedule on {pod}")
    person.interrupt(signal.SIGINT)
    person.finish()
    assert {*fillers} <= {*scene.fillers()}
    scene.cluster.delete_pod(WORK, pod)
    assert scene.fillers() == []
    until(lambda: scene.cluster.job_ended(WORK, f"{NAME}-1"), "the job's end")
    scene.cluster.execute(WORK, at_work(scene, f"{NAME}-2"), ["sh", "-c", "kill -KILL -1"])
    until(lambda: scene.cluster.job_ended(WORK, f"{NAME}-2"), "the job's end")
    assert scene.fillers() != []
    scene.server.release()
    scene.cluster.start_job(WORK, NAME, f"{NAME}-3")
    finish(scene, f"{NAME}-3")
    scene.check()


@pytest.mark.real
@pytest.mark.playbook
def test_what_became_of_a_schedules_jobs_is_told_wherever_somebody_looks(scene: Scene) -> None:
    scene.deploy(2, roles=RIGHTS)
    upstream = scene.repository("one", commits=20)
    scene.repository("two")
    page = scene.directory / "report.html"
    given = scene.write_variables({**scene.variables("one", "two"), "cache_report_file": str(page)})

    def play(name: str, *arguments: str) -> Run:
        return scene.start_playbook(ROOT / "playbooks" / f"{name}.yml", "-e", given, *arguments).finish()

    with receiver(scene.server.host) as gateway:
        apply(scene, "one", "two", cache={"pushgateway": gateway.url()})
        scene.cluster.start_job(WORK, NAME, f"{NAME}-1")
        finish(scene, f"{NAME}-1")
        scene.check("one", "two")
        fetches = scene.server.fetches
        scene.cluster.start_job(WORK, NAME, f"{NAME}-2")
        assert "changed=0" in finish(scene, f"{NAME}-2")
        assert scene.server.fetches == fetches
        assert play("cache_status").code == 0
        make.commit(upstream, "main")
        scene.cluster.delete_pod(WORK, at_work(scene, f"{NAME}-3"))
        assert scene.fillers() == []
        scene.server.release()
        scene.server.pages["two.git"] = Page(404)
        scene.cluster.start_job(WORK, NAME, f"{NAME}-4")
        assert until(lambda: scene.cluster.job_ended(WORK, f"{NAME}-4"), "the job's end") == "BackoffLimitExceeded"
        scene.check("one")
        pushed = gateway.received[-1].body.decode().splitlines()

    known = parse(dict(scene.cluster.core.read_namespaced_config_map(HISTORY, WORK).data), datetime.now(timezone.utc))
    ran = {run.id: run for run in known.runs}
    assert len(ran) == 4 and {"changed": {"one": 4}, "failed": ["two"]} in [{"changed": run.changed, "failed": [*run.failed]} for run in ran.values()]
    failed = [line for line in pushed if line.startswith("packit_repository_cache_failed{") and line.endswith(" 1.0")]
    assert len(failed) == 4 and all('project="two"' in line for line in failed), pushed
    age = int((datetime.now(timezone.utc) - known.checked["two"].time).total_seconds())
    # Less than its age by the API server's clock too, which tells whole seconds, however soon the play asks.
    old = play("cache_status", "-e", f"cache_status_max_age={age - 2}")
    assert old.code == 2 and "two (4 volumes" in old.text
    assert play("cache_report").code == 0
    assert "<dt>two</dt><dd>The refs of http" in page.read_text()
    assert {item["action"] for item in scene.module("schedule", **PLACE, state="absent")["objects"]} == {"delete"}
    until(lambda: there(scene.cluster) == [], "the end of all jobs")
    assert scene.fillers() == []


@pytest.mark.real
def test_on_openshift_the_namespaces_range_decides_who_the_job_is(scene: Scene) -> None:
    from tests.real_cluster.restricted_v2 import UID_RANGE, restricted_v2  # noqa: PLC0415

    with restricted_v2(scene.cluster, scene.directory):
        scene.cluster.namespace(WORK, {UID_RANGE: "1000600000/10000"})
        scene.cluster.namespace(SAND, {UID_RANGE: "1000700000/10000"})
        scene.pods = scene.cluster.workers(WORK, replicas=1, user=None)
        scene.cluster.sandboxes(SAND, scene.pods)
        scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory, roles=RIGHTS)
        scene.repository()
        apply(scene)
        scene.cluster.start_job(WORK, NAME, f"{NAME}-1")
        finish(scene, f"{NAME}-1")
        pod = scene.cluster.core.read_namespaced_pod(pod_of(scene.cluster, f"{NAME}-1"), WORK)
        assert pod.spec.security_context.run_as_user == 1000600000
        scene.check()


def test_absent_ends_a_job_at_work_and_leaves_nothing(scene: Scene) -> None:
    scene.deploy(roles=RIGHTS)
    scene.repository(commits=20)
    apply(scene)
    at_work(scene, f"{NAME}-1")
    place = {**PLACE, "state": "absent"}
    assert {item["action"] for item in scene.module("schedule", check=True, **place)["objects"]} == {"delete"}
    assert scene.fillers() != []
    assert {item["action"] for item in scene.module("schedule", **place)["objects"]} == {"delete"}
    assert scene.fillers() == []
    until(lambda: there(scene.cluster) == [], "the end of the job")  # the garbage collector takes its time
    assert scene.module("schedule", **place)["changed"] is False


def test_only_what_is_different_is_written(scene: Scene) -> None:
    scene.deploy(roles=RIGHTS)
    assert {item["action"] for item in apply(scene)["objects"]} == {"create"}
    assert {item["action"] for item in apply(scene)["objects"]} == {"unchanged"}
    suspended = apply(scene, suspend=True, pod={"priority_class": "low", "proxy": {"https_proxy": "http://proxy:3128"}})
    assert suspended["summary"] == [f"CronJob {WORK}/{NAME}: update"]
    assert '+ "suspend": true' in suspended["printed"] and '- "suspend": false' in suspended["printed"]
    spec = scene.cluster.batch.read_namespaced_cron_job(NAME, WORK).spec
    assert (spec.suspend, spec.job_template.spec.template.spec.priority_class_name) == (True, "low")
    back = apply(scene)
    assert scene.cluster.batch.read_namespaced_cron_job(NAME, WORK).spec.job_template.spec.template.spec.priority_class_name is None
    assert '- "priorityClassName": "low"' in back["printed"]
    other = apply(scene, cache={"timeout": 900})
    assert other["summary"] == [f"ConfigMap {WORK}/{NAME}: update"]
    assert '+ " \\"repository_cache_timeout\\": 900,",' in other["printed"] and '- "' not in other["printed"]


def test_an_object_that_is_no_schedules_is_left_alone(scene: Scene) -> None:
    scene.deploy(roles=RIGHTS)
    scene.cluster.core.create_namespaced_config_map(WORK, {"metadata": {"name": NAME}, "data": {"a": "b"}})
    for state in ("present", "absent"):
        told = scene.module("schedule", **settings(scene, state=state))
        assert f"ConfigMap {WORK}/{NAME} is no schedule's" in told["msg"] and told["failed"]
    assert there(scene.cluster) == [NAME]
    assert scene.cluster.core.read_namespaced_config_map(NAME, WORK).data == {"a": "b"}


def test_rights_that_are_missing_are_named_before_anything_is_made(scene: Scene) -> None:
    scene.deploy()
    told = scene.module("schedule", **settings(scene))
    assert f"Rights are missing in namespace {WORK}: " in told["msg"] and "create cronjobs" in told["msg"] and "docs/rbac-schedule.yml" in told["msg"]
    assert f"; in namespace {SAND}: get roles, create roles" in told["msg"] and f"# Role in {SAND}\n" in told["msg"]
    assert there(scene.cluster) == []


def test_rights_that_are_not_your_own_are_not_given_on(scene: Scene) -> None:
    scene.deploy(roles=("schedule",))
    told = scene.module("schedule", **settings(scene))
    assert "attempting to grant RBAC permissions not currently held" in told["msg"] and "bind the Role of docs/rbac.yml to yourself" in told["msg"]


def test_the_jobs_rights_are_those_that_the_documentation_lists(scene: Scene) -> None:
    scene.deploy(roles=RIGHTS)
    apply(scene)
    rbac = scene.cluster.api_of("RbacAuthorizationV1Api")
    for space in (WORK, SAND):
        rules = scene.cluster.api.sanitize_for_serialization(rbac.read_namespaced_role(NAME, space).rules)
        assert rules == RULES
        (subject,) = rbac.read_namespaced_role_binding(NAME, space).subjects
        assert (subject.kind, subject.namespace, subject.name) == ("ServiceAccount", WORK, NAME)


def test_the_jobs_pod_alone_has_the_credentials_for_a_private_upstream(scene: Scene) -> None:
    scene.deploy(roles=RIGHTS)
    scene.repository()
    scene.server.password = "s3cret-of-netrc"
    secret = {"netrc": f"machine {scene.server.host} login user password {scene.server.password}"}
    scene.cluster.core.create_namespaced_secret(WORK, {"metadata": {"name": "upstreams"}, "stringData": secret})
    apply(scene, upstream_secret="upstreams", cache={"method": "rsync"})
    scene.cluster.start_job(WORK, NAME, f"{NAME}-1")
    assert "s3cret" not in finish(scene, f"{NAME}-1")
    scene.server.password = ""
    scene.check()
