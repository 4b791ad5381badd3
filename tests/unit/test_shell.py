# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words for a process that failed, and for a place where none can be run."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.packit.deployment.plugins.module_utils import shell as module
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, Interrupted, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.shell import CommandFailed, Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND

LOCKED = """fatal: Unable to create '/x/one/packed-refs.lock': File exists.

Another git process seems to be running in this repository, e.g.
an editor opened by 'git commit'. Please make sure all processes
are terminated then try again.
"""


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (LOCKED, "fatal: Unable to create '/x/one/packed-refs.lock': File exists."),
        ("error: one\nfatal: two\n", "error: one | fatal: two."),
        ("a\rb\nc\nd\n", "b | c | d."),
        ("", "it printed nothing."),
    ],
)
def test_what_git_calls_fatal_is_said_before_its_advice(stderr: str, said: str) -> None:
    error = CommandFailed("pod a/b", Completed(("git", "fetch", "x"), 128, b"", stderr))
    assert str(error.message) == f"git fetch in pod a/b ended with code 128: {said}"


class Silent:
    """A pod in which nothing can be started, while it is still there."""

    where = "pod sand/filler"

    def run(self, _argv: tuple[str, ...], *, deadline: Deadline) -> None:
        while True:
            deadline.sleep(0.05)


def test_a_place_that_does_not_answer_in_half_a_minute_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOKING_SECONDS", 0.2)
    with pytest.raises(PlaceLost, match="In pod sand/filler no process could be run for 0 seconds"):
        module.require_there(Silent(), Deadline(BOUND, "this test"))  # type: ignore[arg-type]


def test_a_caller_whose_own_time_is_over_is_told_so() -> None:
    with pytest.raises(DeadlineExceeded, match="this test took longer"):
        module.require_there(Silent(), Deadline(0.2, "this test"))  # type: ignore[arg-type]
    wanted = threading.Event()
    wanted.set()
    with pytest.raises(Interrupted):
        module.require_there(Silent(), Deadline(BOUND, "this test", wanted=wanted))  # type: ignore[arg-type]
