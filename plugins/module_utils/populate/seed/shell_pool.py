# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few shells of one place for many who work there: each costs this machine a thread and a connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ...deadline import Deadline
from ...errors import PlaceLost
from ...progress import OnLine
from ...shell import Completed, RsyncPeer, Shell

_LOOK_EVERY = 0.5
"""Seconds between two looks at the deadline."""


class ShellPool:
    """A Shell for use by several threads at once: each process has one of at most ``most`` shells, which ``opened`` makes, for itself.

    One that was lost is not used again; whoever made it closes it.
    """

    def __init__(self, where: str, opened: Callable[[], Shell], most: int) -> None:
        self._where = where
        self._opened = opened
        self._most = most
        self._idle: list[Shell] = []
        self._open = 0
        self._changed = threading.Condition()

    @property
    def where(self) -> str:
        """See ``Shell``."""
        return self._where

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        """See ``Shell``."""
        with self._one(deadline) as shell:
            return shell.run(argv, deadline=deadline, stdin=stdin, env=env, progress=progress)

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        """See ``Shell``."""
        with self._one(deadline) as shell:
            return shell.download(argv, to, deadline=deadline)

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        """See ``Shell``."""
        with self._one(deadline) as shell:
            return shell.upload(argv, source, deadline=deadline)

    @contextmanager
    def rsync_peer(self, deadline: Deadline, within: Sequence[str] = ()) -> Iterator[RsyncPeer]:
        """See ``Shell``."""
        with self._one(deadline) as shell, shell.rsync_peer(deadline, within) as peer:
            yield peer

    def drop_lost(self, deadline: Deadline) -> None:
        """Look whether any was lost while nobody used it."""
        for _shell in tuple(self._idle):
            with self._changed:
                if not self._idle:
                    return
                shell = self._idle.pop(0)
            with suppress(PlaceLost), self._used(shell):
                shell.run(("true",), deadline=deadline)

    @contextmanager
    def _one(self, deadline: Deadline) -> Iterator[Shell]:
        with self._used(self._taken(deadline)) as shell:
            yield shell

    @contextmanager
    def _used(self, shell: Shell) -> Iterator[Shell]:
        lost = False
        try:
            yield shell
        except PlaceLost:
            lost = True
            raise
        finally:
            with self._changed:
                if lost:
                    self._open -= 1
                else:
                    self._idle.append(shell)
                self._changed.notify()

    def _taken(self, deadline: Deadline) -> Shell:
        with self._changed:
            while not self._idle and self._open >= self._most:
                self._changed.wait(min(_LOOK_EVERY, deadline.left()))
            if self._idle:
                return self._idle.pop()
            shell = self._opened()
            self._open += 1
            return shell
