# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No request follows a redirect with the credentials, and none is waited for without end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import client as client_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import Redirected, Unreachable
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress, PodShell
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.streams import open_exec
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cluster.api.test_client import client_of


class Peer:
    """Answers each connection with the same bytes, whatever is asked, and keeps what was asked. ``slowly``: byte by byte, without end."""

    def __init__(self, answer: bytes = b"", slowly: bool = False) -> None:
        self.answer = answer
        self.slowly = slowly
        self.asked: list[bytes] = []
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self.asked.append(connection.recv(65536))
            connection.sendall(self.answer)
            while self.slowly and not self.ended.wait(0.02):
                connection.sendall(b"x")

    def close(self) -> None:
        self.ended.set()
        self._listener.shutdown(
            socket.SHUT_RDWR
        )  # ends the thread, which would go on to accept at what is another server's descriptor by then
        self._thread.join(BOUND)
        self._listener.close()


@pytest.fixture
def peers() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(*arguments: object, **settings: object) -> Peer:
        made.append(Peer(*arguments, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for peer in made:
        peer.close()


def limit() -> Deadline:
    return Deadline(BOUND, "this test")


REDIRECTS = [301, 302, 303, 307, 308]


def redirect(status: int, to: str) -> bytes:
    return f"HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("verb", ["get", "create", "watch", "logs", "exec"])
def test_no_request_follows_a_redirect_with_the_credentials(peers: Callable[..., Peer], status: int, verb: str) -> None:
    other = peers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    first = peers(redirect(status, f"{other.url}/api?secret=t0p"))
    client = client_of(first.url)
    requests: dict[str, Callable[[], object]] = {
        "get": lambda: client.get("Pod", "ns", "x", limit()),
        "create": lambda: client.create("Pod", "ns", {}, limit()),
        "watch": lambda: next(client.watch("Pod", "ns", "x", "1", limit())),
        "logs": lambda: client.logs("ns", "x", 5, limit()),
        "exec": lambda: open_exec(client, "ns", "x", "c", ("true",), limit()),
    }
    with pytest.raises(Redirected) as caught:
        requests[verb]()
    assert b"s3cret" in first.asked[0]
    assert (len(first.asked), other.asked) == (1, [])
    assert f"{first.url} answered with a redirect to {other.url} (HTTP status {status})" in str(caught.value)
    assert "K8S_AUTH_HOST" in str(caught.value)
    assert not {"s3cret", "t0p"} & {*str(caught.value).replace("=", " ").split()}


@pytest.mark.parametrize(("to", "told"), [("", "nowhere"), ("http://[", "no URL"), ("//user:pw@else.where/\x1b", "http://else.where ")])
def test_where_a_redirect_leads_is_told_whatever_it_is(peers: Callable[..., Peer], to: str, told: str) -> None:
    with pytest.raises(Redirected, match=told) as caught:
        client_of(peers(redirect(302, to)).url).get("Pod", "ns", "x", limit())
    assert "pw" not in str(caught.value)


def test_a_redirect_in_mid_run_ends_the_wait_at_once(peers: Callable[..., Peer]) -> None:
    first = peers(redirect(302, "http://127.0.0.9/"))
    with PodShell(client_of(first.url), ContainerAddress("ns", "pod", "uid", "container"), job_directory="/jobs") as shell:
        with pytest.raises(Redirected):
            shell.run(("true",), deadline=limit())
    assert len(first.asked) == 1


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 101 Switching Protocols\r\nX: ", b"HTTP/1.1 500 No\r\nContent-Length: 9999999999\r\n\r\n"]
)
def test_a_handshake_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, peers: Callable[..., Peer], head: bytes) -> None:
    monkeypatch.setattr(client_module, "REQUEST_TIMEOUT", 0.5)
    with pytest.raises(Unreachable, match="did not answer when asked to run a process in pod ns/x"):
        open_exec(client_of(peers(head, slowly=True).url), "ns", "x", "c", ("true",), limit())
