# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that ends while its input is on its way is told from a connection that was lost."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ConnectionLost
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.channels import STATUS, STDERR
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec import streams as module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.frames import BINARY
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.streams import ExecStream
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cluster.exec.test_streams import server_frame

FAILED = b'{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"11"}]}}'


class Reset:
    """A connection into which nothing can be sent any more, and what the other side had said before."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.settimeout, self.fileno, self.close = end.settimeout, end.fileno, end.close
        self.recv: Callable[[int], bytes] = end.recv

    def send(self, _data: bytes) -> int:
        raise ConnectionResetError("Connection reset by peer")


@pytest.fixture
def ends() -> Iterator[tuple[ExecStream, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ExecStream(Reset(ours)), theirs  # type: ignore[arg-type]


def until_closed(stream: ExecStream) -> list[tuple[int, bytes]]:
    received, deadline = [], Deadline(BOUND, "this test")
    while not stream.closed:
        received += stream.exchange(min(0.05, deadline.left()))[0]
    return received


def test_what_a_process_said_before_its_input_broke_is_read(ends: tuple[ExecStream, socket.socket]) -> None:
    stream, server = ends
    stream.write(b"x" * 1_000_000)
    server.sendall(server_frame(BINARY, bytes((STDERR,)) + b"No space left") + server_frame(BINARY, bytes((STATUS,)) + FAILED))
    server.close()
    assert until_closed(stream) == [(STDERR, b"No space left")]
    assert stream.exit_code == 11
    assert stream.outgoing == 0


def test_a_connection_that_broke_and_says_no_more_is_not_waited_for(
    ends: tuple[ExecStream, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAST_WORDS_SECONDS", 0.2)
    stream, _server = ends
    stream.write(b"x")
    assert until_closed(stream) == []
    assert stream.broken and stream.exit_code is None
    stream.write(b"y")
    assert stream.outgoing == 0


def test_a_connection_that_breaks_before_anything_was_said_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end = Reset(ours)

        def recv(_size: int) -> bytes:
            raise ConnectionResetError("Connection reset by peer")

        end.recv = recv
        theirs.close()
        with pytest.raises(ConnectionLost, match="the connection broke: Connection reset by peer"):
            until_closed(ExecStream(end))  # type: ignore[arg-type]
