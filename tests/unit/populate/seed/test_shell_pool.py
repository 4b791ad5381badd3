# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few shells serve many, and one that was lost serves nobody."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import PodLost
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.shell_pool import ShellPool
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.waiting import until


class One:
    """A shell; it tells when two threads use it at once."""

    where = "there"

    def __init__(self) -> None:
        self.lost = False
        self.ran = 0
        self._busy = threading.Lock()

    def run(self, argv: tuple[str, ...], *, deadline: Deadline, **_: object) -> Completed:
        assert self._busy.acquire(blocking=False), "two threads use it at once"
        try:
            if self.lost:
                raise PlaceLost("the connection is gone")
            self.ran += 1
            if argv == ("wait",):
                while deadline.left():
                    deadline.sleep(0.01)
        finally:
            self._busy.release()
        return Completed(argv, 0, b"", "")


class Place:
    """A place in which shells are opened."""

    def __init__(self, most: int) -> None:
        self.shells: list[One] = []
        self.pool = ShellPool("there", self._opened, most)

    def _opened(self) -> Any:
        self.shells.append(One())
        return self.shells[-1]

    def run(self, *argv: str, seconds: float = BOUND) -> None:
        self.pool.run(argv or ("true",), deadline=Deadline(seconds))


def test_many_who_work_there_have_a_few_shells() -> None:
    place = Place(3)
    with ThreadPoolExecutor(12) as executor:
        list(executor.map(lambda _number: place.run(), range(200)))
    assert len(place.shells) <= 3 and sum(shell.ran for shell in place.shells) == 200


def test_one_who_works_alone_has_one_shell() -> None:
    place = Place(3)
    for _time in range(5):
        place.run()
    assert [shell.ran for shell in place.shells] == [5]


def test_who_waits_for_a_shell_waits_no_longer_than_he_may() -> None:
    place, stop = Place(1), threading.Event()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(place.pool.run, ("wait",), deadline=Deadline(BOUND, "the first", stop))
        until(lambda: place.shells and place.shells[0].ran, "the first one's work")
        with pytest.raises(DeadlineExceeded):
            place.run(seconds=0.05)
        stop.set()
    place.run()
    assert len(place.shells) == 1


def test_one_that_was_lost_is_replaced() -> None:
    place = Place(1)
    place.run()
    place.shells[0].lost = True
    with pytest.raises(PlaceLost):
        place.run()
    place.run()
    assert [shell.ran for shell in place.shells] == [1, 1]


def test_one_that_was_lost_while_nobody_used_it_is_found_by_a_look() -> None:
    place = Place(1)
    place.run()
    place.shells[0].lost = True
    place.pool.drop_lost(Deadline(BOUND))
    place.run()
    place.pool.drop_lost(Deadline(BOUND))
    assert [shell.ran for shell in place.shells] == [1, 2]


def test_a_place_that_is_gone_takes_no_place_of_a_shell() -> None:
    opened: list[One] = []

    def first_gone() -> Any:
        opened.append(One())
        if len(opened) == 1:
            raise PodLost("The seed pod is gone.")
        return opened[-1]

    pool = ShellPool("there", first_gone, 1)
    with pytest.raises(PodLost):
        pool.run(("true",), deadline=Deadline(BOUND))
    pool.run(("true",), deadline=Deadline(BOUND))
