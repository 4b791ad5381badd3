# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller reads an upstream that the cluster cannot read, and never while a volume is held for that."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.methods import Method
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Entry, Use
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetch_errors import OutOfReach
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GIT
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_rsync import RSYNC
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.populate.transfers import _WithFallback
from ansible_collections.packit.deployment.tests.bounds import BOUND

PROJECT, SNAPSHOT = Project("one", "https://host/one", ("refs/heads/*",)), Snapshot((), "")


class Way:
    """A transfer; ``closed`` cannot reach upstream."""

    def __init__(self, method: Method, resumes: bool, closed: bool) -> None:
        self.method, self.resumes, self._closed = method, resumes, closed
        self.prepared = self.received = 0

    def prepare(self, *_: object) -> int:
        self.prepared += 1
        return 0

    def receive(self, *_: object) -> Any:
        if self._closed:
            raise OutOfReach("no way to upstream")
        self.received += 1


class Ways:
    def __init__(self) -> None:
        self._closed = False

    def closed(self, _project: Project) -> bool:
        return self._closed

    def close_way(self, _project: Project, _error: OutOfReach) -> None:
        self._closed = True


def test_the_controller_reads_upstream_before_the_next_try_and_not_in_a_hold() -> None:
    first, second = Way(GIT, False, closed=True), Way(RSYNC, True, closed=False)
    transfer: Any = _WithFallback(Ways(), first, PROJECT, lambda: second)  # type: ignore[arg-type]
    limit = Deadline(BOUND, "this test")
    transfer.prepare(SNAPSHOT, limit, True)
    with pytest.raises(PlaceLost, match="goes by rsync from now on"):
        transfer.receive(None, Entry(use=Use.ABSENT), SNAPSHOT, limit)
    assert second.prepared == 0
    assert transfer.resumes  # so that there is another try
    transfer.prepare(SNAPSHOT, limit, True)
    transfer.receive(None, Entry(use=Use.ABSENT), SNAPSHOT, limit)
    assert (second.prepared, second.received) == (1, 1)
