# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for a person while a run works: every change of phase, and on a terminal figures now and then."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.populate.meter import Meter, parse_meter
from ansible_collections.packit.deployment.plugins.module_utils.populate.progress_lines import Lines, Screen, own_copy, read, writer
from ansible_collections.packit.deployment.plugins.module_utils.progress import Progress
from ansible_collections.packit.deployment.tests.bounds import BOUND

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


def test_a_line_comes_for_each_change_of_phase_and_none_for_figures() -> None:
    shown = Lines()
    assert shown.show(Progress("s/claim", "receives by seed", "one")) == "s/claim one: receives by seed"
    assert shown.show(Progress("s/claim", "receives by seed", "one", RSYNC)) is None
    assert shown.show(Progress("s/claim", "checks", "one")) == "s/claim one: checks"
    assert shown.show(Progress("s/claim", "released", "", "held for 2.0 s")) == "s/claim: released: held for 2.0 s"
    assert shown.show(Progress("", "1 of 2 pairs of volumes have work to do")) == "1 of 2 pairs of volumes have work to do"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    progress = Progress("s/claim", "fails\nbadly", "one", "häßlich", "worker-0", 1, 2)
    writer(str(file))(progress)
    assert [read(line) for line in file.read_text().splitlines()] == [progress]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def test_a_line_is_shown_whole_and_has_a_bound(pipe: tuple[int, int]) -> None:
    screen = Screen(pipe[1])
    screen.show("häßlich")
    screen.show("x" * 100_000)
    assert os.read(pipe[0], 200_000).decode() == "häßlich\n" + "x" * (select.PIPE_BUF - 1) + "\n"


def test_a_reader_that_has_ended_a_full_disk_and_no_descriptor_do_not_matter(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        for descriptor in (pipe[1], full.fileno(), -1):
            screen = Screen(descriptor)
            for _line in range(3):
                screen.show("words")


def test_a_reader_that_reads_nothing_is_not_waited_for_and_gets_later_lines(pipe: tuple[int, int]) -> None:
    screen = Screen(pipe[1])
    for number in range(100_000):
        screen.show(f"line {number}")
    read_now = os.read(pipe[0], 10_000_000)
    screen.show("later")
    assert b"line 99999" not in read_now
    assert os.read(pipe[0], 10_000_000).endswith(b"later\n")


def test_a_copy_outlives_what_it_is_of(pipe: tuple[int, int]) -> None:
    copy = own_copy(pipe[1])
    os.close(pipe[1])
    Screen(copy).show("words")
    os.close(copy)
    assert os.read(pipe[0], 100) == b"words\n"
    assert own_copy(copy) == -1


def test_a_line_of_any_length_is_shown_whole_to_who_reads_slowly() -> None:
    pipe = os.pipe()
    text = "word " * 50_000
    with os.fdopen(pipe[0], encoding="utf-8") as reader, ThreadPoolExecutor(1) as executor:
        came = executor.submit(reader.read)
        Screen(pipe[1], patience_ms=int(BOUND * 1000)).show_whole(text)
        os.close(pipe[1])
        assert came.result(BOUND) == f"{text}\n"


def test_lines_on_a_terminal_are_replaced_by_the_next_and_others_stay_above(pipe: tuple[int, int]) -> None:
    screen = Screen(pipe[1])
    screen.draw([], ["a 1", "b 1"])
    screen.draw([], ["a 1", "b 1"])  # nothing has changed
    screen.draw(["a: released"], ["b 2"])
    screen.draw([], [])
    up = "\x1b[{}A\r\x1b[J"
    assert os.read(pipe[0], 1000).decode() == f"\r\x1b[Ja 1\nb 1\n{up.format(2)}a: released\nb 2\n{up.format(1)}"


def test_lines_that_stay_are_shown_later_to_who_does_not_read_now(pipe: tuple[int, int]) -> None:
    screen = Screen(pipe[1])
    screen.show("x" * 1000)
    while select.select([], [pipe[1]], [], 0)[1]:
        screen.show("x" * 1000)
    screen.draw(["an error"], ["a 1"])
    os.read(pipe[0], 10_000_000)
    screen.draw([], ["a 2"])
    assert os.read(pipe[0], 1000).decode().endswith("\r\x1b[Jan error\na 2\n")


def test_a_line_that_was_not_written_whole_is_none() -> None:
    for line in ('{"subject": "s', "[]", "{}", "null"):
        with pytest.raises(ValueError):
            read(line)


def test_who_has_stopped_to_read_stops_nobody() -> None:
    pipe = os.pipe()
    os.close(pipe[0])
    screen = Screen(pipe[1], patience_ms=int(BOUND * 1000))
    for _line in range(3):
        screen.show_whole("word " * 50_000)
    os.close(pipe[1])
