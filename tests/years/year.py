# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One year, and what must hold at its end."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.compaction import CompactionOptions
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.tests.repositories import make

from .events import EVENTS
from .world import UPSTREAMS, Told, World, local_upstreams


class Broken(AssertionError):
    """Something that must hold does not."""


def beginnings(directory: Path) -> Path:
    """Upstreams, and pairs that were filled from them once: what a year begins with. Made in an empty directory, which it returns."""
    for number, name in enumerate(UPSTREAMS):
        path = make.make(directory / "upstreams" / f"{name}.git", commits=6, seed=number)
        shutil.rmtree(path / "hooks", ignore_errors=True)
    with local_upstreams():
        for pairs in (1, 2):
            world = World(directory / f"world-{pairs}", directory, pairs)
            _require(not world.run().failed, "the first fill failed")
            world.save(directory)
    return directory


def live(directory: Path, start: Path, seed: int) -> list[str]:
    """Live the year of this seed in an empty directory; the names of what has happened. Raises Broken."""
    chance = random.Random(seed)
    story: list[str] = []
    with local_upstreams():
        world = World(directory, start, pairs=chance.choice([1, 1, 2]))
        try:
            hidden = _live(world, chance, story)
            _end(world, hidden)
        except Exception as error:
            raise Broken(f"year {seed}: {', '.join(story)}: {type(error).__name__}: {error}") from error
    return story


def _live(world: World, chance: random.Random, story: list[str]) -> bool:
    """2 to 9 steps after the first fill; whether something has happened since the last verification that no claim can show."""
    hidden = False
    for _step in range(chance.randint(2, 9)):
        world.now += timedelta(days=1)  # in two of them packs that were put together go
        if chance.random() < 0.3:
            verify = chance.random() < 0.3
            story.append("verify" if verify else "run")
            _foretold(world.run(verify))
            hidden = hidden and not verify
        else:
            event = chance.choice(EVENTS)
            story.append(event.__name__)
            hidden = event(world, chance) or hidden
    return hidden


def _end(world: World, hidden: bool) -> None:
    world.compaction = CompactionOptions()  # as it is by default: what `always` does, it does in each run that takes a volume
    before = {} if hidden else _contents(world)
    last = world.run(verify=hidden)
    _foretold(last)
    gone = {name for name, project in world.projects.items() if not Path(project.url.removeprefix("file://")).exists()}
    for where, words in last.failed.items():
        name = where.rsplit("/", 1)[1]
        _require(name in gone or (hidden and name not in world.projects), f"{where} failed: {words}")
        _require(len(words) > 20, f"{where} failed without words")
    after = _contents(world)
    for place, ids in before.items():
        _require(ids <= after.get(place, set()), f"objects of {place} were lost")
    failed = {where.rsplit("/", 1)[1] for where in last.failed}
    for pair in world.pairs:
        worker, sandbox = world.claims[pair.worker].directory, world.claims[pair.sandbox].directory
        _require(
            not [path.name for path in (*worker.iterdir(), *sandbox.iterdir()) if path.name.startswith(".")], "something of ours was left"
        )
        for entry in _entries(worker):
            if entry.name in failed and hidden:
                continue
            lacking = after[f"{pair.worker}/{entry.name}"] - after.get(f"{pair.sandbox}/{entry.name}", set())
            _require(not lacking, f"{entry.name} of {pair.name}: {len(lacking)} objects are on the worker alone; failed: {last.failed}")
            if entry.name in failed:
                continue
            _clone(world, entry, sandbox)
    if not last.failed:
        _require(not (again := world.run(verify=hidden)).changed, f"a second run changed {again.changed}")
        left = [step for pair in world.run(dry=True).plan.pairs for step in pair.steps if step.action is not Action.NOTHING]
        _require(not left, f"a third would have work: {left}")


def _foretold(done: Told) -> None:
    """Require that what was changed is what the plan had named, which is what check mode tells. What no claim knew of, damage and what was made by
    hand, is where it had named the pair."""
    planned = {
        (str(step.volume), step.project.name) for pair in done.plan.pairs for step in pair.steps if step.action is not Action.NOTHING
    }
    known = {step.project.name for pair in done.plan.pairs for step in pair.steps}
    for result in done.results:
        for volume in (result.sandbox, result.worker):
            for project in volume.projects:
                foretold = (str(volume.volume), project.project) in planned
                unknown = project.action is Action.REPAIR or project.project not in known
                _require(
                    foretold or unknown or not project.changed, f"the plan did not name {project.project} on {volume.volume}: {project}"
                )


def _contents(world: World) -> dict[str, set[str]]:
    """Every object id, by volume and entry."""
    found = {}
    for volume, claim in world.claims.items():
        for entry in _entries(claim.directory):
            git_dir = entry / ".git" if (entry / ".git/HEAD").exists() else entry
            listed = make.git(git_dir, "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
            found[f"{volume}/{entry.name}"] = set(listed.split())
    return found


def _entries(volume: Path) -> Iterable[Path]:
    return [path for path in sorted(volume.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def _clone(world: World, entry: Path, sandbox: Path) -> None:
    """As packit does: cloned with the worker's entry behind it, whole with the sandbox's at its place."""
    project = world.projects.get(entry.name)
    url = project.url if project is not None else f"file://{world.upstreams}/{entry.name.split('-')[0]}.git"
    if not Path(url.removeprefix("file://")).exists():
        return
    checkout = world.directory / "checkout"
    clone = ("clone", "--quiet", "--tags", "--no-checkout", f"--reference={entry}", "--", url, str(checkout))
    make.git(world.directory, "-c", "protocol.file.allow=always", *clone)
    alternates = checkout / ".git/objects/info/alternates"
    alternates.write_text(alternates.read_text().replace(str(entry.parent), str(sandbox)))
    checked = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(checkout), "fsck", "--full", "--no-dangling"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    _require(checked.returncode == 0, f"a clone of {entry.name} is not whole: {checked.stderr[-500:]}{checked.stdout[-300:]}")
    shutil.rmtree(checkout)


def _require(holds: object, words: str) -> None:
    if not holds:
        raise Broken(words)
