# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever answers in the place of a node or of our agent decides not how long it takes, nor how much memory."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError, ConnectionLost
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.channels import STDERR, STDOUT, NotStarted, exit_code
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec import link as link_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.frames import BINARY, CLOSE, LARGEST, PING, BadFrame, Decoder
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.link import AgentLink
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress, PodShell
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.streams import ExecStream
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cluster.exec.test_link import API, SilentStream
from ansible_collections.packit.deployment.tests.unit.cluster.exec.test_streams import server_frame

Received = list[tuple[int, bytes]]


def limit() -> Deadline:
    return Deadline(BOUND, "this test")


@pytest.mark.parametrize(
    "sent",
    [
        bytes((0x80 | PING, 126, 0, 200)),  # a ping of more than 125 bytes
        bytes((0x80 | CLOSE, 127)) + (1 << 40).to_bytes(8, "big"),
        bytes((PING, 0)),  # in fragments
        bytes((0x83, 0)),  # kinds that nobody has defined
        bytes((0x8B, 0)),
        bytes((0xC2, 0)),  # an extension that nobody asked for
        bytes((0x82, 0x80, 0, 0, 0, 0)),  # masked, as only a client does
        bytes((0x80, 1, 65)),  # goes on with nothing
        bytes((0x02, 1, 65, 0x82, 1, 65)),  # begins in the middle
        bytes((0x82, 127)) + (1 << 63).to_bytes(8, "big"),
        bytes((0x02, 127)) + LARGEST.to_bytes(8, "big") + bytes(LARGEST) + bytes((0x80, 1, 65)),
    ],
)
def test_a_frame_that_no_server_sends_is_refused(sent: bytes) -> None:
    with pytest.raises(BadFrame):
        list(Decoder().feed(sent))


@pytest.mark.parametrize("code", ["-1", "0", "256", "9" * 5000])
def test_an_exit_code_that_is_none_is_no_exit_code(code: str) -> None:
    with pytest.raises(NotStarted, match="cannot be understood"):
        exit_code(b'{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"%b"}]}}' % code.encode())


def test_answers_to_pings_take_no_memory_where_nobody_reads_them() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = ExecStream(ours)
        pings = server_frame(PING, b"p" * 125) * 1000
        answered = 0
        for _round in range(150):
            theirs.sendall(pings)
            while not stream.exchange(0)[0] and answered < stream.outgoing:
                answered = stream.outgoing
        assert 1024 * 1024 < stream.outgoing < 9 * 1024 * 1024


def test_closing_does_not_wait_for_a_peer_that_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "_FLUSH_SECONDS", 0.2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = AgentLink(lambda _deadline: ExecStream(ours), BOUND, threading.Event())
        link.start()
        link.begin("1", b"x" * 5_000_000, None)
        link.close()
        assert not link.is_alive()


def test_what_was_asked_for_last_is_sent_before_the_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = AgentLink(lambda _deadline: ExecStream(ours), BOUND, threading.Event())
        link._queue += b"kill 1\n"
        link._closing = True
        link._serve(ExecStream(ours), True)
        head = theirs.recv(100)
        key, masked = head[2:6], head[6:]
        assert bytes(byte ^ key[place % 4] for place, byte in enumerate(masked)) == b"\x00kill 1\n"


class Scripted(SilentStream):
    """An exec that says something once, and has ended."""

    def __init__(self, said: Received, code: int | None = None, error: Exception | None = None) -> None:
        self._said, self._code, self._error = said, code, error
        self._ended = False

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return self._ended

    @property
    def exit_code(self) -> int | None:  # type: ignore[override]
        if self._error is not None:
            raise self._error
        return self._code if self._ended else None

    def exchange(self, seconds: float, _others: object = ()) -> tuple[Received, bool, bool]:
        self._ended = True
        return self._said, False, False


def opened(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Scripted]) -> tuple[PodShell, list[int]]:
    """A shell whose execs are these, and how often one was opened."""
    times: list[int] = []

    def connect(_self: PodShell, _deadline: Deadline) -> Scripted:
        times.append(len(times))
        return make()

    monkeypatch.setattr(PodShell, "_connect", connect)
    return PodShell(API, ContainerAddress("ns", "pod", "uid", "container"), job_directory="/jobs", reconnect_seconds=0.3), times  # type: ignore[arg-type]


@pytest.mark.parametrize("said", [[], [(STDOUT, b"ready\n")], [(STDERR, b"no room\n")]])
@pytest.mark.parametrize("code", [None, 0, 1])
def test_an_exec_that_ends_at_once_is_not_opened_without_a_pause(monkeypatch: pytest.MonkeyPatch, said: Received, code: int | None) -> None:
    shell, times = opened(monkeypatch, lambda: Scripted(said, code))
    with shell, pytest.raises(ConnectionLost, match="did not stay in the pod for 0 seconds") as caught:
        shell.run(("true",), deadline=limit())
    assert len(times) < 10
    assert ("It said: no room" in str(caught.value)) is (said == [(STDERR, b"no room\n")])


NO_SHELL = 'OCI runtime exec failed: exec: "sh": executable file not found in $PATH'


@pytest.mark.parametrize(
    "stream",
    [
        lambda: Scripted([], error=NotStarted(NO_SHELL)),
        lambda: Scripted([(STDERR, b"executable file `sh` not found in $PATH")], 127),
        lambda: Scripted([(STDERR, b"sh: permission denied")], 126),
    ],
)
def test_an_image_without_a_shell_is_told_at_once_and_in_words(monkeypatch: pytest.MonkeyPatch, stream: Callable[[], Scripted]) -> None:
    shell, times = opened(monkeypatch, stream)
    with shell, pytest.raises(ClusterError, match=r"could not be started in the pod: .*sh.* It needs sh and coreutils") as caught:
        shell.run(("true",), deadline=limit())
    assert len(times) == 1
    assert not isinstance(caught.value, ConnectionLost)


def test_an_exec_that_a_node_refuses_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shell, times = opened(monkeypatch, lambda: Scripted([], error=NotStarted("container is not running")))
    with shell, pytest.raises(ConnectionLost, match=r"could not be started in the pod: container is not running\. Run again\."):
        shell.run(("true",), deadline=limit())
    assert len(times) == 1


def test_a_job_that_an_agent_never_knows_is_not_sent_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(SilentStream):
        sent = 0

        def write(self, data: bytes) -> None:
            Forgetful.sent += data.startswith(b"run ")

        def exchange(self, seconds: float, _others: object = ()) -> tuple[Received, bool, bool]:
            return [(STDOUT, b"unknown 7\n" * 1000)], False, False

    shell, times = opened(monkeypatch, Forgetful)  # type: ignore[arg-type]
    shell._names = iter(["7"])  # type: ignore[assignment]
    with shell, pytest.raises(ConnectionLost, match="does not know the job"):
        shell.run(("true",), deadline=limit())
    assert Forgetful.sent <= 2 * len(times) < 20


def test_a_message_is_still_found_where_its_fragments_are_whole() -> None:
    data = server_frame(BINARY, b"", False) + server_frame(0, b"one", False) + server_frame(0, b"")
    assert list(Decoder().feed(data + server_frame(BINARY, b"two"))) == [(BINARY, b"one"), (BINARY, b"two")]
