# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at any moment: consumers see whole repositories only, and the sandbox's objects always include the worker's."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.tests.forks import ForkServer
from ansible_collections.packit.deployment.tests.processes import kill_tree
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from . import driver

KILLS = 30
"""By each method."""


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
    (tmp_path / "upstream").mkdir()
    upstream = make.make(tmp_path / "upstream" / "one.git", commits=40, branches=("dev", "x/y"))
    volumes = tmp_path / "volumes"
    volumes.mkdir()
    chance = random.Random(4)
    held: dict[str, set[str]] = {}
    killed, attempts, usual = 0, 0, 1.5
    with GitServer(tmp_path / "upstream") as server, ForkServer(driver.__name__) as forks:
        url = server.url("one.git")
        while killed < KILLS:
            attempts += 1
            assert attempts < 100 * KILLS, "too few of them were killed in the middle to prove anything"
            place = tmp_path / str(attempts)
            place.mkdir()
            started = time.monotonic()
            process = forks.start(place, volumes=str(volumes), url=url, method=method)
            try:
                # A moment of this machine's own time, fast or slow.
                code = process.wait(usual * chance.uniform(0.1, 1.0))
                assert code == 0, process.printed
                usual = 0.8 * usual + 0.2 * (time.monotonic() - started)
                make.commit(upstream, "main", 1, seed=attempts)  # so that the next one has something to do
            except subprocess.TimeoutExpired:
                kill_tree(process.pid)
                process.wait(600)
                killed += 1
                usual *= 1.02
            held = check_rules(volumes, held)
            if attempts % 10 == 9:
                make.force_push(upstream, "dev", seed=attempts)
        assert driver.fill(volumes, url, method=method).worker.failed is False
        check_rules(volumes, held)
        for role in ("sandbox", "worker"):
            assert dict(make.refs(volumes / role / "one")) == dict(make.refs(upstream))
            assert [path.name for path in (volumes / role).iterdir()] == ["one"]
