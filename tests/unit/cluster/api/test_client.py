# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's refusals, and a server that misbehaves, in words."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import urllib3

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import client as client_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import libraries, silence
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    QuotaExceeded,
    Unauthorized,
    Unreachable,
)
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.libraries import missing_message
from ansible_collections.packit.deployment.plugins.module_utils.deadline import AWAY_SECONDS, Deadline
from ansible_collections.packit.deployment.plugins.module_utils.heartbeat import HEARTBEAT_LIMIT
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.ports import own_port


class Server:
    """A fake API server: answers what it was told to, and remembers what it was really asked. ``cut``: so many requests get no answer."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, object]]] = []
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.date = "Thu, 01 Jan 2026 00:00:00 GMT"
        self.cut = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                return

            def date_time_string(self, timestamp: float | None = None) -> str:
                return outer.date

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if outer.cut:
                    outer.cut -= 1
                    self.close_connection = True
                    return
                outer.asked.append((self.command, self.path, self.headers.get("Content-Type", ""), body))
                status, answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


def client_of(url: str) -> Client:
    configuration = kubernetes.client.Configuration()
    configuration.host = url
    configuration.api_key = {"authorization": "Bearer s3cret"}
    return Client(kubernetes.client.ApiClient(configuration))


def refusal(code: int, reason: str, message: str) -> tuple[int, dict[str, object]]:
    return code, {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refusal(401, "Unauthorized", "Unauthorized"), Unauthorized, "does not accept the login (expired, or wrong)"),
        (refusal(403, "Forbidden", "pods is forbidden: User x cannot"), Forbidden, "docs/rbac.yml"),
        (refusal(403, "Forbidden", "pods x is forbidden: exceeded quota: q"), QuotaExceeded, "raise the quota"),
        (refusal(404, "NotFound", 'pods "x" not found'), NotFound, "The API refused to get Pod ns/x"),
        (refusal(409, "AlreadyExists", 'pods "x" already exists'), AlreadyExists, "already exists"),
        (refusal(409, "Conflict", "the object has been modified"), Conflict, "modified"),
        (refusal(422, "Invalid", 'Pod "x" is invalid'), Invalid, "is invalid"),
    ],
)
def test_every_refusal_has_its_own_kind_and_words(
    server: Server, answer: tuple[int, dict[str, object]], kind: type[Exception], words: str
) -> None:
    server.answers = [answer]
    with pytest.raises(kind) as caught:
        client_of(server.url).get("Pod", "ns", "x", Deadline(BOUND, "this test"))
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_an_overloaded_server_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAUSES", (0.01,))
    server.answers = [
        refusal(503, "ServiceUnavailable", "busy"),
        refusal(429, "TooManyRequests", "later"),
        (200, {"metadata": {"name": "x"}}),
    ]
    ours = client_of(server.url)
    assert ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))["metadata"]["name"] == "x"
    assert ours.requests == 3


@pytest.mark.parametrize("told", ["Fri, 01 Jan 2100 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_the_time_is_the_api_servers(server: Server, told: str) -> None:
    server.answers = [(200, {"metadata": {"name": "x"}})]
    server.date = told
    ours = client_of(server.url)
    ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))
    assert abs((ours.now() - parsedate_to_datetime(told)).total_seconds()) < BOUND


@pytest.mark.parametrize("told", ["", "yesterday"])
def test_a_server_that_does_not_tell_the_time_leaves_us_with_ours(server: Server, told: str) -> None:
    server.answers = [(200, {"metadata": {"name": "x"}})]
    server.date = told
    ours = client_of(server.url)
    ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))
    assert abs((ours.now() - datetime.now(timezone.utc)).total_seconds()) < BOUND


def test_an_object_is_created_by_one_request_only(server: Server) -> None:
    server.answers = [refusal(500, "InternalError", "oops")]
    with pytest.raises(Exception, match="oops"):
        client_of(server.url).create("Pod", "ns", {"metadata": {"name": "x"}}, Deadline(BOUND, "this test"))
    assert len(server.asked) == 1


def test_patches_and_deletions_say_what_they_mean(server: Server) -> None:
    server.answers = [(200, {"metadata": {}})]
    ours, deadline = client_of(server.url), Deadline(BOUND, "this test")
    ours.patch("PersistentVolumeClaim", "ns", "c", {"metadata": {"annotations": {"a": "b"}}}, deadline)
    ours.delete("Pod", "ns", "p", "uid-1", deadline)
    (verb, path, kind, _body), (other, other_path, _kind, body) = server.asked
    assert (verb, path, kind) == ("PATCH", "/api/v1/namespaces/ns/persistentvolumeclaims/c", "application/merge-patch+json")
    assert (other, other_path) == ("DELETE", "/api/v1/namespaces/ns/pods/p")
    assert json.loads(body)["preconditions"] == {"uid": "uid-1"}


def test_nobody_there_is_named_after_some_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAUSES", (0.01,))
    with own_port() as port, pytest.raises(Unreachable, match=rf"127\.0\.0\.1:{port}.*[Rr]efused"):
        client_of(f"http://127.0.0.1:{port}").get("Pod", "ns", "x", Deadline(BOUND, "this test"))


def test_an_api_that_goes_away_in_mid_run_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as pods of ours last without us, however often it has to be asked."""
    monkeypatch.setattr(client_module, "PAUSES", (0.01,))
    server.answers = [(200, {"metadata": {"name": "x"}})]
    ours = client_of(server.url)
    ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))
    server.cut = 10
    assert ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))["metadata"]["name"] == "x"
    assert server.cut == 0
    monkeypatch.setattr(silence, "HEARTBEAT_LIMIT", 0)
    server.cut = 10
    with pytest.raises(Unreachable):
        ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))


def test_an_api_that_was_away_for_too_long_is_asked_for_each_thing_once_more(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """So who waits for the end of a run waits for one silence, not for one of each thing that is to be removed or written down."""
    server.answers = [(200, {"metadata": {"name": "x"}})]
    ours = client_of(server.url)
    ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))
    monkeypatch.setattr(silence, "HEARTBEAT_LIMIT", 0)
    server.cut = 3
    for left in (2, 1, 0):
        with pytest.raises(Unreachable) as caught:
            ours.delete("Pod", "ns", "x", "1", Deadline(BOUND, "this test"))
        assert (server.cut, caught.value.passes) == (left, False)
    assert ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))["metadata"]["name"] == "x"


@pytest.mark.parametrize("refused", [refusal(403, "Forbidden", "not yet ready to handle request"), refusal(401, "Unauthorized", "Unauthorized")])
def test_what_a_server_refuses_that_was_away_a_moment_ago_is_asked_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, refused: tuple[int, dict[str, object]]
) -> None:
    """It answers before it knows all accounts and rights: a creation, too, of which it says that it did nothing."""
    monkeypatch.setattr(client_module, "PAUSES", (0.01,))
    ours = client_of(server.url)
    made: tuple[int, dict[str, object]] = 200, {"metadata": {"name": "x"}}
    server.answers, server.cut = [refused, refused, made, refused, refused, made], 1
    assert ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))["metadata"]["name"] == "x"
    assert ours.create("Pod", "ns", {"metadata": {"name": "x"}}, Deadline(BOUND, "this test"))["metadata"]["name"] == "x"
    monkeypatch.setattr(silence, "_STARTING_SECONDS", 0)
    server.answers = [refused]
    with pytest.raises((Forbidden, Unauthorized)):
        ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))


def test_a_creation_that_reached_nobody_is_sent_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAUSES", (0.01,))
    server.answers = [(200, {"metadata": {"name": "x"}})]
    ours = client_of(server.url)
    ours.get("Pod", "ns", "x", Deadline(BOUND, "this test"))
    send, refused = ours._dynamic.request, [urllib3.exceptions.NewConnectionError(None, "Connection refused")] * 10

    def request(*words: Any, **options: Any) -> Any:
        if refused:
            raise refused.pop()
        return send(*words, **options)

    monkeypatch.setattr(ours._dynamic, "request", request)
    assert ours.create("Pod", "ns", {"metadata": {"name": "x"}}, Deadline(BOUND, "this test"))["metadata"]["name"] == "x"
    server.cut = 1  # it may have come, and its answer was lost
    with pytest.raises(Unreachable):
        ours.create("Pod", "ns", {"metadata": {"name": "x"}}, Deadline(BOUND, "this test"))


def test_whatever_a_restart_may_not_lose_has_longer_than_an_api_is_waited_for() -> None:
    waited = HEARTBEAT_LIMIT + client_module.PAUSES[-1] + client_module._CONNECT_TIMEOUT
    assert waited < AWAY_SECONDS


def test_a_handshake_that_is_cut_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library calls it an answer with the status 0."""
    monkeypatch.setattr(client_module, "PAUSES", (0.01,))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tried = []

        def cut() -> None:
            with suppress(OSError):  # the test is over
                while True:
                    connection, _address = listener.accept()
                    with connection:
                        tried.append(connection.recv(1))

        threading.Thread(target=cut, daemon=True).start()
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Unreachable, match=f"The API at {address} did not answer when asked to get Pod ns/x: "):
            client_of(address).get("Pod", "ns", "x", Deadline(BOUND, "this test"))
    assert len(tried) > 2


def test_missing_packages_are_named_with_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "MISSING", {"kubernetes": "No module named 'kubernetes'"})
    assert missing_message() == (
        f"Missing for the interpreter {sys.executable}: kubernetes (No module named 'kubernetes'). "
        f"Install them there: {sys.executable} -m pip install --upgrade kubernetes."
    )


def test_a_client_library_that_is_too_old_is_told_at_the_start_with_what_to_install() -> None:
    program = """
import kubernetes, sys
kubernetes.__version__ = "24.2.0"
sys.modules["openshift"] = None
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import libraries
print(libraries.missing_message())
"""
    told = printed_by(program)
    assert "kubernetes (version 24.2.0 is there, and 25.3 or newer is needed)" in told
    assert f"{sys.executable} -m pip install --upgrade kubernetes." in told


def test_the_client_librarys_own_dynamic_client_does_where_openshift_is_not_installed() -> None:
    program = """
import sys
sys.modules["openshift"] = sys.modules["jmespath"] = None
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api import libraries
print(libraries.MISSING, libraries.DynamicClient.__module__)
"""
    assert printed_by(program) == "{} kubernetes.dynamic.client\n"


def printed_by(program: str) -> str:
    """Run a program in a Python of its own, as what is imported is decided once."""
    collections = str(Path(str(client_module.__file__)).parents[7])
    environment = {**os.environ, "PYTHONPATH": collections}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=BOUND, check=True, env=environment)
    return done.stdout
