# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Shell of this machine: processes as children of this one."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .deadline import Deadline
from .errors import DeadlineExceeded, DeploymentError, Interrupted
from .shell import STDERR_LIMIT, Completed, Progress, RsyncPeer

_POLL = 0.5
"""Seconds between looks at the deadline; the end of the process itself is noticed at once."""


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
        progress: Progress | None = None,
    ) -> Completed:
        with _started(argv, env, subprocess.PIPE, subprocess.PIPE) as process:
            out = _Collector(process.stdout, None)
            err = _Collector(process.stderr, STDERR_LIMIT, progress)
            feed = threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True)
            for thread in (out, err, feed):
                thread.start()
            _wait(process, argv, deadline)
            if process.returncode < 0:
                _end_children(process)
            _join((out, err, feed), deadline)
        return Completed(tuple(argv), process.returncode, out.data(), err.data().decode("utf-8", "replace"))

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        with to.open("wb") as file, _started(argv, None, subprocess.DEVNULL, file) as process:
            return self._streamed(process, argv, deadline)

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        with source.open("rb") as file, _started(argv, None, file, subprocess.DEVNULL) as process:
            return self._streamed(process, argv, deadline)

    @contextmanager
    def rsync_peer(self, deadline: Deadline) -> Iterator[RsyncPeer]:
        deadline.left()
        yield RsyncPeer((), "", {})

    def _streamed(self, process: subprocess.Popen[bytes], argv: Sequence[str], deadline: Deadline) -> Completed:
        err = _Collector(process.stderr, STDERR_LIMIT)
        err.start()
        _wait(process, argv, deadline)
        _join((err,), deadline)
        return Completed(tuple(argv), process.returncode, b"", err.data().decode("utf-8", "replace"))


class _Collector(threading.Thread):
    """Reads a pipe to its end and closes it, keeps the last ``limit`` bytes (all without a limit), and tells the newest line."""

    def __init__(self, pipe: IO[bytes] | None, limit: int | None, progress: Progress | None = None) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._limit = limit
        self._progress = progress
        self._kept = bytearray()

    def run(self) -> None:
        if self._pipe is None:
            return
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 65536):
                self._take(chunk)

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


def _join(threads: Sequence[threading.Thread], deadline: Deadline) -> None:
    """Wait for the pipes' ends; a process that was handed one of them may live on."""
    for thread in threads:
        while thread.is_alive():
            thread.join(min(0.5, deadline.left()))


def _feed(pipe: IO[bytes] | None, data: bytes) -> None:
    if pipe is None:
        return
    try:
        with pipe:
            pipe.write(data)
    except BrokenPipeError:
        return  # the process ended without reading all: its exit code tells


@contextmanager
def _started(
    argv: Sequence[str],
    env: Mapping[str, str] | None,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise DeploymentError(f"{argv[0]} is not installed on this machine.", f"Install {argv[0]}.") from error
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # Its pipes are closed by the threads that use them: a descriptor that is closed under a reader may be another file's next.


def _end_children(process: subprocess.Popen[bytes]) -> None:
    """What a process that was killed has left would keep its pipes open, and us waiting (an rsync's remote shell)."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], argv: Sequence[str], deadline: Deadline) -> None:
    while True:
        try:
            left = deadline.left()
        except Interrupted:
            raise
        except DeadlineExceeded as error:
            raise DeadlineExceeded(f"{' '.join(argv[:2])} on this machine did not end in time: {error}.") from error
        try:
            process.wait(min(_POLL, left))
            return
        except subprocess.TimeoutExpired:
            continue
