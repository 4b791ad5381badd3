# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live many years: python -m tests.years [NUMBER [FIRST]], seeds from FIRST on. Each broken one is told with its seed, which repeats it."""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ..once import in_memory
from .year import Broken, beginnings, live


def _live(seed: int, start: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="year-", dir=in_memory()) as directory:
        try:
            live(Path(directory) / "world", start, seed)
        except Broken as error:
            return str(error)
    return ""


def main() -> int:
    given = [int(word) for word in sys.argv[1:]]
    number, first = (*given, *(1000, 60)[len(given) :])
    with tempfile.TemporaryDirectory(prefix="years-", dir=in_memory()) as directory:
        start = beginnings(Path(directory))
        with ProcessPoolExecutor(os.cpu_count()) as executor:
            broken = [words for words in executor.map(_live, range(first, first + number), [start] * number) if words]
    print("\n".join([*broken, f"{number - len(broken)} of {number} years ended well"]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
