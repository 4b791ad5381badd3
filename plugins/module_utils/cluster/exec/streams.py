# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One exec: a process in a pod as three byte streams and an exit code, read and written without blocking.

The connection after the handshake is a plain (TLS) socket, driven by ``poll``: reading and writing at once with bounded
memory, which neither a blocking socket nor the kubernetes client's own stream can do.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...deadline import Deadline
from ..api.api_errors import ConnectionLost
from ..api.channels import STATUS, STDIN, exit_code
from ..api.client import Client
from ..api.names import require_name, require_namespace
from .frames import BINARY, CLOSE, PING, PONG, BadFrame, Decoder, encode

PING_EVERY = 10.0
"""Seconds. Proxies cut idle connections after 60 to 350."""
_LAST_WORDS_SECONDS = 5.0
"""Seconds for what the other side had said before a connection broke; then it is closed."""
_RECEIVE = 256 * 1024
_STATUS_LIMIT = 256 * 1024
"""Bytes of what the server says of a process's end."""
_UNSENT = 8 * 1024 * 1024
"""Bytes that may wait to be sent when a ping is answered: more than callers leave waiting. Who reads nothing needs no more answers."""
WRITE_SIZE = 128 * 1024
"""Bytes of one message to standard input."""


@dataclass(frozen=True)
class Descriptor:
    """An open file's descriptor, as selectors want it. Whoever opened it closes it."""

    number: int

    def fileno(self) -> int:
        """Return the descriptor's number, as selectors ask for it."""
        return self.number


def ready(reading: Iterable[Descriptor], writing: Iterable[Descriptor], seconds: float) -> tuple[set[int], set[int]]:
    """Wait at most ``seconds`` until something can be read or written; the numbers of what can.

    By ``poll``: ``select`` takes no descriptor above 1023, and a run that holds many volumes has such.
    """
    events: dict[int, int] = {}
    for flag, items in ((selectors.EVENT_READ, reading), (selectors.EVENT_WRITE, writing)):
        for item in items:
            events[item.number] = events.get(item.number, 0) | flag
    with selectors.PollSelector() as selector:
        for number, wanted in events.items():
            selector.register(number, wanted)
        found = [(key.fd, happened) for key, happened in selector.select(seconds)]
    return {number for number, event in found if event & selectors.EVENT_READ}, {
        number for number, event in found if event & selectors.EVENT_WRITE
    }


class ExecStream:
    """An exec's connection. Use by one thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(0)
        self._decoder = Decoder()
        self._outgoing = bytearray()
        self._status = bytearray()
        self._ping_at = time.monotonic() + PING_EVERY
        self._broken_at = 0.0
        self.closed = False

    def fileno(self) -> int:
        """Return the connection's descriptor, as selectors ask for it."""
        return self._socket.fileno()

    def close(self) -> None:
        """Cut the connection. The process goes on without it."""
        self.closed = True
        self._socket.close()

    @property
    def outgoing(self) -> int:
        """Bytes that wait to be sent: back pressure for the caller."""
        return len(self._outgoing)

    @property
    def exit_code(self) -> int | None:
        """The process's exit code; None while it runs, and after a lost connection. Raises NotStarted."""
        return exit_code(bytes(self._status))

    @property
    def broken(self) -> bool:
        """Return whether nothing can be sent any more. What the other side had said before is still to be read."""
        return self._broken_at > 0

    def write(self, data: bytes) -> None:
        """Queue bytes for standard input; nobody will read them where the connection is broken."""
        if self.broken:
            return
        for start in range(0, len(data), WRITE_SIZE):
            self._outgoing += encode(BINARY, bytes((STDIN,)) + data[start : start + WRITE_SIZE])

    def exchange(
        self, seconds: float, others: Sequence[Descriptor] = (), writers: Sequence[Descriptor] = (), read: bool = True
    ) -> tuple[list[tuple[int, bytes]], set[int], set[int]]:
        """Wait at most ``seconds`` for something to happen; send and receive what can be.

        Returns what came, as (stream, bytes), and which of ``others`` can be read and of ``writers`` written. With
        ``read`` off nothing is taken from the connection: back pressure for the other side. Raises ConnectionLost.
        """
        if self.broken and time.monotonic() - self._broken_at > _LAST_WORDS_SECONDS:
            self.close()
        if time.monotonic() >= self._ping_at and not self.broken:
            self._outgoing += encode(PING, b"")
            self._ping_at = time.monotonic() + PING_EVERY
        mine = () if self.closed else (Descriptor(self._socket.fileno()),)
        pending = read and not self.closed and isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        readable, writable = ready(
            [*(mine if read else ()), *others], [*(mine if self._outgoing else ()), *writers], 0 if pending else seconds
        )
        number = self._socket.fileno()
        if number in writable:
            self._send()
        received: list[tuple[int, bytes]] = []
        if pending or number in readable:
            received = self._receive()
        return received, readable - {number}, writable - {number}

    def _send(self) -> None:
        try:
            sent = self._socket.send(memoryview(self._outgoing)[:_RECEIVE])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return
        except OSError:
            # A process that ends early ends its connection, with our bytes in flight: its exit code lies behind that.
            self._broken_at = time.monotonic()
            self._outgoing = bytearray()  # the old one is still in use by what failed
            return
        del self._outgoing[:sent]

    def _receive(self) -> list[tuple[int, bytes]]:
        try:
            data = self._socket.recv(_RECEIVE)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return []
        except OSError as error:
            self.close()
            if self._status:
                return []
            raise ConnectionLost(f"the connection broke: {error}") from error
        if not data:
            self.close()
            return []
        try:
            return self._parse(data)
        except BadFrame as error:
            self.close()
            raise ConnectionLost(f"the server sent what cannot be understood: {error}") from error

    def _parse(self, data: bytes) -> list[tuple[int, bytes]]:
        received = []
        for opcode, payload in self._decoder.feed(data):
            if opcode == PING:
                if len(self._outgoing) < _UNSENT and not self.broken:
                    self._outgoing += encode(PONG, payload)
            elif opcode == CLOSE:
                self.close()
            elif opcode == BINARY and payload:
                if payload[0] == STATUS:
                    self._status += payload[1:]
                    if len(self._status) > _STATUS_LIMIT:
                        raise BadFrame(f"a process's status of more than {_STATUS_LIMIT} bytes")
                elif len(payload) > 1:
                    received.append((payload[0], payload[1:]))
        return received


def open_exec(
    client: Client, namespace: str, pod: str, container: str, argv: Sequence[str], deadline: Deadline, stdin: bool = True
) -> ExecStream:
    """Start ``argv`` in a container. The argv goes into the URL: small constants only, data by standard input.

    Raises NotFound, Forbidden, Unauthorized, Unreachable, …
    """
    require_namespace(namespace)
    require_name("Pod", pod)
    query = [("command", word) for word in argv]
    query += [("container", container), ("stdin", "true" if stdin else "false"), ("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    return ExecStream(client.open_websocket(path, query, deadline, f"run a process in pod {namespace}/{pod}"))
