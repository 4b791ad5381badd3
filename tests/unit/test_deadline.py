# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of a step, and of its parts."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline, Step
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, Interrupted


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_part_of_a_step_ends_with_the_steps_caller_whatever_was_excused() -> None:
    clock, wanted = Clock(), threading.Event()
    caller = Deadline(100.0, "a hold", clock=clock, wanted=wanted)
    step = Step(caller, 500.0, "one step")
    step.excuse(1000.0)
    part = step.within(300.0, "a part")
    assert part.left() == caller.left() == 100.0
    wanted.set()
    with pytest.raises(Interrupted):
        part.left()
    wanted.clear()
    clock.now += 100
    for one in (part, step):
        with pytest.raises(DeadlineExceeded):
            one.left()


def test_what_is_excused_once_is_not_excused_again() -> None:
    """The run was stopped, and the place was out of reach, for the same minute."""
    clock = Clock()
    step = Step(Deadline(1000.0, "a hold", clock=clock), 50.0, "one step")
    clock.now += 60
    step.excuse(60.0)
    assert step.left() == 50.0


def test_a_step_ends_where_nothing_is_excused() -> None:
    clock = Clock()
    step = Step(Deadline(1000.0, "a hold", clock=clock), 5.0, "one step")
    clock.now += 6
    with pytest.raises(DeadlineExceeded, match=r"^one step took longer than 5 seconds"):
        step.left()
