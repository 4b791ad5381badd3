# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Shell of a pod: argvs through our agent, large data and rsync through an exec of their own."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ...deadline import Deadline
from ...errors import DeadlineExceeded, DeploymentError, Interrupted
from ...heartbeat import HEARTBEAT_LIMIT
from ...progress import OnLine
from ...shell import KILLED, STDERR_LIMIT, AnswerTooLarge, Completed, RsyncPeer, not_in_time, require_there
from ..api.api_errors import ClusterError, ConnectionLost, Forbidden, NotFound, PodLost, Unauthorized, Unreachable
from ..api.channels import STDERR, STDOUT, NotStarted
from ..api.client import Client
from .agent import OTHER_POD, run_message, served_argv, start_argv
from .link import AgentLink
from .rsync_peer import serve_rsync
from .streams import ExecStream, open_exec

_CLOSING_SECONDS = 20.0
_PAUSE = 1.0
"""Seconds before an API that is away is asked again."""
_BUFFER = 4 * 1024 * 1024
"""Bytes in flight towards a pod, at most."""


@dataclass(frozen=True)
class ContainerAddress:
    """A container of the pod of that ``uid``: another pod may have its name at any time."""

    namespace: str
    pod: str
    uid: str
    container: str

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.pod}"


class PodShell:
    """Runs processes in a container of a running pod. A context manager; processes end with their jobs, not with it. Safe for threads:
    ``run`` runs one process at a time.

    The pod is the one of that uid, or it is lost. One of ours knows its uid and refuses by itself; ``require`` is called before each
    connection to another's pod, and raises where we may not work there any more. ``ended`` is asked before the agent is started once more:
    why nothing can be started in the pod any more, in words, or nothing.
    """

    def __init__(
        self,
        client: Client,
        address: ContainerAddress,
        *,
        job_directory: str,
        heartbeat: str = "",
        reconnect_seconds: float = HEARTBEAT_LIMIT,
        stop: threading.Event | None = None,
        require: Callable[[Deadline], None] | None = None,
        ended: Callable[[Deadline], str] | None = None,
    ) -> None:
        self._client = client
        self._address = address
        self._require = require
        self._ended = ended
        self._connected = False
        self._job_directory = job_directory
        self._heartbeat = heartbeat
        self._reconnect_seconds = reconnect_seconds
        prefix = uuid.uuid4().hex  # not id(self): Python gives that again, and a job's ID must not come again
        self._names = (f"{prefix}-{number}" for number in itertools.count())
        self._running = threading.Lock()
        self._link = AgentLink(self._connect, reconnect_seconds, stop if stop is not None else threading.Event())

    @property
    def where(self) -> str:
        return str(self._address)

    def __enter__(self) -> PodShell:
        self._link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        words = [*argv] if not env else ["env", *(f"{name}={value}" for name, value in env.items()), *argv]
        with deadline.holding(self._running):
            return self._run(argv, words, deadline, stdin, progress)

    def _run(self, argv: Sequence[str], words: Sequence[str], deadline: Deadline, stdin: bytes, progress: OnLine | None) -> Completed:
        job = next(self._names)
        self._link.begin(job, run_message(job, words, stdin), progress)
        looked = time.monotonic()
        try:
            while True:
                answer = self._link.wait(min(0.5, deadline.left()))
                looked, before = time.monotonic(), looked
                if self._client.is_away:
                    deadline.excuse(looked - before)
                if answer is not None and answer.completed is not None:
                    return replace(answer.completed, argv=tuple(argv))
                if answer is not None:
                    raise AnswerTooLarge(self.where, argv, answer.too_large)
        except Interrupted:
            raise
        except DeadlineExceeded as error:
            raise not_in_time(argv, f"in {self.where}", error) from error
        finally:
            self._link.end(job)

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        try:
            with to.open("wb") as file:
                return self._exec(argv, deadline, None, file.write)
        except OSError as error:
            raise DeploymentError(
                f"{to} on this machine cannot be written: {error.strerror or error}.",
                "Free some space there, or set TMPDIR to another place.",
            ) from error

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        # `head` ends the process's input: an exec's cannot be ended.
        words = ("sh", "-c", 'size=$1; shift; head -c "$size" | "$@"', "upload", str(source.stat().st_size), *argv)
        return self._exec(words, deadline, source, lambda _data: 0)

    def run_apart(self, argv: Sequence[str], deadline: Deadline) -> Completed:
        """Run ``argv`` without the agent, whose connection need not be open; what it prints is not brought here. Raises ClusterError."""
        return self._exec(argv, deadline, None, lambda _data: 0)

    @contextmanager
    def rsync_peer(self, deadline: Deadline, within: Sequence[str] = ()) -> Iterator[RsyncPeer]:
        with serve_rsync(lambda argv: self._open((*within, *argv), deadline), deadline) as peer:
            yield peer

    def _connect(self, deadline: Deadline, argv: Sequence[str] = (), stdin: bool = True) -> ExecStream:
        """An exec of the agent, or of ``argv``."""
        address = self._address
        if self._require is not None:
            self._require(deadline)
        if self._ended is not None and self._connected and not argv and (why := self._ended(deadline)):
            raise PodLost(f"Pod {address.namespace}/{address.pod} has ended while work was done in it: {why}.", "Run again.")
        self._connected = True
        words = served_argv(address.uid, self._job_directory, argv) if argv else start_argv(self._job_directory, self._heartbeat, address.uid)
        return open_exec(self._client, address.namespace, address.pod, address.container, words, deadline, stdin=stdin)

    def _open(self, argv: Sequence[str], deadline: Deadline, stdin: bool = True) -> ExecStream:
        """Open an exec of ``argv``. Waits for an API that is away, as the agent's exec does."""
        limit = deadline.within(self._reconnect_seconds, "reconnecting to the pod")
        while True:
            try:
                return self._connect(limit, argv, stdin)
            except NotFound as error:
                raise PodLost(f"The pod is gone (deleted, evicted, or its node drained): {error.message}", "Run again.") from error
            except (Unreachable, Unauthorized, Forbidden) as error:
                if not error.passes or limit.left() <= _PAUSE:
                    raise
                limit.sleep(_PAUSE)

    def _exec(self, argv: Sequence[str], deadline: Deadline, source: Path | None, take: Callable[[bytes], int]) -> Completed:
        """One exec of its own, streamed; a lost connection is an error, never a short file."""
        stream = self._open(argv, deadline, stdin=source is not None)
        stderr = bytearray()
        ending = deadline
        file = source.open("rb") if source is not None else None
        try:
            while not stream.closed:
                while file is not None and stream.outgoing < _BUFFER and not stream.broken:
                    data = file.read(1024 * 1024)
                    if not data:
                        file.close()
                        file = None
                        break
                    stream.write(data)
                for channel, data in stream.exchange(min(0.5, ending.left()))[0]:
                    if channel == STDOUT:
                        take(data)
                    elif channel == STDERR:
                        stderr = (stderr + data)[-STDERR_LIMIT:]
                if ending is deadline and stream.exit_code is not None:
                    # The status can overtake the output: what is left is read until the server closes.
                    ending = deadline.within(_CLOSING_SECONDS, "the end of the connection")
            code = stream.exit_code
        except NotStarted as error:
            raise ClusterError(f"{argv[0]} could not be started in {self.where}: {error}") from error
        finally:
            stream.close()
            if file is not None:
                file.close()
        if code is None:
            raise ConnectionLost(f"The connection to {self.where} was lost while {argv[0]} was running.", "Run again.")
        # Whatever ends a pod ends the processes in it like the first, before the pod is gone; any program may end with the second: our agent
        # knows whose the pod is.
        if code in (KILLED, OTHER_POD):
            require_there(self, deadline)
        return Completed(tuple(argv), code, b"", stderr.decode("utf-8", "replace"))
