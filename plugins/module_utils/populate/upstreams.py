# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots of a run, read at its beginning: one for each project, or why that project has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

from ..background import unexpected
from ..cache.domain.model import Snapshot
from ..cache.domain.projects import Project, is_ssh
from ..cache.git.upstream import READ_SECONDS, READS_AT_ONCE, read_snapshot
from ..cache.transfer.registry import read_here
from ..deadline import Deadline
from ..errors import Cancelled, DeploymentError
from ..shell import Shell

_AT_ONCE_IN_POD = 4
"""A pod has little memory, and a list of refs may be long."""

Resolver = Callable[[], AbstractContextManager[Callable[[], AbstractContextManager[Shell]]]]
"""Opens the pod in which refs are read; inside, each call is one more shell there."""


@dataclass(frozen=True)
class Upstreams:
    """Upstreams as read: by project's name its snapshot, or why it could not be read."""

    snapshots: Mapping[str, Snapshot]
    failed: Mapping[str, DeploymentError]


class UpstreamReader:
    """Reads projects on this machine or in a pod. What one of them fails by is that one's."""

    def __init__(self, local: Shell, deadline: Deadline) -> None:
        self._local = local
        self._deadline = deadline
        self._failed: dict[str, DeploymentError] = {}
        self._snapshots: dict[str, Snapshot] = {}

    def read(self, projects: Sequence[Project], pod: Resolver | None) -> Upstreams:
        """Read all of ``projects``; in a pod what can be read there, where ``pod`` is one. Only Cancelled is raised."""
        # What only the controller can reach is read there in any case.
        in_pod = [project for project in projects if pod is not None and not project.path and not is_ssh(project.url)]
        if pod is not None and in_pod:
            self._read_in(pod, in_pod)
        self._read_all([project for project in projects if project not in in_pod], self._read_here)
        return Upstreams(self._snapshots, self._failed)

    def _read_in(self, pod: Resolver, projects: Sequence[Project]) -> None:
        try:
            with pod() as shell, ExitStack() as stack:
                free: SimpleQueue[Shell] = SimpleQueue()
                for _number in range(min(_AT_ONCE_IN_POD, len(projects))):
                    free.put(stack.enter_context(shell()))
                self._read_all(projects, lambda project: self._read_by_one(free, project))
        except Cancelled:
            raise
        except DeploymentError as error:
            for project in projects:
                if project.name not in self._snapshots:
                    self._failed.setdefault(project.name, error)

    def _read_by_one(self, free: SimpleQueue[Shell], project: Project) -> Snapshot:
        with _lent(free) as shell:
            return read_snapshot(shell, project, _soon(project, self._deadline))

    def _read_here(self, project: Project) -> Snapshot:
        return read_project(self._local, project, self._deadline)

    def _read_all(self, projects: Iterable[Project], read: Callable[[Project], Snapshot]) -> None:
        with ThreadPoolExecutor(READS_AT_ONCE, "upstream") as executor:
            futures: dict[str, Future[Snapshot]] = {project.name: executor.submit(read, project) for project in projects}
        for name, future in futures.items():
            error = future.exception()
            if isinstance(error, Cancelled):
                raise error
            if error is None:
                self._snapshots[name] = future.result()
            else:
                self._failed[name] = unexpected(f"Reading the refs of {name}", error)


def read_project(local: Shell, project: Project, deadline: Deadline) -> Snapshot:
    """A project's snapshot as its method reads it on this machine. Raises DeploymentError."""
    return read_here(local, project, _soon(project, deadline))


def _soon(project: Project, deadline: Deadline) -> Deadline:
    return deadline.within(READ_SECONDS, f"reading {project.path or f'the refs of {project.url}'}")


@contextmanager
def _lent(free: SimpleQueue[Shell]) -> Iterator[Shell]:
    shell = free.get()  # there are as many as readers
    try:
        yield shell
    finally:
        free.put(shell)
