# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C and its like, as an event that every wait looks at."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .background import Background

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, what ansible-playbook sends when it is stopped, and a terminal that is closed."""


@contextmanager
def stopping_on_signals() -> Iterator[threading.Event]:
    """Return an event that is set by each signal of STOPPING, so that a run ends its work and removes its pods instead of dying in the middle.

    Python's own handlers run in the main thread alone, once it is awake. Where two signals come at once, the kernel may give both to
    another thread, and the main one sleeps on. So a thread reads what Python writes as soon as a signal is there.
    """
    stop = threading.Event()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def listen() -> None:
        while os.read(reader, 1):
            stop.set()

    listener = Background("Listening for signals", listen)
    listener.start()
    former = {number: signal.signal(number, lambda _number, _frame: stop.set()) for number in STOPPING}
    told = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(told)
        for number, handler in former.items():
            signal.signal(number, handler)
        os.close(writer)
        listener.join()
        os.close(reader)


@contextmanager
def for_the_main_thread() -> Iterator[None]:
    """Have threads that are started meanwhile take no signal of STOPPING: the main one is woken by it, whoever handles it there."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
