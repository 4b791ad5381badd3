# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs does not grow with its volumes and projects as it need not."""

from __future__ import annotations

import pytest

from .harness import Scene


@pytest.mark.embedded
def test_pods_are_listed_and_watched_once_a_namespace_and_run(scene: Scene) -> None:
    scene.deploy(6)
    scene.repository()
    scene.cluster.requests(clear=True)  # type: ignore[attr-defined]
    done = scene.succeed(method="seed")
    counted = {asked.partition(" ")[2]: times for asked, times in scene.cluster.requests().items()}  # type: ignore[attr-defined]
    assert counted["list pods"] == 4  # of each namespace: what there is, and where the watch begins
    assert counted["create pods"] >= 12
    assert counted["watch pods"] < 12, "a watch of each pod would be two for each volume"
    assert done.result["requests"] <= 11 * 12
    scene.check(volumes=1)
