# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees while it happens: every change of phase, and on a terminal figures now and then."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.meter import Meter, parse_meter
from ansible_collections.packit.deployment.plugins.module_utils.cache.results import Progress
from ansible_collections.packit.deployment.plugins.module_utils.populate.progress import Lines, read, writer

RSYNC = "    153,616,384  49%  146.48MB/s    0:00:01 (xfr#1, to-chk=1/3)"
GIT = "Receiving objects:  42% (126/300), 12.30 MiB | 5.00 MiB/s"


@pytest.mark.parametrize(
    ("line", "meter", "shown"),
    [
        (RSYNC, Meter(49, "", 146_480_000.0, 1), "49 %, 146.5 MB/s, 1 s left"),
        ("        32,768 100%    0.00kB/s    0:00:00 (xfr#2, to-chk=0/3)", Meter(100, "", 0.0, 0), "100 %"),
        (GIT, Meter(42, "Receiving objects", 5 * 2**20), "receiving objects 42 %, 5.2 MB/s"),
        ("Resolving deltas:  7% (1/14)", Meter(7, "Resolving deltas"), "resolving deltas 7 %"),
        ("remote: Counting objects: 100% (3/3), done.", Meter(100, "Counting objects"), "counting objects 100 %"),
    ],
)
def test_lines_of_git_and_rsync_are_understood(line: str, meter: Meter, shown: str) -> None:
    assert parse_meter(line) == meter
    assert str(meter) == shown


def test_other_lines_are_no_meter() -> None:
    assert parse_meter("From https://example.org/x") is None


def lines(live: bool) -> tuple[Lines, list[float]]:
    now = [100.0]
    return Lines(live, lambda: now[0]), now


def test_on_a_terminal_figures_come_at_most_every_two_seconds() -> None:
    shown, now = lines(live=True)
    receiving = Progress("s/claim", "receives by seed", "one")
    assert shown.show(receiving) == "s/claim one: receives by seed"
    moving = Progress("s/claim", "receives by seed", "one", RSYNC)
    assert shown.show(moving) is None
    now[0] += 2.0
    assert shown.show(moving) == "s/claim one: receives by seed, 49 %, 146.5 MB/s, 1 s left"
    now[0] += 1.9
    assert shown.show(moving) is None
    assert shown.show(Progress("s/other", "receives by seed", "one", RSYNC)) is not None


def test_elsewhere_only_a_change_of_phase_is_shown() -> None:
    shown, now = lines(live=False)
    assert shown.show(Progress("s/claim", "receives by seed", "one")) is not None
    now[0] += 100
    assert shown.show(Progress("s/claim", "receives by seed", "one", RSYNC)) is None
    assert shown.show(Progress("s/claim", "checks", "one")) == "s/claim one: checks"
    assert shown.show(Progress("s/claim", "released", "", "held for 2.0 s")) == "s/claim: released: held for 2.0 s"
    assert shown.show(Progress("", "1 of 2 pairs of volumes have work to do")) == "1 of 2 pairs of volumes have work to do"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    progress = Progress("s/claim", "fails\nbadly", "one", "häßlich")
    writer(str(file))(progress)
    assert [read(line) for line in file.read_text().splitlines()] == [progress]
