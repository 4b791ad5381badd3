# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the controller through the API server: the real rsync at both ends, with the volume's Shell as its remote shell."""

from __future__ import annotations

from ...deadline import Deadline
from ...errors import DeploymentError, PlaceLost
from ...progress import OnLine
from ...shell import Completed, Shell
from ..domain.packs import files_of
from ..git.pack_maker import FinishedPacks
from ..git.repository import Repository
from ..git.scripts import OPEN
from .rsync import IDLE_TIMEOUT, RESUMING, connection_lost, explained, persist

_TRIES, _PAUSE = 4, 2.0
"""Starts of an rsync whose connection is lost, and the seconds between."""


class ExecTransport:
    """Copies packs that lie on this machine."""

    def __init__(self, local: Shell) -> None:
        self._local = local

    def prepare(self, packs: FinishedPacks, deadline: Deadline) -> None:
        """Do nothing: all of it is done while the volume is held."""

    def copy(self, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        """See ``Transport``."""

        names = "".join(f"{name}\n" for name in files_of(packs.names)).encode()

        def once() -> Completed:
            with repository.shell.rsync_peer(deadline, repository.quarantined()) as peer:
                argv = ["rsync", "-s", "--files-from=-", *RESUMING, f"--timeout={IDLE_TIMEOUT}", "--info=progress2", "--outbuf=L"]
                argv += [*peer.options, "--", f"{packs.directory}/", f"{peer.prefix}{OPEN}/"]
                words = (*peer.within, "sh", "-c", 'exec "$@" >&2', "rsync", *argv)
                return self._local.run(words, deadline=deadline, stdin=names, env=peer.env, progress=progress)

        done = persist(once, connection_lost, repository.shell, _TRIES, _PAUSE, deadline)
        if done.returncode:
            raise explained(done, f"to {repository.shell.where}", PlaceLost if connection_lost(done) else DeploymentError)
