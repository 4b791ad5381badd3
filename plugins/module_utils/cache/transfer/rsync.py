# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method rsync: packs made of a local clone on the controller, copied by the real rsync through the volume's Shell."""

from __future__ import annotations

import re
from pathlib import Path

from ...deadline import Deadline
from ...errors import DeploymentError
from ...local_shell import LocalShell
from ...shell import Completed, Progress
from ..entry import Entry
from ..local_clone import PackMaker
from ..model import Method, Snapshot
from ..repository import Incoming, Repository

_TRIES, _PAUSE = 4, 2.0
"""How often an rsync whose connection was lost is started, and the seconds between."""
_CONNECTION_LOST = (10, 12, 30, 35)
IDLE_TIMEOUT = 60
"""Seconds without a byte after which rsync gives up."""

# rsync(1), "EXIT VALUES".
EXIT_MEANINGS = {
    1: "syntax or usage error",
    2: "protocol incompatibility (something else was printed into the stream)",
    3: "errors selecting input and output files",
    5: "error starting the protocol (is rsync installed in the pod's image?)",
    10: "error in socket I/O",
    11: "error in file I/O (no space left, or no permission)",
    12: "error in the data stream (the connection was lost)",
    20: "interrupted",
    23: "partial transfer",
    24: "files vanished while they were sent",
    30: "timeout: no data came for a while",
    127: "rsync is not installed in the pod's image",
    137: "rsync was killed (out of memory?)",
}


class RsyncTransfer:
    """Brings a snapshot's finished packs from the controller. Full packs to a volume that has nothing, else what it lacks."""

    method = Method.RSYNC

    def __init__(self, packs: PackMaker, local: LocalShell) -> None:
        self._packs = packs
        self._local = local

    def prepare(self, snapshot: Snapshot, deadline: Deadline) -> None:
        """Make the full packs, before any volume is taken."""
        self._packs.make(snapshot, (), deadline)

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: Progress | None = None
    ) -> Incoming:
        """The quarantine with the packs in it. Raises DeploymentError with rsync's own meaning of its exit code."""
        base = self._packs.known(repository.held_ids(entry, deadline), deadline)
        finished = self._packs.make(snapshot, base, deadline)
        quarantine = repository.quarantine(deadline)
        if finished.bytes:
            self._copy(finished.directory, f"{quarantine}/pack", repository, deadline, progress)
        # A full pack is connected in itself: pack-objects has walked all of it. A delta is walked where it arrives.
        return repository.incoming(connected=not base, deadline=deadline)

    def _copy(self, source: Path, to: str, repository: Repository, deadline: Deadline, progress: Progress | None) -> None:
        for _attempt in range(_TRIES):
            completed = self._copy_once(source, to, repository, deadline, progress)
            if completed.returncode not in _CONNECTION_LOST:
                break
            deadline.sleep(_PAUSE)
        if completed.returncode:
            raise explained(completed, repository.shell.where)

    def _copy_once(self, source: Path, to: str, repository: Repository, deadline: Deadline, progress: Progress | None) -> Completed:
        """One rsync. What an earlier one has copied is not copied again: a pack's name tells its content, which is checked afterwards."""
        with repository.shell.rsync_peer(deadline) as peer:
            argv = [
                "rsync", "-s", "--recursive", "--times", "--partial", "--append",
                f"--timeout={IDLE_TIMEOUT}", "--info=progress2", "--outbuf=L", "--chmod=D2775,F644",
            ]  # fmt: skip
            if peer.rsh:
                argv.append(f"--rsh={' '.join(peer.rsh)}")
            argv += ["--", f"{source}/", f"{peer.prefix}{to}/"]
            return self._local.run(argv, deadline=deadline, env=peer.env, progress=progress)


def explained(completed: Completed, where: str) -> DeploymentError:
    """An rsync that failed, in words."""
    meaning = EXIT_MEANINGS.get(completed.returncode, "see EXIT VALUES in rsync(1)")
    words = " | ".join(line.strip() for line in re.split(r"[\r\n]+", completed.stderr.strip())[-3:] if line.strip())
    lowered = words.lower()
    remedy = "Run again."
    if "no space left" in lowered:
        remedy = "Grow the volume, or take projects off it (repository_cache_state: absent)."
    elif "command not found" in lowered or completed.returncode == 127:
        remedy = "Use an image with git and rsync (repository_cache_image)."
    return DeploymentError(f"rsync to {where} ended with code {completed.returncode} ({meaning}): {words or 'it printed nothing'}", remedy)
