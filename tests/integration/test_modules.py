# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that are useful alone: filler_pod, pod_git, pod_rsync, repository_cache_info."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.repositories import make

from .harness import SAND, WORK, Scene, entry_refs


def filler(scene: Scene, **more: Any) -> dict[str, Any]:
    """A filler pod on the sandbox's volume."""
    place = {"namespace": SAND, "claim": scene.sandbox_claim(), "path": "/repository-cache"}
    options = {"pod_security_context": {"runAsUser": 1000, "fsGroup": 1000}}
    return scene.module("filler_pod", **{**place, "image": scene.cluster.image, **options, **more})


def test_a_filler_made_used_and_gone(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=10)
    planned = filler(scene, check=True)
    assert planned["changed"] is True and scene.fillers() == []
    made = filler(scene)
    assert made["changed"] is True, made
    assert made["node"] == "node1" and scene.cluster.is_ready(SAND, made["name"])
    assert filler(scene)["changed"] is False
    assert "has the claim at /repository-cache, not at /elsewhere" in filler(scene, path="/elsewhere", check=True)["msg"]

    git = {"namespace": SAND, "pod": made["name"], "url": scene.url(), "path": "/repository-cache/one"}
    assert scene.module("pod_git", check=True, **git)["changed"] is True
    first = scene.module("pod_git", **git)
    assert (first["action"], first["refs"]) == ("add", 3), first
    assert entry_refs(scene.sandbox() / "one") == dict(make.refs(upstream))
    assert scene.module("pod_git", **git)["changed"] is False
    assert scene.module("pod_git", check=True, **git)["changed"] is False

    source = scene.directory / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "a file").write_bytes(os.urandom(300_000))
    (source / "left out.tmp").write_text("x")
    rsync = {"namespace": SAND, "pod": made["name"], "src": str(source), "dest": "/repository-cache/copied", "exclude": ["*.tmp"]}
    assert scene.module("pod_rsync", check=True, **{**rsync, "dest": "/repository-cache"})["changed"] is True
    copied = scene.module("pod_rsync", **rsync)
    assert (copied["changed"], copied["files"], copied["bytes"]) == (True, 1, 300_000), copied
    assert (scene.sandbox() / "copied/deep/a file").read_bytes() == (source / "deep/a file").read_bytes()
    assert not (scene.sandbox() / "copied/left out.tmp").exists()
    assert scene.module("pod_rsync", **rsync)["changed"] is False

    assert scene.module("filler_pod", namespace=SAND, claim=scene.sandbox_claim(), state="absent")["changed"] is True
    assert scene.fillers() == []
    assert filler(scene, state="absent")["changed"] is False
    missing = scene.module("pod_git", **git)
    assert f"There is no pod {SAND}/{made['name']}." in missing["msg"]


def test_another_runs_filler_is_refused_in_check_mode_too(scene: Scene) -> None:
    scene.deploy()
    made = filler(scene)["name"]
    owner = json.dumps({"run": "another", "user": "somebody", "host": "elsewhere"})
    scene.cluster.core.patch_namespaced_pod(made, SAND, {"metadata": {"annotations": {"packit.dev/owner": owner}}})
    for check in (True, False):
        assert f"Another filler holds the volume: pod {made} of" in filler(scene, check=check)["msg"]
        assert "which is at work" in filler(scene, check=check, state="absent")["msg"]
    assert scene.fillers() == [made]
    scene.cluster.delete_pod(SAND, made)


def test_each_of_them_is_a_task_of_a_play(scene: Scene) -> None:
    """Ansible packs a module with what it imports, and runs an action plugin of ours: scenarios that call the modules see neither."""
    scene.deploy()
    upstream = scene.repository()
    source = scene.directory / "source"
    source.mkdir()
    (source / "file").write_text("content")
    where = {"namespace": SAND, "pod": "{{ made.name }}"}
    pod = {
        "namespace": SAND,
        "claim": scene.sandbox_claim(),
        "path": "/repository-cache",
        "image": scene.cluster.image,
        "pod_security_context": {"runAsUser": 1000, "fsGroup": 1000},
    }
    place = {"worker_namespace": WORK, "sandbox_namespace": SAND}
    done = scene.play(
        [
            {"packit.deployment.filler_pod": pod, "register": "made"},
            {"packit.deployment.pod_git": {**where, "url": scene.url(), "path": "/repository-cache/one"}},
            {"packit.deployment.pod_rsync": {**where, "src": str(source), "dest": "/repository-cache/copied"}},
            {"packit.deployment.repository_cache_info": place, "register": "info"},
            {"ansible.builtin.debug": {"msg": "{{ info.volumes | length }} volumes"}},
            {"packit.deployment.filler_pod": {**pod, "state": "absent"}},
        ]
    )
    assert done.code == 0, done.story
    assert "ok=6 changed=4" in done.text
    assert "2 volumes" in done.text
    assert entry_refs(scene.sandbox() / "one") == dict(make.refs(upstream))
    assert (scene.sandbox() / "copied" / "file").read_text() == "content"
    assert scene.fillers() == []


def test_what_every_volume_holds_with_and_without_looking_inside(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    place: dict[str, Any] = {"worker_namespace": WORK, "sandbox_namespace": SAND}
    before = scene.module("repository_cache_info", **place)
    assert [volume["known"] for volume in before["volumes"]] == [False, False]
    scene.succeed()
    (scene.worker() / "by-hand").mkdir()
    after = scene.module("repository_cache_info", **place, query="volumes[?contains(keys(projects), 'one')].claim")
    assert sorted(after["result"]) == sorted([scene.worker_claim(), scene.sandbox_claim()])
    assert after["requests"] <= 3 * len(after["volumes"]) + 4
    inside = scene.module("repository_cache_info", **place, look_inside=True, image=scene.cluster.image)
    held = {volume["role"]: volume["inside"]["entries"] for volume in inside["volumes"]}
    assert held["worker"]["one"]["usable"] and held["sandbox"]["one"]["packs"] == 1
    assert held["worker"]["by-hand"]["reason"] == "an empty directory, on which every clone fails"
    assert scene.fillers() == []
    wrong = scene.module("repository_cache_info", **place, query="[?")
    assert "is no JMESPath" in wrong["msg"]
