# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens, on its way to the person who watches: JSON lines in a file, and what of them is worth a line on the screen."""

from __future__ import annotations

import json
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ..cache.meter import parse_meter
from ..cache.results import Progress
from ..printable import in_one_line
from ..redaction import SECRETS

EVERY = 2.0
"""Seconds between two lines about the same thing, while only its figures change."""

_PATIENCE_MS = 200
"""Milliseconds for which who reads is waited for; while they read nothing, no longer than that in all."""


def writer(path: str) -> Callable[[Progress], None]:
    """Appends each thing that happens to a file, as a JSON object in a line; to nothing where there is no path. For threads.

    A file that cannot be written is nobody's failure: what is watched there is not what is done.
    """
    lock = threading.Lock()

    def write(progress: Progress) -> None:
        if not path:
            return
        line = json.dumps(SECRETS.data(asdict(progress))) + "\n"
        with suppress(OSError), lock, Path(path).open("a", encoding="utf-8") as file:
            file.write(line)

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


class Screen:
    """Shows lines on a descriptor of our own. Nothing that becomes of whoever reads there matters: what they do not take is left out.

    ``patience_ms``: for how long one waits for them, in milliseconds.
    """

    def __init__(self, descriptor: int, patience_ms: int = _PATIENCE_MS) -> None:
        self._descriptor = descriptor
        self._patient = self._patience = patience_ms
        self._gone = descriptor < 0

    def show(self, line: str) -> None:
        """Show a line, unless nobody takes it."""
        self._write(line.encode("utf-8", "replace")[: select.PIPE_BUF - 1] + b"\n")

    def show_whole(self, line: str) -> None:
        """Show a line of any length."""
        data = line.encode("utf-8", "replace") + b"\n"
        for start in range(0, len(data), select.PIPE_BUF):
            self._write(data[start : start + select.PIPE_BUF])

    def _write(self, data: bytes) -> None:
        """Write so much as is written at once, or not at all."""
        if self._gone:
            return
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        try:
            if not poller.poll(self._patience):
                self._patience = 0
                return
            self._patience = self._patient
            os.write(self._descriptor, data)
        except OSError:  # a full disk, a reader that has ended, no such descriptor
            self._gone = True


def own_copy(descriptor: int) -> int:
    """A copy of a descriptor that stays where what it was made of is closed or led elsewhere; -1 where there is none."""
    try:
        return os.dup(descriptor)
    except OSError:
        return -1
