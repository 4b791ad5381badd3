# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The board on a terminal while a run works: a line a pair, with how far it is."""

from __future__ import annotations

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.populate.board import Board
from ansible_collections.packit.deployment.plugins.module_utils.populate.progress_lines import named
from ansible_collections.packit.deployment.plugins.module_utils.progress import PAIR_ENDED, Progress

RSYNC = "    153,616,384  50%  146.48MB/s    0:00:01 (xfr#1, to-chk=1/3)"
SANDBOX, WORKER = "prod-sandbox/claim", "prod/claim"


class Clock:
    """A clock that stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def happens(board: Board, subject: str, phase: str, *, pair: str = "worker-0", done: int = 0, detail: str = "") -> str | None:
    """Something of a pair with four projects."""
    return board.take(Progress(subject, phase, "one", detail, pair, done, 4))


def test_a_pair_has_one_line_with_how_many_of_how_many_and_an_estimate(clock: Clock) -> None:
    board = Board(clock)
    assert happens(board, SANDBOX, "receives by seed") is None
    assert board.lines(200, 10) == ["worker-0: 0 of 4, one receives by seed, in prod-sandbox"]
    clock.now += 10
    assert happens(board, SANDBOX, "receives by seed", done=1, detail=RSYNC) is None
    # 1.5 of 8 are done in 10 seconds, as the worker's volume has as many projects
    assert board.lines(200, 10) == [
        "worker-0: 1 of 4, one receives by seed, 50 %, 146.5 MB/s, 1 s left (19 %, about 43 s left), in prod-sandbox"
    ]
    happens(board, SANDBOX, "added", done=4)
    happens(board, WORKER, "is taken", done=2)
    assert board.lines(200, 10) == ["worker-0: 2 of 4, one is taken (75 %, about 3 s left), in prod"]


def test_a_pair_that_is_done_has_no_line_and_counts_for_the_run(clock: Clock) -> None:
    board = Board(clock)
    assert board.take(Progress("", "2 of 3 pairs of volumes have work to do", total=2)) == "2 of 3 pairs of volumes have work to do"
    happens(board, WORKER, "added", done=4)  # the sandbox had all that it needs
    happens(board, WORKER, PAIR_ENDED, done=4)
    happens(board, SANDBOX, "is taken", pair="worker-1")
    happens(board, WORKER, PAIR_ENDED, pair="worker-2")  # had nothing to do
    clock.now += 30
    assert board.lines(200, 10) == ["1 of 2 pairs (50 %, about 30 s left)", "worker-1: 0 of 4, one is taken, in prod-sandbox"]


def test_what_somebody_may_want_to_read_later_stays(clock: Clock) -> None:
    board = Board(clock)
    assert happens(board, SANDBOX, "goes on after a lost connection", detail="The connection was cut.") == (
        f"{SANDBOX} one: goes on after a lost connection: The connection was cut."
    )
    assert happens(board, SANDBOX, "receives by seed", detail=RSYNC) is None
    waits = Progress(SANDBOX, "waits for quota: exceeded quota: small", pair="worker-0")
    assert board.take(waits) == f"{SANDBOX}: waits for quota: exceeded quota: small"
    seed = Progress("seed pod prod/seed", "cannot be reached from prod, so packs go through the API server", detail="refused")
    assert board.take(seed) == "seed pod prod/seed: cannot be reached from prod, so packs go through the API server: refused"


def test_what_is_no_pair_is_shown_while_it_says_something(clock: Clock) -> None:
    board = Board(clock)
    assert board.take(Progress("seed pod prod/seed", "fetches one", "", "Receiving objects:  42% (126/300)")) is None
    assert board.take(Progress("", "fetches two on this machine", "", "Receiving objects:  10% (30/300)")) is None
    assert board.lines(200, 10) == [
        "seed pod: fetches one, receiving objects 42 %",
        "this machine: fetches two on this machine, receiving objects 10 %",
    ]
    clock.now += 11
    assert board.lines(200, 10) == []


def test_lines_fit_the_terminal(clock: Clock) -> None:
    board = Board(clock)
    for number in range(20):
        happens(board, SANDBOX, "receives by seed", pair=f"worker-{number}")
    lines = board.lines(30, 5)
    assert [len(line) <= 30 for line in lines] == [True] * 5
    assert lines[-1] == "and 16 more"


def test_a_volume_is_named_by_its_pair() -> None:
    seen: list[Progress] = []
    report = named(seen.append, [Pair(Volume("prod", "claim", Role.WORKER, "worker-0"), Volume("prod-sandbox", "claim", Role.SANDBOX))])
    report(Progress(SANDBOX, "is taken"))
    report(Progress("seed pod x", "fetches"))
    assert [progress.pair for progress in seen] == ["worker-0", ""]
