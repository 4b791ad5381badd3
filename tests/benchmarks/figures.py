# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures. Each is a function of a world and a table, and may be run alone by its name."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from statistics import median

from tests.integration.harness import SAND
from tests.integration.runs import Run
from tests.repositories.make import commit, make
from tests.repositories.realistic import a_day

from . import rivals
from .measure import RUNS, Table, watched
from .world import ONE_PAIR, PAIRS, World, large, sandbox_of

VOLUMES = 2 * PAIRS
TINY = 20
"""Projects of a few commits."""


def seed_lock(world: World, table: Table) -> None:
    """The lock of a first fill against the bare copy of the same bytes, and against a clone in the filler."""
    # On each sandbox's volume, before and after: a disk that has just written a gigabyte is slower, for both.
    sandboxes = world.places[:PAIRS]
    with rivals.bare_copier(world.cluster, SAND, world.packs) as copy:
        bare = [copy(place) for place in sandboxes]
        locks = _locks(watched(world.scene, method="seed", concurrency=1).run)
        bare += [copy(place) for place in sandboxes]
        world.empty()
        processor = {"resources": {"limits": {"cpu": "1"}}}
        faster = _locks(watched(world.scene, method="seed", concurrency=1, filler=processor).run)
        world.empty()
    clones = [rivals.git_clone(sandboxes[0], world.scene.url("one"))[0]]
    world.empty()
    work, whole = [lock["work"] for lock in locks], [sum(lock.values()) for lock in locks]
    table.ratio(
        "sandbox lock, first fill by seed, pod's start and end apart ÷ bare byte copy",
        work,
        bare,
        "≤ 1.5",
        f"{len(work)} locks, {len(bare)} copies",
    )
    how = "`repository_cache_filler: {resources: {limits: {cpu: 1}}}`; the bare copy has 500m"
    table.ratio(
        "sandbox lock, first fill by seed with a whole processor, pod's start and end apart ÷ bare byte copy",
        [lock["work"] for lock in faster],
        bare,
        "-",
        how,
    )
    how = f"{world.megabytes:.0f} MB; one clone, with its pod's start and end, ÷ the median of 4 whole locks"
    table.ratio("sandbox lock: `git clone` in the filler ÷ first fill by seed", clones, whole, "≥ 10", how)
    _eight_volumes(world, table, clones[0])


def _eight_volumes(world: World, table: Table, clone: float) -> None:
    """All volumes by seed. By hand, one after the other, they are eight times one."""
    before = world.scene.server.sent
    eight = watched(world.scene, method="seed")
    sent, size = world.scene.server.sent - before, world.megabytes * 1e6
    how = "all that the git server sent, refs too"
    table.say("bytes read from upstream ÷ repository, 8 volumes, seed", f"{sent / size:.2f}", "≤ 1.05", how)
    figure = "8 volumes: by hand, one after the other ÷ by seed, wall clock with the seed's clone"
    table.ratio(figure, [VOLUMES * clone], [eight.seconds], "≥ 4", "by hand: 8 × one `git clone` in a filler; ours: one run")
    table.say("API requests for a volume filled, of 8", f"{eight.run.result['requests'] / VOLUMES:.1f}", "≤ 12", "all of the run's, ÷ 8")
    table.say("controller's memory, 8 volumes by seed", f"{eight.python:.0f} MB", "≤ 120 MB", f"{world.megabytes:.0f} MB repository")
    world.empty()


def delta(world: World, table: Table) -> None:
    """The lock for a day's commits."""
    watched(world.scene, method="seed")
    a_day(world.repository)
    locks = _locks(watched(world.scene, method="seed", concurrency=1).run)
    world.original()
    seconds = median(lock["work"] for lock in locks)
    table.say("sandbox lock, 200 commits, beyond the pod's start and end", f"{seconds:.2f} s", "≤ 1 s", f"median of {len(locks)}")


def rsync(world: World, table: Table) -> None:
    """Method rsync against `kubectl cp` and the others that go through the API server, one volume."""
    place, packs = world.places[0], world.repository / "objects/pack"
    clone = {"repository_cache_clones": str(world.scene.directory / "clones")}
    variables = {**world.scene.variables(method="rsync", select=ONE_PAIR), **clone}
    ours, work, execs, modules = [], [], [], []
    copies: list[tuple[float, float]] = []
    for _run in range(RUNS):
        (lock,) = _locks(watched(world.scene, variables=variables).run)
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


def tiny(world: World, table: Table) -> None:
    """The lock for many tiny projects, and for one: a first fill, and then a commit in each."""
    root, names = world.scene.server.root, [f"tiny-{number}" for number in range(TINY)]
    upstreams = [root / f"{name}.git" for name in names]
    for upstream in upstreams:
        make(upstream, commits=3)
    seeds = itertools.count(100)
    first: dict[int, list[float]] = {1: [], TINY: []}
    later: dict[int, list[float]] = {1: [], TINY: []}
    for _run in range(RUNS):
        for number in (1, TINY):
            for seconds in (first, later):
                filled = watched(world.scene, *names[:number], method="seed", select=ONE_PAIR).run
                seconds[number].append(float(str(sandbox_of(filled)["held_seconds"])))
                for upstream in upstreams[:number]:
                    commit(upstream, seed=next(seeds))
            world.empty()
    for upstream in upstreams:
        shutil.rmtree(upstream)
    for what, seconds in (("first fill", first), ("one commit more in each", later)):
        table.ratio(
            f"sandbox lock, {TINY} tiny projects ÷ 1, by seed, {what}", seconds[TINY], seconds[1], "≤ 3", "with the pod's start and end"
        )


def pod(world: World, table: Table) -> None:
    """A pod's own part of a lock."""
    place = world.places[0]
    ours, bare = [], []
    for _run in range(5):
        ours.append(rivals.filler_alone(place))
        bare.append(rivals.bare_pod(place))
    table.ratio("our filler, created, Ready, gone ÷ a bare pod", ours, bare, "≤ 1.3", "median of 5")


def _locks(run: Run) -> list[dict[str, float]]:
    """All locks of the sandboxes' volumes: attach, work and release, in seconds."""
    return [lock for volume in run.result["volumes"] if volume["role"] == "sandbox" for lock in volume["locks"]]


FIGURES: dict[str, Callable[[World, Table], None]] = {
    "seed-lock": seed_lock, "delta": delta, "tiny": tiny, "pod": pod, "rsync": rsync, "memory": memory,
}  # fmt: skip
