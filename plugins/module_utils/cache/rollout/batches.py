# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the commands of several projects as one job, because each job costs a way there and back while the volume is held.

The projects go through the same stages, so they mostly want the same at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import TypeVar

from ...background import unexpected
from ...deadline import Deadline, Step
from ...errors import DeploymentError
from ...progress import OnLine
from ...shell import Completed, RsyncPeer, Shell, checked, not_in_time
from ..domain.results import HoldTimes
from ..git import scripts
from .volume_access import HeldVolume

T = TypeVar("T")


class BatchFailed(DeploymentError):
    """A batch, or a process in it, was killed or could not start. That says nothing of the projects, so each is tried alone."""


PROJECTS_AT_ONCE = 8
"""Projects that are worked on at once, a thread each."""
BATCH_WAIT_SECONDS = 2.0
"""Seconds for which a batch waits for projects that are busy elsewhere, with the seed or the API."""
_LOOK_EVERY = 0.5
"""Seconds between two looks at the deadline."""
_WORDS_MOST = 512 * 1024
"""Bytes of the words of one job."""


@dataclass
class _Request:
    """A process that a thread wants run, for ``seconds`` from its own start at the most: these are left of the ``allowed`` ones for ``what``.

    In the end it is ``completed``, or there is an ``error``.
    """

    argv: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str]
    seconds: float
    allowed: float
    what: str
    progress: OnLine | None
    begun: bool = False
    completed: Completed | None = None
    error: DeploymentError | None = None

    @property
    def done(self) -> bool:
        return self.completed is not None or self.error is not None


@dataclass(frozen=True)
class _End:
    """The end of a process of a batch: its exit code, and the bytes of its output and of its errors."""

    code: int
    size: int
    said: int

    @property
    def came(self) -> int:
        """The bytes of its output that came with those of the others."""
        return self.size if self.size <= scripts.OUTPUT_MOST else 0


class BatchingShell:
    """A Shell for several threads that runs their commands in batches. A batch is one job of ``shell``.

    Its processes run one after the other, or a few at once where they may (``scripts.PARALLEL``). Each has its own exit code, output and
    time. ``directory`` is our own, in that place; ``limit`` is the time for all; a batch waits ``wait_seconds`` for all ``threads`` to ask.
    """

    def __init__(self, shell: Shell, directory: str, threads: int, limit: Deadline, wait_seconds: float) -> None:
        self._shell = shell
        self._directory = directory
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._changed = threading.Condition()
        self._using = threading.Lock()
        self._threads = threads
        self._requests: list[_Request] = []

    @property
    def where(self) -> str:
        """See ``Shell``."""
        return self._shell.where

    def thread_done(self) -> None:
        """Stop waiting for one of the threads, which has nothing more to run."""
        with self._changed:
            self._threads -= 1
            self._changed.notify_all()

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        """See ``Shell``. A process in a batch reports no progress."""
        request = _Request(tuple(argv), stdin, env or {}, deadline.left(), deadline.seconds, deadline.what, progress)
        batch = self._batch(request)
        if batch:
            self._run(batch)
        if request.completed is not None:
            return request.completed
        raise request.error or AssertionError("every request of a batch must have a result or an error")

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        """See ``Shell``."""
        with deadline.holding(self._using):
            return self._shell.download(argv, to, deadline=deadline)

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        """See ``Shell``."""
        with deadline.holding(self._using):
            return self._shell.upload(argv, source, deadline=deadline)

    @contextmanager
    def rsync_peer(self, deadline: Deadline, within: Sequence[str] = ()) -> Iterator[RsyncPeer]:
        """See ``Shell``."""
        with deadline.holding(self._using), self._shell.rsync_peer(deadline, within) as peer:
            yield peer

    def _batch(self, request: _Request) -> list[_Request]:
        """Wait until the process has run, or its turn has come: then it and all that are to run with it."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()
            waits_until = monotonic() + self._wait_seconds
            while not request.done:
                if not request.begun and (len(self._requests) >= self._threads or monotonic() >= waits_until):
                    batch, self._requests = self._requests, []
                    for one in batch:
                        one.begun = True
                    return batch
                try:
                    self._changed.wait(_LOOK_EVERY if request.begun else min(_LOOK_EVERY, self._limit.left()))
                except DeploymentError:
                    self._requests.remove(request)
                    raise
        return []

    def _run(self, batch: Sequence[_Request]) -> None:
        """Run a batch; whatever becomes of it, each of it has its end, and who waits is told."""
        failure = DeploymentError(f"{self.where} did not answer the commands of several projects.", "Run again.")
        try:
            with self._limit.holding(self._using):
                for part in _parts(batch):
                    if len(part) == 1:
                        self._run_alone(part[0])
                    else:
                        self._run_batch(part)
        except BatchFailed as error:
            failure = error
        except BaseException as error:  # noqa: BLE001  (the others wait in threads of their own, and get it)
            failure = unexpected("Running the commands of several projects", error)
        finally:
            with self._changed:
                for one in batch:
                    if not one.done:
                        one.error = failure
                self._changed.notify_all()

    def _run_alone(self, one: _Request) -> None:
        deadline = Step(self._limit, one.seconds, one.what)
        try:
            one.completed = self._shell.run(one.argv, deadline=deadline, stdin=one.stdin, env=one.env, progress=one.progress)
        except DeploymentError as error:
            one.error = error

    def _run_batch(self, batch: Sequence[_Request]) -> None:
        texts = {word: number for number, word in enumerate(dict.fromkeys(word for one in batch for word in one.argv if "\n" in word), 1)}
        words = [self._directory, str(len(texts)), *texts]
        for one in batch:
            own = [f"+{name}={value}" for name, value in one.env.items()]
            own += [f"@{texts[word]}" if word in texts else f"={word}" for word in one.argv]
            how = "alone" if scripts.PARALLEL.isdisjoint(one.argv) else "parallel"
            words += [how, f"{max(0.001, one.seconds):.3f}", str(len(one.stdin)), str(len(own)), *own]
        stdin = b"".join(one.stdin for one in batch)
        answer = self._shell.run(scripts.argv(scripts.BATCH, *words), deadline=self._limit, stdin=stdin)
        if answer.returncode:  # killed, or not even begun
            raise BatchFailed(f"The commands of several projects in {self.where} were killed or could not start: {_last_line(answer)}.")
        *lines, rest = answer.stdout.split(b"\n", len(batch))
        ends = [_End(*(int(word) for word in line.split())) for line in lines]
        if len(rest) != sum(end.came + end.said for end in ends):
            raise BatchFailed(f"What the commands of several projects in {self.where} printed was changed while it was read.")
        for number, (one, end) in enumerate(zip(batch, ends, strict=True), 1):
            output, errors, rest = rest[: end.came], rest[end.came : end.came + end.said], rest[end.came + end.said :]
            if end.code == scripts.TIMED_OUT:
                one.error = not_in_time(one.argv, f"in {self.where}", f"{one.what} took longer than {one.allowed:.0f} seconds")
                continue
            completed = Completed(one.argv, end.code, output, errors.decode("utf-8", "replace"))
            if end.code in scripts.NO_RESULT_CODES:
                one.error = BatchFailed(f"A command ({' '.join(one.argv[:2])}) in {self.where} was killed while others ran: {_last_line(completed)}.")
            elif end.came == end.size:
                one.completed = completed
            else:
                self._fetch(one, completed, f"{self._directory}/{number}.out")

    def _fetch(self, one: _Request, completed: Completed, file: str) -> None:
        """Fetch an output that is too large to come with the others."""
        try:
            fetched = checked(self._shell, self._shell.run(("cat", "--", file), deadline=self._limit))
        except DeploymentError as error:
            one.error = error
        else:
            one.completed = replace(completed, stdout=fetched.stdout)


def _last_line(completed: Completed) -> str:
    return (completed.stderr.strip().splitlines() or [f"exit code {completed.returncode}"])[-1]


def _parts(batch: Sequence[_Request]) -> Iterator[list[_Request]]:
    """The batch in parts, none of which has more words than one job may have."""
    part: list[_Request] = []
    size = 0
    for one in batch:
        own = sum(len(word) for word in one.argv)
        if part and size + own > _WORDS_MOST:
            yield part
            part, size = [], 0
        part.append(one)
        size += own
    yield part


def work_in_batches(held: HeldVolume, items: Sequence[T], limit: Deadline, work: Callable[[HeldVolume, T], None]) -> None:
    """Do ``work`` with the held volume and each of the items, several at once. Raises what one of them raises, when all have ended."""
    threads = min(PROJECTS_AT_ONCE, len(items))
    # `#` is in no project's name, whose directories are beside this one.
    shell = BatchingShell(held.shell, f"{held.scratch}/batch#", threads, limit, BATCH_WAIT_SECONDS)
    seen = BatchedVolume(held, shell)
    left: SimpleQueue[T | None] = SimpleQueue()
    for item in (*items, *[None] * threads):
        left.put(item)

    def work_on_some() -> None:
        try:
            for item in iter(left.get_nowait, None):
                work(seen, item)
        finally:
            shell.thread_done()

    with ThreadPoolExecutor(threads, "project") as executor:
        ends = [executor.submit(work_on_some) for _thread in range(threads)]
    for end in ends:
        end.result()


class BatchedVolume:
    """A held volume whose processes run through a BatchingShell."""

    def __init__(self, held: HeldVolume, shell: Shell) -> None:
        self.shell = shell
        self.root, self.scratch, self.tag = held.root, held.scratch, held.tag
        self.guest, self.shared = held.guest, held.shared
        self.memory_bytes, self.cpus = held.memory_bytes, held.cpus
        self.wanted = held.wanted
        self._held = held

    @property
    def held_seconds(self) -> float:
        """See ``HeldVolume``."""
        return self._held.held_seconds

    @property
    def lock(self) -> HoldTimes:
        """See ``HeldVolume``."""
        return self._held.lock

    @property
    def warnings(self) -> tuple[str, ...]:
        """See ``HeldVolume``."""
        return self._held.warnings
