# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packs that become one, and the time for it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.compaction import (
    DEFAULT_GRACE,
    MANY_PACKS,
    MOST_BYTES,
    MOST_OBJECTS,
    MOST_PACKS,
    Compact,
    CompactionOptions,
    StoredPack,
    drops,
    joins,
    packs_to_join,
    why_joined,
)
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Inventory, RecordedEntry
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.tampering import PACKS_MOST
from ansible_collections.packit.deployment.plugins.module_utils.times import time_text
from ansible_collections.packit.deployment.tests.unit.recorded import recorded_entry

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
AUTO = CompactionOptions()


def held(packs: int, covered_for: float | None = None, settled: int = 0) -> RecordedEntry:
    entry = recorded_entry(url="u", snapshot="s", time="t", inventory=Inventory(packs, 0, "0"), settled=settled)
    if covered_for is None:
        return entry
    return replace(entry, covering=f"{'a' * 40} {'b' * 40}", covering_since=time_text(NOW - timedelta(seconds=covered_for)))


def stored(*sizes: int) -> list[StoredPack]:
    return [StoredPack(size, f"pack-{number:040x}") for number, size in enumerate(sizes)]


def test_a_years_updates_become_one_pack_and_the_first_fill_stays() -> None:
    packs = stored(400_000_000, *[50_000] * 364)
    assert packs_to_join(packs) == tuple(sorted(packs[1:]))


@pytest.mark.parametrize("sizes", [(), (5,), (5, 100), (5, 10, 30), (MOST_BYTES, MOST_BYTES), (1, MOST_BYTES, MOST_BYTES)])
def test_nothing_is_joined_where_nothing_is_gained(sizes: tuple[int, ...]) -> None:
    assert packs_to_join(stored(*sizes)) == ()


def test_no_more_objects_become_one_pack_than_a_small_fillers_memory_is_enough_for() -> None:
    packs = [StoredPack(1_000_000, f"pack-{number:040x}", index_bytes=1072 + 28 * (MOST_OBJECTS // 10)) for number in range(60)]
    assert packs_to_join(packs) == tuple(packs[:10])


def test_whatever_there_is_few_packs_are_left_and_no_byte_is_written_again_often() -> None:
    chance = random.Random(3)
    for _case in range(50):
        packs, rewritten, all_bytes = stored(chance.randint(1, 10**8)), 0, 0
        for number in range(2_000):
            packs.append(StoredPack(chance.randint(1, 10**5), f"pack-{number:x}"))
            all_bytes += packs[-1].bytes
            if len(packs) >= MANY_PACKS and (chosen := packs_to_join(packs)):
                size = sum(pack.bytes for pack in chosen)
                rewritten += size
                packs = [pack for pack in packs if pack not in chosen] + [StoredPack(size, f"pack-joined-{number}")]
                sizes = sorted(pack.bytes for pack in packs)
                assert all(size >= 2 * sum(sizes[:position]) for position, size in enumerate(sizes))
                assert len(packs) < 20
        assert rewritten < 8 * all_bytes + 10**8 * 2


def test_no_more_is_joined_than_a_small_pod_can_pack() -> None:
    packs = stored(*[MOST_BYTES // 10] * 30)
    assert sum(pack.bytes for pack in packs_to_join(packs)) <= MOST_BYTES
    assert len(packs_to_join(stored(*[100] * 8760))) == MOST_PACKS < PACKS_MOST


@pytest.mark.parametrize(
    ("packs", "record", "options", "joined"),
    [
        (MANY_PACKS, None, AUTO, True),
        (MANY_PACKS - 1, None, AUTO, False),
        (MANY_PACKS + 5, held(0, settled=6), AUTO, False),
        (MANY_PACKS + 6, held(0, settled=6), AUTO, True),
        (2, None, CompactionOptions(Compact.ALWAYS), True),
        (999, None, CompactionOptions(Compact.NEVER), False),
        (999, held(999, covered_for=10), AUTO, False),
        (999, held(999, covered_for=10), CompactionOptions(Compact.ALWAYS), False),
    ],
)
def test_when_packs_are_joined(packs: int, record: RecordedEntry | None, options: CompactionOptions, joined: bool) -> None:
    assert joins(packs, record, options, NOW) is joined


def test_a_volume_is_taken_for_it_only_where_its_record_says_how_many_there_are() -> None:
    assert why_joined(held(365), AUTO, NOW) == "365 packs, of which the small ones become one"
    assert why_joined(held(365), CompactionOptions(Compact.ALWAYS), NOW) == "365 packs, of which the small ones become one"
    for record, options in (
        (None, AUTO),
        (held(MANY_PACKS - 1), CompactionOptions(Compact.ALWAYS)),
        (held(365), CompactionOptions(Compact.NEVER)),
        (held(365, covered_for=5), AUTO),
        (held(365, settled=360), AUTO),
    ):
        assert why_joined(record, options, NOW) == ""


@pytest.mark.parametrize(
    ("covered_for", "dropped"),
    [(None, False), (0, False), (DEFAULT_GRACE - 1, False), (DEFAULT_GRACE, True), (10**8, True), (-600, False), (-(10**6), False)],
)
def test_old_packs_go_after_the_grace(covered_for: float | None, dropped: bool) -> None:
    assert drops(held(60, covered_for), AUTO, NOW) is dropped
    assert not drops(held(60, covered_for), CompactionOptions(Compact.NEVER), NOW)
    assert not drops(None, AUTO, NOW)


@pytest.mark.parametrize("since", ["", "yesterday", "2026-13-01T00:00:00Z", time_text(NOW + timedelta(days=400))])
def test_a_time_that_cannot_be_drops_nothing_and_holds_nothing_up(since: str) -> None:
    record = replace(held(365, covered_for=1), covering_since=since)
    assert not drops(record, AUTO, NOW)
    assert joins(365, record, AUTO, NOW)
