# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs what several projects need in one place as one job: a job costs a held volume a way there and back, and an agent's processes.

The projects go through the same stages, so what they ask of the place is mostly the same at the same time.
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

from ..background import unexpected
from ..deadline import Deadline
from ..errors import DeadlineExceeded, DeploymentError
from ..shell import Completed, Progress, RsyncPeer, Shell, checked
from . import scripts
from .keeper import HeldVolume
from .results import Lock

T = TypeVar("T")


class NotTogether(DeploymentError):
    """What several projects wanted was not run to its own end: it says nothing of them. Each is to be tried alone."""


MOST = 8
"""Projects that are worked on at once, a thread each. All their answers are one answer of the place."""
PATIENCE = 2.0
"""Seconds that a batch waits for projects that are busy elsewhere, with the seed or the API."""
_LOOK_EVERY = 0.5
"""Seconds between two looks at the deadline."""
_WORDS_MOST = 512 * 1024
"""Bytes of the words of one job."""


@dataclass
class _Asked:
    """A process that somebody wants run, within ``seconds`` from its own beginning, which are left of the ``allowed`` ones for ``what``.

    In the end it is ``completed``, or there is an ``error``.
    """

    argv: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str]
    seconds: float
    allowed: float
    what: str
    progress: Progress | None
    begun: bool = False
    completed: Completed | None = None
    error: DeploymentError | None = None

    @property
    def done(self) -> bool:
        return self.completed is not None or self.error is not None


class Together:
    """A Shell for ``among`` threads at once, which runs what they ask for in batches: a batch is one job of ``shell``, one process after the
    other, or a few beside each other where they may (``scripts.SIDE_BY_SIDE``).

    Each process has its own exit code, output and time. ``directory`` is our own, in that place; ``limit`` is the time for all.
    """

    def __init__(self, shell: Shell, directory: str, among: int, limit: Deadline, patience: float) -> None:
        self._shell = shell
        self._directory = directory
        self._limit = limit
        self._patience = patience
        self._changed = threading.Condition()
        self._using = threading.Lock()
        self._among = among
        self._asked: list[_Asked] = []

    @property
    def where(self) -> str:
        """See ``Shell``."""
        return self._shell.where

    def leave(self) -> None:
        """Stop waiting for one of the threads: it has nothing more to be run."""
        with self._changed:
            self._among -= 1
            self._changed.notify_all()

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Completed:
        """See ``Shell``. Of what goes together there is no progress."""
        asked = _Asked(tuple(argv), stdin, env or {}, deadline.left(), deadline.seconds, deadline.what, progress)
        batch = self._batch(asked)
        if batch:
            self._run(batch)
        if asked.completed is not None:
            return asked.completed
        raise asked.error or AssertionError("who runs a batch gives each of it an end")

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

    def _batch(self, asked: _Asked) -> list[_Asked]:
        """Wait until the process has run, or its turn has come: then it and all that are to run with it."""
        with self._changed:
            self._asked.append(asked)
            self._changed.notify_all()
            waits_until = monotonic() + self._patience
            while not asked.done:
                if not asked.begun and (len(self._asked) >= self._among or monotonic() >= waits_until):
                    batch, self._asked = self._asked, []
                    for one in batch:
                        one.begun = True
                    return batch
                try:
                    self._changed.wait(_LOOK_EVERY if asked.begun else min(_LOOK_EVERY, self._limit.left()))
                except DeploymentError:
                    self._asked.remove(asked)
                    raise
        return []

    def _run(self, batch: Sequence[_Asked]) -> None:
        """Run a batch; whatever becomes of it, each of it has its end, and who waits is told."""
        failure = DeploymentError(f"{self.where} did not answer the commands of several projects.", "Run again.")
        try:
            with self._limit.holding(self._using):
                for part in _parts(batch):
                    if len(part) == 1:
                        self._run_alone(part[0])
                    else:
                        self._run_together(part)
        except NotTogether as error:
            failure = error
        except BaseException as error:  # noqa: BLE001  (the others wait in threads of their own, and get it)
            failure = unexpected("Running the commands of several projects", error)
        finally:
            with self._changed:
                for one in batch:
                    if not one.done:
                        one.error = failure
                self._changed.notify_all()

    def _run_alone(self, one: _Asked) -> None:
        deadline = self._limit.within(one.seconds, one.what)
        try:
            one.completed = self._shell.run(one.argv, deadline=deadline, stdin=one.stdin, env=one.env, progress=one.progress)
        except DeploymentError as error:
            one.error = error

    def _run_together(self, batch: Sequence[_Asked]) -> None:
        texts = {word: number for number, word in enumerate(dict.fromkeys(word for one in batch for word in one.argv if "\n" in word), 1)}
        words = [self._directory, str(len(texts)), *texts]
        for one in batch:
            own = [f"+{name}={value}" for name, value in one.env.items()]
            own += [f"@{texts[word]}" if word in texts else f"={word}" for word in one.argv]
            how = "alone" if scripts.SIDE_BY_SIDE.isdisjoint(one.argv) else "beside"
            words += [how, f"{max(0.001, one.seconds):.3f}", str(len(one.stdin)), str(len(own)), *own]
        stdin = b"".join(one.stdin for one in batch)
        answer = self._shell.run(scripts.argv(scripts.TOGETHER, *words), deadline=self._limit, stdin=stdin)
        if answer.returncode:  # killed, or not even begun
            raise NotTogether(f"What several projects need in {self.where} could not be run together: {_last_line(answer)}.")
        *lines, rest = answer.stdout.split(b"\n", len(batch))
        for number, (one, line) in enumerate(zip(batch, lines, strict=True), 1):
            code, size, said = (int(word) for word in line.split())
            came = size if size <= scripts.OUTPUT_MOST else 0
            output, errors, rest = rest[:came], rest[came : came + said], rest[came + said :]
            if code == scripts.TOOK_TOO_LONG:
                program = " ".join(one.argv[:2])
                one.error = DeadlineExceeded(
                    f"{program} in {self.where} did not end in time: {one.what} took longer than {one.allowed:.0f} seconds."
                )
                continue
            completed = Completed(one.argv, code, output, errors.decode("utf-8", "replace"))
            if code in scripts.NOT_ITS_OWN_END:
                one.error = NotTogether(f"{' '.join(one.argv[:2])} in {self.where} ended early beside others: {_last_line(completed)}.")
            elif came == size:
                one.completed = completed
            else:
                self._fetch(one, completed, f"{self._directory}/{number}.out")

    def _fetch(self, one: _Asked, completed: Completed, file: str) -> None:
        """An output that is too large to come with the others."""
        try:
            fetched = checked(self._shell, self._shell.run(("cat", "--", file), deadline=self._limit))
        except DeploymentError as error:
            one.error = error
        else:
            one.completed = replace(completed, stdout=fetched.stdout)


def _last_line(completed: Completed) -> str:
    return (completed.stderr.strip().splitlines() or [f"exit code {completed.returncode}"])[-1]


def _parts(batch: Sequence[_Asked]) -> Iterator[list[_Asked]]:
    """The batch in parts, none of which has more words than one job may have."""
    part: list[_Asked] = []
    size = 0
    for one in batch:
        own = sum(len(word) for word in one.argv)
        if part and size + own > _WORDS_MOST:
            yield part
            part, size = [], 0
        part.append(one)
        size += own
    yield part


def work_together(held: HeldVolume, items: Sequence[T], limit: Deadline, work: Callable[[HeldVolume, T], None]) -> None:
    """Do ``work`` with the held volume and each of the items, several at once. Raises what one of them raises, when all have ended."""
    threads = min(MOST, len(items))
    # `#` is in no project's name, whose directories are beside this one.
    together = Together(held.shell, f"{held.scratch}/together#", threads, limit, PATIENCE)
    seen = HeldTogether(held, together)
    left: SimpleQueue[T | None] = SimpleQueue()
    for item in (*items, *[None] * threads):
        left.put(item)

    def work_on_some() -> None:
        try:
            for item in iter(left.get_nowait, None):
                work(seen, item)
        finally:
            together.leave()

    with ThreadPoolExecutor(threads, "project") as executor:
        ends = [executor.submit(work_on_some) for _thread in range(threads)]
    for end in ends:
        end.result()


class HeldTogether:
    """A held volume as one of several projects sees it that are worked on at once."""

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
    def lock(self) -> Lock:
        """See ``HeldVolume``."""
        return self._held.lock

    @property
    def warnings(self) -> tuple[str, ...]:
        """See ``HeldVolume``."""
        return self._held.warnings
