# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of the kernel's size on the real cluster, by default options: a first fill, a day's commits, and what a consumer gains."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clusters.real import RealCluster
from tests.consumers.packit import packit
from tests.integration.harness import SAND, WORK, Scene
from tests.modules.launcher import launcher
from tests.playbooks.launcher import FreshPlaybooks
from tests.repositories.make import git
from tests.repositories.realistic import a_day
from tests.upstream import packing
from tests.upstream.server import GitServer

from .measure import RUNS, Table, Watched, looking, timed, watched
from .pods import Most, PodMemory

_SIZE = "4G"
"""Of each volume: the service's own default."""
_NAME = "kernel"
_LATER = 100_000_000
"""Seconds after the repository's first commit, and so after its last."""


def kernel(repository: Path, counts: bool, table: Table) -> None:
    """All figures. ``repository`` is not changed. Without ``counts`` upstream sends the pack that it has to whoever clones."""
    megabytes = sum(file.stat().st_size for file in (repository / "objects/pack").iterdir()) / 1e6
    with _scene(repository) as (cluster, scene):
        if not counts:
            scene.server.packing = packing.settings(packing.ready_made(scene.directory))
        upstream, before = scene.server.root / f"{_NAME}.git", scene.server.sent
        pods = PodMemory(cluster, WORK, SAND)
        with looking(pods.look, every=0.1):
            filled = watched(scene, _NAME, method="auto")
        sent = scene.server.sent - before
        table.say("first fill of one pair, wall clock", f"{filled.seconds:.0f} s", "-", "; ".join(_ways(filled)))
        table.say("bytes read from upstream ÷ repository", f"{sent / megabytes / 1e6:.2f}", "≤ 1.05", "two volumes; refs too")
        _holds("first fill", filled, table)
        _memory("first fill", pods, filled, table)
        a_day(upstream, begins=_LATER)
        pods = PodMemory(cluster, WORK, SAND)
        with looking(pods.look, every=0.1):
            updated = watched(scene, _NAME, method="auto")
        table.say("200 commits, wall clock", f"{updated.seconds:.1f} s", "-", "; ".join(_ways(updated)))
        _holds("200 commits", updated, table)
        _memory("200 commits", pods, updated, table)
        _gain(scene, filled.seconds, table)


def _gain(scene: Scene, fill: float, table: Table) -> None:
    """Return what packit's clone costs with the cache, and without it; ``fill`` in seconds."""
    url, upstream = scene.url(_NAME), scene.server.root / f"{_NAME}.git"
    empty, checkout = scene.directory / "empty", scene.directory / "checkout"
    empty.mkdir()
    cached, without_files = [], []
    for _run in range(RUNS):
        cached.append(timed(lambda: scene.packit.clone(scene.worker(), url, checkout)))
        if git(checkout, "rev-parse", "HEAD") != git(upstream, "rev-parse", "main"):
            raise RuntimeError("packit's clone is not of upstream's newest commit")
        shutil.rmtree(checkout)
        reference = f"--reference={scene.worker() / _NAME}"
        without_files.append(timed(lambda: git(empty, "clone", "--quiet", "--no-checkout", reference, url, str(checkout))))  # noqa: B023
        shutil.rmtree(checkout)
    none = timed(lambda: scene.packit.clone_without_cache(empty, url, checkout))
    files = len(git(upstream, "ls-tree", "-r", "--name-only", "main").splitlines())
    how = f"{files:,} files checked out; {RUNS} clones with it, one without it; upstream on this machine"
    table.ratio("packit's clone with the cache ÷ without it", cached, [none], "-", how)
    table.ratio("the same, files apart in the one with the cache", without_files, [none], "-", "`git clone --no-checkout`")
    table.ratio("first fill of one pair ÷ packit's clone without the cache", [fill], [none], "-", "one of each")


@contextmanager
def _scene(repository: Path) -> Iterator[tuple[RealCluster, Scene]]:
    """The real cluster with one pair, and the repository upstream."""
    with tempfile.TemporaryDirectory(prefix="packit-benchmark-", dir="/var/tmp") as name:
        cluster = RealCluster()
        cluster.reset()
        directory = Path(name)
        shutil.copytree(repository, directory / f"upstream/{_NAME}.git")
        try:
            with GitServer(directory / "upstream", cluster.upstream_host) as server, launcher() as modules, packit() as consumer:
                scene = Scene(cluster, server, directory, modules, FreshPlaybooks(), consumer, through_playbook=True)
                scene.deploy(size=_SIZE)
                yield cluster, scene
        finally:
            cluster.close()


def _ways(seen: Watched) -> list[str]:
    """Return the methods by which the volumes got it."""
    return sorted({f"method {project['method']}" for volume in seen.run.result["volumes"] for project in volume["projects"]})


def _holds(what: str, seen: Watched, table: Table) -> None:
    for role, goal in (("sandbox", "≤ 300 s"), ("worker", "-")):  # the default of `max_hold`
        locks = [lock for volume in seen.run.result["volumes"] if volume["role"] == role for lock in volume["locks"]]
        parts = {part: sum(lock[part] for lock in locks) for part in ("attach", "work", "release")}
        how = f"{len(locks)} lock{'s' * (len(locks) != 1)}; {', '.join(f'{part} {seconds:.1f} s' for part, seconds in parts.items())}"
        table.say(f"{what}, the {role}'s volume is held", f"{sum(parts.values()):.1f} s", goal, how)


def _memory(what: str, pods: PodMemory, seen: Watched, table: Table) -> None:
    goal = "≤ 256 MiB"
    for kind, name, limit in (("seed", "seed pod", "-"), (SAND, "sandbox's filler", goal), (WORK, "worker's filler", goal)):
        if kind in pods.most:
            most = pods.most[kind]
            table.say(f"{what}, memory of the {name}'s processes", f"{most.processes:.0f} MiB", limit, _parts(most))
    table.say(f"{what}, controller's memory", f"{seen.python:.0f} MB", "≤ 120 MB", "largest process")


def _parts(most: Most) -> str:
    killed = f"; {most.refused} processes killed" if most.refused else ""
    return f"{most.anonymous:.0f} MiB of it are no file's; {most.cgroup:.0f} MiB by the cgroup, files that it reads and writes included{killed}"
