# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Shell of this machine: processes as children of this one."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .background import Background
from .deadline import Deadline
from .errors import DeadlineExceeded, DeploymentError, Interrupted
from .local_environment import local_environment
from .progress import OnLine
from .shell import STDERR_LIMIT, Completed, RsyncPeer, not_in_time

_POLL = 0.5
"""Seconds between looks at the deadline; the end of the process itself is noticed at once."""
_LOOK_MS, _QUIET_MS = 100, 200
"""Milliseconds between looks at whether a pipe's process has ended; and of silence, after that, in which a pipe counts as read."""
_AFTERWARDS = 1024 * 1024
"""Bytes that are read of a pipe after its process has ended: as much as a pipe can hold."""


class LocalShell:
    """Runs each process in a session of its own, so that the whole tree ends with it."""

    @property
    def where(self) -> str:
        return "this machine"

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        with _started(argv, deadline, env, subprocess.PIPE, subprocess.PIPE) as process:
            out = _Collector(process.stdout, None)
            err = _Collector(process.stderr, STDERR_LIMIT, progress)
            threads = (out, err, _Feeder(process.stdin, stdin))
            with _running(threads):
                _wait(process, argv, deadline, threads)
                if process.returncode < 0:
                    _end_children(process)
        return Completed(tuple(argv), process.returncode, out.data(), err.data().decode("utf-8", "replace"))

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        with to.open("wb") as file, _started(argv, deadline, None, subprocess.DEVNULL, file) as process:
            return self._streamed(process, argv, deadline)

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        with source.open("rb") as file, _started(argv, deadline, None, file, subprocess.DEVNULL) as process:
            return self._streamed(process, argv, deadline)

    @contextmanager
    def rsync_peer(self, deadline: Deadline, within: Sequence[str] = ()) -> Iterator[RsyncPeer]:
        deadline.left()
        yield RsyncPeer((), "", {}, tuple(within))

    def _streamed(self, process: subprocess.Popen[bytes], argv: Sequence[str], deadline: Deadline) -> Completed:
        err = _Collector(process.stderr, STDERR_LIMIT)
        with _running((err,)):
            _wait(process, argv, deadline, (err,))
        return Completed(tuple(argv), process.returncode, b"", err.data().decode("utf-8", "replace"))


def require_program(name: str) -> None:
    """Raises DeploymentError where this machine has no such program: looked at before a volume is taken."""
    if shutil.which(name) is None:
        raise DeploymentError(*_not_installed(name))


def _not_installed(name: str) -> tuple[str, str]:
    return f"{name} is not installed on this machine, the controller.", f"Install {name} here; the volumes' pods have their own."


class _PipeThread(Background):
    """Works at one end of a pipe, closes it, and ends with the process: another one that was handed the other end may live on,
    such as an ssh in the background that keeps a connection for later."""

    def __init__(self, name: str, pipe: IO[bytes] | None, work: Callable[[], None]) -> None:
        super().__init__(name, work)
        self._pipe = pipe
        self._ended = threading.Event()

    def finish(self) -> None:
        """The process has ended: do what is left, which takes a moment."""
        self._ended.set()
        self.join()

    def _ready(self, pipe: IO[bytes], event: int) -> Iterator[bool]:
        """Yield, each time the pipe can be used, whether the process has ended; to the end where it has, and the pipe is silent."""
        poller = select.poll()
        poller.register(pipe, event)
        while True:
            ended = self._ended.is_set()
            if poller.poll(_QUIET_MS if ended else _LOOK_MS):
                yield ended
            elif ended:
                return


class _Collector(_PipeThread):
    """Reads a pipe to its end, keeps the last ``limit`` bytes (all without a limit), and tells the newest line."""

    def __init__(self, pipe: IO[bytes] | None, limit: int | None, progress: OnLine | None = None) -> None:
        super().__init__("Reading what a process on this machine says", pipe, self._read)
        self._limit = limit
        self._progress = progress
        self._kept = bytearray()

    def _read(self) -> None:
        if self._pipe is None:
            return
        afterwards = 0
        with self._pipe as pipe:
            for ended in self._ready(pipe, select.POLLIN):
                chunk = os.read(pipe.fileno(), 65536)
                if not chunk:
                    return
                self._take(chunk)
                afterwards += len(chunk) if ended else 0
                if afterwards >= _AFTERWARDS:
                    return

    def _take(self, chunk: bytes) -> None:
        self._kept += chunk
        if self._limit is not None and len(self._kept) > self._limit:
            del self._kept[: -self._limit]
        lines = chunk.replace(b"\r", b"\n").split(b"\n")
        newest = next((line for line in reversed(lines) if line.strip()), b"")
        if self._progress is not None and newest:
            self._progress(newest.decode("utf-8", "replace").strip())

    def data(self) -> bytes:
        return bytes(self._kept)


class _Feeder(_PipeThread):
    """Writes data into a pipe, and closes it."""

    def __init__(self, pipe: IO[bytes] | None, data: bytes) -> None:
        super().__init__("Writing to a process on this machine", pipe, self._write)
        self._data = memoryview(data)

    def _write(self) -> None:
        if self._pipe is None:
            return
        with suppress(BrokenPipeError), self._pipe as pipe:  # a process that ends without reading all: its exit code tells
            os.set_blocking(pipe.fileno(), False)
            for ended in self._ready(pipe, select.POLLOUT):
                if ended:
                    return
                self._data = self._data[os.write(pipe.fileno(), self._data) :]
                if not self._data:
                    return


@contextmanager
def _running(threads: Sequence[_PipeThread]) -> Iterator[None]:
    """Threads at the pipes of a process, which has ended, or is given up, when the context is left. Raises what ended one of them."""
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.finish()
    for thread in threads:
        thread.require_well()


@contextmanager
def _started(
    argv: Sequence[str],
    deadline: Deadline,
    env: Mapping[str, str] | None,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
) -> Iterator[subprocess.Popen[bytes]]:
    deadline.left()
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # run_command has no streams and no deadline
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=local_environment(env),
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise DeploymentError(*_not_installed(argv[0])) from error
    except OSError as error:
        raise DeploymentError(f"{argv[0]} cannot be started on this machine: {error.strerror or error}.") from error
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # Its pipes are closed by the threads that use them: a descriptor that is closed under a reader may be another file's next.


def _end_children(process: subprocess.Popen[bytes]) -> None:
    """End the children of a process that was killed (an rsync's remote shell): they would keep its pipes open, and us waiting."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], argv: Sequence[str], deadline: Deadline, threads: Sequence[Background]) -> None:
    while True:
        for thread in threads:
            thread.require_well()
        try:
            left = deadline.left()
        except Interrupted:
            raise
        except DeadlineExceeded as error:
            raise not_in_time(argv, "on this machine", error) from error
        try:
            process.wait(min(_POLL, left))
            return
        except subprocess.TimeoutExpired:
            continue
