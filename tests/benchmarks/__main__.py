# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make benchmark`: ours against what people do by hand, on the real cluster, and amounts and growth on the embedded one.

All figures write their section of docs/benchmarks.md; `python -m tests.benchmarks seed-lock delta` measures only those, and writes nothing. Every
time ends when the data is on disk. No figure is a test.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.clusters.real import SCRIPT
from tests.repositories.realistic import Shape

from .born_filled import born_filled
from .by_git import clones, git, idle, pod_rsync
from .figures import FIGURES
from .many import pairs, projects, refs
from .measure import RUNS, Table, file_system, machine
from .missing import missing
from .page import PAGE, Section, write
from .scheduled import scheduled
from .world import world

EMBEDDED = {
    "idle": idle,
    "scheduled": scheduled,
    "clones": clones,
    "missing": missing,
    "born-filled": born_filled,
    "projects": projects,
    "pairs": pairs,
    "refs": refs,
}
ON_CLUSTER = {**FIGURES, "pod-rsync": pod_rsync, "git": git}
_TEXT = """\
`make benchmark` measured these in one run of {minutes} minutes on one machine: {machine}; volumes are ext4 on loop devices over
{file_system}. Figures are of the median of {runs} runs unless they say otherwise.

The repository: {megabytes:.0f} MB bare (pack and index), {commits:,} commits of {files:,} files, each commit with small edits; one of
ten on a topic branch that is merged; a tag every 100 commits. A real one, git/git, is 308 MB bare with 82,000 commits. It is made by
`tests/repositories/realistic.py`.

A *lock* is the time from the creation of a volume's filler pod until the pod is gone; *the pod's start and end* are its parts before
the first and after the last of the work. Rivals run in a pod that is as the filler is (500m and 256Mi), and each time ends when the
data is on disk (`sync -f`). What sends the bare copy has the seed pod's limits (2 processors).
[Where the time goes](methods.md#where-the-time-goes).

"""


def main(names: list[str]) -> int:
    """All figures, or those that are named."""
    unknown = sorted(set(names) - {*ON_CLUSTER, *EMBEDDED})
    if unknown:
        print(f"Unknown figure `{unknown[0]}`. Known: {', '.join([*EMBEDDED, *ON_CLUSTER])}.", file=sys.stderr)
        return 2
    table, started = Table(), time.monotonic()
    for name, measure_embedded in EMBEDDED.items():
        if not names or name in names:
            measure_embedded(table)
    chosen = [measure for name, measure in ON_CLUSTER.items() if not names or name in names]
    if chosen:
        volumes = Path(subprocess.run([SCRIPT, "kubeconfig"], check=True, capture_output=True, text=True).stdout.strip()).parent
        with world() as made:
            megabytes = made.megabytes
            for measure in chosen:
                measure(made, table)
    print(f"\n{table.markdown()}")
    if not names:
        shape, minutes = Shape(), round((time.monotonic() - started) / 60)
        head = _TEXT.format(
            runs=RUNS,
            minutes=minutes,
            machine=machine(),
            file_system=file_system(volumes),
            megabytes=megabytes,
            commits=shape.commits,
            files=shape.files,
        )
        write(PAGE, Section.USUAL, head + table.markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
