# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller: its connections are cut, and two of them are at work at once."""

from __future__ import annotations

import time

from tests.clusters.gateway import Gateway
from tests.repositories import make
from tests.waiting import until

from .harness import SAND, WORK, Scene


def test_all_connections_are_cut_in_each_phase_of_each_method_and_no_work_is_lost(scene: Scene) -> None:
    """Whenever a run has printed one more line, all connections to the API are cut: watches, execs and what goes through them."""
    methods = ("git", "rsync", "seed")
    scene.deploy(len(methods))
    for number in range(len(methods)):
        make.make_large(scene.server.root / f"p{number}.git", 10, commits=30)
    cut = 0
    with Gateway(scene.kubeconfig, scene.directory) as gateway:
        through = {"K8S_AUTH_KUBECONFIG": str(gateway.kubeconfig)}
        for number, method in enumerate(methods):
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
            assert done.code == 0, done.story
            assert done.project(scene.sandbox_claim(number), f"p{number}")["method"] == method
    assert cut > 3 * len(methods)
    for number in range(len(methods)):
        scene.check_pair(number, f"p{number}")


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
