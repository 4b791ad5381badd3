# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's exec: kept open, beaten, opened again when it was cut."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ...background import Background
from ...deadline import Deadline
from ...errors import Cancelled, DeadlineExceeded, DeploymentError
from ...heartbeat import BEAT_EVERY
from ...progress import OnLine
from ..api.api_errors import ClusterError, ConnectionLost, ExecRefused, Forbidden, NotFound, PodLost, Redirected, Unauthorized
from ..api.channels import STDERR, NotStarted
from ..api.client import PAUSES
from .agent import BEAT, Answer, Answers, message
from .streams import Descriptor, ExecStream

PROGRESS_EVERY = 2.0
"""Seconds between heartbeats while somebody watches a job's progress."""
_FIRST_TRIES = 5
"""A first connection that is refused for a moment is tried so often: whether it will ever be one, nobody knows."""
_SETTLED_SECONDS = BEAT_EVERY
"""A connection that lasted so long, or brought an answer, was a good one: reconnecting begins anew after it."""
_FLUSH_SECONDS = 5.0
"""Seconds in which the last messages are sent to a peer that may not read any more."""
_WORDS = 200
"""Bytes of what was said in the agent's place that are told."""
_NO_PROGRAM = (126, 127)
"""Exit codes of some runtimes, as of a shell, where there is no program of that name."""


class AgentLink(Background):
    """The agent's exec: keeps it open, beats, sends what is queued, hands answers over. Its end is told to who waits."""

    def __init__(self, connect: Callable[[Deadline], ExecStream], reconnect_seconds: float, stop: threading.Event) -> None:
        super().__init__("The connection to the agent in the pod", self._keep, self._fail)
        self._connect = connect
        self._reconnect_seconds = reconnect_seconds
        self._stop_event = stop
        self._changed = threading.Condition()
        self._queue = bytearray()
        self._job = ""
        self._request = b""
        self._given_up = b""
        self._progress: OnLine | None = None
        self._answer: Answer | None = None
        self._ended_by: DeploymentError | None = None
        self._closing = False
        self._heard = self._answered = self._sent_again = self._opened = False
        self._words = ""
        self._wake: tuple[int, int] | None = os.pipe()
        os.set_blocking(self._wake[1], False)
        self._waking = threading.Lock()

    def begin(self, job: str, request: bytes, progress: OnLine | None) -> None:
        """Start a job. Raises what ended the link."""
        with self._changed:
            if self._ended_by is not None:
                raise self._ended_by
            self._job, self._request, self._progress, self._answer = job, request, progress, None
            self._queue += request
        self._notify()

    def wait(self, seconds: float) -> Answer | None:
        """The running job's answer, or None if there is none after ``seconds``. Raises what ended the link."""
        with self._changed:
            if self._answer is None and self._ended_by is None:
                self._changed.wait(seconds)
            if self._answer is not None:
                return self._answer
            if self._ended_by is not None:
                raise self._ended_by
            return None

    def end(self, job: str) -> None:
        """The job is over for us; without an answer it is ended, by the next connection too, as this one may be cut before it hears of that."""
        with self._changed:
            last = message("forget", job)
            if self._answer is None:
                last = message("kill", job) + last
                self._given_up += last
            self._job, self._request, self._progress = "", b"", None
            self._queue += last
        self._notify()

    def close(self) -> None:
        """End the thread and the connection. Whoever still waits for an answer is told that the connection is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
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
                with suppress(BlockingIOError):  # a full pipe wakes as well
                    os.write(self._wake[1], b"x")

    def _keep(self) -> None:
        first, unsettled, since = True, 0, time.monotonic()
        while not self._closing:
            try:
                stream = self._open()
            except ClusterError as error:
                self._fail(error)
                return
            except (Cancelled, DeadlineExceeded):
                self._fail(ConnectionLost("The run was asked to stop."))
                return
            opened = time.monotonic()
            self._answered = self._sent_again = False
            self._words = ""
            why = "it ended at once"
            try:
                self._serve(stream, first)
            except ConnectionLost as error:
                why = str(error)  # opened again, and the job that was running is found again by its name
            except NotStarted as error:
                self._fail(self._not_started(str(error)))
                return
            finally:
                stream.close()
            first = False
            if self._answered or time.monotonic() - opened >= _SETTLED_SECONDS:
                unsettled, since = 0, time.monotonic()
                continue
            if time.monotonic() - since > self._reconnect_seconds:
                said = f" It said: {self._words}." if self._words else ""
                words = f"The agent did not stay in the pod for {self._reconnect_seconds:.0f} seconds, however often it was started: {why}."
                self._fail(ConnectionLost(words + said, "Run again."))
                return
            with self._changed:
                self._changed.wait_for(lambda: self._closing, PAUSES[min(unsettled, len(PAUSES) - 1)])
            unsettled += 1

    def _not_started(self, words: str) -> ClusterError:
        """The error for an exec that the pod's node refused: asked again, it would say the same."""
        said = f"The agent could not be started in the pod: {words.rstrip('.')}."
        if self._heard or "executable file" not in words:
            return ConnectionLost(said, "Run again.")  # it was there, or the container is not there (any more)
        return ClusterError(said, "It needs sh and coreutils: use an image, or name a container, that has them.")

    def _open(self) -> ExecStream:
        deadline = Deadline(self._reconnect_seconds, "reconnecting to the pod", self._stop_event)
        attempt = refused = 0
        while True:
            try:
                stream = self._connect(deadline)
                self._opened = True
                return stream
            except NotFound as error:
                raise PodLost(f"The pod is gone (deleted, evicted, or its node drained): {error.message}", "Run again.") from error
            except ClusterError as error:
                if isinstance(error, Redirected) or (isinstance(error, (Forbidden, Unauthorized)) and not error.passes):
                    raise
                attempt += 1
                # A node may say so for a moment of a pod that is ready, so it is asked a few times.
                if isinstance(error, PodLost) or (isinstance(error, ExecRefused) and not self._opened):
                    refused += 1
                    if not error.passes or refused > _FIRST_TRIES:
                        raise
                pause = max(PAUSES[min(attempt - 1, len(PAUSES) - 1)], error.retry_after)
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
                self._queue[:] = self._given_up  # what was cut off in the middle is asked for, or sent again, whole
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
                    self._heard = True
                    for answer in answers.feed(data):
                        self._take(answer, stream)
            if stream.exit_code is not None:
                if stream.exit_code in _NO_PROGRAM and not self._heard:
                    raise NotStarted(f"no executable file sh (exit code {stream.exit_code}) {self._words}")
                return
        if self._closing:
            self._flush(stream)

    def _flush(self, stream: ExecStream) -> None:
        """Send what is queued, that a job be killed for example, to a peer that may not read any more."""
        with self._changed:
            stream.write(bytes(self._queue))
            self._queue.clear()
        ends = time.monotonic() + _FLUSH_SECONDS
        while stream.outgoing and not stream.closed and (left := ends - time.monotonic()) > 0:
            stream.exchange(min(0.5, left))

    def _exchange(self, stream: ExecStream, seconds: float) -> list[tuple[int, bytes]]:
        if self._wake is None:
            raise AssertionError("closed only after this thread")
        wake = self._wake[0]
        received, awake, _writable = stream.exchange(seconds, [Descriptor(wake)])
        if awake:
            os.read(wake, 4096)
        return received

    def _take(self, answer: Answer, stream: ExecStream) -> None:
        with self._changed:
            if answer.job != self._job:
                return
            if answer.completed is None and not answer.too_large:
                if self._sent_again:  # it was asked once for each connection
                    raise ConnectionLost("the agent does not know the job that it was given")
                self._sent_again = True
                stream.write(self._request)
                return
            self._answer, self._answered, self._given_up = answer, True, b""
            self._changed.notify_all()

    def _tell(self, data: bytes) -> None:
        progress = self._progress
        lines = [line for line in data.replace(b"\r", b"\n").split(b"\n") if line.strip()]
        if lines and not self._heard:
            self._words = lines[-1][-_WORDS:].decode("utf-8", "replace").strip()
        if progress is not None and lines:
            progress(lines[-1].decode("utf-8", "replace").strip())

    def _fail(self, error: DeploymentError) -> None:
        """Tell who waits, and who comes later. Without the link there is no way to the place, whatever ended it."""
        lost = error if isinstance(error, ClusterError) else ConnectionLost(error.message, error.remedy)
        with self._changed:
            self._ended_by = self._ended_by or lost
            self._changed.notify_all()
