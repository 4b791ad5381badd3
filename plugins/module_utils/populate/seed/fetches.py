# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch each project once into a seed pod: a few at a time, and one by one where that was too much."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...cache.domain.model import BY_RSYNC, Snapshot
from ...cache.domain.projects import Project
from ...cache.domain.space import size
from ...cache.git.environment import Limits
from ...cache.git.fetch_errors import OutOfMemory
from ...cache.git.fetching import phase_of
from ...cache.git.mirror import Mirror
from ...cache.git.pack_maker import PackMaker
from ...cluster.api.ours import SCRATCH
from ...cluster.api.quota import ConcurrencyLimit
from ...deadline import Deadline
from ...errors import DeploymentError, PlaceLost
from ...shell import KILLED, CommandFailed, Shell
from .context import SeedContext
from .once_failed import OnceFailed

_AT_ONCE = 3
"""Projects that the seed pod fetches at once; one, once it was lost or ran out of memory."""


@contextmanager
def _too_much(several: bool) -> Iterator[None]:
    """Raises PlaceLost where a process inside was killed for want of memory beside ``several`` others: it is tried again, alone."""
    try:
        yield
    except (OutOfMemory, CommandFailed) as error:
        if several and (isinstance(error, OutOfMemory) or error.completed.returncode == KILLED):
            raise PlaceLost(error.message, error.remedy) from error
        raise


class Fetches:
    """The fetches of a run's first seed pod, whichever pod that is by now. Safe for threads."""

    def __init__(self, context: SeedContext) -> None:
        self._context = context
        self._projects: dict[str, threading.Lock] = {}
        self._limit = ConcurrencyLimit(_AT_ONCE)
        self._failed = OnceFailed()
        self._sizes: dict[str, int] = {}

    @contextmanager
    def alone(self, project: Project, deadline: Deadline) -> Iterator[None]:
        """Have a project to oneself: its other pairs wait, and find what was fetched."""
        with deadline.holding(self._projects.setdefault(project.name, threading.Lock())):
            yield

    def one_by_one(self) -> None:
        """Fetch one project at a time from now on."""
        self._limit.one_by_one()

    def fetch(
        self, shell: Shell, mirrors: dict[str, Mirror], project: Project, snapshot: Snapshot, known_size: int, deadline: Deadline
    ) -> PackMaker:
        """Fetch the snapshot into the project's mirror of ``mirrors``, and return what makes packs of it.

        ``known_size`` in bytes, 0 where nobody knows. What has failed for good is not tried again. Raises SnapshotGone, OutOfReach, PlaceLost,
        DeploymentError.
        """
        key = (project.name, snapshot.digest)
        with self._limit.place(deadline) as several, self._failed.tried(key, deadline), _too_much(several):
            self._check_size(project, known_size)
            mirror = mirrors.setdefault(project.name, self._mirror(shell, project))
            self._context.tell(f"fetches {project.name}", "")
            mirror.fetch(project, snapshot, deadline, lambda line: self._context.tell(*phase_of(project.name, line)), self._left_for(project))
            self._sizes[project.name] = mirror.size(deadline)
            self._check_size(project, self._sizes[project.name])  # before the kubelet looks, which would evict the pod
            return mirror.maker()

    def _mirror(self, shell: Shell, project: Project) -> Mirror:
        overrides, directory = self._context.spec.overrides, self._context.directory
        return Mirror(
            shell,
            f"{directory}/repositories/{project.name}.git",
            f"{directory}/packs/{project.name}",
            f"{SCRATCH}/gitconfig-{project.name}",
            Limits(overrides.memory_bytes, overrides.cpus),
            self._context.stall_timeout,
        )

    def _left_for(self, project: Project) -> int:
        """Return the bytes that the others have left of the scratch; 0 for a claim, which says so itself."""
        options = self._context.options
        others = sum(taken for name, taken in self._sizes.items() if name != project.name)
        return 0 if options.claim else max(1, options.bytes - others)

    def _check_size(self, project: Project, known: int) -> None:
        # The pack is there once: what is served are links to it.
        options = self._context.options
        if known > options.bytes and not options.claim:
            raise DeploymentError(
                f"{project.name} needs {size(known)} of the seed pod's scratch, which has {size(options.bytes)} in all.",
                f"Raise option `seed.size`, or use {BY_RSYNC}.",
            )
