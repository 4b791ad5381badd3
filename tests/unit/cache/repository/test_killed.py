# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at any moment: consumers see whole repositories only, and the sandbox's objects always include the worker's."""

from __future__ import annotations

import itertools
import json
import random
import signal
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.forks import ForkServer
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from . import driver

LIVES, KILLS = 3, 10
"""So many pairs of volumes, and kills of each, by each method."""


def all_objects(entry: Path) -> set[str]:
    return set(make.git(entry, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())


def check_rules(directory: Path, before: dict[str, set[str]]) -> dict[str, set[str]]:
    """Rules 1 and 2 on both volumes; ``before`` is what each had at the last look."""
    held = {}
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


@pytest.mark.parametrize("method", ["git", "rsync"])
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

        (tmp_path / "whole").mkdir()
        _code, place = run(tmp_path / "whole")
        usual = json.loads((place / "seconds").read_text())
        assert len(usual) >= KILLS
        for life in range(LIVES):
            volumes = tmp_path / f"volumes-{life}"
            volumes.mkdir()
            held: dict[str, set[str]] = {}
            for late, moment in moments(len(usual), chance):
                if late:
                    make.commit(upstream, "main", 1, seed=next(names))
                code, tries = 0, 0
                while code == 0:
                    tries += 1
                    assert tries < 20, "it ends before it can be killed in the middle"
                    code, _place = run(volumes, int(moment), usual[int(moment)] * chance.random())
                    held = check_rules(volumes, held)
                    if code == 0:
                        make.commit(upstream, "main", 1, seed=next(names))
            make.force_push(upstream, "dev", seed=life)
            assert driver.fill(volumes, url, method=method).worker.failed is False
            check_rules(volumes, held)
            for role in ("sandbox", "worker"):
                assert dict(make.refs(volumes / role / "one")) == dict(make.refs(upstream))
                assert [path.name for path in (volumes / role).iterdir()] == ["one"]


def moments(commands: int, chance: random.Random) -> list[tuple[bool, float]]:
    """Moments from all over a fill of so many commands, each with whether it is a late one.

    Late and early ones in turn: what was killed late leaves little to do, so that only an early moment comes before the end.
    """
    found = [commands * (number + chance.random()) / KILLS for number in range(KILLS)]
    early, late = found[: KILLS // 2], found[KILLS // 2 :]
    chance.shuffle(early)
    chance.shuffle(late)
    return [moment for both in zip(late, early, strict=True) for moment in ((True, both[0]), (False, both[1]))]
