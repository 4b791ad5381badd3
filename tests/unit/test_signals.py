# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signal stops a run, whichever thread the kernel gives it to. The processes here have a main thread that sleeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.signals import STOPPING, for_the_main_thread, stopping_on_signals
from ansible_collections.packit.deployment.tests.bounds import BOUND

IMPORTS = """
import os, signal, sys, threading
from ansible_collections.packit.deployment.plugins.module_utils.signals import STOPPING, for_the_main_thread, stopping_on_signals
number = int(sys.argv[1])
"""
TO_ANOTHER_THREAD = """
with stopping_on_signals() as stop:
    def other():
        signal.pthread_kill(threading.get_ident(), number)
        stop.wait()
        print("stopped", flush=True)
        os._exit(0)
    threading.Thread(target=other).start()
    os.read(os.pipe()[0], 1)
"""
WHILE_IT_WAITS = """
with stopping_on_signals() as stop:
    with stop._cond:  # as where the main thread has just begun to wait
        os.kill(os.getpid(), number)
        for _ in range(1000):
            pass
    stop.wait()
print("stopped", flush=True)
"""
WHILE_A_CHILD_LIVES = """
leaves, stays = os.pipe()
with stopping_on_signals():
    if not os.fork():
        os.close(stays)
        os.read(leaves, 1)
        os._exit(0)
print("left", flush=True)
"""
NOT_IN_THE_MAIN_THREAD = """
def enter():
    try:
        with stopping_on_signals():
            pass
    except ValueError as error:
        print(type(error).__name__, flush=True)

def open_files():
    return {f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")}

before = {*open_files(), *threading.enumerate()}
thread = threading.Thread(target=enter)
thread.start()
thread.join()
print([each for each in {*open_files(), *threading.enumerate()} - before], flush=True)
"""
AT_ONCE = """
def busy():
    while True:
        pass

for each in STOPPING:
    signal.signal(each, lambda *_: os._exit(7))
with for_the_main_thread():
    threading.Thread(target=busy, daemon=True).start()
print("ready", flush=True)
os.read(os.pipe()[0], 1)
"""


def argv(script: str, number: int = 0) -> list[str]:
    """Return how to run a script in a process of its own, which finds the collection as this one does."""
    return [sys.executable, "-W", "ignore", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{IMPORTS}{script}", str(int(number))]


def ran(script: str, number: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a script to its end. ``number`` is that of its signal."""
    return subprocess.run(argv(script, number), capture_output=True, text=True, timeout=BOUND, check=False)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_that_another_thread_gets_stops_the_run_at_once(number: signal.Signals) -> None:
    done = ran(TO_ANOTHER_THREAD, number)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_in_the_moment_in_which_the_main_thread_begins_to_wait_stops_the_run(number: signal.Signals) -> None:
    done = ran(WHILE_IT_WAITS, number)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


def test_a_child_that_was_forked_meanwhile_does_not_keep_the_run_from_its_end() -> None:
    done = ran(WHILE_A_CHILD_LIVES)
    assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr


@pytest.mark.parametrize("_attempt", range(5))
def test_two_signals_at_once_wake_the_main_thread_beside_one_that_takes_none(_attempt: int) -> None:
    """Ansible sends its workers two; without the mask some stayed asleep."""
    with subprocess.Popen(argv(AT_ONCE), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGINT)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(BOUND) == 7


def test_what_handled_signals_before_does_so_again() -> None:
    before = [signal.getsignal(number) for number in STOPPING]
    with stopping_on_signals() as stop, for_the_main_thread():
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) >= set(STOPPING)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(BOUND)
    assert [signal.getsignal(number) for number in STOPPING] == before
    assert signal.set_wakeup_fd(-1) == -1
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(STOPPING)


def test_a_signal_of_another_kind_does_not_stop_the_run() -> None:
    former = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with stopping_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, former)
    assert not stop.is_set()  # whoever listens has read all by now


def test_what_cannot_be_entered_leaves_nothing_behind() -> None:
    done = ran(NOT_IN_THE_MAIN_THREAD)
    assert (done.returncode, done.stdout) == (0, "ValueError\n[]\n"), done.stderr


def test_a_handler_that_raises_as_signals_are_blocked_does_not_leave_them_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    real = signal.pthread_sigmask

    def interrupted(how: int, mask: Collection[int]) -> set[int]:
        former = real(how, mask)
        if how == signal.SIG_BLOCK and mask:
            raise KeyboardInterrupt
        return former

    monkeypatch.setattr(signal, "pthread_sigmask", interrupted)
    with pytest.raises(KeyboardInterrupt), for_the_main_thread():
        pass
    assert not real(signal.SIG_BLOCK, ()) & set(STOPPING)
