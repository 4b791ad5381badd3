# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs on their way from workers to sandboxes: brought once for all that need them, and gone when nobody does."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.brought import BroughtPacks
from ansible_collections.packit.deployment.plugins.module_utils.cache.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import PlaceLost

NAME = f"pack-{'a' * 40}"
VOLUMES = [Volume("sand", f"claim-{number}", Role.SANDBOX) for number in range(4)]


def limit() -> Deadline:
    return Deadline(20, "this test")


def test_a_pack_that_four_workers_have_is_brought_once_and_stays_until_the_last_is_done(tmp_path: Path) -> None:
    brought, fetched, lock = BroughtPacks(tmp_path / "brought"), [], threading.Lock()

    def fetch(file: str, to: Path) -> None:
        with lock:
            fetched.append(file)
        time.sleep(0.05)
        to.write_text(file)

    with ThreadPoolExecutor(4) as executor:
        seconds = list(executor.map(lambda volume: brought.bring(volume, NAME, fetch, limit()), VOLUMES))
    assert fetched == [f"{NAME}.pack", f"{NAME}.idx"]
    assert len(set(seconds)) == 1 and seconds[0] >= 0.1  # those who waited know too how long such a way is
    for volume in VOLUMES[1:]:
        brought.release(volume)
    assert (brought.directory / f"{NAME}.pack").read_text() == f"{NAME}.pack"
    brought.release(VOLUMES[0])
    assert list(brought.directory.iterdir()) == []
    brought.bring(VOLUMES[0], NAME, fetch, limit())
    assert len(fetched) == 4


def test_a_worker_that_is_lost_on_the_way_leaves_nothing_that_others_take_for_the_pack(tmp_path: Path) -> None:
    brought = BroughtPacks(tmp_path / "brought")

    def lose(_file: str, to: Path) -> None:
        to.write_text("half")
        raise PlaceLost("gone")

    with pytest.raises(PlaceLost):
        brought.bring(VOLUMES[0], NAME, lose, limit())
    brought.bring(VOLUMES[1], NAME, lambda file, to: to.write_text(f"whole {file}") and None, limit())
    brought.release(VOLUMES[0])
    assert (brought.directory / f"{NAME}.pack").read_text() == f"whole {NAME}.pack"
