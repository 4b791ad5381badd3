# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress for the person who watches: written as JSON lines to a file, read, and shown."""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from ..cache.domain.model import Pair
from ..printable import in_one_line
from ..progress import PAIR_ENDED, Progress, Report
from ..redaction import SECRETS
from .meter import is_figures

_SIZE = (80, 24)
"""Columns and lines of a terminal that does not say."""
_PATIENCE_MS = 200
"""Milliseconds for which who reads is waited for; while they read nothing, no longer than that in all."""


def writer(path: str) -> Report:
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
    """Return what one such line tells. Raises ValueError where it was not written whole."""
    try:
        data = json.loads(line)
        words = {name: str(data[name]) for name in ("subject", "phase", "project", "detail", "pair")}
        return Progress(**words, done=int(data["done"]), total=int(data["total"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no line of progress: {line}") from error


class Lines:
    """Chooses what is worth a line: each change of phase, and each other thing that is said; not figures that change."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, str, str]] = {}

    def show(self, progress: Progress) -> str | None:
        """Return the line for it, or None."""
        if progress.phase == PAIR_ENDED:
            return None
        detail = "" if is_figures(progress.detail) else progress.detail
        what = (progress.project, progress.phase, detail)
        before = self._last.get(progress.subject, ("", "", ""))
        if before[:2] == what[:2] and (not detail or detail == before[2]):
            return None
        self._last[progress.subject] = what
        subject = " ".join(word for word in (progress.subject, progress.project) if word)
        words = ": ".join(word for word in (progress.phase, detail) if word)
        return in_one_line(f"{subject}: {words}" if subject else words)


def named(report: Report, pairs: Iterable[Pair]) -> Report:
    """Return a report that adds the name of the pair that a volume belongs to."""
    names = {str(volume): pair.name for pair in pairs for volume in pair.volumes}
    return lambda progress: report(replace(progress, pair=names.get(progress.subject, "")))


class Screen:
    """Shows lines on a descriptor of our own. A reader that is slow or gone never stops the run; it loses lines.

    ``patience_ms``: for how long one waits for them, in milliseconds.
    """

    def __init__(self, descriptor: int, patience_ms: int = _PATIENCE_MS) -> None:
        self._descriptor = descriptor
        self._patient = self._patience = patience_ms
        self._gone = descriptor < 0
        self._drawn: tuple[str, ...] = ()
        self._kept: list[str] = []

    def show(self, line: str) -> None:
        """Show a line, unless nobody takes it."""
        self._write(line.encode("utf-8", "replace")[: select.PIPE_BUF - 1] + b"\n")

    def show_whole(self, line: str) -> None:
        """Show a line of any length."""
        data = line.encode("utf-8", "replace") + b"\n"
        for start in range(0, len(data), select.PIPE_BUF):
            self._write(data[start : start + select.PIPE_BUF])

    def size(self) -> tuple[int, int]:
        """Return how many columns and lines the terminal has."""
        try:
            columns, lines = os.get_terminal_size(self._descriptor)
        except OSError:
            return _SIZE
        return (columns, lines) if columns and lines else _SIZE

    def draw(self, staying: Iterable[str], replaced: Iterable[str]) -> None:
        """On a terminal: show lines that stay, and below them those that the next call replaces; nothing where nothing has changed.

        Lines that stay are kept for the next call while nobody takes them.
        """
        self._kept += staying
        below = tuple(replaced)
        if not self._kept and below == self._drawn:
            return
        up = f"\x1b[{len(self._drawn)}A" if self._drawn else ""
        data = "".join([up, "\r\x1b[J", *(f"{line}\n" for line in (*self._kept, *below))]).encode("utf-8", "replace")
        for start in range(0, len(data), select.PIPE_BUF):
            if not self._write(data[start : start + select.PIPE_BUF]):
                return
        self._drawn, self._kept = below, []

    def _write(self, data: bytes) -> bool:
        """Write all of it, or nothing. Return whether it was written."""
        if self._gone:
            return False
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        try:
            if not poller.poll(self._patience):
                self._patience = 0
                return False
            self._patience = self._patient
            os.write(self._descriptor, data)
        except OSError:  # a full disk, a reader that has ended, no such descriptor
            self._gone = True
        return not self._gone


def own_copy(descriptor: int) -> int:
    """A copy of a descriptor that stays where what it was made of is closed or led elsewhere; -1 where there is none."""
    try:
        return os.dup(descriptor)
    except OSError:
        return -1
