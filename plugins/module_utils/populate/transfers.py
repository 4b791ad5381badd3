# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the transfer of each project to each volume, as the plan says; and what `auto` does when that way is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from ..cache.domain.methods import Method
from ..cache.domain.model import AUTO, Snapshot, Volume
from ..cache.domain.plan import Step
from ..cache.domain.projects import Project
from ..cache.git.entry import Entry
from ..cache.git.fetch_errors import OutOfReach
from ..cache.git.repository import Incoming, Repository
from ..cache.transfer.finished_packs import PackSource, Transport
from ..cache.transfer.over_exec import ExecTransport
from ..cache.transfer.protocol import Transfer
from ..cache.transfer.registry import BY_CONTROLLER, asked_for
from ..deadline import Deadline
from ..errors import PlaceLost
from ..local_shell import LocalShell
from ..progress import OnLine, Tell
from ..shell import Shell
from .clones import KeptClone
from .seed.seed_transfer import SeedSource, SeedTransport
from .seed.seeds import Seeds


class Transfers:
    """Makes the transfers of one run. ``sizes`` in bytes, of projects whose size some record tells; ``stall_timeout``: see ``Sources``."""

    def __init__(
        self,
        clone_directory: Path,
        seeds: Seeds,
        sizes: Mapping[str, int],
        scratch: Path,
        tell: Tell,
        stall_timeout: int,
    ) -> None:
        self.stall_timeout = stall_timeout
        self._local = LocalShell()
        self._clone_directory = clone_directory
        self._seeds = seeds
        self._sizes = sizes
        self._tell = tell
        self._scratch = scratch
        self._given: dict[str, PackSource] = {}
        self._kept: dict[str, KeptClone] = {}
        self._closed: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know at the end."""
        return tuple(
            f"The cluster cannot read the upstream of {name}, so the controller did, and {BY_CONTROLLER.name} brought it: {why}"
            for name, why in sorted(self._closed.items())
        )

    def of(self, step: Step) -> Transfer:
        """The transfer of a step."""
        (method,) = asked_for(step.method.name)
        transfer = method.make(self, step.project, step.volume)
        if method.in_cluster and step.project.method == AUTO:
            return _WithFallback(self, transfer, step.project, lambda: BY_CONTROLLER.make(self, step.project, step.volume))
        return transfer

    def close(self) -> None:
        """Remove what was made on this machine for the run alone."""
        for clone in self._kept.values():
            clone.close()

    def closed(self, project: Project) -> bool:
        """Return whether the cluster cannot read the project's upstream."""
        with self._lock:
            return project.name in self._closed

    def close_way(self, project: Project, error: OutOfReach) -> None:
        """The cluster cannot read the project's upstream: from now on the controller does."""
        with self._lock:
            if project.name not in self._closed:
                self._closed[project.name] = error.message
                self._tell(f"{project.name} goes by {BY_CONTROLLER.name}, as the cluster cannot read its upstream", error.message)

    def seed(self, project: Project) -> PackSource:
        """See ``Sources``."""
        return SeedSource(self._seeds, project, self._sizes.get(project.name, 0))

    def seed_transport(self, volume: Volume) -> Transport:
        """See ``Sources``."""
        return SeedTransport(self._seeds, volume)

    def clone_transport(self) -> Transport:
        """See ``Sources``."""
        return ExecTransport(self._local)

    def given(self, project: Project, make: Callable[[Shell, Path], PackSource]) -> PackSource:
        """See ``Sources``."""
        with self._lock:
            if project.name not in self._given:
                self._given[project.name] = make(self._local, self._scratch / "packs" / project.name)
            return self._given[project.name]

    def clone(self, project: Project) -> PackSource:
        """See ``Sources``."""
        with self._lock:
            if project.name not in self._kept:
                self._kept[project.name] = KeptClone(self._local, project, self._clone_directory, self._tell, self.stall_timeout)
            return self._kept[project.name]


class _WithFallback:
    """A transfer that `auto` chose: where the cluster cannot read upstream, the controller does."""

    def __init__(self, transfers: Transfers, first: Transfer, project: Project, second: Callable[[], Transfer]) -> None:
        self._transfers = transfers
        self._first = first
        self._project = project
        self._make_second = second
        self._second: Transfer | None = None

    @property
    def _present(self) -> Transfer:
        if self._second is None and self._transfers.closed(self._project):
            self._second = self._make_second()
        return self._second if self._second is not None else self._first

    @property
    def method(self) -> Method:
        """The method in use now."""
        return self._present.method

    @property
    def resumes(self) -> bool:
        """See ``Transfer``."""
        return self._present.resumes

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        """See ``Transfer``."""
        try:
            return self._present.prepare(snapshot, deadline, first)
        except OutOfReach as error:
            if self._second is not None:
                raise
            self._transfers.close_way(self._project, error)
            return self._present.prepare(snapshot, deadline, first)

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None
    ) -> Incoming:
        """See ``Transfer``."""
        try:
            return self._present.receive(repository, entry, snapshot, deadline, progress)
        except OutOfReach as error:
            if self._second is not None:
                raise
            self._transfers.close_way(self._project, error)
            # The controller reads upstream before the next try: a sandbox's volume may be held now.
            raise PlaceLost(f"{self._project.name} goes by {BY_CONTROLLER.name} from now on: {error.message}", error.remedy) from error
