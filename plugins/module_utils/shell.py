# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an argv somewhere: the one interface by which the cache's work reaches a pod or this machine.

``cache`` is written against ``Shell`` and knows nothing of pods; ``PodShell`` (in ``cluster.exec.pod_shell``) implements it for a pod, ``LocalShell``
(in ``local_shell``) for this machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .deadline import Deadline, Step
from .errors import DeadlineExceeded, DeploymentError, Interrupted, PlaceLost
from .progress import OnLine

KILLED = 137
"""The exit code of a process that got SIGKILL: for want of memory, or as the pod in which it ran ends."""
_LOOKING_SECONDS = 30.0
STDERR_LIMIT = 16 * 1024
"""Bytes of standard error that are kept: the end, where the reason is."""
OUTPUT_LIMIT = 16 * 1024 * 1024
"""Bytes of standard output that ``Shell.run`` brings from a pod. What may be larger is streamed, or summed up there."""


@dataclass(frozen=True)
class Completed:
    """A process that has ended. ``stderr`` is its last ``STDERR_LIMIT`` bytes, decoded."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: str

    def text(self) -> str:
        """Standard output as text, without the last newline."""
        return self.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


@dataclass(frozen=True)
class RsyncPeer:
    """A local rsync's way to the other side: the remote shell's argv (empty: same machine), the host part, and the environment.

    ``within``: the beginning of the local rsync's argv, where the other side is this machine.
    """

    rsh: tuple[str, ...]
    prefix: str
    env: Mapping[str, str]
    within: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """rsync's option for the remote shell. rsync splits its value at spaces, but for what is in quotes; a quote in them is doubled."""
        words = ["'{}'".format(word.replace("'", "''")) for word in self.rsh]
        return (f"--rsh={' '.join(words)}",) if words else ()


class CommandFailed(DeploymentError):
    """A process ended with another exit code than 0 where that was not expected. ``completed`` has its words."""

    def __init__(self, where: str, completed: Completed, remedy: str = "") -> None:
        words = [line.strip() for line in completed.stderr.replace("\r", "\n").splitlines() if line.strip()]
        # git says what is wrong first, and what might be done in many lines after it.
        telling = [line for line in words if line.startswith(("fatal:", "error:"))] or words
        said = " | ".join(telling[-3:]).rstrip(".") or "it printed nothing"
        program = " ".join(completed.argv[:2])
        super().__init__(f"{program} in {where} ended with code {completed.returncode}: {said}.", remedy)
        self.completed = completed


class AnswerTooLarge(DeploymentError):
    """A process printed more than one answer may have; nothing of it was brought here."""

    def __init__(self, where: str, argv: Sequence[str], size: int) -> None:
        super().__init__(
            f"{' '.join(argv[:2])} in {where} printed {size} bytes, and one answer may have {OUTPUT_LIMIT}.",
            "Look at what lies there: something has far more in it than this software expects.",
        )


class Shell(Protocol):
    """One place in which processes run. Whether several threads may use it at once, each implementation says."""

    @property
    def where(self) -> str:
        """The place, as in an error message: ``pod sandbox/packit-cache-…`` or ``this machine``."""

    def run(
        self,
        argv: Sequence[str],
        *,
        deadline: Deadline,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        progress: OnLine | None = None,
    ) -> Completed:
        """Run ``argv`` to its end and return what it said, whatever its exit code.

        For input that fits in memory, and ``OUTPUT_LIMIT`` bytes of output: a pod sends no more. ``env`` is added to the
        place's own environment. At the deadline or a stop the process and its children are killed. In a pod it survives a lost connection: the same process is
        found again, never started twice. Raises DeadlineExceeded, Cancelled, and in a pod ConnectionLost and AnswerTooLarge.
        """

    def download(self, argv: Sequence[str], to: Path, *, deadline: Deadline) -> Completed:
        """Run ``argv`` and stream its standard output into a local file, however large. ``stdout`` of the result is empty.

        Raises as ``run`` does, and PlaceLost where a process that was killed was killed by its pod's end.
        """

    def upload(self, argv: Sequence[str], source: Path, *, deadline: Deadline) -> Completed:
        """Run ``argv`` with a local file, however large, as its standard input (ended by EOF for the process).

        Raises as ``download`` does.
        """

    def rsync_peer(self, deadline: Deadline, within: Sequence[str] = ()) -> AbstractContextManager[RsyncPeer]:
        """Open a way for an rsync of this machine to files there, for the context; ``within``: the beginning of its argv there."""


def checked(shell: Shell, completed: Completed, remedy: str = "") -> Completed:
    """``completed`` if its exit code is 0, else CommandFailed."""
    if completed.returncode:
        raise CommandFailed(shell.where, completed, remedy)
    return completed


def not_in_time(argv: Sequence[str], place: str, why: object) -> DeadlineExceeded:
    """Return the error for a process that did not end in time; ``place`` as in `in pod x`."""
    return DeadlineExceeded(f"{' '.join(argv[:2])} {place} did not end in time: {why}.")


def require_there(shell: Shell, deadline: Deadline) -> None:
    """Look for half a minute at the most whether processes can still be run in a place. Raises PlaceLost where they cannot."""
    try:
        shell.run(("true",), deadline=Step(deadline, _LOOKING_SECONDS, f"looking after {shell.where}"))
    except Interrupted:
        raise
    except DeadlineExceeded as error:
        deadline.left()  # raises where it is the caller's time that is over
        # A container that has ended, or a node that is lost, has a pod that is still there: it refuses, or does not answer.
        raise PlaceLost(f"In {shell.where} no process could be run for {_LOOKING_SECONDS:.0f} seconds.", "Run again.") from error
