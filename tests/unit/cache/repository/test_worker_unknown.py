# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""If a worker's volume cannot be taken, nothing that its checkouts may need goes from its sandbox's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Change, unchanged
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.volume_access import VolumeSkipped
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from .driver import HeldDirectory, LocalVolumeAccess, fill
from .test_killed import all_objects


class WorkerInUse(LocalVolumeAccess):
    """The worker's volume is used by a pod, and the user wants it left alone then."""

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[HeldDirectory]:
        if volume.role is Role.WORKER:
            raise VolumeSkipped("Pod ns/worker-0 uses the volume.", "Wait.")
        with super().hold(volume, deadline, news) as held:
            yield held


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[GitServer]:
    make.make(tmp_path / "upstream/one.git")
    with GitServer(tmp_path / "upstream") as server:
        yield server


def test_a_sandboxs_entry_is_not_replaced_while_its_workers_is_not_known(tmp_path: Path, upstream: GitServer) -> None:
    assert not fill(tmp_path, upstream.url("one.git")).sandbox.failed
    make.force_push(upstream.root / "one.git")
    grafts = tmp_path / "sandbox/one/info/grafts"
    grafts.parent.mkdir(exist_ok=True)
    grafts.write_text("x\n")  # would have it replaced
    (project,) = fill(tmp_path, upstream.url("one.git"), access=WorkerInUse(tmp_path)).sandbox.projects
    assert "what its worker's volume has of it is not known in this run" in project.error
    assert all_objects(tmp_path / "worker/one") <= all_objects(tmp_path / "sandbox/one")
    assert not fill(tmp_path, upstream.url("one.git")).sandbox.failed
    assert all_objects(tmp_path / "worker/one") <= all_objects(tmp_path / "sandbox/one")
