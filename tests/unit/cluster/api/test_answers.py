# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of an API server, or of what is before it, that are cut, late, too large, or no API's."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import kubernetes.client
import pytest
import urllib3

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import bodies
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import client as client_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError, Unreachable
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.bodies import TooLarge
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cluster.api.test_client import client_of


def http(status: int, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """An answer; ``length`` is what it says of its body's, where that is not so."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} X", *headers, "Connection: close"))
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


POD = json.dumps({"kind": "Pod", "metadata": {"name": "x", "uid": "1"}, "items": []}).encode()
WHOLE = http(200, POD)
CUT = http(200, POD[:20], length=len(POD))
PAGE = http(200, b"<!DOCTYPE html><html>Please log in</html>", "Content-Type: text/html")


class Peer:
    """Answers one connection after the other with the next of its answers, the last one for ever."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.trickles = False
        self.closed = threading.Event()
        self.heads: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                with connection, suppress(OSError):
                    data = b""
                    while b"\r\n\r\n" not in data:
                        part = connection.recv(65536)
                        if not part:
                            raise ConnectionResetError
                        data += part
                    self.asked += 1
                    self.heads.append(data)
                    connection.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
                    while self.trickles and not self.closed.wait(0.01):
                        connection.sendall(b" ")

    def close(self) -> None:
        """End the thread first: it would go on to accept at that descriptor, which is another server's by then."""
        self.closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(BOUND)
        self._listener.close()


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Peer]]:
    monkeypatch.setattr(client_module, "PAUSES", (0.01,) * 6)
    made: list[Peer] = []

    def make(*answers: bytes) -> Peer:
        made.append(Peer(*answers))
        return made[-1]

    yield make
    for each in made:
        each.close()


def limit() -> Deadline:
    return Deadline(BOUND, "this test")


IDEMPOTENT: dict[str, Callable[[Client], object]] = {
    "get": lambda client: client.get("Pod", "ns", "x", limit()),
    "list": lambda client: client.list("Pod", "ns", limit()),
    "patch": lambda client: client.patch("Pod", "ns", "x", {}, limit()),
    "delete": lambda client: client.delete("Pod", "ns", "x", "1", limit()),
    "review": lambda client: client.create("SelfSubjectRulesReview", "ns", {}, limit()),
    "dry run": lambda client: client.create("Pod", "ns", {}, limit(), dry_run=True),
}


@pytest.mark.parametrize("broken", [CUT, PAGE, http(200, b""), http(200, b"[]"), http(503, b"<html>", length=9)])
@pytest.mark.parametrize("request_", IDEMPOTENT.values(), ids=IDEMPOTENT)
def test_an_answer_that_is_none_is_asked_for_again(peer: Callable[..., Peer], broken: bytes, request_: Callable[[Client], object]) -> None:
    served = peer(broken, broken, WHOLE)
    request_(client_of(served.url))
    assert served.asked == 3


@pytest.mark.parametrize(("broken", "words"), [(CUT, "did not answer"), (PAGE, "is no API's answer: it is a web page")])
def test_where_it_stays_so_it_is_told_in_words(peer: Callable[..., Peer], broken: bytes, words: str) -> None:
    with pytest.raises(Unreachable, match=words):
        client_of(peer(broken).url).list("Pod", "ns", limit())


@pytest.mark.parametrize("broken", [CUT, PAGE])
def test_whether_an_object_was_made_is_the_callers_to_find_out(peer: Callable[..., Peer], broken: bytes) -> None:
    served = peer(broken, WHOLE)
    with pytest.raises(Unreachable):
        client_of(served.url).create("Pod", "ns", {}, limit())
    assert served.asked == 1


def test_an_answer_has_a_bound(peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_BYTES", 1 << 20)
    served = peer(http(200, b" " * (3 << 20)))
    with pytest.raises(TooLarge, match="more than 1 MiB"):
        client_of(served.url).list("Pod", "ns", limit())
    assert served.asked == 1


def test_the_words_of_a_refusal_have_a_bound(peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_WORDS", 1000)
    endless = http(400, b"x" * 100_000, length=1 << 40)
    with pytest.raises(ClusterError, match=r"^The API refused to get Pod ns/x: x{500}$"):
        client_of(peer(endless).url).get("Pod", "ns", "x", limit())


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (lambda client: client.create("SelfSubjectReview", "", {}, limit()), "create SelfSubjectReview"),
        (lambda client: client.list("Node", "", limit()), "list Node"),
        (lambda client: client.get("Namespace", "", "ns", limit()), "get Namespace ns"),
        (lambda client: client.list("Pod", "ns", limit()), "list Pod in ns"),
        (lambda client: client.patch("Pod", "ns", "x", {}, limit()), "patch Pod ns/x"),
    ],
)
def test_a_refusal_says_what_was_asked_for(peer: Callable[..., Peer], request_: Callable[[Client], object], words: str) -> None:
    with pytest.raises(ClusterError, match=f"^The API refused to {words}: no$"):
        request_(client_of(peer(http(400, b"no")).url))


def test_who_uses_the_library_beside_us_without_a_time_out_reads_a_refusal(peer: Callable[..., Peer]) -> None:
    configuration = kubernetes.client.Configuration()
    configuration.host = peer(http(403, b"no")).url
    api = kubernetes.client.ApiClient(configuration)
    Client(api)
    with pytest.raises(kubernetes.client.ApiException, match="no"):
        kubernetes.client.CoreV1Api(api).read_namespaced_pod("x", "ns")


def test_an_older_urllib3_reads_answers_too(peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BaseHTTPResponse", "HTTPResponse"):  # the first one came with 2.0
        monkeypatch.delattr(getattr(urllib3.response, name, object), "read1", raising=False)
    assert client_of(peer(WHOLE).url).get("Pod", "ns", "x", limit())["metadata"]["uid"] == "1"


def test_a_line_of_a_watch_has_a_bound(peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_BYTES", 1 << 20)
    with pytest.raises(TooLarge, match="more than 1 MiB"):
        next(client_of(peer(http(200, b" " * (3 << 20))).url).watch("Pod", "ns", "x", "1", limit()))


def test_a_line_of_a_watch_may_come_in_parts(peer: Callable[..., Peer]) -> None:
    changes = b"".join(
        json.dumps({"type": "MODIFIED", "object": {"metadata": {"name": "x" * 500_000, "resourceVersion": version}}}).encode() + b"\n\n"
        for version in "567"
    )
    seen = client_of(peer(http(200, changes)).url).watch("Pod", "ns", "x", "1", limit())
    assert [change and change.object["metadata"]["resourceVersion"] for change in (next(seen) for _change in range(4))] == [
        "5",
        "6",
        "7",
        None,
    ]


def trickling(peer: Callable[..., Peer], answer: bytes) -> Client:
    """A client of a server that sends the rest of its answer a byte at a time, and never comes to its end."""
    served = peer(answer)
    served.trickles = True
    return client_of(served.url)


def short() -> Deadline:
    return Deadline(1.0, "this request")


@pytest.mark.parametrize(
    "request_",
    [
        lambda client: client.get("Pod", "ns", "x", short()),
        lambda client: client.logs("ns", "x", 10, short()),
        lambda client: list(client.watch("Pod", "ns", "x", "1", short())),
    ],
    ids=["object", "log", "watch"],
)
def test_an_answer_that_trickles_does_not_outlive_its_deadline(peer: Callable[..., Peer], request_: Callable[[Client], object]) -> None:
    client = trickling(peer, http(200, POD[:20], length=1 << 30))
    with pytest.raises(DeadlineExceeded, match="this request took longer than 1 seconds"):
        request_(client)


def test_a_refusal_whose_words_trickle_is_told_with_those_that_came(peer: Callable[..., Peer]) -> None:
    client = trickling(peer, http(403, b"no rights for you", length=1 << 20))
    with pytest.raises(ClusterError, match="The API refused to get Pod ns/x: no rights for you"):
        client.get("Pod", "ns", "x", Deadline(5.0, "this request"))


class Pauses(Deadline):
    """Knows for how long it was asked to pause, and does not."""

    def __init__(self) -> None:
        super().__init__(BOUND, "this test")
        self.asked: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_when_to_come_again(peer: Callable[..., Peer], status: int) -> None:
    deadline = Pauses()
    client_of(peer(http(status, b"{}", "Retry-After: 7"), WHOLE).url).get("Pod", "ns", "x", deadline)
    assert deadline.asked == [7.0]


def test_who_is_to_come_again_after_the_deadline_is_told_at_once(peer: Callable[..., Peer]) -> None:
    served = peer(http(429, b'{"message": "too many"}', "Retry-After: 86400"), WHOLE)
    with pytest.raises(ClusterError, match="too many") as caught:
        client_of(served.url).get("Pod", "ns", "x", limit())
    assert (served.asked, caught.value.passes, caught.value.retry_after) == (1, True, 86400.0)


def test_a_line_of_a_watch_that_is_none_opens_it_again(peer: Callable[..., Peer]) -> None:
    change = json.dumps({"type": "MODIFIED", "object": {"metadata": {"name": "x", "resourceVersion": "5"}}}).encode()
    for broken in (b'{"type": "MODI\n', b"<html>\n", b'{"type": "MODIFIED", "object": {}}\n', b"[]\n"):
        served = peer(http(200, broken), http(200, change + b"\n"))
        changes = client_of(served.url).watch("Pod", "ns", "x", "1", limit())
        assert next(item for item in changes if item is not None).object["metadata"]["resourceVersion"] == "5"
