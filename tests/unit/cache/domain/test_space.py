# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume without room is refused with the figures: needs, has, and by how much to grow it."""

from __future__ import annotations

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.space import NoSpace, check_capacity, check_free, size

MB = 1_000_000


def test_what_fits_is_not_refused() -> None:
    check_free("x", "pod p", needs=100 * MB, free=200 * MB)
    check_capacity("x", needs=100 * MB, capacity=200 * MB, used=0)


def test_nothing_to_receive_needs_no_room() -> None:
    check_free("x", "pod p", needs=0, free=0)
    check_capacity("x", needs=0, capacity=1, used=1)


def test_an_unknown_size_of_the_volume_refuses_nothing() -> None:
    check_capacity("x", needs=100 * MB, capacity=0, used=0)


def test_a_volume_seen_to_be_too_full_is_refused_with_the_figures() -> None:
    with pytest.raises(NoSpace) as refused:
        check_free("x", "pod s/p", needs=308 * MB, free=120 * MB)
    assert str(refused.value) == (
        "x needs 308 MB more on the volume, which has 120 MB free (seen in pod s/p). Nothing was written. "
        "Grow the claim by at least 196 MB, or take projects off it (option `state: absent`)."
    )


def test_a_volume_known_to_be_too_small_is_refused_before_it_is_taken() -> None:
    with pytest.raises(NoSpace) as refused:
        check_capacity("x", needs=3000 * MB, capacity=4000 * MB, used=1500 * MB)
    assert "x needs 3.0 GB, and the volume has about 2.3 GB free: its size is 4.0 GB, and 1.5 GB are known to be used." in str(
        refused.value
    )
    assert "It was not taken. Grow the claim by at least 708 MB" in str(refused.value)


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (308_000_000, "308 MB"), (1_200_000_000, "1.2 GB")]
)
def test_sizes_are_shown_for_people(number: int, words: str) -> None:
    assert size(number) == words
