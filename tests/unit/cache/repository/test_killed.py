# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at any moment: consumers see whole repositories only, and the sandbox's objects always include the worker's."""

from __future__ import annotations

import itertools
import json
import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.forks import ForkServer
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from . import driver

LIVES, KILLS, FIRST = 3, 10, 2
"""So many pairs of volumes, kills of each, and of these in the first fill, by each method."""


def all_objects(entry: Path) -> set[str]:
    return set(make.git(entry, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())


def check_rules(directory: Path, before: dict[str, set[str]]) -> dict[str, set[str]]:
    """Rules 1 and 2 on both volumes; ``before`` is what each had at the last look."""
    held: dict[str, set[str]] = {}
    for role in ("sandbox", "worker"):
        entry = directory / role / "one"
        if not entry.exists():
            assert not before.get(role)
            held[role] = set()
            continue
        make.git(entry, "fsck", "--connectivity-only", "--no-dangling")
        held[role] = all_objects(entry)
        assert before.get(role, set()) <= held[role]
    assert held["worker"] <= held["sandbox"]
    return held


@pytest.mark.parametrize("method", driver.BY_NAME)
def test_killed_at_any_moment_and_after_each_both_rules_hold(tmp_path: Path, method: str) -> None:
    """Each moment is somewhere in the n-th command: every part of a fill has its share of them, however fast the machine is."""
    (tmp_path / "upstream").mkdir()
    upstream = make.make(tmp_path / "upstream" / "one.git", commits=40, branches=("dev", "x/y"))
    chance = random.Random(4)
    names = itertools.count()
    with GitServer(tmp_path / "upstream") as server, ForkServer(driver.__name__) as forks:
        url = server.url("one.git")

        def run(volumes: Path, at: int = -1, after: float = 0.0) -> tuple[int, Path]:
            """The exit code, and where the process was."""
            place = tmp_path / str(next(names))
            place.mkdir()
            process = forks.start(place, volumes=str(volumes), url=url, method=method, at=at, after=after)
            code = process.wait(BOUND)
            assert code in (0, -signal.SIGKILL), process.printed
            return code, place

        whole = tmp_path / "whole"
        whole.mkdir()
        usual = []
        for _fill in ("the first", "an update"):
            _code, place = run(whole)
            usual.append(json.loads((place / "seconds").read_text()))
            make.commit(upstream, "main", 1, seed=next(names))
        for life in range(LIVES):
            volumes = tmp_path / f"volumes-{life}"
            volumes.mkdir()
            held: dict[str, set[str]] = {}
            for seconds, late, moment in moments(usual[0], usual[1], chance):
                if late:
                    make.commit(upstream, "main", 1, seed=next(names))
                at, code = int(moment), 0
                while code == 0:
                    code, _place = run(volumes, at, seconds[at] * chance.random())
                    held = check_rules(volumes, held)
                    if code == 0:  # it was at its end before
                        make.commit(upstream, "main", 1, seed=next(names))
                        at -= 1
                        assert at >= 0
            make.force_push(upstream, "dev", seed=life)
            assert driver.fill(volumes, url, method=method).worker.failed is False
            check_rules(volumes, held)
            for role in ("sandbox", "worker"):
                assert dict(make.refs(volumes / role / "one")) == dict(make.refs(upstream))
                assert [path.name for path in (volumes / role).iterdir()] == ["one"]


def moments(first: Sequence[float], update: Sequence[float], chance: random.Random) -> Iterator[tuple[Sequence[float], bool, float]]:
    """Moments for the kills of one life: the usual seconds of the commands, whether it is a late one, and in which command it is.

    Some are from all over the first fill, and the others from all over an update, late and early ones in turn: what was killed late
    leaves little to do, so that only an early moment comes before the end.
    """
    for number in range(FIRST):
        yield first, False, len(first) * (number + chance.random()) / FIRST
    pairs = (KILLS - FIRST) // 2
    early, late = ([len(update) * (number + half + chance.random()) / (2 * pairs) for number in range(pairs)] for half in (0, pairs))
    chance.shuffle(early)
    chance.shuffle(late)
    for both in zip(late, early, strict=True):
        yield update, True, both[0]
        yield update, False, both[1]
