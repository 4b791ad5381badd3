# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures. Each is a function of a world and a table, and may be run alone by its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from statistics import median
from typing import Any

from tests.integration.harness import SAND
from tests.repositories.realistic import a_day

from . import rivals
from .measure import RUNS, Table, watched
from .world import ONE_PAIR, PAIRS, World, large, sandbox_of

VOLUMES = 2 * PAIRS


def seed_lock(world: World, table: Table) -> None:
    """The lock of a first fill against the bare copy of the same bytes, and against a clone in the filler."""
    place = world.places[0]
    bare, locks, clones = [], [], []
    with rivals.bare_copier(world.cluster, SAND, world.packs) as copy:
        for _run in range(RUNS):  # in turns, so that what else the machine does meets them all
            bare.append(copy(place))
            locks.append(_lock(world, method="seed"))
            clones.append(rivals.git_clone(place, world.scene.url("one"))[0])
            world.empty()
    work, whole = [lock["work"] for lock in locks], [sum(lock.values()) for lock in locks]
    table.ratio("sandbox lock, first fill by seed, pod's start and end apart ÷ bare byte copy", work, bare, "≤ 1.5")
    table.ratio("sandbox lock: `git clone` in the filler ÷ first fill by seed", clones, whole, "≥ 10", f"{world.megabytes:.0f} MB")
    _clones(world, table, clones)


def _clones(world: World, table: Table, clones: list[float]) -> None:
    """Eight volumes by hand, one after the other, are eight times one."""
    before = world.scene.server.sent
    eight = watched(world.scene, method="seed")
    size = world.megabytes * 1e6
    table.say(
        "bytes read from upstream ÷ repository, 8 volumes, seed",
        f"{(world.scene.server.sent - before) / size:.2f}",
        "≤ 1.05",
        "the refs' advertisement included",
    )
    table.ratio(
        "8 volumes: by hand, one after the other ÷ by seed, wall clock with the seed's clone",
        [VOLUMES * median(clones)],
        [eight.seconds],
        "≥ 4",
        "by hand: 8 × the median of `git clone` in a filler",
    )
    table.say("API requests for a volume filled, of 8", f"{eight.run.result['requests'] / VOLUMES:.1f}", "≤ 12", "all of the run's, ÷ 8")
    table.say("controller's memory, 8 volumes by seed", f"{eight.python:.0f} MB", "≤ 120 MB", f"{world.megabytes:.0f} MB repository")
    world.empty()


def delta(world: World, table: Table) -> None:
    """The lock for a day's commits."""
    watched(world.scene, method="seed", select=ONE_PAIR)
    works = []
    for number in range(RUNS):
        a_day(world.repository, seed=number)
        run = watched(world.scene, method="seed", select=ONE_PAIR).run
        works.append(_of(run)["work"])
    world.original()
    table.say("sandbox lock, 200 commits, beyond the pod's start and end", f"{median(works):.2f} s", "≤ 1 s")


def rsync(world: World, table: Table) -> None:
    """Method rsync against `kubectl cp` and the others that go through the API server, one volume."""
    place, packs = world.places[0], world.repository / "objects/pack"
    clone = {"repository_cache_clones": str(world.scene.directory / "clones")}
    variables = {**world.scene.variables(method="rsync", select=ONE_PAIR), **clone}
    ours, work, execs, modules = [], [], [], []
    copies: list[tuple[float, float]] = []
    for _run in range(RUNS):
        lock = _of(watched(world.scene, variables=variables).run)
        ours.append(sum(lock.values()))
        work.append(lock["work"])
        world.empty()
        copies.append(rivals.kubectl_cp(place, packs))
        world.empty()
        execs.append(rivals.rsync_over_exec(place, packs, world.scene.directory))
        world.empty()
        modules.append(rivals.k8s_cp(place, packs))
        world.empty()
    table.ratio(
        "method rsync ÷ `kubectl cp`, wall clock of one volume with its pod",
        ours,
        [whole for whole, _alone in copies],
        "≤ 1.2",
        "ours is checked and published",
    )
    alone = [alone for _whole, alone in copies]
    table.ratio("method rsync ÷ `kubectl cp`, the pods' start and end apart", work, alone, "-")
    table.ratio("method rsync ÷ rsync over `kubectl exec`, the pods' start and end apart", work, execs, "-")
    table.ratio("method rsync ÷ `kubernetes.core.k8s_cp`, the pods' start and end apart", work, modules, "-", "ansible's own start apart")


def memory(world: World, table: Table) -> None:
    """The controller's memory for a large repository, both ways of finished packs."""
    shutil.copytree(large(), world.scene.server.root / "large.git")
    for method in ("seed", "rsync"):
        clones = str(world.scene.directory / "clones")
        seen = watched(world.scene, "large", method=method, select=ONE_PAIR, clones=clones)
        world.empty()
        how = f"largest Python process; git and rsync themselves: {seen.tools:.0f} MB" if method == "rsync" else "largest process"
        table.say(f"controller's memory, 1.2 GB repository, method {method}", f"{seen.python:.0f} MB", "≤ 120 MB", how)
    shutil.rmtree(world.scene.server.root / "large.git")


def pod(world: World, table: Table) -> None:
    """A pod's own part of a lock."""
    place = world.places[0]
    ours, bare = [], []
    for _run in range(5):
        ours.append(rivals.filler_alone(place))
        bare.append(rivals.bare_pod(place))
    table.ratio("our filler, created, Ready, gone ÷ a bare pod", ours, bare, "≤ 1.3", "median of 5")


def _lock(world: World, **more: object) -> dict[str, float]:
    """One first fill of the first pair; the sandbox's lock."""
    found = _of(watched(world.scene, select=ONE_PAIR, **more).run)
    world.empty()
    return found


def _of(run: Any) -> dict[str, float]:
    (lock,) = sandbox_of(run)["locks"]  # type: ignore[misc]
    found: dict[str, float] = lock
    return found


FIGURES: dict[str, Callable[[World, Table], None]] = {
    "seed": seed_lock, "delta": delta, "pod": pod, "rsync": rsync, "memory": memory,
}  # fmt: skip
