# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stranger at work beside us: nothing outside the volume changes, nothing of his runs, no step waits for him without end."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts, steps
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.steps import StoodStill, run_step
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import Cancelled, DeadlineExceeded, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import CommandFailed, Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.racer.world import World
from ansible_collections.packit.deployment.tests.shells import HERE

SEEDS = [int(word) for word in os.environ.get("RACER_SEEDS", "25 13 20 28 7").split()]
"""The accidents that they meet: see ``python -m tests.racer --seed N --tries 1 --errors``."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("racer")) as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stranger_in_the_middle_of_it(world: World, seed: int) -> None:
    done = world.attempt(seed, HERE[seed % len(HERE)])
    assert not done.broken, done


def deadline() -> Deadline:
    return Deadline(BOUND, "this test")


def repository(tmp_path: Path) -> Repository:
    (tmp_path / "volume").mkdir()
    (tmp_path / "outside/objects/pack").mkdir(parents=True)
    return Repository(LocalShell(), str(tmp_path / "volume"), "one", str(tmp_path / "scratch"), Limits())


@pytest.mark.parametrize("place", [scripts.WORK, f"{scripts.WORK}/one", f"{scripts.WORK}/one/objects", f"{scripts.WORK}/one/objects/pack"])
def test_a_quarantine_is_not_made_through_a_link(tmp_path: Path, place: str) -> None:
    there = repository(tmp_path)
    link = tmp_path / "volume" / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "outside")
    with pytest.raises(CommandFailed, match=r"ended with code 77: error: somebody changed \S+ in the middle of the work\.") as caught:
        there.quarantine(deadline())
    assert "run while no sandbox has it mounted" in caught.value.remedy
    assert [path.name for path in (tmp_path / "outside").rglob("*")] == ["objects", "pack"]


def test_a_file_that_is_received_replaces_a_link_and_does_not_follow_it(tmp_path: Path) -> None:
    there = repository(tmp_path)
    there.quarantine(deadline())
    (tmp_path / "outside/file").write_text("theirs")
    (tmp_path / "volume" / there.slot / "objects/pack/pack-1.pack").symlink_to(tmp_path / "outside/file")
    (tmp_path / "source").write_text("ours")
    argv = scripts.argv(scripts.RECEIVE, there.root, there.slot, "pack-1.pack")
    assert LocalShell().upload(argv, tmp_path / "source", deadline=deadline()).returncode == 0
    assert (tmp_path / "outside/file").read_text() == "theirs"
    assert Path(f"{there.pack_directory}/pack-1.pack").read_text() == "ours"


def test_a_sparse_pack_is_refused_by_its_size(tmp_path: Path) -> None:
    there = repository(tmp_path)
    there.quarantine(deadline())
    for suffix in (".pack", ".idx"):
        file = Path(f"{there.pack_directory}/pack-{'1' * 40}{suffix}")
        file.touch()
        os.truncate(file, 2**42)
    with pytest.raises(Exception, match=r"A pack in this machine could not be read: 'pack-1{40}'\."):
        there.incoming(connected=False, deadline=deadline())


def test_a_step_that_stands_still_is_ended_in_words_and_is_not_the_callers_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    argv = ("cat", "--", str(tmp_path / "pipe"))
    with pytest.raises(
        StoodStill, match=r"A step of the work in this machine stood still: it was ended after 0 seconds, which is far more"
    ):
        run_step(LocalShell(), argv, deadline(), 0)
    with pytest.raises(DeadlineExceeded):
        run_step(LocalShell(), argv, Deadline(0.05, "the hold"), 10**9)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        run_step(LocalShell(), argv, Deadline(BOUND, "the hold", stop), 0)


class Asleep(LocalShell):
    """A place that is another run's by the time this one looks again."""

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        if argv == ("true",):
            raise PlaceLost("somebody else has it now")
        raise DeadlineExceeded("a step took longer than 60 seconds")


def test_a_run_that_was_stopped_in_a_step_and_lost_its_place_is_told_so() -> None:
    """It was stopped, and its place was another run's when it went on."""
    with pytest.raises(PlaceLost, match="somebody else"):
        run_step(Asleep(), ("git", "version"), deadline(), 0)


class Slow(LocalShell):
    """A place in which a step takes as long as these looks at the deadline are apart."""

    def __init__(self, *pauses: float) -> None:
        super().__init__()
        self.now = 0.0
        self._pauses = pauses

    def run(self, argv: Sequence[str], *, deadline: Deadline, **_more: Any) -> Completed:
        for pause in self._pauses if argv != ("true",) else ():
            self.now += pause
            deadline.left()
        return Completed(tuple(argv), 0, b"", "")


def test_the_time_in_which_the_run_was_stopped_is_none_of_a_steps() -> None:
    def step(slow: Slow, seconds: float) -> Completed:
        return run_step(slow, ("git", "version"), Deadline(seconds, "the hold", clock=lambda: slow.now), 0)

    assert step(Slow(1, steps.SECONDS * 2, 1), seconds=1000).returncode == 0
    with pytest.raises(StoodStill):
        step(Slow(*[1] * int(steps.SECONDS * 2)), seconds=1000)
    with pytest.raises(DeadlineExceeded, match="the hold took longer"):
        step(Slow(1, 2000, 1), seconds=1000)
