# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that a terminal shows while a run works: one a pair, with how far it is, in place of a line for each thing that happens. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..printable import in_one_line
from ..progress import PAIR_ENDED, Progress
from .meter import Meter, is_figures, parse_meter
from .progress_lines import Lines

_SHOWN_SECONDS = 10.0
"""Seconds for which something that is no pair, such as a seed pod, is shown after its last news."""
_LONG_SECONDS = 5.0
"""Seconds without anything new after which one wants to know for how long."""
_ESTIMATE_FROM = (2.0, 0.05)
"""Seconds and share of the work after which what is left is worth an estimate."""
_BYTES = ("", "Receiving objects")
"""Steps of a transfer that take most of its time."""


@dataclass
class _Work:
    """The work of a pair, or of something else. ``done`` has, of each volume, projects with a result and all projects."""

    began: float
    told: float = 0.0
    text: str = ""
    since: float = 0.0
    place: str = ""
    meter: Meter | None = None
    done: dict[str, tuple[int, int]] = field(default_factory=dict)
    finished: bool = False

    @property
    def share(self) -> float:
        """Return how much of the work is done, 0 to 1. A pair has two volumes; the second one has as much to do until it says more."""
        done = sum(number for number, _all in self.done.values())
        whole = sum(every for _number, every in self.done.values()) * (2 if len(self.done) == 1 else 1)
        under_way = self.meter.percent / 100 if self.meter is not None and self.meter.step in _BYTES else 0.0
        return min(1.0, (done + under_way) / whole) if whole else 0.0


class Board:
    """Collects what happens; gives the lines that stay, and those that are replaced by the next look."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._total = 0
        self._pairs: dict[str, _Work] = {}
        self._others: dict[str, _Work] = {}
        self._staying = Lines()

    def take(self, progress: Progress) -> str | None:
        """Note what happens; return the line that stays, as somebody may want to read it later: words of an error, a lock's length."""
        now, meter = self._clock(), parse_meter(progress.detail)
        if not progress.subject and meter is None:
            self._total = progress.total or self._total
            return self._staying.show(progress)
        if progress.phase == PAIR_ENDED:
            if progress.pair in self._pairs:  # else there was nothing to do
                self._pairs[progress.pair].finished = True
            return None
        works = self._pairs if progress.pair else self._others
        work = works.setdefault(progress.pair or _short(progress.subject), _Work(now))
        work.told, work.meter, work.place = now, meter, progress.subject.partition("/")[0] if progress.pair else ""
        words = [" ".join(word for word in (progress.project, progress.phase) if word)]
        if progress.total:
            work.done[progress.subject] = (progress.done, progress.total)
            words.insert(0, f"{progress.done} of {progress.total}")
        if meter is not None:
            words.append(str(meter))
        text = ", ".join(words)
        if work.text != text:
            work.text, work.since = text, now
        if is_figures(progress.detail):
            return None
        # What is told of a volume without counts is of its pod: a quota, another run, a holder that is waited for.
        of_its_pod = progress.pair and not progress.total
        return self._staying.show(progress) if progress.detail or of_its_pod else None

    def lines(self, width: int, height: int) -> list[str]:
        """Return the lines as they are now, at most ``height``, none wider than ``width``."""
        now = self._clock()
        found = []
        if self._total > 1 and self._pairs:
            finished = sum(work.finished for work in self._pairs.values())
            share = sum(1.0 if work.finished else work.share for work in self._pairs.values()) / max(self._total, len(self._pairs))
            found.append(f"{finished} of {self._total} pairs{_how_far(share, now - self._began)}")
        found += [f"{name}: {work.text}{_for_how_long(now - work.since)}" for name, work in self._others.items() if now - work.told < _SHOWN_SECONDS]
        for name, work in self._pairs.items():
            if not work.finished:
                found.append(f"{name}: {work.text}{_how_far(work.share, now - work.began)}, in {work.place}")
        if len(found) > height:
            found = [*found[: height - 1], f"and {len(found) - height + 1} more"]
        return [in_one_line(line)[:width] for line in found]


def _short(subject: str) -> str:
    """Return who works, without the name: a terminal is narrow, and there is one seed pod."""
    return subject.rpartition(" ")[0] or subject or "this machine"


def _for_how_long(seconds: float) -> str:
    """Return for how long nothing new was told, where that is worth it: a proof of a large repository takes a minute."""
    return f", for {seconds:.0f} s" if seconds >= _LONG_SECONDS else ""


def _how_far(share: float, seconds: float) -> str:
    """Return a share of the work in words, with an estimate of what is left where there is something to go by."""
    least_seconds, least_share = _ESTIMATE_FROM
    if seconds < least_seconds or share < least_share:
        return ""
    left = seconds * (1 - share) / share
    return f" ({share:.0%}, about {f'{left:.0f} s' if left < 100 else f'{left / 60:.0f} min'} left)".replace("%", " %")
