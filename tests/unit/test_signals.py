# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signal stops a run, whichever thread the kernel gives it to. The processes here have a main thread that sleeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

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


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_that_another_thread_gets_stops_the_run_at_once(number: signal.Signals) -> None:
    argv = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n" + IMPORTS + TO_ANOTHER_THREAD, str(int(number))]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=BOUND, check=False)
    assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr


@pytest.mark.parametrize("_attempt", range(5))
def test_two_signals_at_once_wake_the_main_thread_beside_one_that_takes_none(_attempt: int) -> None:
    """Ansible sends its workers two; without the mask about one in fifty stayed asleep."""
    argv = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n" + IMPORTS + AT_ONCE, str(int(signal.SIGINT))]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
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
