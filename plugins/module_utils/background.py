# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of ours: whatever ends one that was not expected reaches whoever waits for it, at once and in words."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .errors import DeploymentError


class Background(threading.Thread):
    """A daemon thread whose end is never silent.

    ``failed`` is called in it with what ended it, if that was an exception; ``require_well`` raises that in who waits.
    """

    def __init__(self, name: str, work: Callable[[], None], failed: Callable[[DeploymentError], None] | None = None) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._failed = failed
        self.failure: DeploymentError | None = None

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  (the outermost frame: who waits gets it)
            self.failure = unexpected(self.name, error)
            if self._failed is not None:
                self._failed(self.failure)

    def require_well(self) -> None:
        """Raise what ended the thread, if that was an exception."""
        if self.failure is not None:
            raise self.failure


def unexpected(what: str, error: BaseException) -> DeploymentError:
    """Return the error in words; one that has words of its own stays as it is."""
    if isinstance(error, DeploymentError):
        return error
    if isinstance(error, MemoryError):
        remedy = "Free some memory on this machine, or lower the number of volumes at once (option `concurrency`), and run again."
    elif isinstance(error, OSError):
        remedy = "Look at this machine's disk and limits, and run again."
    else:
        remedy = "A fault of this collection, please report it with what -vvv shows."
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    failure = DeploymentError(f"{what} ended by an error that was not expected: {said}.", remedy)
    failure.__cause__ = error
    return failure
