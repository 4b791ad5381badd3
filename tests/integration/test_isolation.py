# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One failure costs one thing, and a passing one costs nothing."""

from __future__ import annotations

import pytest

from tests.repositories import make
from tests.upstream.server import Page
from tests.waiting import until

from .harness import SAND, WORK, Scene, objects


def test_projects_that_cannot_be_read_cost_nothing_else(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository()
    make.empty(scene.server.root / "empty.git")
    scene.server.passing["one.git"] = [Page(502)]
    done = scene.run("missing", "one", "empty")
    assert done.code != 0
    for claim in (scene.sandbox_claim(0), scene.worker_claim(0), scene.sandbox_claim(1), scene.worker_claim(1)):
        assert done.actions()[claim] == {"one": "add", "missing": "failed", "empty": "failed"}
        assert "not found" in done.project(claim, "missing")["error"]
        assert done.project(claim, "empty")["remedy"] == "Push something to it, or leave it out of the list."
    assert "Check the URL." in done.text and f"{scene.url('empty')} is an empty repository" in done.text
    assert [line.split()[1:3] for line in done.result["summary"][1:4]] == [["one", "add"], ["missing", "failed"], ["empty", "failed"]]
    scene.check()


def test_a_project_that_cannot_be_read_any_more_stays_where_it_is(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.repository("two")
    scene.succeed("one", "two")
    scene.server.pages["one.git"] = Page(404)
    make.commit(scene.server.root / "two.git", "main", 1)
    for arguments in (("--check",), ()):
        done = scene.run("one", "two", arguments=arguments)
        assert done.code != 0
        assert done.actions()[scene.worker_claim()]["one"] == "failed"
        assert "Not listed" not in done.text
    assert done.actions()[scene.sandbox_claim()]["two"] == "update"
    del scene.server.pages["one.git"]
    scene.check("one", "two")


def test_projects_that_cannot_be_read_in_a_pod_cost_nothing_else(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.server.passing["one.git"] = [Page(503), Page(429, {"Retry-After": "1"})]
    done = scene.run("missing", "one", resolve_from="pod")
    assert done.code != 0
    assert done.actions()[scene.worker_claim()] == {"one": "add", "missing": "failed"}
    assert "could not be read from pod" in done.project(scene.worker_claim(), "missing")["error"]
    scene.check()


@pytest.mark.playbook
def test_a_dead_upstream_and_a_full_sandbox_in_one_run_cost_no_more_than_that(scene: Scene) -> None:
    scene.deploy(3, sandbox_sizes=("1G", "1G", "16M"))
    scene.repository("one", commits=5)
    make.make_large(scene.server.root / "big.git", 30, commits=30)
    scene.server.pages["dead.git"] = Page(404)
    done = scene.run("dead", "one", "big", method="seed")
    assert done.code != 0
    full, blocked = scene.sandbox_claim(2), scene.worker_claim(2)
    whole = {"dead": "failed", "one": "add", "big": "add"}
    expected = {full: {**whole, "big": "failed"}, blocked: {**whole, "big": "blocked"}}
    assert done.actions() == {claim: expected.get(claim, whole) for claim in done.actions()} and len(done.actions()) == 6
    dead, no_room = done.result["failures"]
    assert dead.startswith("dead, on all 6 volumes: ") and scene.url("dead") in dead
    assert "8 of 18 copies of projects are not as wanted; the others are, and a second run does only the rest." in done.text
    assert no_room.startswith(f"big, on {SAND}/{full} (so not on {WORK}/{blocked} either): ") and "Grow the claim by at least" in no_room
    scene.check("one", "big", volumes=2)
    assert objects(scene.worker(2) / "one") <= objects(scene.sandbox(2) / "one")
    assert not (scene.worker(2) / "big").exists() and not (scene.sandbox(2) / "big").exists()


@pytest.mark.embedded
def test_what_the_api_refuses_for_a_moment_costs_nothing(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    conflict = 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified'
    for verb, code, message in (
        ("create", 500, "etcdserver: leader changed"),
        ("create", 409, conflict),
        ("delete", 403, "an admission plugin says no"),
        ("delete", 500, "failed calling webhook"),
    ):
        scene.embedded.fault("deny", verb=verb, resource="pods", code=code, message=message, times=1)
    done = scene.succeed()
    assert scene.embedded.faults_left() == 0
    assert "was refused, and is asked for again" in done.text
    scene.check()


@pytest.mark.embedded
def test_a_sandboxs_volume_that_stays_held_is_no_success(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.embedded.fault("deny", verb="delete", resource="pods", namespace=SAND, message="an admission plugin says no")
    done = scene.run()
    assert done.code != 0
    assert done.actions()[scene.sandbox_claim()] == {"one": "add"}
    left = [name for name in scene.fillers() if "filler" in name]
    assert len(left) == 1
    pod = left[0].rpartition("/")[2]
    said = [words for words in done.result["failures"] if words.startswith(f"{SAND}/{scene.sandbox_claim()}: Pod {SAND}/{pod} ")]
    assert len(said) == 1 and f"kubectl delete pod --namespace {SAND} {pod}" in said[0]
    assert "an admission plugin says no" in said[0]
    images = [name.rpartition("/")[2] for name in scene.fillers() if "image" in name]
    assert all(f"kubectl delete pod --namespace {SAND} {name}" in done.text for name in images)
    scene.embedded.clear_faults()
    scene.sweep()
    scene.check()


@pytest.mark.embedded
def test_a_token_that_expires_in_mid_run_ends_it_in_words(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository()
    scene.server.hold()
    started = scene.start(filler={"heartbeat": 12})
    until(lambda: any("filler" in name for name in scene.fillers()), "a filler")
    scene.embedded.fault("deny", code=401, message="Unauthorized")
    scene.server.release()
    done = started.finish()
    assert done.code != 0
    assert {row for rows in done.actions().values() for row in rows.values()} <= {"failed", "blocked"}
    words = f"does not accept the login (expired, or wrong). It was the kubeconfig ({scene.kubeconfig}, context embedded). Log in again"
    assert "The API at" in done.text and words in done.text
    assert "Traceback" not in done.everything and "not expected" not in done.text
    scene.embedded.clear_faults()
    scene.sweep()
    scene.check()


def test_what_a_consumer_sees_of_its_volume_is_what_is_filled(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.cluster.consumer(SAND, scene.sandbox_claim(), name="job", sub_path="cache")
    scene.succeed()
    root = [path.name for path in scene.sandbox().iterdir() if path.name != "lost+found"]
    assert root == ["cache"]
    assert objects(scene.worker() / "one") <= objects(scene.sandbox() / "cache" / "one")
