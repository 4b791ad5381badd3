# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make benchmark-large`: a repository of the kernel's size on the real cluster, and a year of daily updates on local directories.

`python -m tests.benchmarks.large make`, `year` or `kernel` is one part of it: the first two need no cluster. With `--commits 20000`, or
`--days 60`, a part is tried with less, and nothing is written. With `--ready-made` upstream does not count what it sends to whoever clones,
which takes minutes and 3 GB: as an upstream does that keeps its last answers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.clusters.real import SCRIPT
from tests.repositories.kernel import KernelShape
from tests.repositories.kernel import kernel as repository_of
from tests.repositories.make import git

from .kernel import kernel
from .measure import Table, file_system, machine
from .page import PAGE, Section, write
from .year import A_DAY, DAYS, ROUNDS, SHAPE, year

_KERNEL = """\
{objects:,} objects, {commits:,} commits of {files:,} files: {megabytes:,.0f} MB bare (pack and index). `tests/repositories/kernel.py` makes it.
{upstream} One worker and its sandboxes, volumes of 4 GiB, default options.
{measured}

Memory of processes counts a page that several of them have once, and also the pages of files that they have mapped.
"""
_COUNTS = "It has no bitmap, so upstream counts all objects first."
_READY_MADE = "Upstream sends the pack that it has to whoever clones, and counts nothing."
_YEAR = """\
{commits:,} commits of the same kind ({megabytes:.0f} MB), of which {a_day} come each day for {days} days, with one update a day by the method that
`auto` chooses: the real decisions and the real git on local directories, without pods. Clones are packit's own, with {files:,} files.
{measured}
"""


def main(words: list[str]) -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.large")
    parser.add_argument("part", choices=("make", "year", "kernel"))
    parser.add_argument("--commits", type=int, default=KernelShape().commits)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--ready-made", action="store_true")
    given = parser.parse_args(words)
    shape = KernelShape(commits=given.commits)
    written = shape == KernelShape() and given.days == DAYS
    made = repository_of(SHAPE if given.part == "year" else shape)
    if given.part == "make":
        return 0
    megabytes = sum(file.stat().st_size for file in (made / "objects/pack").iterdir()) / 1e6
    if given.part == "year":
        place = Path("/var/tmp")
        table, measured = _measured(lambda table: year(table, given.days), f"directories are on {file_system(place)}")
        commits = SHAPE.commits - A_DAY * ROUNDS
        head = _YEAR.format(commits=commits, megabytes=megabytes, a_day=A_DAY, days=given.days, files=SHAPE.all_files, measured=measured)
    else:
        volumes = Path(subprocess.run([SCRIPT, "kubeconfig"], check=True, capture_output=True, text=True).stdout.strip()).parent
        table, measured = _measured(lambda table: kernel(made, not given.ready_made, table), f"volumes are ext4 on loop devices over {file_system(volumes)}")
        objects = next(int(line.split()[1]) for line in git(made, "count-objects", "-v").splitlines() if line.startswith("in-pack:"))
        upstream = _READY_MADE if given.ready_made else _COUNTS
        head = _KERNEL.format(
            objects=objects, commits=shape.commits, files=shape.all_files, megabytes=megabytes, upstream=upstream, measured=measured
        )
    if written:
        write(PAGE, Section.YEAR if given.part == "year" else Section.KERNEL, f"{head}\n{table.markdown()}")
    else:
        print(f"\n{head}\n{table.markdown()}")
    return 0


def _measured(measure: Callable[[Table], None], where: str) -> tuple[Table, str]:
    """Return the figures, and sentences on where and when they were measured."""
    table, started, before = Table(), time.monotonic(), os.getloadavg()[1]
    measure(table)
    minutes = round((time.monotonic() - started) / 60)
    load = f"The machine's load was {before:.1f} in the five minutes before it."
    return table, f"Measured in one run of {minutes} minutes on one machine: {machine()}; {where}. {load}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
