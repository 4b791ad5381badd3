# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: filled, nothing to do, updated, removed."""

from __future__ import annotations

import json
import re

import pytest

from tests.repositories import make

from .harness import SAND, WORK, Scene, entry_refs, objects


@pytest.mark.playbook
def test_first_fill_then_nothing_to_do(scene: Scene) -> None:
    scene.deploy(2, nodes=("node1", "node2"))
    scene.repository("one", commits=20)
    scene.repository("two", commits=5, branches=("a/b", "c"))
    first = scene.succeed("one", "two")
    assert {action for actions in first.actions().values() for action in actions.values()} == {"add"}
    assert len(first.actions()) == 4
    scene.check("one", "two")
    held = first.project(scene.sandbox_claim(), "one")
    assert held["refs"] == 3 and held["bytes"] > 0 and held["layout"] == "bare" and held["method"] == "git"
    assert entry_refs(scene.worker() / "one") == dict(make.refs(scene.server.root / "one.git"))

    second = scene.succeed("one", "two")
    assert second.result["changed"] is False
    assert {action for actions in second.actions().values() for action in actions.values()} == {"unchanged"}
    assert all(volume["locks"] == [] for volume in second.result["volumes"])
    assert "0 of 2 pairs of volumes have work to do" in second.text
    known = second.project(scene.sandbox_claim(), "one")
    assert {key: known[key] for key in ("refs", "snapshot", "layout", "method")} == {
        key: held[key] for key in ("refs", "snapshot", "layout", "method")
    }
    assert known["bytes"] == 0


def test_an_entry_has_few_files_and_never_collects_garbage(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.succeed()
    entry = scene.worker() / "one"
    files = sorted(str(path.relative_to(entry)) for path in entry.rglob("*") if path.is_file())
    assert [name for name in files if not name.startswith("objects/pack/pack-")] == ["HEAD", "config", "packed-refs"]
    assert make.git(entry, "config", "--get", "gc.auto") == "0"
    assert make.git(entry, "config", "--get", "gc.pruneExpire") == "never"
    assert (entry / "HEAD").read_text() == "ref: refs/heads/main\n"


def test_a_delta_fetches_only_what_is_new(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=200)
    first = scene.succeed()
    make.commit(upstream, "main")
    second = scene.succeed()
    assert set(second.actions()[scene.sandbox_claim()].values()) == {"update"}
    assert second.project(scene.sandbox_claim(), "one")["bytes"] * 5 < first.project(scene.sandbox_claim(), "one")["bytes"]
    scene.check()


def test_force_push_and_deleted_branch_lose_no_object(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=10, branches=("feature", "old"))
    scene.succeed()
    old, new = make.force_push(upstream, "main")
    make.delete_branch(upstream, "old")
    before = objects(scene.worker() / "one")
    scene.succeed()
    for volume in (scene.worker(), scene.sandbox()):
        refs = entry_refs(volume / "one")
        assert refs["refs/heads/main"] == new
        assert "refs/heads/old" not in refs
        assert before <= objects(volume / "one")
        assert old in objects(volume / "one")
    scene.check()


def test_a_branch_becomes_a_directory_of_branches_and_back(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(branches=("dev",))
    scene.succeed()
    make.delete_branch(upstream, "dev")
    make.git(upstream, "branch", "dev/x", "main")
    scene.succeed()
    assert "refs/heads/dev/x" in entry_refs(scene.sandbox() / "one")
    make.delete_branch(upstream, "dev/x")
    make.git(upstream, "branch", "dev", "main")
    scene.succeed()
    assert "refs/heads/dev" in entry_refs(scene.worker() / "one")
    scene.check()


@pytest.mark.playbook
def test_removal_and_then_nothing_to_remove(scene: Scene) -> None:
    scene.deploy()
    scene.repository("one")
    scene.repository("two")
    scene.succeed("one", "two")
    gone = scene.succeed("one", state="absent")
    assert {action for actions in gone.actions().values() for action in actions.values()} == {"remove"}
    for volume in (scene.worker(), scene.sandbox()):
        assert not (volume / "one").exists()
        assert (volume / "two").is_dir()
    assert scene.succeed("one", state="absent").result["changed"] is False
    assert scene.fillers() == []
    scene.succeed("one", "two")
    scene.check("one", "two")


@pytest.mark.playbook
def test_check_mode_and_diff_make_no_pod_and_change_nothing(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    planned = scene.succeed(arguments=("--check", "--diff"))
    assert planned.result["changed"] is True
    assert re.search(r"^VOLUME +PROJECT +WOULD +METHOD +WHY$", planned.output, re.MULTILINE)
    assert re.search(rf"^{SAND}/{scene.sandbox_claim()} +one +check +git +nothing is known of the volume; git was asked for$", planned.output, re.MULTILINE)
    assert "+one: " in planned.text
    assert not (scene.sandbox() / "one").exists()
    assert "packit.dev/repository-cache" not in scene.cluster.annotations(SAND, scene.sandbox_claim())
    scene.succeed()
    assert scene.succeed(arguments=("--check", "--diff")).result["changed"] is False


def test_what_is_held_is_written_on_the_claims(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.succeed()
    for namespace, claim in ((WORK, scene.worker_claim()), (SAND, scene.sandbox_claim())):
        record = json.loads(scene.cluster.annotations(namespace, claim)["packit.dev/repository-cache"])
        assert record["projects"]["one"]["url"] == scene.url()
        assert record["projects"]["one"]["refs"] == 3
        assert record["volume_name"] and record["claim_uid"]


def test_ten_thousand_refs(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=30)
    make.many_refs(upstream, 10_000)
    done = scene.succeed()
    assert done.project(scene.worker_claim(), "one")["refs"] == 10_003
    make.commit(upstream, "main")
    scene.succeed()
    assert len(entry_refs(scene.worker() / "one")) == 10_003
    assert sum(1 for path in (scene.worker() / "one" / "refs").rglob("*") if path.is_file()) == 0
    scene.check()


def test_a_local_clone_goes_by_rsync(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=30)
    mirror = scene.directory / "mirror.git"
    make.git(scene.directory, "clone", "--quiet", "--mirror", str(upstream), str(mirror))
    variables = scene.variables()
    variables["repository_cache_projects"] = [{"url": scene.url(), "path": str(mirror)}]
    done = scene.succeed(variables=variables)
    assert done.project(scene.worker_claim(), "one")["method"] == "rsync"
    assert scene.server.fetches == 0
    scene.check()
    make.commit(upstream, "main", 3)
    make.git(mirror, "fetch", "--quiet", "origin")
    delta = scene.succeed(variables=variables)
    assert set(delta.actions()[scene.sandbox_claim()].values()) == {"update"}
    packs = [sorted(path.name for path in (volume / "one/objects/pack").glob("*.pack")) for volume in (scene.worker(), scene.sandbox())]
    assert packs[0] == packs[1]
    scene.check()


def test_upstreams_refs_can_be_read_in_a_pod(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.succeed(resolve_from="pod")
    scene.check()


def test_a_subset_by_jmespath(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository()
    done = scene.succeed(select="[?worker.pod=='packit-worker-1']")
    assert set(done.actions()) == {scene.worker_claim(1), scene.sandbox_claim(1)}
    assert not (scene.worker(0) / "one").exists()
