# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The number of seeds that a run makes, and the one that a volume copies from."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.packs import FinishedPack
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import FinishedPacks
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_network import Route
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import FillerSpec
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.context import SeedContext
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.replicas import Replicas, replicas_for
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.seed_options import SeedOptions


@pytest.mark.parametrize(
    ("volumes", "wanted", "more"), [(0, 0, 0), (2, 0, 0), (8, 0, 0), (9, 0, 1), (32, 0, 3), (200, 0, 3), (200, 1, 0), (2, 3, 2)]
)
def test_more_than_eight_volumes_get_more_than_one_seed_unless_the_user_says_how_many(volumes: int, wanted: int, more: int) -> None:
    assert replicas_for(volumes, wanted) == more


def test_without_replicas_all_copy_from_the_first() -> None:
    spec = FillerSpec("ns", "seed", None, "image", {"run": "r"})
    context = SeedContext(None, spec, SeedOptions(), threading.Event(), lambda _phase, _line: None)  # type: ignore[arg-type]
    replicas = Replicas(context, 0, ())
    first, packs = Route("10.0.0.1", "/served"), FinishedPacks("/served/one/abc", (FinishedPack("pack-x", 1, 1, "", ""),), True)
    with replicas.route(packs, first) as route, replicas.route(packs, first) as other:
        assert route == other == first
    assert replicas.drop(first) is False
