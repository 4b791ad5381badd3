# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's exec: kept open, beaten, opened again when it was cut."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from ..deadline import Deadline
from ..errors import Cancelled, DeadlineExceeded
from ..shell import Completed, Progress
from .agent import BEAT, Answers, message
from .channels import STDERR, NotStarted
from .errors import ClusterError, ConnectionLost, Forbidden, NotFound, PodLost, Unauthorized
from .exec import Descriptor, ExecStream

BEAT_EVERY = 10.0
"""Seconds between heartbeats."""
PROGRESS_EVERY = 2.0
"""Seconds between heartbeats while somebody watches a job's progress."""
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


class AgentLink(threading.Thread):
    """The agent's exec: keeps it open, beats, sends what is queued, hands answers over."""

    def __init__(self, connect: Callable[[Deadline], ExecStream], reconnect_seconds: float, stop: threading.Event) -> None:
        super().__init__(name="agent", daemon=True)
        self._connect = connect
        self._reconnect_seconds = reconnect_seconds
        self._stop_event = stop
        self._changed = threading.Condition()
        self._queue = bytearray()
        self._job = ""
        self._request = b""
        self._progress: Progress | None = None
        self._answer: Completed | None = None
        self._failure: ClusterError | None = None
        self._closing = False
        self._wake: tuple[int, int] | None = os.pipe()
        self._waking = threading.Lock()

    def begin(self, job: str, request: bytes, progress: Progress | None) -> None:
        """Start a job. Raises what ended the link."""
        with self._changed:
            if self._failure is not None:
                raise self._failure
            self._job, self._request, self._progress, self._answer = job, request, progress, None
            self._queue += request
        self._notify()

    def wait(self, seconds: float) -> Completed | None:
        """The running job's answer, or None if there is none after ``seconds``. Raises what ended the link."""
        with self._changed:
            if self._answer is None and self._failure is None:
                self._changed.wait(seconds)
            if self._answer is not None:
                return self._answer
            if self._failure is not None:
                raise self._failure
            return None

    def end(self, job: str) -> None:
        """The job is over for us, answered or not."""
        with self._changed:
            self._job, self._request, self._progress = "", b"", None
            self._queue += message("forget", job)
        self._notify()

    def send(self, data: bytes) -> None:
        """Queue a message."""
        with self._changed:
            self._queue += data
        self._notify()

    def close(self) -> None:
        """End the thread and the connection. Whoever still waits for an answer is told that the connection is lost."""
        self._closing = True
        self._notify()
        if self.ident is not None:
            self.join()
        self._fail(ConnectionLost("The connection to the pod was closed."))
        with self._waking:
            wake, self._wake = self._wake, None
        for end in wake or ():
            os.close(end)

    def _notify(self) -> None:
        with self._waking:
            if self._wake is not None:  # else the descriptors' numbers are another file's by now
                os.write(self._wake[1], b"x")

    def run(self) -> None:
        first = True
        while not self._closing:
            try:
                stream = self._open()
            except ClusterError as error:
                self._fail(error)
                return
            except (Cancelled, DeadlineExceeded):
                self._fail(ConnectionLost("The run was asked to stop."))
                return
            try:
                self._serve(stream, first)
            except (ConnectionLost, NotStarted):
                pass  # opened again, and the job that was running is found again by its name
            finally:
                stream.close()
            first = False

    def _open(self) -> ExecStream:
        deadline = Deadline(self._reconnect_seconds, "reconnecting to the pod", self._stop_event)
        attempt = 0
        while True:
            try:
                return self._connect(deadline)
            except NotFound as error:
                raise PodLost(f"The pod is gone (deleted, evicted, or its node drained): {error.message}", "Run again.") from error
            except (Forbidden, Unauthorized):
                raise
            except ClusterError as error:
                pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
                attempt += 1
                if self._closing or pause >= deadline.left():
                    raise ConnectionLost(
                        f"The connection to a pod was lost, and could not be made again within {self._reconnect_seconds:.0f} seconds: {error}"
                    ) from error
                deadline.sleep(pause)

    def _serve(self, stream: ExecStream, first: bool) -> None:
        answers = Answers()
        next_beat = 0.0
        if not first:
            with self._changed:
                self._queue.clear()  # what was cut off in the middle is asked for, or sent again, whole
                if self._job:
                    self._queue += message("wait", self._job)
        while not self._closing and not stream.closed and not stream.broken:
            now = time.monotonic()
            if now >= next_beat:
                stream.write(BEAT)
                next_beat = now + (PROGRESS_EVERY if self._progress is not None else BEAT_EVERY)
            with self._changed:
                if self._queue:
                    stream.write(bytes(self._queue))
                    self._queue.clear()
                if self._progress is not None:
                    next_beat = min(next_beat, now + PROGRESS_EVERY)
            for channel, data in self._exchange(stream, max(0.0, next_beat - now)):
                if channel == STDERR:
                    self._tell(data)
                else:
                    for answer in answers.feed(data):
                        self._take(answer.job, answer.completed, stream)
            if stream.exit_code is not None:
                return
        while self._closing and stream.outgoing and not stream.closed:
            stream.exchange(0.5)

    def _exchange(self, stream: ExecStream, seconds: float) -> list[tuple[int, bytes]]:
        if self._wake is None:
            raise AssertionError("closed only after this thread")
        wake = self._wake[0]
        received, awake, _writable = stream.exchange(seconds, [Descriptor(wake)])
        if awake:
            os.read(wake, 4096)
        return received

    def _take(self, job: str, completed: Completed | None, stream: ExecStream) -> None:
        with self._changed:
            if job != self._job:
                return
            if completed is None:
                stream.write(self._request)
                return
            self._answer = completed
            self._changed.notify_all()

    def _tell(self, data: bytes) -> None:
        progress = self._progress
        lines = [line for line in data.replace(b"\r", b"\n").split(b"\n") if line.strip()]
        if progress is not None and lines:
            progress(lines[-1].decode("utf-8", "replace").strip())

    def _fail(self, error: ClusterError) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()
