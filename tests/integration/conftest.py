# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene of every scenario."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.base import TestCluster
from tests.upstream.server import GitServer

from .harness import Scene


@pytest.fixture
def scene(cluster: TestCluster, tmp_path: Path) -> Iterator[Scene]:
    """A cluster with nothing in it, and a git server with nothing on it."""
    root = tmp_path / "upstream"
    root.mkdir()
    with GitServer(root, cluster.upstream_host) as server:
        yield Scene(cluster, server, tmp_path)
