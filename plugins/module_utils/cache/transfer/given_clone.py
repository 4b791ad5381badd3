# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs of a clone on the controller that the user has named. Nothing is written into it."""

from __future__ import annotations

import threading
from pathlib import Path

from ...deadline import Deadline
from ...errors import PlaceLost
from ...shell import Shell
from ..domain.model import Snapshot
from ..domain.projects import Project
from ..git.local_clone import ENVIRONMENT, open_clone
from ..git.pack_maker import PackMaker


class GivenClone:
    """See ``PackSource``. Packs go below the directory ``scratch``."""

    def __init__(self, shell: Shell, project: Project, scratch: Path) -> None:
        self._shell = shell
        self._project = project
        self._scratch = scratch
        self._opening = threading.Lock()
        self._maker: PackMaker | None = None

    def ready(self, snapshot: Snapshot, deadline: Deadline) -> PackMaker:
        """See ``PackSource``."""
        with deadline.holding(self._opening):
            if self._maker is None:
                clone = open_clone(self._shell, self._project, deadline)
                self._maker = PackMaker(self._shell, clone.git_dir, str(self._scratch), ENVIRONMENT, whole=False)
            return self._maker

    def maker(self, snapshot: Snapshot) -> PackMaker:
        """See ``PackSource``."""
        if self._maker is None:
            raise PlaceLost(f"The clone {self._project.path} was not looked at yet.", "Run again.")
        return self._maker

    def lost(self) -> None:
        """See ``PackSource``. Nothing to do: this machine cannot be lost."""
