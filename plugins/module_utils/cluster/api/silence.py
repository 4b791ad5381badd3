# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Know for how long an API has not answered: one whose server restarts in the middle of a run is back soon."""

from __future__ import annotations

import threading
import time

from ...heartbeat import HEARTBEAT_LIMIT

_STARTING_SECONDS = 30.0
"""Seconds for which a server that was away may refuse what it allows: it answers before it knows all accounts and rights, and is ready to admit."""
_APART_SECONDS = 60.0
"""Two requests without an answer that are so far apart are no silence: a request has its answer, or is sent again, sooner. Nobody asked in between."""


class Silence:
    """The time without an answer, as all requests of a client tell of it. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard = False
        self._since: float | None = None
        self._newest = 0.0
        self._back: float | None = None
        self._served = True

    @property
    def lasts(self) -> bool:
        """Return whether the newest request had no answer, and was sent lately."""
        with self._lock:
            return self._since is not None and time.monotonic() - self._newest < _APART_SECONDS

    @property
    def too_long(self) -> bool:
        """Return whether an API that had answered before has been silent for so long that fillers end themselves."""
        with self._lock:
            return self._heard and self._since is not None and self._newest - self._since >= HEARTBEAT_LIMIT

    def keep(self, asked: float) -> bool:
        """A request had no answer, which was sent at first when the clock was ``asked``. Return whether to wait for the API.

        It has answered before, and fillers last until it may be back. Others may have answers all the while: then it is the request's own time that counts.
        """
        with self._lock:
            now = time.monotonic()
            if self._since is None or now - self._newest >= _APART_SECONDS:
                self._since = now
            self._newest = now
            return self._heard and now - min(asked, self._since) < HEARTBEAT_LIMIT

    def end(self, served: bool) -> bool:
        """A request had an answer: what was asked for is ``served``, or refused. Return whether it may be that of a server which is still starting.

        Who was refused all since it came back is not waited for once more where it goes away again.
        """
        with self._lock:
            now = time.monotonic()
            if self._since is not None and self._served:
                self._back, self._served = now, False
            self._served = self._served or served
            self._heard, self._since = True, None
            return self._back is not None and now - self._back < _STARTING_SECONDS
