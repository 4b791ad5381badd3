# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a method needs on the controller."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_rsync import RSYNC
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.finished_packs import PackSource, PackTransfer, Transport
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError


@pytest.mark.parametrize("first", [True, False])
def test_a_program_that_is_missing_is_told_before_upstream_is_read_or_a_volume_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source, transport = mock.Mock(spec=PackSource), mock.Mock(spec=Transport)
    with pytest.raises(DeploymentError, match=r"^rsync is not installed on this machine, the controller\. Install rsync here"):
        PackTransfer(RSYNC, source, transport).prepare(mock.Mock(spec=Snapshot), Deadline(60, "the test"), first)
    assert source.mock_calls == transport.mock_calls == []
