# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults, the words for them, and that the rest is done."""

from __future__ import annotations

import os
import threading
import time

import pytest
import yaml

from tests.repositories import make

from .harness import SAND, WORK, Scene, objects


@pytest.mark.playbook
def test_one_volume_that_fails_stops_no_other_and_is_finished_by_the_next_run(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository("before")
    scene.succeed("before")  # a volume's first pod gives all of it to its group
    scene.repository()
    broken = scene.sandbox(0) / "one"
    broken.mkdir()
    (broken / "file").write_text("x")
    broken.chmod(0o700)
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory that another user's fillers cannot read")
    done = scene.run()
    assert done.code != 0
    actions = done.actions()
    assert actions[scene.sandbox_claim(0)] == {"one": "failed"}
    assert actions[scene.worker_claim(0)] == {"one": "blocked"}
    assert actions[scene.worker_claim(1)] == {"one": "add"}
    assert "2 of 4 volumes are not as wanted" in done.text
    assert "it belongs to uid 0 with mode 700, and uid 1000 cannot read it; nor can consumers" in done.text
    assert scene.fillers() == []
    assert not (scene.worker(0) / "one").exists()
    (broken / "file").unlink()
    broken.rmdir()
    again = scene.succeed()
    assert again.actions()[scene.sandbox_claim(1)] == {"one": "unchanged"}
    assert again.actions()[scene.worker_claim(0)] == {"one": "add"}
    scene.check()


def test_a_worker_without_its_sandboxs_claim_fails_alone(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository()
    scene.cluster.core.delete_namespaced_persistent_volume_claim(scene.sandbox_claim(0), SAND)
    done = scene.run(claims=False)
    assert done.code != 0
    assert f"The claim {SAND}/{scene.sandbox_claim(0)} for the sandboxes of packit-worker-0 does not exist." in done.text
    assert done.actions()[scene.worker_claim(1)] == {"one": "add"}
    assert done.actions()[scene.worker_claim(0)] == {"one": "blocked"}


def test_a_full_volume_is_named_and_serves_as_before(scene: Scene) -> None:
    scene.deploy(1, sandbox_size="16M")
    scene.repository("one", commits=5)
    scene.succeed("one")
    make.make_large(scene.server.root / "big.git", 30, commits=30)
    done = scene.run("one", "big")
    assert done.code != 0
    assert "big needs 3" in done.text and "more on the volume, which has" in done.text
    assert "Grow the claim by at least" in done.text
    assert done.actions()[scene.worker_claim()]["big"] == "blocked"
    assert not (scene.sandbox() / "big").exists()
    scene.check("one")


def test_an_image_that_cannot_be_pulled_is_explained_before_a_volume_is_taken(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    done = scene.run(image="missing.test/nothing:1")
    assert done.code != 0
    assert "The image missing.test/nothing:1 cannot be pulled" in done.text
    assert "Check repository_cache_image" in done.text
    assert all(volume["locks"] == [] for volume in done.result["volumes"])
    assert scene.fillers() == []


def test_an_upstream_that_wants_a_password_or_is_not_there_is_explained(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.server.password = "secret"
    done = scene.run()
    assert done.code != 0
    assert "Upstream wants credentials" in done.text
    scene.server.password = ""
    missing = scene.run("missing")
    assert missing.code != 0
    assert "Check the URL." in missing.text


def test_an_object_that_upstream_lost_makes_a_new_snapshot(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=10, tags=())
    moved: list[tuple[str, str]] = []

    def move() -> None:
        if not moved:
            moved.append(make.force_push(upstream, "main"))
            make.forget_unreachable(upstream)

    scene.server.before_fetch = move
    scene.succeed()
    assert moved
    for volume in (scene.worker(), scene.sandbox()):
        assert moved[0][1] in objects(volume / "one")
    scene.check()


def test_an_upstream_that_moves_between_two_volumes_does_not_mix_them(scene: Scene) -> None:
    scene.deploy(2)
    upstream = scene.repository(commits=10)
    one_at_a_time = threading.Lock()

    def move() -> None:
        with one_at_a_time:
            make.commit(upstream, "main", 1, seed=time.monotonic_ns() % 10**6)

    scene.server.before_fetch = move
    done = scene.succeed()
    assert len({volume["projects"][0]["snapshot"] for volume in done.result["volumes"]}) == 1
    scene.server.before_fetch = None
    scene.check()


def test_wrong_input_is_refused_before_anything_is_made(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    for variables, words in (
        ({"repository_cache_projects": [{"url": "https://me:pw123@example.org/x.git"}]}, "has a user name or a password in it"),
        ({"repository_cache_projects": [{"url": "ext::sh -c id"}]}, "white space"),
        ({"repository_cache_projects": [{"url": "git@example.org:a/b.git"}]}, "there is no ssh key there"),
        ({"repository_cache_method": "scp"}, "scp"),
        ({"repository_cache_select": "[?"}, "is no JMESPath"),
        ({"repository_cache_filler": {"colour": "red"}}, "Unknown key `filler.colour`"),
        ({"repository_cache_worker_namespace": ""}, "`worker_namespace` is empty. Set repository_cache_worker_namespace (or the variable project"),
        ({"repository_cache_projects": [{"url": scene.url(), "path": str(scene.directory)}]}, "is no git repository"),
    ):
        done = scene.run(variables={**scene.variables(), **variables})
        assert done.code != 0
        assert words in done.text
        assert "pw123" not in done.everything
        assert scene.fillers() == []


def test_no_volume_at_all_is_an_error(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    done = scene.run(variables={**scene.variables(), "repository_cache_worker_namespace": SAND, "repository_cache_sandbox_namespace": WORK})
    assert done.code != 0
    assert f"No repository-cache volume was found: namespace {SAND} has 1 claims" in done.text


@pytest.mark.playbook
def test_a_missing_right_and_a_wrong_token_are_named(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.kubeconfig.write_text(scene.kubeconfig.read_text().replace('"token": "', '"token": "x'))
    done = scene.run()
    assert done.code != 0
    assert "does not accept the login" in done.text


@pytest.mark.playbook
def test_a_missing_verb_is_named_with_the_rule_to_add(scene: Scene) -> None:
    scene.cluster.namespace(WORK)
    scene.cluster.namespace(SAND)
    scene.pods = scene.cluster.workers(WORK, replicas=1)
    scene.cluster.sandboxes(SAND, scene.pods)
    scene.kubeconfig = scene.cluster.deployer([WORK, SAND], scene.directory, drop=("patch", "persistentvolumeclaims"))
    scene.repository()
    done = scene.run()
    assert done.code != 0
    assert f"in namespace {WORK}: patch persistentvolumeclaims" in done.text
    assert 'verbs: [\\"patch\\"]' in done.text or 'verbs: ["patch"]' in done.text


def test_an_api_that_is_not_there_is_named(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    variables = {**scene.variables(), "host": "https://127.0.0.1:1", "api_key": "abc", "validate_certs": False}
    done = scene.run(variables=variables)
    assert done.code != 0
    assert "The API at https://127.0.0.1:1 did not answer" in done.text


def test_a_certificate_of_an_unknown_authority_is_named_with_what_to_give(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    access = yaml.safe_load(scene.kubeconfig.read_text())
    host, token = access["clusters"][0]["cluster"]["server"], access["users"][0]["user"]["token"]
    done = scene.run(variables={**scene.variables(), "host": host, "api_key": token}, environment={"K8S_AUTH_KUBECONFIG": ""})
    assert done.code != 0
    assert f"The API at {host} did not answer when asked to " in done.text
    assert "certificate verify failed" in done.text
    assert "Give the certificate of the authority that signed its own (ca_cert, kubeconfig or K8S_AUTH_SSL_CA_CERT)" in done.text


def test_a_used_up_quota_is_waited_for_and_lowers_the_concurrency(scene: Scene) -> None:
    scene.deploy(3)
    scene.repository()
    scene.cluster.quota(SAND, "terminating", {"pods": "1"}, scopes=("Terminating",))
    scene.cluster.limit_range(SAND, "limits", [{"type": "Container", "default": {"memory": "512Mi"}, "max": {"memory": "1Gi"}}])
    with scene.cluster.pods_at_once(SAND, "packit.dev/repository-cache-filler") as counted:
        run = scene.succeed()
    assert "waits for quota" in run.text
    assert max(counted) == 1
    scene.check()
