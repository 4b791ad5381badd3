# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`git http-backend` behind a small HTTP server: what upstream is to a fetch, with the ways in which it can misbehave."""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from ..bounds import BOUND

_CHUNK = 65536


@dataclass(frozen=True)
class Page:
    """An answer instead of a repository: with a body of bytes its length is told; a body of many parts may have no end."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""


def advertisement() -> Iterator[bytes]:
    """A list of refs without an end, in the old protocol."""
    yield b"001e# service=git-upload-pack\n0000"
    while True:
        yield b"".join(packet(b"%040d refs/heads/%060d\n" % (1, number)) for number in range(1000))


def packet(data: bytes) -> bytes:
    """One packet of git's protocol."""
    return b"%04x%b" % (len(data) + 4, data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    """Eight fetches may connect at once, and the standard library lets five wait."""


class GitServer:
    """Serves the bare repositories under ``root``. A context manager.

    ``sent`` counts the bytes of all answers. ``rate``: bytes a second with which an answer is sent at most, 0 for no limit.
    ``password``: basic authentication is wanted. ``before_fetch``: called before a fetch is answered, as an upstream that moves
    in the middle. ``hold`` keeps the answers to fetches back until ``release``. ``pages``: by the URL's first part, what is
    answered there instead; ``passing``: what the next GETs there get, one each, before all else. ``more_refs``: ids and names
    that are listed after the repository's own, as they are; they may have
    no end. ``packing``: the environment of a server that does not send its packs at once; see ``packing.settings``.
    """

    def __init__(self, root: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.root = root
        self.sent = 0
        self.fetches = 0
        self.password = ""
        self.rate = 0
        self.before_fetch: Callable[[], None] | None = None
        self.pages: dict[str, Page] = {}
        self.passing: dict[str, list[Page]] = {}
        self.more_refs: Iterable[tuple[str, bytes]] | None = None
        self.packing: Mapping[str, str] = {}
        self._released = threading.Event()
        self._released.set()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"git_server": self})
        self._server = _Server((host, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.host = host
        self.port = self._server.server_address[1]

    def url(self, name: str) -> str:
        """The URL of a repository."""
        return f"http://{self.host}:{self.port}/{name}"

    def hold(self) -> None:
        """Answer no fetch from now on."""
        self._released.clear()

    def release(self) -> None:
        """Answer fetches again, those that wait first."""
        self._released.set()

    def wait_until_released(self) -> None:
        """Wait while fetches are held."""
        self._released.wait(BOUND)  # a test that has gone away leaves no thread behind

    def count(self, number: int) -> None:
        """Some bytes were sent."""
        with self._lock:
            self.sent += number

    def count_fetch(self) -> None:
        """A fetch has come."""
        with self._lock:
            self.fetches += 1

    def __enter__(self) -> GitServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    git_server: GitServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        name = self.path.split("/")[1]
        passing = self.git_server.passing.get(name)
        page = passing.pop(0) if passing else self.git_server.pages.get(name)
        if page is None:
            self._answer(b"")
        else:
            self._show(page)

    def _show(self, page: Page) -> None:
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if isinstance(page.body, bytes):
            self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self._send((page.body,) if isinstance(page.body, bytes) else page.body)

    def _send(self, parts: Iterable[bytes]) -> None:
        try:
            for part in parts:
                self.wfile.write(part)
                self.git_server.count(len(part))
                if self.git_server.rate:
                    time.sleep(len(part) / self.git_server.rate)
        except (BrokenPipeError, ConnectionResetError):
            return

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        server = self.git_server
        if b"command=fetch" in body or b"want " in body:
            server.count_fetch()
            if server.before_fetch is not None:
                server.before_fetch()
            server.wait_until_released()
        self._answer(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _allowed(self) -> bool:
        wanted = self.git_server.password
        given = self.headers.get("Authorization", "")
        return not wanted or given == "Basic " + base64.b64encode(f"user:{wanted}".encode()).decode()

    def _answer(self, body: bytes) -> None:
        if not self._allowed():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        url = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.git_server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            **self.git_server.packing,
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": self.client_address[0],
        }
        with subprocess.Popen(["git", "http-backend"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as backend:
            output = backend.stdout
            assert backend.stdin is not None and isinstance(output, io.BufferedReader)
            backend.stdin.write(body)
            backend.stdin.close()
            status, headers = 200, []
            while line := output.readline().strip():
                name, _colon, value = line.decode().partition(": ")
                if name == "Status":
                    status = int(value.split()[0])
                else:
                    headers.append((name, value))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            if b"command=ls-refs" in body and self.git_server.more_refs is not None:
                listed = output.read().removesuffix(b"0000")
                more = (packet(value.encode() + b" " + name + b"\n") for value, name in self.git_server.more_refs)
                self._send(itertools.chain([listed], more, [b"0000"]))
            else:
                self._send(iter(lambda: output.read1(_CHUNK), b""))
            backend.kill()  # where nobody reads it any more it would wait
