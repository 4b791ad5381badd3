# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines that also end where the run was asked to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import Cancelled, DeadlineExceeded, Interrupted
from .heartbeat import HEARTBEAT_LIMIT

AWAY_SECONDS = HEARTBEAT_LIMIT + 30.0
"""Seconds for what a restart of the API server may not prevent: to remove what was made, and to write down what was done. An API that is away is waited
for as long as the heartbeat's limit, and then has time to answer."""
_STOPPED = 10.0
"""Seconds without a look at the deadline, which every wait looks at each half second: this run was stopped meanwhile."""
_LOOK_EVERY = 0.5
"""Seconds between two looks at the events, while a lock is waited for."""


class Deadline:
    """A moment by which work must be done, and the events that stop it earlier.

    Every wait takes one: it bounds its time by ``left()`` and pauses with ``sleep()``, so that neither a slow peer nor a
    Ctrl-C finds a wait without an end. ``stop`` ends the whole run; ``wanted`` ends only this work, as somebody waits for
    what it holds.
    """

    def __init__(
        self,
        seconds: float,
        what: str = "this run",
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        wanted: threading.Event | None = None,
    ) -> None:
        self.seconds = seconds
        self.what = what
        self.stop = stop if stop is not None else threading.Event()
        self._wanted = wanted
        self.clock = clock
        self._end = clock() + seconds

    def within(self, seconds: float, what: str, wanted: threading.Event | None = None) -> Deadline:
        """A deadline for a part of the work: at most ``seconds`` from now, never later than this one."""
        left, wanted = max(0.0, self._rest()), wanted or self._wanted
        if left <= seconds:
            return Deadline(left, self.what, self.stop, self.clock, wanted)
        return Deadline(seconds, what, self.stop, self.clock, wanted)

    def left(self) -> float:
        """Seconds left, more than 0. Raises Cancelled, Interrupted, or DeadlineExceeded when none are left."""
        if self.stop.is_set():
            raise Cancelled("the run was asked to stop")
        if self._wanted is not None and self._wanted.is_set():
            raise Interrupted("a consumer's pod waits for the volume")
        left = self._rest()
        if left <= 0:
            raise DeadlineExceeded(f"{self.what} took longer than {self.seconds:.0f} seconds")
        return left

    def _rest(self) -> float:
        return self._end - self.clock()

    @contextmanager
    def holding(self, lock: threading.Lock) -> Iterator[None]:
        """Have a lock that others may have for long, waited for no longer than this. Raises as ``left`` does."""
        while not lock.acquire(timeout=min(_LOOK_EVERY, self.left())):
            pass
        try:
            yield
        finally:
            lock.release()

    def excuse(self, seconds: float) -> None:
        """Do nothing: a whole gets no more time where the place of its work was out of reach for ``seconds``. See ``Step``."""

    def sleep(self, seconds: float) -> None:
        """Pause for ``seconds``, or until the deadline or the stop. Raises as ``left`` does."""
        self.stop.wait(min(seconds, self.left()))
        self.left()


class Step(Deadline):
    """The time of one step, within its caller's. That this run was stopped, or could not reach the step's place, counts for the caller alone."""

    def __init__(self, caller: Deadline, seconds: float, what: str) -> None:
        super().__init__(seconds, what, caller.stop, caller.clock, caller._wanted)
        self._caller = caller
        self._looked = self.clock()

    def left(self) -> float:
        """See ``Deadline``."""
        now = self.clock()
        if now - self._looked > _STOPPED:
            self.excuse(now - self._looked)
        self._looked = now
        return min(self._caller.left(), super().left())  # the caller's first: its end has words of its own

    def _rest(self) -> float:
        return min(self._caller._rest(), super()._rest())

    def excuse(self, seconds: float) -> None:
        """Give the step so much more time."""
        self._end += seconds
        self._looked = self.clock()  # what is excused once is not excused again
