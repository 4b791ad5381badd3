# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens, on its way to the person who watches: JSON lines in a file, and what of them is worth a line on the screen."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ..cache.meter import parse_meter
from ..cache.results import Progress
from ..printable import in_one_line
from ..redaction import SECRETS

EVERY = 2.0
"""Seconds between two lines about the same thing, while only its figures change."""


def writer(path: str) -> Callable[[Progress], None]:
    """Appends each thing that happens to a file, as a JSON object in a line; to nothing where there is no path. For threads."""
    lock = threading.Lock()

    def write(progress: Progress) -> None:
        if not path:
            return
        with lock, Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(SECRETS.data(asdict(progress))) + "\n")

    return write


def read(line: str) -> Progress:
    """One such line. Raises ValueError."""
    data = json.loads(line)
    return Progress(str(data["subject"]), str(data["phase"]), str(data["project"]), str(data["detail"]))


class Lines:
    """Chooses what to show. ``live``: the output is a terminal, where figures that change are worth a line now and then;
    elsewhere only changes of phase are. Of each subject at most one line in ``EVERY`` seconds but for those."""

    def __init__(self, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._clock = clock
        self._last: dict[str, tuple[tuple[str, str, str], float]] = {}

    def show(self, progress: Progress) -> str | None:
        """The line for it, or None."""
        meter = parse_meter(progress.detail)
        detail = progress.detail if meter is None and "%" not in progress.detail else ""
        what, now = (progress.project, progress.phase, detail), self._clock()
        before, shown = self._last.get(progress.subject, (("", "", ""), 0.0))
        same = before[:2] == what[:2] and (not detail or detail == before[2])
        if same and (meter is None or not self._live or now - shown < EVERY):
            return None
        self._last[progress.subject] = (what, now)
        subject = " ".join(word for word in (progress.subject, progress.project) if word)
        words = ": ".join(word for word in (progress.phase, detail) if word) + (f", {meter}" if meter is not None else "")
        return in_one_line(f"{subject}: {words}" if subject else words)
