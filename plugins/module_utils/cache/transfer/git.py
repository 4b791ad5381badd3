# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method git: the pod fetches the pinned object ids from upstream. Best for a delta, and for small projects."""

from __future__ import annotations

import re

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import Completed, Progress
from ..entry import Entry
from ..model import Method, Snapshot
from ..projects import redacted
from ..repository import Incoming, Repository
from . import SnapshotGone

# These two, and only these, mean that upstream no longer serves an id of the snapshot (protocol v2, and v0 and v1).
_GONE = re.compile(r"upload-pack: not our ref [0-9a-f]{40}|Server does not allow request for unadvertised object [0-9a-f]{40}")

_MEANINGS = (
    (r"could not resolve host", "Check the host name. If the cluster has no way out to it, use method rsync."),
    (
        r"connection refused|failed to connect|couldn't connect|timed out|no route to host",
        "The cluster cannot reach upstream. Use method rsync, or open the network.",
    ),
    (
        r"could not read username|authentication failed|returned error: 40[13]",
        "Upstream wants credentials, which never go into a pod. Use method rsync, which reads upstream on the controller.",
    ),
    (r"returned error: 404|not found|does not exist", "Check the URL."),
    (r"operation too slow|speed limit", "Upstream sent nothing for a minute. Run again, or use method rsync."),
    (r"no space left|disk quota exceeded", "Grow the volume, or take projects off it (repository_cache_state: absent)."),
    (r"certificate", "The image does not know upstream's certificate authority. Use an image that does, or method rsync."),
    (r"transport '.*' not allowed", "The method git fetches by https, http and git only. Use method rsync."),
    (
        r"out of memory|cannot allocate|signal 9|index-pack died",
        "Raise repository_cache_filler.resources.limits.memory, or use method rsync.",
    ),
)


class GitTransfer:
    """Fetches from one URL."""

    method = Method.GIT

    def __init__(self, url: str) -> None:
        self._url = url

    def receive(
        self, repository: Repository, entry: Entry, snapshot: Snapshot, deadline: Deadline, progress: Progress | None = None
    ) -> Incoming:
        """Fetch what the entry lacks. Nothing is asked of upstream where all ids are there."""
        lacking = repository.lacks(entry, snapshot, deadline)
        if not lacking:
            repository.quarantine(deadline)
            return repository.incoming(connected=False, deadline=deadline)
        completed = repository.fetch(self._url, snapshot.ids, entry, deadline, progress)
        if completed.returncode:
            raise self._explained(completed, repository.shell.where)
        return repository.incoming(connected=True, deadline=deadline, just_indexed=True)

    def _explained(self, completed: Completed, where: str) -> DeploymentError:
        url = redacted(self._url)
        if _GONE.search(completed.stderr):
            return SnapshotGone(f"{url} no longer has an object of the snapshot.", "Run again.")
        lines = [line.strip() for line in re.split(r"[\r\n]+", completed.stderr) if line.strip() and "%" not in line]
        said = " | ".join(lines[-3:]) or "git printed nothing"
        if completed.returncode == 127:
            return DeploymentError(f"There is no git in {where}.", "Use an image with git (repository_cache_image).")
        if completed.returncode == 137:
            return DeploymentError(
                f"git was killed in {where}, probably for want of memory: {said}",
                "Raise repository_cache_filler.resources.limits.memory, or use method rsync.",
            )
        lowered = completed.stderr.lower()
        remedy = next(
            (words for pattern, words in _MEANINGS if re.search(pattern, lowered)),
            "Try `git ls-remote` with this URL in a pod of that namespace.",
        )
        return DeploymentError(f"Fetching {url} in {where} failed: {said}.", remedy)
