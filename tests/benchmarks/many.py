# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a run costs where there are many projects, volumes or refs: amounts and growth, so on the embedded cluster."""

from __future__ import annotations

import shutil

from tests.clusters.embedded import EmbeddedTestCluster
from tests.integration.harness import SAND, WORK, Scene
from tests.repositories.make import git, many_refs
from tests.repositories.realistic import Shape, realistic

from .measure import RUNS, Most, Table, looking, timed
from .world import embedded

_PROJECTS = 104
_RECORDED = 500
_PAIRS = 64
_FEW_REFS, _MANY_REFS = 1_000, 20_000
_SHAPE = Shape(commits=6_000, files=1_000)


def projects(table: Table) -> None:
    """Many projects on one pair: what the controller has open, and whether all of them are recorded."""
    with embedded(through_playbook=False) as (cluster, scene):
        scene.deploy()
        names = [f"project-{number}" for number in range(_RECORDED)]
        first = scene.repository(names[0], commits=1)
        for name in names[1:]:
            shutil.copytree(first, scene.server.root / f"{name}.git")
        run = scene.start(*names[:_PROJECTS], method="seed")
        most = Most(run.pid)
        with looking(most.look, every=0.05):
            done = run.finish()
        if done.code:
            raise RuntimeError(done.story)
        table.say(f"{_PROJECTS} projects by seed, threads of the controller", str(most.threads), "≤ 40", "embedded cluster")
        table.say(f"{_PROJECTS} projects by seed, descriptors of the controller", str(most.descriptors), "≤ 120", "embedded cluster")
        made = [_pods_of_another_run(cluster, scene, *names[:_PROJECTS]) for _run in (2, 3)]
        table.say(f"{_PROJECTS} projects, pods that the second and the third run make", str(sum(made)), "≤ 0", "embedded cluster")
        for upto in range(2 * _PROJECTS, _RECORDED + _PROJECTS, _PROJECTS):  # each in less than the time that a run may take here
            scene.succeed(*names[:upto], method="seed")
        how = f"embedded cluster; the next run makes {_pods_of_another_run(cluster, scene, *names)} pods"
        table.say(f"projects that are recorded on a pair's claims, of {_RECORDED}", str(_recorded(scene)), f"≥ {_RECORDED}", how)


def _pods_of_another_run(cluster: EmbeddedTestCluster, scene: Scene, *names: str) -> int:
    cluster.requests(clear=True)
    scene.succeed(*names, method="seed")
    return sum(number for asked, number in cluster.requests().items() if asked.endswith("create pods"))


def _recorded(scene: Scene) -> int:
    """Return how many projects the claims list, the one of the two with fewer."""
    claims = scene.module("repository_cache_info", worker_namespace=WORK, sandbox_namespace=SAND)["volumes"]
    return min(len(claim["projects"]) for claim in claims)


def pairs(table: Table) -> None:
    """Measure what the API is asked for where there are many volumes."""
    with embedded(through_playbook=False) as (_cluster, scene):
        scene.deploy(_PAIRS)
        scene.repository(commits=3)
        asked = scene.succeed(method="seed", concurrency=16).result["requests"]
        table.say(f"API requests for a volume filled, {_PAIRS} pairs", f"{asked / (2 * _PAIRS):.1f}", "≤ 8", "embedded cluster; by seed")


def refs(table: Table) -> None:
    """A first fill by seed of one history with few refs, and with many."""
    seconds: dict[int, list[float]] = {_FEW_REFS: [], _MANY_REFS: []}
    for _run in range(RUNS):
        for number, measured in seconds.items():
            with embedded(through_playbook=False) as (_cluster, scene):
                scene.deploy()
                upstream = shutil.copytree(realistic(_SHAPE), scene.server.root / "one.git")
                many_refs(upstream, number)
                git(upstream, "pack-refs", "--all")
                measured.append(timed(lambda: scene.succeed(method="seed")))
    figure = f"first fill by seed, {_MANY_REFS:,} refs ÷ {_FEW_REFS:,} of the same history"
    table.ratio(figure, seconds[_MANY_REFS], seconds[_FEW_REFS], "≤ 1.5", "embedded cluster; whole runs")
