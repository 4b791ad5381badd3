# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that one thread closes while another waits for an answer: a seed that was lost is replaced like that."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ConnectionLost, Forbidden
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.agent import Answer
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.link import AgentLink
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress, PodShell
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline, Step
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.waiting import until

API = SimpleNamespace(is_away=False)


class SilentStream:
    """An exec whose other side never answers."""

    closed, broken, exit_code, outgoing = False, False, None, 0

    def write(self, data: bytes) -> None:
        return

    def exchange(self, seconds: float, _others: object = ()) -> tuple[list[tuple[int, bytes]], bool, bool]:
        time.sleep(min(seconds, 0.05))
        return [], False, False

    def close(self) -> None:
        return


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> PodShell:
    monkeypatch.setattr(PodShell, "_connect", lambda _self, _deadline: SilentStream())
    return PodShell(API, ContainerAddress("ns", "pod", "uid", "container"), job_directory="/jobs")  # type: ignore[arg-type]


def test_who_waits_is_told_at_once_that_the_connection_was_closed(shell: PodShell, monkeypatch: pytest.MonkeyPatch) -> None:
    caught: list[BaseException] = []
    waiting, wait_for_answer = threading.Event(), AgentLink.wait

    def told(link: AgentLink, seconds: float) -> Answer | None:
        waiting.set()
        return wait_for_answer(link, seconds)

    monkeypatch.setattr(AgentLink, "wait", told)

    def wait() -> None:
        try:
            shell.run(("true",), deadline=Deadline(BOUND, "a hold"))
        except BaseException as error:  # noqa: BLE001  (whatever it is, it is the result)
            caught.append(error)

    with shell:
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert waiting.wait(BOUND)
    thread.join(BOUND)
    assert [type(error) for error in caught] == [ConnectionLost]


def test_nothing_is_written_into_another_file_after_the_end(shell: PodShell, tmp_path: Path) -> None:
    with shell:
        pass
    files = [os.open(tmp_path / str(number), os.O_CREAT | os.O_RDWR) for number in range(8)]  # they get the pipe's numbers
    try:
        with pytest.raises(ConnectionLost):
            shell.run(("true",), deadline=Deadline(BOUND, "a hold"))
        shell._link.end("1")
        assert [os.fstat(file).st_size for file in files] == [0] * 8
    finally:
        for file in files:
            os.close(file)


class CutStream(SilentStream):
    """An exec that is cut when it has been told of a job's end; the next one is not. ``sent`` is what each was told."""

    sent: ClassVar[list[bytes]] = []

    def __init__(self) -> None:
        self.sent.append(b"")

    def write(self, data: bytes) -> None:
        if len(self.sent) == 1 and b"forget" in data:
            raise ConnectionLost("it was cut")
        self.sent[-1] += data


def test_a_job_that_was_given_up_is_ended_also_when_the_connection_was_cut_just_then(monkeypatch: pytest.MonkeyPatch) -> None:
    CutStream.sent.clear()
    monkeypatch.setattr(PodShell, "_connect", lambda _self, _deadline: CutStream())
    with PodShell(API, ContainerAddress("ns", "pod", "uid", "container"), job_directory="/jobs") as shell:  # type: ignore[arg-type]
        with pytest.raises(DeadlineExceeded):
            shell.run(("sleep", "9"), deadline=Deadline(0.2, "a step"))
        until(lambda: len(CutStream.sent) == 2 and b"kill" in CutStream.sent[1], "the next connection to be told")


def test_nothing_is_begun_when_the_time_is_over(shell: PodShell) -> None:
    begun: list[object] = []
    shell._link.begin = lambda *words: begun.append(words)  # type: ignore[method-assign]
    over = Deadline(0.0, "a hold")
    for place in (shell, LocalShell()):
        with pytest.raises(DeadlineExceeded, match=r"^a hold took longer than 0 seconds"):
            place.run(("true",), deadline=over)
    assert begun == []


def test_a_step_is_excused_while_the_api_is_away_and_its_caller_is_not(shell: PodShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may have ended long ago: nobody can say so."""
    told: list[float] = []

    class Told(Step):
        """Tells that it was excused."""

        def excuse(self, seconds: float) -> None:
            told.append(seconds)
            super().excuse(seconds)

    monkeypatch.setattr(shell, "_client", SimpleNamespace(is_away=True))
    caller = Deadline(BOUND, "a hold")
    step = Told(caller, 0.4, "one step")

    def close_late() -> None:
        until(lambda: sum(told) > 1, "more than the step's time")
        shell._link.close()

    with shell:
        threading.Thread(target=close_late, daemon=True).start()
        with pytest.raises(ConnectionLost):
            shell.run(("true",), deadline=step)
    caller.excuse(BOUND)
    assert caller.left() < BOUND


def test_an_api_server_that_starts_may_refuse_an_exec_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Forbidden("pods/exec is forbidden: role is not known yet")
    refusal.passes = True
    answers: list[Forbidden | SilentStream] = [refusal, SilentStream()]

    def connect(_deadline: Deadline) -> SilentStream:
        answer = answers.pop(0)
        if isinstance(answer, Forbidden):
            raise answer
        return answer

    monkeypatch.setattr("ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.link.PAUSES", (0.01,))
    link = AgentLink(connect, BOUND, threading.Event())  # type: ignore[arg-type]
    link.start()
    until(lambda: not answers, "the second try")
    link.close()
    assert "was closed" in str(link._ended_by)
