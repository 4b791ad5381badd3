# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools for every figure: time, the memory of a tree of processes, and a table of what came out."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.integration.harness import Scene
from tests.integration.runs import Run

RUNS = 3
"""Figures are of the median of so many."""
_LONGEST = 1800.0
"""Seconds after which a run is taken to hang."""


@dataclass
class Table:
    """The figures so far: (what, result, goal, how it came about)."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def say(self, figure: str, result: str, goal: str, how: str = "") -> None:
        """A figure is known: ``result`` begins with the number that the goal is about."""
        if _misses(result, goal):
            result = f"**{result}**: missed"
        self.rows.append((figure, result, goal, how))
        print(f"   {figure}: {result} (goal {goal}) {how}", flush=True)

    def ratio(self, figure: str, above: Sequence[float], below: Sequence[float], goal: str, how: str = "") -> None:
        """A ratio of medians, of seconds."""
        over, under = median(above), median(below)
        self.say(figure, f"{over / under:.2f}", goal, f"{over:.2f} s ÷ {under:.2f} s{f'; {how}' if how else ''}")

    def markdown(self) -> str:
        """All of them."""
        lines = ["| figure | result | goal | how |", "| --- | --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in self.rows)]
        return "\n".join(lines) + "\n"


def _misses(result: str, goal: str) -> bool:
    wanted, got = re.match(r"([≤≥]) ([\d.]+)", goal), re.match(r"[\d.]+", result)
    if wanted is None or got is None:
        return False
    limit, number = float(wanted[2]), float(got[0])
    return number > limit if wanted[1] == "≤" else number < limit


def timed(*steps: Callable[[], object]) -> float:
    """Seconds that these take, one after the other."""
    started = time.monotonic()
    for step in steps:
        step()
    return time.monotonic() - started


@dataclass(frozen=True)
class Watched:
    """A playbook that has run: its result, its seconds, and the largest Python process and git or rsync process of its tree, in MB."""

    run: Run
    seconds: float
    python: float
    tools: float


def watched(scene: Scene, *names: str, **more: Any) -> Watched:
    """Run the playbook. Raises RuntimeError where it fails."""
    started = time.monotonic()
    run = scene.start(*names, **more)
    largest = {"python": 0.0, "tools": 0.0}

    def look() -> None:
        for number, command in _tree(run.pid):
            kind = "tools" if command.startswith(("git", "rsync", "ssh")) else "python"
            largest[kind] = max(largest[kind], _resident(number))

    with looking(look, every=0.1):
        ended = run.wait(_LONGEST)
        seconds = time.monotonic() - started
    if ended.code:
        raise RuntimeError(ended.story)
    return Watched(ended, seconds, largest["python"], largest["tools"])


@contextmanager
def looking(look: Callable[[], None], every: float) -> Iterator[None]:
    """Look at something every so many seconds while the context is open, in a thread of its own."""
    done = threading.Event()

    def looks() -> None:
        while not done.wait(every):
            look()

    thread = threading.Thread(target=looks)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Most:
    """The most threads and descriptors that a process has had."""

    def __init__(self, pid: int) -> None:
        self.threads = self.descriptors = 0
        self._place = Path(f"/proc/{pid}")

    def look(self) -> None:
        """See how many it has now."""
        with suppress(OSError):  # it has ended
            self.threads = max(self.threads, len(list((self._place / "task").iterdir())))
            self.descriptors = max(self.descriptors, len(list((self._place / "fd").iterdir())))


def machine() -> str:
    """A few words on the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory"


def file_system(path: Path) -> str:
    """The kind of file system that a path is on."""
    return subprocess.run(["findmnt", "-no", "FSTYPE", "--target", str(path)], capture_output=True, text=True, check=True).stdout.strip()


def _tree(root: int) -> list[tuple[int, str]]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split(None, 2) for line in listed]
    found, pending = [], [str(root)]
    while pending:
        current = pending.pop()
        found += [(int(pid), command) for pid, _parent, command in rows if pid == current]
        pending += [pid for pid, parent, _command in rows if parent == current]
    return found


def kibibytes(process: Path, *names: str) -> tuple[int, ...]:
    """Return some amounts of a process's memory, by their names in /proc/*/smaps_rollup; each 0 where it has ended."""
    try:
        rolled = (process / "smaps_rollup").read_text()
    except OSError:
        rolled = ""
    found = (re.search(rf"^{name}:\s+(\d+) kB$", rolled, re.MULTILINE) for name in names)
    return tuple(int(match[1]) if match else 0 for match in found)


def _resident(process: int) -> float:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return 0.0
