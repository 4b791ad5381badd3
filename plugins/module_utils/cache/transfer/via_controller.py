# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the seed pod through the API server: where a network lies between it and the fillers."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from ...deadline import Deadline
from ...progress import OnLine
from ...shell import Shell, checked
from ..domain.packs import files_of
from ..git.pack_maker import FinishedPacks
from ..git.repository import Repository
from .over_exec import ExecTransport


class ControllerTransport:
    """Brings packs of the seed to this machine once, and from here to every volume. Safe for threads."""

    def __init__(self, seed: Shell, local: Shell, scratch: Path) -> None:
        self._seed = seed
        self._transport = ExecTransport(local)
        self._scratch = scratch
        self._lock = threading.Lock()

    def prepare(self, packs: FinishedPacks, deadline: Deadline) -> None:
        """Bring them to this machine."""
        self._brought(packs, deadline)

    def copy(self, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        """See ``Transport``."""
        self._transport.copy(replace(packs, directory=str(self._brought(packs, deadline))), repository, deadline, progress)

    def _brought(self, packs: FinishedPacks, deadline: Deadline) -> Path:
        there = self._scratch / packs.directory.rsplit("/", 1)[1]
        with deadline.holding(self._lock):
            there.mkdir(parents=True, exist_ok=True)
            for name in files_of(packs.names):
                file, coming = there / name, self._scratch / f"{name}.coming"
                if not file.exists():
                    source = f"{packs.directory}/{name}"
                    checked(self._seed, self._seed.download(("cat", "--", source), coming, deadline=deadline))
                    coming.rename(file)
        return there
