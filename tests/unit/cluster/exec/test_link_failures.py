# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a connection's thread did not expect ends the wait for it, in words."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ConnectionLost
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.channels import STDOUT, NotStarted, exit_code
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.agent import Answers, BadAnswer
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.frames import BINARY, LARGEST
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress, PodShell
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.streams import ExecStream
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.shell import OUTPUT_LIMIT, AnswerTooLarge
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cluster.exec.test_link import API, SilentStream
from ansible_collections.packit.deployment.tests.unit.cluster.exec.test_streams import server_frame

NEVER = 3600.0
"""Seconds. Who waits this long was left alone: pytest's own time-out would end the test."""


def shell_over(monkeypatch: pytest.MonkeyPatch, exchange: Callable[..., object], reconnect_seconds: float = NEVER) -> PodShell:
    stream = SilentStream()
    stream.exchange = exchange  # type: ignore[method-assign,assignment]
    monkeypatch.setattr(PodShell, "_connect", lambda _self, _deadline: stream)
    address = ContainerAddress("ns", "pod", "uid", "container")
    return PodShell(API, address, job_directory="/jobs", reconnect_seconds=reconnect_seconds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TypeError("'NoneType' object is not iterable"), "an error that was not expected: TypeError: 'NoneType' object is not iterable"),
        (MemoryError(), "an error that was not expected: MemoryError. Free some memory"),
        (ValueError("filedescriptor out of range in select()"), "ValueError: filedescriptor out of range"),
        (OSError(28, "No space left on device"), "No space left on device. Look at this machine's disk"),
    ],
)
def test_any_exception_in_the_links_thread_reaches_who_waits(monkeypatch: pytest.MonkeyPatch, error: BaseException, words: str) -> None:
    def exchange(_seconds: float, _others: object = ()) -> object:
        raise error

    with shell_over(monkeypatch, exchange) as shell:
        with pytest.raises(ConnectionLost) as caught:
            shell.run(("true",), deadline=Deadline(NEVER, "a hold"))
        assert words in str(caught.value)
        with pytest.raises(ConnectionLost):
            shell.run(("true",), deadline=Deadline(NEVER, "a hold"))


@pytest.mark.parametrize(
    "said",
    [
        b"done 1 zero 0 0\n",
        b"done 1 0 -5 0\n",
        b"done 1 0 0\n",
        b"done 1 0 %d 0\n" % (OUTPUT_LIMIT + 1),
        b"unknown\n",
        b"large 1 much\n",
        b"x" * 5000,
    ],
)
def test_an_answer_that_is_none_ends_the_wait(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    with shell_over(monkeypatch, lambda _seconds, _others=(): ([(STDOUT, said)], False, False)) as shell:
        with pytest.raises(BadAnswer, match="cannot be understood"):
            shell.run(("true",), deadline=Deadline(NEVER, "a hold"))


def test_a_progress_that_cannot_be_shown_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def progress(_line: str) -> None:
        raise OSError(28, "No space left on device", "/tmp/progress")

    with shell_over(monkeypatch, lambda _seconds, _others=(): ([(2, b"10%\n")], False, False)) as shell:
        with pytest.raises(DeploymentError, match="No space left on device"):
            shell.run(("true",), deadline=Deadline(NEVER, "a hold"), progress=progress)


def test_an_answer_that_was_too_large_to_be_sent_is_told_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    with shell_over(monkeypatch, lambda _seconds, _others=(): ([(STDOUT, b"large 7 104857600\n")], False, False)) as shell:
        shell._names = iter(["7"])  # type: ignore[assignment]
        with pytest.raises(AnswerTooLarge, match="git config in pod ns/pod printed 104857600 bytes, and one answer may have 16777216"):
            shell.run(("git", "config", "--list"), deadline=Deadline(NEVER, "a hold"))


def test_the_answers_hold_no_more_than_one_answer() -> None:
    answers = Answers()
    assert list(answers.feed(b"ready\n")) == []
    with pytest.raises(BadAnswer):
        for _piece in range(100):
            list(answers.feed(b"y" * 1000))
    assert len(answers._buffer) <= 2000


@pytest.mark.parametrize(
    "status",
    [b"{", b"[]", b"null", b'"text"', b'{"details": 5}', b'{"details": {"causes": [{"reason": "ExitCode", "message": "x"}]}}', b"\xff\xfe"],
)
def test_a_status_that_is_none_is_told_as_the_servers_words(status: bytes) -> None:
    with pytest.raises(NotStarted, match="cannot be understood"):
        exit_code(status)


@pytest.fixture
def far_ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection, the first with a number that ``select`` does not take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this machine allows no descriptor above 1023")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    near, theirs = socket.socketpair()
    os.dup2(near.fileno(), 1100)
    near.close()
    try:
        with theirs, socket.socket(fileno=1100) as ours:
            yield ours, theirs
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_with_a_large_number_is_read_and_written(far_ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = far_ends
    stream = ExecStream(ours)
    stream.write(b"down")
    theirs.sendall(server_frame(BINARY, bytes((STDOUT,)) + b"up"))
    assert stream.exchange(BOUND)[0] == [(STDOUT, b"up")]
    assert theirs.recv(100)


def test_a_message_without_a_bound_is_refused_by_its_head(far_ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = far_ends
    stream = ExecStream(ours)
    theirs.sendall(bytes((0x82, 127)) + (LARGEST + 1).to_bytes(8, "big"))
    with pytest.raises(ConnectionLost, match="the server sent what cannot be understood: a message of"):
        stream.exchange(BOUND)
    assert stream.closed
