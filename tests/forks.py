# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of their own that need not import anything: a server imports once, and forks for each job.

``python -m tests.forks MODULE`` is the server. ``MODULE`` has a function ``work(job)``, which gets the job, a dict, and returns an
exit code. The process that is forked for a job leads a session of its own; in the job's ``directory``, its working directory,
what it prints goes to the file ``printed``, and its exit code to ``code`` when it has ended by itself. Its standard error goes to the
file that the job's ``stderr`` names, where it does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .bounds import BOUND


class Forked:
    """A process that works on a job."""

    def __init__(self, pid: int, directory: Path) -> None:
        self.pid = pid
        self._directory = directory
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self._descriptor = -1

    def wait(self, seconds: float) -> int:
        """Return its exit code when it has ended; that of SIGKILL where it was killed. Raises TimeoutExpired."""
        if self._descriptor >= 0:
            watch = select.poll()
            watch.register(self._descriptor, select.POLLIN)
            if not watch.poll(seconds * 1000):
                raise subprocess.TimeoutExpired(str(self._directory), seconds)
            os.close(self._descriptor)
            self._descriptor = -1
        code = self._directory / "code"
        return int(code.read_text()) if code.exists() else -signal.SIGKILL

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    @property
    def printed(self) -> str:
        """Return what it has printed until now."""
        path = self._directory / "printed"
        return path.read_text(errors="replace") if path.exists() else ""


class ForkServer:
    """A server that runs. A context manager. ``given`` is its environment where that is not ours."""

    def __init__(self, module: str, given: Mapping[str, str] | None = None) -> None:
        environment = {**(os.environ if given is None else given), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        argv = [sys.executable, "-m", __name__, module]
        self._server = subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, directory: Path, **job: Any) -> Forked:
        """Have a process made for a job; its directory is there and empty."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps({**job, "directory": str(directory)}) + "\n")
        self._server.stdin.flush()
        return Forked(int(self._server.stdout.readline()), directory)

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_why: object) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(BOUND)


def serve(work: Callable[[Mapping[str, Any]], int]) -> None:
    """Take jobs, a line of JSON each, from standard input until it ends; tell each one's process id on standard output."""
    gc.freeze()  # what is imported stays: no process that is forked looks through it again, nor does this one at its end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes here
    for line in sys.stdin:
        job = json.loads(line)
        # Open before it is told that the process runs: whoever gave the file may close it then.
        errors = os.open(job["stderr"], os.O_WRONLY | os.O_APPEND | os.O_NOCTTY) if "stderr" in job else None
        process = os.fork()
        if process == 0:
            _work_and_exit(work, job, errors)
        if errors is not None:
            os.close(errors)
        print(process, flush=True)


def _work_and_exit(work: Callable[[Mapping[str, Any]], int], job: Mapping[str, Any], errors: int | None) -> None:
    """Work on one job in a process that was just forked. Does not return."""
    code, directory = 1, Path(job["directory"])
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        printed = os.open(directory / "printed", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number, descriptor in enumerate((nothing, printed, printed if errors is None else errors)):
            os.dup2(descriptor, number)
        os.closerange(3, 256)
        os.chdir(directory)
        code = work(job)
    except BaseException:  # noqa: BLE001  the outermost frame of a process: whoever waits reads it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        ended = directory / "code"
        ended.with_suffix(".new").write_text(str(code))
        ended.with_suffix(".new").rename(ended)
        os._exit(code)


if __name__ == "__main__":
    serve(importlib.import_module(sys.argv[1]).work)
