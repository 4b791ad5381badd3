# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller: its connections are cut, its disk is full, its login ends; and two of them are at work at once."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from ansible_collections.packit.deployment.plugins.module_utils.times import parse_time
from tests.bounds import BOUND
from tests.clusters.base import run
from tests.clusters.gateway import Gateway
from tests.modules.launcher import CLOCK_AHEAD
from tests.repositories import make
from tests.waiting import until

from .harness import METHODS, SAND, WORK, Scene
from .runs import Started


def test_all_connections_are_cut_in_each_phase_of_each_method_and_no_work_is_lost(scene: Scene) -> None:
    """Whenever a run has printed one more line, all connections to the API are cut: watches, execs and what goes through them."""
    scene.deploy(len(METHODS))
    for number in range(len(METHODS)):
        make.make_large(scene.server.root / f"p{number}.git", 10, commits=30)
    cut = 0
    with Gateway(scene.kubeconfig, scene.directory) as gateway:
        through = {"K8S_AUTH_KUBECONFIG": str(gateway.kubeconfig)}
        for number, method in enumerate(METHODS):
            clones = str(scene.directory / f"clones{number}")
            select = f"[?worker.pod=='{scene.pods[number]}']"
            started = scene.start(f"p{number}", method=method, clones=clones, select=select, environment=through)
            seen = 0
            while started.poll() is None:
                lines = len(started.so_far().splitlines())
                if lines > seen:
                    seen = lines
                    cut += gateway.cut()
                time.sleep(0.05)
            done = started.finish()
            # With cuts enough, one meets all tries to start a process. That project fails in words then, and the next run brings it.
            assert done.code == 0 or "did not answer when asked to run a process" in done.text, done.story
            scene.succeed(f"p{number}", method=method, clones=clones, select=select)
            scene.check_pair(number, f"p{number}")
    assert cut > 3 * len(METHODS)
    assert scene.fillers() == []


def test_runs_of_two_users_at_once_wait_for_each_other_by_name(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository(commits=30)
    theirs = scene.cluster.person("bea", [WORK, SAND], scene.directory)
    scene.server.hold()
    first = scene.start(environment={"LOGNAME": "ada"})
    until(lambda: scene.server.fetches > 0, "the first run's fetch")
    second = scene.start(environment={"LOGNAME": "bea", "K8S_AUTH_KUBECONFIG": str(theirs)})
    second.until_it_says("waits for the filler of ada on ")
    scene.server.release()
    outcomes = [each.finish() for each in (first, second)]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes[0].story + outcomes[1].story
    scene.check()


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=-1)], ids=["ahead", "behind"])
def test_a_modules_clock_that_is_a_day_off_changes_nothing_for_anybody(scene: Scene, ahead: timedelta) -> None:
    """Its run does not take a living filler for a dead one, and later runs trust the times that it wrote."""
    moved = {CLOCK_AHEAD: str(ahead.total_seconds())}
    scene.deploy(2)
    scene.repository(commits=30)
    scene.server.hold()
    first = scene.start(environment={"LOGNAME": "ada"})
    until(lambda: scene.server.fetches > 0, "the first run's fetch")
    second = scene.start(environment={"LOGNAME": "bea", **moved})
    second.until_it_says("waits for the filler of ada on ")
    scene.server.release()
    outcomes = [each.finish() for each in (first, second)]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes[0].story + outcomes[1].story
    said = re.search(r"the clock says (\S+)", outcomes[1].text)
    assert said and abs(parse_time(said[1]) - datetime.now(timezone.utc) - ahead) < abs(ahead) / 2
    scene.repository("two")
    scene.succeed("one", "two", environment=moved)
    scene.check("one", "two")
    assert "Nothing to do" in scene.succeed("one", "two").text
    answer = scene.module("repository_cache_info", worker_namespace=WORK, sandbox_namespace=SAND)
    ages = [
        parse_time(answer["time"]) - parse_time(project["time"])
        for volume in answer["volumes"]
        for project in volume["projects"].values()
    ]
    assert len(ages) == 2 * 2 * 2, "pairs, volumes of each, projects on each"
    assert all(abs(age) < abs(ahead) / 2 for age in ages)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of this size."""
    place.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(place)])
    try:
        yield place
    finally:
        run(["umount", "--lazy", str(place)])


@pytest.mark.real
def test_a_full_disk_of_the_controller_is_told_and_no_volume_is_held_for_it(scene: Scene) -> None:
    scene.deploy()
    make.make_large(scene.server.root / "one.git", 30, commits=30)
    with small_disk(scene.directory / "small", "12M") as place:
        (place / "tmp").mkdir()
        settings = {"method": "rsync", "clones": str(place / "clones"), "environment": {"TMPDIR": str(place / "tmp")}}
        done = scene.run(**settings)
        assert done.code != 0
        assert "Traceback" not in done.everything and "not expected" not in done.text
        assert "room" in done.text or "No space left" in done.text, done.story
        assert all(volume["locks"] == [] for volume in done.result["volumes"] if volume["role"] == "sandbox")
        assert scene.fillers() == []
        run(["mount", "-o", "remount,size=200M", str(place)])
        scene.succeed(**settings)
    scene.check()


@pytest.mark.real
@pytest.mark.parametrize("method", ["git", "seed"])
def test_a_disk_without_any_room_on_the_controller_stops_no_run_that_needs_none(scene: Scene, method: str) -> None:
    scene.deploy()
    scene.repository()
    with small_disk(scene.directory / "small", "1M") as place:
        subprocess.run(["dd", "if=/dev/zero", f"of={place}/all", "bs=64k"], check=False, capture_output=True, timeout=BOUND)
        done = scene.run(method=method, environment={"TMPDIR": str(place)})
        assert done.code == 0, done.story
    scene.check()


def ends_soon(kubeconfig: Path, key: Path, seconds: int) -> None:
    """Have the kubeconfig's token end so many seconds from now: the same words, signed anew by the cluster's key."""
    settings = yaml.safe_load(kubeconfig.read_text())
    head, words, _signature = settings["users"][0]["user"]["token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(words + "=" * (-len(words) % 4)))
    claims["exp"] = int(time.time()) + seconds
    signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
    argv = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    signature = subprocess.run(argv, input=signed.encode(), check=True, capture_output=True, timeout=BOUND).stdout
    settings["users"][0]["user"]["token"] = f"{signed}.{_encoded(signature)}"
    kubeconfig.write_text(json.dumps(settings))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def is_refused(kubeconfig: Path) -> bool:
    """Return whether the API does not accept the kubeconfig's token (any more)."""
    try:
        client.VersionApi(config.new_client_from_config(str(kubeconfig))).get_code()
    except client.ApiException as error:
        return bool(error.status == 401)
    return False


@pytest.mark.real
@pytest.mark.faults
def test_a_token_that_ends_in_mid_run_ends_it_in_words_and_the_fillers_end_themselves(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository()
    lasting = scene.kubeconfig.read_text()
    ends_soon(scene.kubeconfig, scene.cluster.kubeconfig.parent / "pki" / "sa.key", 15)
    scene.server.hold()
    started = scene.start(filler={"heartbeat": 12})
    until(lambda: any("filler" in name for name in scene.fillers()), "a filler")
    until(lambda: is_refused(scene.kubeconfig), "a token that has ended")
    scene.server.release()
    done = started.finish()
    assert done.code != 0
    assert {row for rows in done.actions().values() for row in rows.values()} <= {"failed", "blocked"}
    assert "does not accept the login (expired, or wrong)" in done.text, done.story
    assert "Traceback" not in done.everything and "not expected" not in done.text
    scene.kubeconfig.write_text(lasting)
    scene.sweep()
    scene.check()


WAYS = (*METHODS, "holder")
"""Each method, and work inside the holders."""


def start_each_way(scene: Scene) -> list[Started]:
    """A run for each of WAYS, on a pair and for a project of its own; upstream's answers are held."""
    scene.deploy(len(WAYS))
    scene.server.hold()
    runs = []
    for number, way in enumerate(WAYS):
        make.make_large(scene.server.root / f"{way}.git", 10, commits=30)
        settings: dict[str, Any] = {"method": way, "clones": str(scene.directory / "clones")}
        if way == "holder":
            scene.cluster.consumer(SAND, scene.sandbox_claim(number), name="sandbox")
            settings = {"method": "git", "in_use": "holder"}
        runs.append(scene.start(way, select=f"[?worker.pod=='{scene.pods[number]}']", **settings))
    until(lambda: scene.server.fetches >= len(WAYS), "fetches by all runs")
    return runs


def require_success(scene: Scene, runs: list[Started]) -> None:
    outcomes = [run.finish() for run in runs]
    assert [outcome.code for outcome in outcomes] == [0] * len(WAYS), "\n".join(outcome.story for outcome in outcomes if outcome.code)
    for number, way in enumerate(WAYS):
        scene.check_pair(number, way)


@pytest.mark.alone
def test_an_api_server_that_restarts_in_mid_run_costs_no_run(scene: Scene) -> None:
    """While upstream is read, so that what runs in pods ends while nobody can say so, and while a sandbox's volume is filled."""
    runs = start_each_way(scene)
    with scene.cluster.without_api():
        scene.server.release()
    until(lambda: any(scene.sandbox_claim(number) in run.so_far() for number, run in enumerate(runs)), "a sandbox's volume that is taken")
    with scene.cluster.without_api():
        pass
    require_success(scene, runs)
