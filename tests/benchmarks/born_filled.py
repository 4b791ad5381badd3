# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how long a new sandbox's volume is held that starts as a clone, against one that starts empty: a ratio, so on the embedded cluster."""

from __future__ import annotations

import shutil

from tests.clusters.base import BLOCK
from tests.integration.harness import SAND, Scene
from tests.repositories.realistic import Shape, a_day, realistic

from .measure import RUNS, Table
from .world import embedded

_SHAPE = Shape(commits=6_000, files=1_000)


def born_filled(table: Table) -> None:
    """A sandbox's claim that is made anew, of which the worker's volume is filled, after a day's commits: by seed, as a new volume is."""
    holds: dict[bool, list[float]] = {True: [], False: []}
    with embedded(through_playbook=False) as (_cluster, scene):
        scene.deploy(2, storage_class=BLOCK)
        upstream = shutil.copytree(realistic(_SHAPE), scene.server.root / "one.git")
        scene.succeed(method="seed")
        for _run in range(RUNS):
            for clone, seconds in holds.items():
                _delete_second_sandbox(scene)
                a_day(upstream)
                seconds.append(_hold_of_second_sandbox(scene, clone))
    figure, how = "hold of a new sandbox's volume, born filled ÷ filled from nothing", "embedded cluster; by seed; the clone is made in the hold"
    table.ratio(figure, holds[True], holds[False], "-", how)


def _delete_second_sandbox(scene: Scene) -> None:
    scene.cluster.core.delete_namespaced_persistent_volume_claim(scene.sandbox_claim(1), SAND)


def _hold_of_second_sandbox(scene: Scene, clone: bool) -> float:
    """Fill the second pair; return the seconds for which its sandbox's volume was held. The first one follows, to be the next source."""
    second = "[?worker.pod=='packit-worker-1']"
    volumes = scene.succeed(method="seed", claims_clone=clone, select=second).result["volumes"]
    locks = next(volume["locks"] for volume in volumes if volume["claim"] == scene.sandbox_claim(1))
    scene.succeed(method="seed")
    return float(sum(sum(lock.values()) for lock in locks))
