# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A year of daily updates, by the real decisions and the real git on local directories, with compaction and without."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.compaction import Compact, CompactionOptions
from tests.consumers.packit import packit
from tests.repositories.kernel import KernelShape, kernel
from tests.repositories.make import git
from tests.upstream.server import GitServer
from tests.years.world import World, local_upstreams

from .measure import Table, timed

DAYS = 365
A_DAY = 10
"""Commits a day: a year adds 7 % of what there was, as 200 a day do to the kernel's million."""
ROUNDS = 7
SHAPE = KernelShape(commits=50_000 + A_DAY * (DAYS + ROUNDS), top=10, middle=10, low=10, files=8)
_FRESH = "fresh"


def year(table: Table, days: int = DAYS) -> None:
    """A consumer's clone, the bytes on a worker's volume, and our own next update, each against a volume that was filled on the last day."""
    with tempfile.TemporaryDirectory(prefix="packit-benchmark-", dir="/var/tmp") as name, local_upstreams(), packit() as consumer:
        directory = Path(name)
        states = _upstream(directory / "upstreams/one.git")[-days - ROUNDS :]
        worlds, most = {}, {}
        for compact in (Compact.NEVER, Compact.AUTO):
            worlds[compact.value], most[compact.value] = _lived(directory, compact, states[:days])
        worlds[_FRESH], _most = _lived(directory, Compact.NEVER, states[days - 1 : days], _FRESH)
        entries = {how: _entry(world) for how, world in worlds.items()}
        sizes, packs = {how: _size(entry) for how, entry in entries.items()}, {how: _packs(entry) for how, entry in entries.items()}
        clones: dict[str, list[float]] = {how: [] for how in worlds}
        updates: dict[str, list[float]] = {how: [] for how in worlds}
        with GitServer(worlds[_FRESH].upstreams) as server:
            for state in states[days:]:
                for how, world in worlds.items():  # one after the other, so that all have the same load of the machine
                    checkout = directory / "checkout"
                    clones[how].append(timed(lambda: consumer.clone(_entry(world).parent, server.url("one.git"), checkout)))  # noqa: B023
                    shutil.rmtree(checkout)
                _move(worlds[_FRESH], state)
                for how, world in worlds.items():
                    updates[how].append(timed(lambda: _update(world)))  # noqa: B023
        for how, goal in ((Compact.AUTO.value, "≤ 1.05"), (Compact.NEVER.value, "-")):
            number = f"{packs[how]} packs"
            table.ratio(f"packit's clone after the year, compaction `{how}` ÷ volume filled anew", clones[how], clones[_FRESH], goal, number)
        for how, goal in ((Compact.AUTO.value, "≤ 1.05"), (Compact.NEVER.value, "-")):
            said = f"{sizes[how] / 1e6:.1f} MB ÷ {sizes[_FRESH] / 1e6:.1f} MB; packs and indexes"
            table.say(f"bytes after the year, compaction `{how}` ÷ volume filled anew", f"{sizes[how] / sizes[_FRESH]:.3f}", goal, said)
        said = "while packs wait for the end of the grace"
        table.say("most bytes in the year, compaction `auto` ÷ volume filled anew", f"{most['auto'] / sizes[_FRESH]:.3f}", "-", said)
        for how, goal in ((Compact.AUTO.value, "≤ 1.1"), (Compact.NEVER.value, "-")):
            number = f"{packs[how]} packs; both volumes of a pair, without pods"
            table.ratio(f"our update after the year, compaction `{how}` ÷ volume filled anew", updates[how], updates[_FRESH], goal, number)


def _upstream(path: Path) -> list[str]:
    """Put the repository there, with one branch; return what that is on each day."""
    shutil.copytree(kernel(SHAPE), path)
    ids = git(path, "rev-list", "--first-parent", "--reverse", "main").split()
    (path / "packed-refs").unlink()
    return ids[A_DAY - 1 :: A_DAY]


def _lived(directory: Path, compact: Compact, states: list[str], name: str = "") -> tuple[World, int]:
    """Return a world in which each of ``states`` was a day's, and the most bytes that its worker's volume had."""
    world = World(directory / (name or compact.value), directory, pairs=1)
    world.projects = {"one": world.project("one")}
    world.compaction = CompactionOptions(compact)
    most = 0
    for number, state in enumerate(states):
        _move(world, state)
        _update(world)
        most = max(most, _size(_entry(world)))
        if number % 50 == 0:
            print(f"   day {number}, compaction {compact.value}: {_packs(_entry(world))} packs", flush=True)
    return world, most


def _move(world: World, state: str) -> None:
    """The next day begins upstream."""
    (world.upstreams / "one.git/refs/heads/main").write_text(f"{state}\n")


def _update(world: World) -> None:
    world.now += timedelta(days=1)
    told = world.run()
    if told.failed or not told.changed:
        raise RuntimeError(f"a day's update failed, or did nothing: {told.failed}")


def _entry(world: World) -> Path:
    return world.claims[world.pairs[0].worker].directory / "one"


def _packs(entry: Path) -> int:
    return len(list(entry.glob("objects/pack/*.pack")))


def _size(entry: Path) -> int:
    return sum(file.stat().st_size for file in entry.glob("objects/pack/*") if file.suffix in (".pack", ".idx"))
