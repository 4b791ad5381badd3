# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API that answers now and then, never again, or refuses everything since it is back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import silence as silence_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.silence import Silence
from ansible_collections.packit.deployment.plugins.module_utils.heartbeat import HEARTBEAT_LIMIT


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(silence_module, "time", SimpleNamespace(monotonic=made))
    return made


def known() -> Silence:
    silence = Silence()
    silence.end(served=True)
    return silence


def test_an_api_that_never_answered_is_not_waited_for(clock: Clock) -> None:
    silence = Silence()
    assert not silence.keep(clock.now) and not silence.too_long


def test_a_silence_is_waited_for_as_long_as_fillers_last(clock: Clock) -> None:
    silence, asked = known(), clock.now
    while clock.now < asked + HEARTBEAT_LIMIT:
        assert silence.keep(clock.now) and silence.lasts and not silence.too_long
        clock.now += 10
    assert not silence.keep(clock.now) and silence.too_long
    silence.end(served=True)
    assert not silence.lasts and not silence.too_long


def test_one_thing_that_is_never_answered_is_given_up_though_all_else_is(clock: Clock) -> None:
    silence, asked = known(), clock.now
    while clock.now < asked + HEARTBEAT_LIMIT:
        assert silence.keep(asked)
        silence.end(served=True)
        clock.now += 10
    assert not silence.keep(asked) and not silence.too_long


def test_two_answers_that_were_missed_long_after_each_other_are_no_silence(clock: Clock) -> None:
    """Nobody asked in between: the run had nothing to ask, or was stopped."""
    silence = known()
    assert silence.keep(clock.now)
    clock.now += HEARTBEAT_LIMIT + 1
    assert not silence.lasts and silence.keep(clock.now) and not silence.too_long


def test_who_is_refused_all_is_not_forgiven_because_the_api_goes_away_now_and_then(clock: Clock) -> None:
    """A token that was revoked, behind a proxy of which each tenth answer is missing."""
    silence = known()
    begun = clock.now
    forgiven = []
    while clock.now < begun + HEARTBEAT_LIMIT:
        silence.keep(clock.now)
        if silence.end(served=False):
            forgiven.append(clock.now - begun)
        clock.now += 5
    assert forgiven == [0, 5, 10, 15, 20, 25]
    silence.end(served=True)
    silence.keep(clock.now)
    assert silence.end(served=False)
