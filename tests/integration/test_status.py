# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the cache: the volumes' projects, how old they are, and an exit code for it."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kubernetes import client

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import ANNOTATION
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts import LEFT
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts import WORK as WORK_DIRECTORY
from tests.bounds import BOUND
from tests.repositories import make
from tests.upstream.server import Page

from .harness import ROOT, SAND, WORK, Scene, own
from .test_compaction import many_packs

BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")
PLACE: dict[str, Any] = {"worker_namespace": WORK, "sandbox_namespace": SAND}


def rows(answer: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """The table's cells, by volume and project, without the two."""
    cells = [line.split() for line in answer["summary"][1:]]
    return {(row[0].rpartition("/")[2], row[1]): row[2:] for row in cells}


def disk_usage(*paths: Path) -> int:
    """Return what du says of files and directories together."""
    return int(subprocess.run(["du", "-B1", "-s", "-c", *paths], capture_output=True, timeout=BOUND, check=True).stdout.split(b"\n")[-2].split()[0])


def test_how_old_each_project_is_on_each_volume(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository()
    empty = scene.module("repository_cache_info", **PLACE, max_age=60)
    assert empty["summary"] == ["No volume holds anything that is known."]
    assert "No volume holds anything that is known. No run is known." in empty["msg"]

    run = scene.succeed()
    known = scene.module("repository_cache_info", **PLACE)
    assert known["summary"][0].split() == ["VOLUME", "PROJECT", "AGE", "CHECKED", "BEHIND", "SIZE", "FREE", "PACKS"]
    worker, sandbox = (scene.worker_claim(), "one"), (scene.sandbox_claim(), "one")
    assert set(rows(known)) == {worker, sandbox}
    for _age, _checked, behind, _size, free, packs in rows(known).values():
        assert (behind, free[0], packs) == ("no", "~", "1")
    assert [found["id"] for found in known["runs"]] == [run.result["run"]["id"]]
    assert "failed" not in scene.module("repository_cache_info", **PLACE, max_age=3600)

    make.commit(upstream, "main")
    assert rows(scene.module("repository_cache_info", **PLACE))[worker][2] == "no", "nobody has read upstream since"
    asked = scene.module("repository_cache_info", **PLACE, upstream=True)
    assert rows(asked)[worker][2] == rows(asked)[sandbox][2] == "yes"
    (scene.worker() / "by-hand").mkdir()
    inside = scene.module("repository_cache_info", **PLACE, inside=True, image=scene.cluster.image)
    assert not rows(inside)[worker][4].startswith("~") and (scene.worker_claim(), "by-hand") in rows(inside)
    assert scene.fillers() == []

    scene.server.pages["one.git"] = Page(404)
    dead = scene.module("repository_cache_info", **PLACE, upstream=True)
    assert "Whether one is behind is not known: " in dead["printed"] and rows(dead)[worker][2] == "no"


def test_what_the_space_of_a_volume_goes_to_adds_up(scene: Scene) -> None:
    """A volume with all kinds of things on it: the figures are what du says there, and what a compaction gives back."""
    scene.deploy()
    scene.repository(commits=20)
    scene.succeed()
    root = scene.worker()
    entry = root / "one"
    many_packs(entry, root)
    make.make(root / "by-hand", commits=5)
    for path, size in {
        entry / "objects/pack/tmp_pack_killed": 50_000,
        root / WORK_DIRECTORY / "two/objects/pack/pack-1.pack": 40_000,
        root / f"{LEFT}#one#1000.1.2/file": 30_000,
        root / "notes of a person": 20_000,
        root / "downloads" / "file": 10_000,
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    for path in root.iterdir():
        own(path, root)
    answer = scene.module("repository_cache_info", **PLACE, inside=True, image=scene.cluster.image)
    inside = {volume["role"]: volume["inside"] for volume in answer["volumes"]}
    space = inside["worker"]["space"]
    assert space["used_bytes"] == disk_usage(*(path for path in root.iterdir() if path.name != "lost+found"))
    assert space["leftover_bytes"] == disk_usage(root / WORK_DIRECTORY, root / f"{LEFT}#one#1000.1.2", entry / "objects/pack/tmp_pack_killed")
    assert space["by_hand_bytes"] == disk_usage(root / "by-hand")
    assert space["foreign_bytes"] == disk_usage(root / "notes of a person", root / "downloads")
    assert space["used_bytes"] == sum(space[f"{kind}_bytes"] for kind in ("project", "by_hand", "leftover", "foreign"))
    assert (space["leaving_bytes"], space["duplicate_bytes"], space["estimated"]) == (0, 0, False)
    assert not {name for name in inside["worker"]["entries"] if name.startswith(".packit")}
    assert inside["sandbox"]["space"]["compaction_bytes"] == 0
    assert any(scene.worker_claim() in line for line in answer["space_summary"])

    scene.succeed(compact="always", verify=True)
    after = scene.module("repository_cache_info", **PLACE, inside=True, image=scene.cluster.image)
    then = next(volume["inside"]["entries"]["one"] for volume in after["volumes"] if volume["role"] == "worker")
    old = inside["worker"]["entries"]["one"]["compaction_bytes"]
    assert then["leaving_bytes"] > old > 0.9 * then["leaving_bytes"] - 30_000, "what goes by itself, less the new pack, is what it gives back"
    assert then["compaction_bytes"] < old / 10


def test_a_volume_that_is_soon_full_is_a_warning(scene: Scene) -> None:
    """Two weeks ago next to nothing was on the worker's volume, and now it is nearly full: both are as they would be written."""
    scene.deploy()
    scene.repository()
    assert "will be full" not in scene.succeed().text
    config = scene.cluster.core.read_namespaced_config_map("packit-repository-cache", WORK)
    (key,) = [key for key, value in config.data.items() if key.startswith("used.") and f"/{scene.worker_claim()} " in value]
    volume, time, _bytes, projects = config.data[key].split(" ")
    weeks = datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ") - timedelta(weeks=2)
    data = {f"{key.rpartition('.')[0]}.{weeks:%G%V}": f"{volume} {weeks:%Y-%m-%dT%H:%M:%SZ} 1 {projects}"}
    scene.cluster.core.patch_namespaced_config_map("packit-repository-cache", WORK, {"data": data})
    capacity = next(volume["capacity"] for volume in scene.module("repository_cache_info", **PLACE)["volumes"] if volume["role"] == "worker")
    record = json.loads(scene.cluster.annotations(WORK, scene.worker_claim())[ANNOTATION])
    record["projects"]["one"]["bytes"] = int(0.9 * capacity)
    body = {"metadata": {"annotations": {ANNOTATION: json.dumps(record)}}}
    scene.cluster.core.patch_namespaced_persistent_volume_claim(scene.worker_claim(), WORK, body)
    words = f"Volume {WORK}/{scene.worker_claim()} will be full in 0 days at the present rate"
    assert scene.succeed().text.count(words) == 1
    known = scene.module("repository_cache_info", **PLACE)
    assert words in known["printed"] and known["printed"].count("will be full") == 1, "its sandbox's volume does not grow"


def test_without_the_right_to_read_what_runs_leave_it_tells_what_the_claims_say(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    scene.succeed()
    rbac = client.RbacAuthorizationV1Api(scene.cluster.api)
    role = rbac.read_namespaced_role("repository-cache", WORK)
    role.rules = [rule for rule in role.rules if "configmaps" not in rule.resources]
    rbac.replace_namespaced_role("repository-cache", WORK, role)
    known = scene.module("repository_cache_info", **PLACE, max_age=3600)
    assert f"ConfigMap {WORK}/packit-repository-cache could not be read, so what is told" in known["printed"]
    assert rows(known)[scene.worker_claim(), "one"][2] == "-" and known["runs"] == [] and "failed" not in known


def test_the_status_playbook_shows_a_table_and_its_exit_code_is_for_monitoring(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    given = scene.variables()
    scene.succeed(variables=given)
    playbook = ROOT / "playbooks" / "cache_status.yml"
    fresh = scene.start_playbook(playbook, "-e", scene.write_variables(given)).finish()
    assert fresh.code == 0, fresh.story
    assert "VOLUME PROJECT AGE CHECKED BEHIND SIZE FREE PACKS" in fresh.text
    assert scene.worker_claim() in fresh.text and scene.sandbox_claim() in fresh.text

    filled = json.loads(scene.cluster.core.read_namespaced_persistent_volume_claim(scene.worker_claim(), WORK).metadata.annotations[ANNOTATION])
    filled["projects"]["one"] |= {"time": "2026-01-01T00:00:00Z", "snapshot": "0" * 64}
    body = {"metadata": {"annotations": {ANNOTATION: json.dumps(filled)}}}
    scene.cluster.core.patch_namespaced_persistent_volume_claim(scene.worker_claim(), WORK, body)
    old = scene.start_playbook(playbook, "-e", scene.write_variables(given)).finish()
    assert old.code == 2
    assert "1 of 2 copies are older than 3 d: one (1 volume, " in old.text and "The last run: " in old.text


def test_the_report_is_one_page_with_what_the_volumes_hold_and_what_failed(scene: Scene) -> None:
    scene.deploy(2)
    upstream = scene.repository("packit", commits=50)
    scene.repository("ogr")
    scene.succeed("packit", "ogr")
    make.commit(upstream, "main")
    scene.server.pages["ogr.git"] = Page(404)
    assert scene.run("packit", "ogr").code != 0
    page = scene.directory / "report.html"
    given = scene.write_variables({**scene.variables("packit", "ogr"), "cache_report_file": str(page)})
    done = scene.start_playbook(ROOT / "playbooks" / "cache_report.yml", "-e", given).finish()
    assert done.code == 0, done.story
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>") and "{{" not in text
    assert text.count('class="cell fresh"') == 8 and f"{WORK}/{scene.worker_claim(1)}" in text
    assert "<dt>ogr</dt><dd>The refs of http" in text
    if BROWSER is not None:
        picture = ROOT / ".build" / "cache-report.png"  # docs/cache-report.png is one of these
        settings = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1200"]
        argv = [BROWSER, *settings, f"--user-data-dir={scene.directory}/profile", f"--screenshot={picture}", page.as_uri()]
        subprocess.run(argv, capture_output=True, timeout=120, check=True)
        assert picture.read_bytes().startswith(b"\x89PNG")
