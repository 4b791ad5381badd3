# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Race: python -m tests.racer [--tries N] [--seed FIRST] [--shell dash|bash|busybox] [--jobs J]. What is broken is told with its seed."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ..shells import HERE
from .world import Try, World


def _race(seeds: range, shell: str) -> list[Try]:
    with tempfile.TemporaryDirectory(prefix="racer-") as directory, World(Path(directory)) as world:
        tries = []
        for seed in seeds:
            done = world.attempt(seed, shell)
            if done.broken:
                print(f"seed {done.seed}, {shell}, {done.stage}: {'; '.join(done.did)}: BROKEN: {done.broken}", flush=True)
            tries.append(done)
        return tries


def main() -> int:
    """Race, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.racer")
    parser.add_argument("--tries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shell", choices=HERE, default=HERE[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--errors", action="store_true", help="tell what the failed tries said")
    given = parser.parse_args()
    parts = [range(given.seed + job, given.seed + given.tries, given.jobs) for job in range(given.jobs)]
    with ProcessPoolExecutor(given.jobs) as executor:
        tries = [done for part in executor.map(_race, parts, [given.shell] * given.jobs) for done in part]
    if given.errors:
        print("\n".join(f"seed {done.seed}, {done.stage}: {'; '.join(done.did)}: {done.error}" for done in tries if done.error))
    broken = sum(bool(done.broken) for done in tries)
    failed = sum(bool(done.error) for done in tries)
    print(f"{len(tries)} tries by {given.shell}: {len(tries) - failed} turns ended well, {failed} in words, {broken} broke something")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
