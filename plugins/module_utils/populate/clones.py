# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs of the clones on the controller that the runs of this user keep for themselves."""

from __future__ import annotations

import fcntl
import hashlib
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..cache.domain.model import Snapshot
from ..cache.domain.projects import Project
from ..cache.git.fetching import phase_of
from ..cache.git.mirror import Mirror
from ..cache.git.pack_maker import PackMaker
from ..deadline import Deadline
from ..errors import DeploymentError, PlaceLost
from ..local_shell import LocalShell
from ..progress import Tell

DEFAULT_DIRECTORY = "~/.cache/packit-deployment/clones"
_LOCK_PAUSE = 0.5


class KeptClone:
    """A clone that the runs of this user keep, fetched into with the user's own credentials; see ``PackSource``.

    It stays for the next run, which fetches only what is new. A lock file keeps two runs from fetching at once.
    """

    def __init__(self, local: LocalShell, project: Project, directory: Path, tell: Tell, stall_timeout: int) -> None:
        key = hashlib.sha256(project.url.encode()).hexdigest()[:12]
        self._place = directory.expanduser() / f"{project.name}-{key}"
        self._project = project
        self._local = local
        self._tell = tell
        self._stall_timeout = stall_timeout
        self._making = threading.Lock()
        self._packs: tempfile.TemporaryDirectory[str] | None = None
        self._makers: dict[str, PackMaker] = {}

    def ready(self, snapshot: Snapshot, deadline: Deadline) -> PackMaker:
        """See ``PackSource``."""
        with deadline.holding(self._making):
            if snapshot.digest not in self._makers:
                with self._locked(deadline):
                    if self._packs is None:
                        self._packs = tempfile.TemporaryDirectory(prefix="packs-", dir=self._place)
                    repository = str(self._place / "repository.git")
                    mirror = Mirror(self._local, repository, self._packs.name, "", None, self._stall_timeout)
                    what = f"{self._project.name} on this machine"
                    mirror.fetch(self._project, snapshot, deadline, lambda line: self._tell(*phase_of(what, line)))
                    self._makers[snapshot.digest] = mirror.maker()
            return self._makers[snapshot.digest]

    def maker(self, snapshot: Snapshot) -> PackMaker:
        """See ``PackSource``."""
        found = self._makers.get(snapshot.digest)
        if found is None:
            raise PlaceLost(f"The controller's clone of {self._project.name} does not have this snapshot yet.", "Run again.")
        return found

    def lost(self) -> None:
        """See ``PackSource``: this machine is not lost."""

    def close(self) -> None:
        """Remove the packs that were made; the clone stays."""
        if self._packs is not None:
            self._packs.cleanup()

    @contextmanager
    def _locked(self, deadline: Deadline) -> Iterator[None]:
        try:
            self._place.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = (self._place / "lock").open("w")
        except OSError as error:
            raise DeploymentError(
                f"The clone of {self._project.name} cannot be kept in {self._place}: {error.strerror}.", "Set option `clones`."
            ) from error
        with file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    deadline.sleep(_LOCK_PAUSE)
            yield
