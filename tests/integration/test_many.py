# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a run does not grow with its volumes and projects where it need not."""

from __future__ import annotations

import shutil
import time

import pytest

from tests.benchmarks.measure import Most, looking

from .harness import Scene


@pytest.mark.embedded
def test_requests_for_pods_do_not_grow_with_volumes(scene: Scene) -> None:
    scene.deploy(6)
    scene.repository()
    scene.embedded.requests(clear=True)
    began = time.monotonic()
    scene.succeed(method="seed")
    periods = (time.monotonic() - began) / 10
    counted = {asked.partition(" ")[2]: times for asked, times in scene.embedded.requests().items()}
    assert counted["list pods"] == 4  # of each namespace: what there is, and where the watch begins
    assert counted["create pods"] >= 12
    # One of each namespace, which is opened again every ten seconds. A watch of each pod would be two for each volume beside these.
    assert counted["watch pods"] <= 2 * (2 + periods), (counted["watch pods"], periods)
    scene.check(volumes=1)


@pytest.mark.embedded
def test_threads_and_descriptors_do_not_grow_with_projects(scene: Scene) -> None:
    scene.deploy()
    names = [f"project-{number}" for number in range(24)]
    scene.repository(names[0], commits=1)
    for name in names[1:]:
        shutil.copytree(scene.server.root / f"{names[0]}.git", scene.server.root / f"{name}.git")
    run = scene.start(*names, method="seed")
    most = Most(run.pid)
    with looking(most.look, every=0.05):
        done = run.finish()
    assert done.code == 0, done.story
    # One thread and three descriptors a project would be more; 104 projects have no more than these.
    assert 0 < most.threads <= 32 and 0 < most.descriptors <= 60, (most.threads, most.descriptors)
    for _again in range(2):
        scene.embedded.requests(clear=True)
        scene.succeed(*names, method="seed")
        assert not [asked for asked in scene.embedded.requests() if asked.endswith("create pods")]
    scene.check(names[0], names[-1])
