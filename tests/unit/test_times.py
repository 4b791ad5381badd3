# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as the API writes them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.times import parse_time, time_text

NOON = datetime(2026, 3, 1, 12, 0, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize("text", ["2026-03-01T12:00:05Z", "2026-03-01T12:00:05.123456Z"])
def test_a_time_is_read_to_its_second(text: str) -> None:
    assert parse_time(text) == NOON


@pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=-5))])
def test_a_time_is_written_in_utc(zone: timezone) -> None:
    assert time_text(NOON.astimezone(zone).replace(microsecond=999_999)) == "2026-03-01T12:00:05Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-01T12:00:05", "2026-03-01T12:00:05.Z", "2026-13-01T12:00:05Z", "2026-03-01T12:00:05Z\n"])
def test_whatever_else_somebody_has_written_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)
