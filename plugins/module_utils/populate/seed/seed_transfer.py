# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of the run's seeds to a transfer, for one project and one volume."""

from __future__ import annotations

from ...cache.domain.model import Snapshot, Volume
from ...cache.domain.projects import Project
from ...cache.git.pack_maker import FinishedPacks, PackMaker
from ...cache.git.repository import Repository
from ...deadline import Deadline
from ...progress import OnLine
from .seeds import Seeds


class SeedSource:
    """One project's packs, made by the seed; see ``cache.transfer.finished_packs.PackSource``."""

    def __init__(self, seeds: Seeds, project: Project, known_size: int) -> None:
        self._seeds = seeds
        self._project = project
        self._known_size = known_size

    def ready(self, snapshot: Snapshot, deadline: Deadline) -> PackMaker:
        """See ``PackSource``."""
        return self._seeds.ready(self._project, snapshot, self._known_size, deadline)

    def maker(self, snapshot: Snapshot) -> PackMaker:
        """See ``PackSource``."""
        return self._seeds.maker(self._project, snapshot)

    def lost(self) -> None:
        """See ``PackSource``."""
        self._seeds.lost()


class SeedTransport:
    """Brings packs from the seed to one volume; see ``cache.transfer.finished_packs.Transport``."""

    def __init__(self, seeds: Seeds, volume: Volume) -> None:
        self._seeds = seeds
        self._volume = volume

    def prepare(self, packs: FinishedPacks, deadline: Deadline) -> None:
        """See ``Transport``."""
        self._seeds.prepare_copies(self._volume.namespace, packs, deadline)

    def copy(self, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        """See ``Transport``."""
        self._seeds.copy(self._volume, packs, repository, deadline, progress)
