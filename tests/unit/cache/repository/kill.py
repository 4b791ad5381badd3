# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a process in the middle of its n-th command: a moment that is the same on a quiet machine and on a busy one."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from ansible_collections.packit.deployment.plugins.module_utils import local_shell
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline

_lock = threading.Lock()
_running: set[int] = set()


def watch_commands(at: int, after: float) -> list[float]:
    """Note from now on how long each command of this process takes, in seconds, in the order of their beginnings.

    ``after`` seconds after the beginning of number ``at`` (0 is the first, -1 none) the process and all that it runs is killed.
    """
    seconds: list[float] = []
    numbers, started = itertools.count(), local_shell._started

    @contextmanager
    def noted(
        argv: Sequence[str], deadline: Deadline, env: Mapping[str, str] | None, stdin: int | IO[bytes], stdout: int | IO[bytes]
    ) -> Iterator[object]:
        with ExitStack() as stack:
            with _lock:
                process = stack.enter_context(started(argv, deadline, env, stdin, stdout))
                _running.add(process.pid)
                number, began = next(numbers), time.monotonic()
                seconds.append(0.0)
            if number == at:
                timer = threading.Timer(after, _kill_all)
                timer.daemon = True
                timer.start()
            try:
                yield process
            finally:
                seconds[number] = time.monotonic() - began
                with _lock:
                    _running.discard(process.pid)

    local_shell._started = noted  # type: ignore[assignment]
    return seconds


def _kill_all() -> None:
    """Each command leads a session of its own; while the lock is held none begins."""
    with _lock:
        for process in _running:
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
