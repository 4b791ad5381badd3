# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long an API has not answered: one whose server restarts in the middle of a run is back soon."""

from __future__ import annotations

import threading
import time

from .heartbeat import HEARTBEAT_LIMIT

_STARTING_SECONDS = 30.0
"""Seconds for which a server that was away may refuse what it allows: it answers before it knows all accounts and rights, and is ready to admit."""


class Silence:
    """The time without an answer, as all requests of a client tell of it. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard = False
        self._since: float | None = None
        self._until: float | None = None

    @property
    def lasts(self) -> bool:
        """Return whether the newest request had no answer."""
        with self._lock:
            return self._since is not None

    def keep(self) -> bool:
        """A request had no answer. Return whether to wait for the API: it has answered before, and fillers last until it may be back."""
        with self._lock:
            self._until = time.monotonic()
            self._since = self._until if self._since is None else self._since
            return self._heard and self._until - self._since < HEARTBEAT_LIMIT

    def end(self) -> bool:
        """A request had an answer. Return whether it may be that of a server which is still starting."""
        with self._lock:
            self._heard, self._since = True, None
            return self._until is not None and time.monotonic() - self._until < _STARTING_SECONDS
