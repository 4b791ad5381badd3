# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C and its like, as an event that every wait looks at."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .background import Background

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, what ansible-playbook sends when it is stopped, and a terminal that is closed."""
_END = b"\0"
"""No signal's number. The end of the pipe is not enough: a child that was forked meanwhile may hold its other end."""


@contextmanager
def stopping_on_signals() -> Iterator[threading.Event]:
    """Return an event that is set by each signal of STOPPING, so that a run ends its work and removes its pods instead of dying in the middle.

    Python's own handlers run in the main thread alone, once it is awake. Where two signals come at once, the kernel may give both to
    another thread, and the main one sleeps on. So a thread reads what Python writes as soon as a signal is there. The handlers do nothing:
    one that set the event could interrupt the main thread inside of it, and wait for its lock for ever.
    """
    stop = threading.Event()
    with ExitStack() as leaving:
        reader, writer = os.pipe()
        leaving.callback(os.close, reader)
        leaving.callback(os.close, writer)
        listener = Background("Listening for signals", lambda: _listen(reader, stop), lambda _error: stop.set())
        listener.start()
        leaving.callback(listener.join)
        leaving.callback(os.write, writer, _END)
        leaving.callback(os.set_blocking, writer, True)
        os.set_blocking(writer, False)
        leaving.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writer, warn_on_full_buffer=False))
        for number in STOPPING:
            leaving.callback(signal.signal, number, signal.signal(number, lambda _number, _frame: None))
        yield stop


def _listen(reader: int, stop: threading.Event) -> None:
    """Set the event for each signal of STOPPING; Python writes the number of any signal that it handles."""
    while (told := os.read(reader, 1)) != _END:
        if told[0] in STOPPING:
            stop.set()


@contextmanager
def for_the_main_thread() -> Iterator[None]:
    """Have threads that are started meanwhile take no signal of STOPPING: the main one is woken by it, whoever handles it there."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # may raise after it has blocked: handlers run in it
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
