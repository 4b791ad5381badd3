# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In use, interrupted, two at once: volumes are always free again."""

from __future__ import annotations

import signal
import time

import pytest

from tests.repositories import make
from tests.waiting import until

from .harness import SAND, WORK, Scene


def test_a_sandbox_in_use_on_another_node_is_filled_there(scene: Scene) -> None:
    scene.deploy(1, nodes=("node2",))
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    scene.succeed()
    assert "sandbox" in scene.cluster.pods(SAND)
    scene.check()


def test_inside_the_holder(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    done = scene.succeed(in_use="holder")
    assert all(volume["held_seconds"] == 0 for volume in done.result["volumes"])
    scene.check()
    check_nothing_is_left_inside(scene)


def check_nothing_is_left_inside(scene: Scene) -> None:
    """No file and no process of ours is in the worker's and the sandbox's pods, at the latest in a moment."""
    script = "ls -d /tmp/packit-* 2>/dev/null; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -x packit-agent"
    pods = [(WORK, scene.pods[0]), (SAND, "sandbox")]

    def found() -> str:
        return "".join(scene.cluster.execute(namespace, pod, ["sh", "-c", script]) for namespace, pod in pods)

    until(lambda: not found(), "an end of what is left inside the holders")


def test_inside_the_holder_packs_of_the_seed_go_through_the_controller(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    done = scene.succeed(in_use="holder", method="seed")
    assert scene.server.fetches == 1
    assert done.project(scene.sandbox_claim(), "one")["method"] == "seed"
    scene.check()
    check_nothing_is_left_inside(scene)


def test_interrupted_inside_the_holder_nothing_stays_there(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    scene.server.hold()
    run = scene.start(in_use="holder")
    until(lambda: scene.server.fetches > 0, "the first fetch")
    run.interrupt(signal.SIGINT)
    scene.server.release()
    assert run.finish().code != 0
    check_nothing_is_left_inside(scene)


def test_skip_leaves_a_volume_alone_and_wait_waits_for_it(scene: Scene) -> None:
    scene.deploy(1, running=False)
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    who = {"pod_security_context": {"runAsUser": 1000, "fsGroup": 1000}}  # no worker runs that would tell
    done = scene.succeed(in_use="skip", filler=who)
    assert done.actions()[scene.sandbox_claim()] == {"one": "skipped"}
    assert not (scene.worker() / "one").exists()
    run = scene.start(in_use="wait", filler=who)
    run.until_it_says("waits for pod sandbox, which uses the volume")
    assert scene.cluster.fillers(SAND) == []
    scene.cluster.delete_pod(SAND, "sandbox")
    assert run.finish().code == 0
    scene.check()


@pytest.mark.playbook
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_no_pod_is_left_and_the_next_run_finishes(scene: Scene, number: signal.Signals) -> None:
    scene.deploy()
    scene.repository(commits=20)
    scene.server.hold()
    run = scene.start()
    until(lambda: scene.server.fetches > 0, "the first fetch")
    run.interrupt(number)
    run.finish()
    until(lambda: scene.fillers() == [], "the end of the fillers")
    assert not (scene.sandbox() / "one").exists()
    scene.server.release()
    scene.succeed()
    scene.check()


@pytest.mark.playbook
def test_killed_the_fillers_end_themselves_and_the_next_run_sweeps_and_finishes(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=20)
    scene.server.hold()
    run = scene.start(filler={"heartbeat": 12})
    until(lambda: scene.server.fetches > 0, "the first fetch")
    run.kill()
    assert scene.fillers() != []
    scene.server.release()
    scene.succeed(filler={"heartbeat": 12})
    scene.sweep()
    scene.check()


def test_stopped_while_pods_are_pending_nothing_is_left(scene: Scene) -> None:
    scene.deploy(1, running=False)
    scene.repository()
    selector = {"node_selector": {"nowhere": "yes"}, "pull_policy": "Never", "start_timeout": 60}
    run = scene.start(filler=selector)
    until(lambda: scene.fillers() != [], "a pending filler")
    run.interrupt(signal.SIGINT)
    run.finish()
    until(lambda: scene.fillers() == [], "the end of the fillers")


@pytest.mark.embedded
def test_killed_while_pods_are_pending_the_next_run_removes_them_and_finishes(scene: Scene) -> None:
    scene.deploy(1, running=False)
    scene.repository()
    who = {"pod_security_context": {"runAsUser": 1000, "fsGroup": 1000}, "pull_policy": "Never"}
    scene.embedded.fault("unschedulable", name="cache-filler", message="no place for it")
    run = scene.start(filler={**who, "start_timeout": 20})
    until(lambda: any("cache-filler" in name for name in scene.fillers()), "a pending filler")
    run.kill()
    assert scene.fillers() != []
    scene.embedded.clear_faults()
    done = scene.succeed(filler=who)
    assert "left behind" in done.text or "waits for the filler of" in done.text
    scene.sweep(filler=who)
    scene.check()


def test_a_filler_that_cannot_be_placed_goes_away_and_is_explained(scene: Scene) -> None:
    scene.deploy(1, running=False)
    scene.repository()
    done = scene.run(filler={"node_selector": {"nowhere": "yes"}, "pull_policy": "Never"})
    assert done.code != 0
    assert "No node matches the filler's node selector." in done.text
    assert "Check repository_cache_filler.node_selector." in done.text
    assert scene.fillers() == []


def test_two_runs_at_once_do_not_hurt_each_other(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository("one", commits=30)
    scene.repository("two", commits=30)
    scene.server.hold()
    first = scene.start("one", "two")
    until(lambda: scene.server.fetches > 0, "the first run's fetch")
    second = scene.start("one", "two")
    second.until_it_says("waits for the filler of")
    scene.server.release()
    outcomes = [run.finish() for run in (first, second)]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes[0].story + outcomes[1].story
    scene.check("one", "two")


def test_no_consumer_ever_sees_a_half_made_project(scene: Scene) -> None:
    scene.deploy()
    make.make_large(scene.server.root / "one.git", 20, commits=40)
    seen: set[tuple[str, ...]] = set()

    def look() -> None:
        for volume in (scene.worker(), scene.sandbox()):
            listed = {path.name for path in volume.iterdir()} - {"lost+found", ".packit-deployment#work"}
            seen.add(tuple(sorted(listed)))
            if "one" in listed:
                assert make.git(volume / "one", "rev-parse", "refs/heads/main")

    look()
    run = scene.start()
    while run.poll() is None:
        look()
        time.sleep(0.02)
    look()
    assert run.finish().code == 0
    assert seen == {(), ("one",)}
    scene.check()


@pytest.mark.embedded
def test_a_cut_connection_is_made_again_and_no_work_is_lost(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=50)
    scene.embedded.fault("drop_connection", namespace=SAND, name="cache-filler", after_bytes=20_000, times=2)
    scene.embedded.fault("drop_connection", namespace=WORK, name="cache-filler", after_bytes=9_000, times=2)
    done = scene.succeed()
    assert scene.embedded.faults_left() == 0
    assert done.actions()[scene.sandbox_claim()] == {"one": "add"}
    scene.check()


@pytest.mark.embedded
def test_an_expired_watch_is_opened_again(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    run = scene.start()
    while run.poll() is None:
        scene.embedded.fault("expire_watch")
        time.sleep(0.1)
    assert run.finish().code == 0
    scene.check()


@pytest.mark.real
def test_a_volume_for_one_pod_only_is_filled_inside_its_holder(scene: Scene) -> None:
    scene.cluster.namespace(WORK)
    scene.cluster.namespace(SAND)
    scene.pods = scene.cluster.workers(WORK, replicas=1)
    scene.cluster.claim(SAND, scene.sandbox_claim(), access_mode="ReadWriteOncePod")
    scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory)
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="sandbox")
    refused = scene.run()
    assert refused.code != 0
    assert "The claim allows only one pod, and another one has it." in refused.text
    assert "Use repository_cache_in_use: holder, or wait." in refused.text
    scene.succeed(in_use="holder")
    scene.check()


@pytest.mark.real
def test_on_openshift_the_namespaces_range_decides_who_the_fillers_are(scene: Scene) -> None:
    from tests.real_cluster.restricted_v2 import UID_RANGE, restricted_v2  # noqa: PLC0415

    with restricted_v2(scene.cluster, scene.directory):
        scene.cluster.namespace(WORK, {UID_RANGE: "1000600000/10000"})
        scene.cluster.namespace(SAND, {UID_RANGE: "1000700000/10000"})
        scene.pods = scene.cluster.workers(WORK, replicas=1, user=None)
        scene.cluster.sandboxes(SAND, scene.pods)
        scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory)
        scene.repository()
        scene.succeed()
        assert (scene.worker() / "one").stat().st_uid == 1000600000
        assert (scene.sandbox() / "one").stat().st_uid == 1000700000
        scene.check()
        make.commit(scene.server.root / "one.git", "main")
        scene.succeed(filler={"pod_security_context": {"runAsUser": 5, "fsGroup": 5}})
        scene.check()
