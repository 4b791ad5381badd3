# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of method git and of the modules that are useful alone, on a smaller repository; of a run with nothing to do, and of a consumer's clone."""

from __future__ import annotations

import os
import shutil
from statistics import median

from tests.integration.harness import SAND
from tests.integration.test_modules import filler
from tests.repositories.make import make_large

from . import rivals
from .measure import RUNS, Table, timed, watched
from .world import ONE_PAIR, World, embedded, sandbox_of

_MEGABYTES = 110
_BYTES = 300_000_000


def git(world: World, table: Table) -> None:
    """Method git against `git clone` by hand, one volume and all."""
    world.empty()
    shutil.rmtree(world.repository)
    make_large(world.repository, _MEGABYTES, commits=3000)
    place, url = world.places[0], world.scene.url("one")
    locks: list[float] = []
    hands = []
    for _run in range(RUNS):
        hands.append(rivals.git_clone(place, url)[0])
        world.empty()
        locks.append(float(str(sandbox_of(watched(world.scene, select=ONE_PAIR).run)["held_seconds"])))
        world.empty()
    table.ratio("lock of one volume, method git ÷ `git clone` by hand", locks, hands, "≤ 1.15", f"{_MEGABYTES} MB")
    eight = []
    for _run in range(RUNS):
        eight.append(watched(world.scene))
        world.empty()
    sequential = len(world.places) * median(hands)
    how = f"{_MEGABYTES} MB; by hand: 8 × the median of `git clone` in a filler"
    table.ratio("8 volumes: by hand, one after the other ÷ method git", [sequential], [seen.seconds for seen in eight], "≥ 2", how)
    table.say("controller's memory, 8 volumes by git", f"{max(seen.python for seen in eight):.0f} MB", "≤ 150 MB", "largest Python process")
    world.original()


def pod_rsync(world: World, table: Table) -> None:
    """Module pod_rsync against rsync over `kubectl exec`, each until the data is on disk, Ansible's own start apart."""
    scene = world.scene
    source = scene.directory / "source"
    source.mkdir()
    (source / "data").write_bytes(os.urandom(_BYTES // 3) * 3)
    made = filler(scene, image=world.cluster.image)
    theirs, ours = [], []
    for _run in range(RUNS):
        theirs.append(rivals.rsync_into(world.places[0], made["name"], source, scene.directory))
        answer = scene.module("pod_rsync", namespace=SAND, pod=made["name"], src=str(source), dest=f"{rivals.VOLUME}/ours")
        ours.append(answer["seconds"] + timed(lambda: rivals.sync(world.places[0], made["name"])))
        world.empty()
    filler(scene, state="absent")
    shutil.rmtree(source)
    table.ratio("rsync over `kubectl exec` ÷ pod_rsync (its speed)", theirs, ours, "≥ 0.5", f"{_BYTES // 10**6} MB")


def idle(table: Table) -> None:
    """Nothing to do on 100 pairs, on the embedded cluster."""
    with embedded() as (cluster, scene):
        scene.deploy(100, running=False)
        scene.repository(commits=3)
        scene.succeed(concurrency=32)
        cluster.requests(clear=True)
        seen = watched(scene)
        asked = sum(number for what, number in cluster.requests().items() if not what.startswith("admin"))
        if seen.run.result["changed"]:
            raise RuntimeError("the second run had something to do")
        table.say("nothing to do on 100 pairs", f"{seen.seconds:.1f} s", "≤ 5 s", "embedded cluster")
        table.say("nothing to do on 100 pairs, requests a claim", f"{asked / 200:.2f}", "≤ 3", "embedded cluster")
        table.say("nothing to do on 100 pairs, pods made", f"{len(scene.fillers())}", "≤ 0", "embedded cluster")


def clones(table: Table) -> None:
    """packit's own clone with the cache and without it, files checked out, on the embedded cluster."""
    with embedded() as (_cluster, scene):
        scene.deploy()
        make_large(scene.server.root / "one.git", _MEGABYTES, commits=3000)
        scene.succeed()
        empty = scene.directory / "empty"
        empty.mkdir()
        checkouts = (scene.directory / f"checkout-{number}" for number in range(2 * RUNS))
        without = [timed(lambda: scene.packit.clone_without_cache(empty, scene.url("one"), next(checkouts))) for _run in range(RUNS)]
        cached = [timed(lambda: scene.packit.clone(scene.worker(), scene.url("one"), next(checkouts))) for _run in range(RUNS)]
        table.ratio("packit's clone with the cache ÷ without it", cached, without, "-", f"{_MEGABYTES} MB; embedded cluster; upstream on this machine")
