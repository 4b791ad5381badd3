# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that keeps what is sent to it: a chat's hook, or a Pushgateway."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """``status`` and ``headers`` are of each answer; while ``answers`` is not set, none is sent."""

    host: str
    port: int
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answers: threading.Event = field(default_factory=threading.Event)
    received: list[Received] = field(default_factory=list)

    def url(self, path: str = "", user: str = "") -> str:
        """Return a URL here, with a user and a password where they are given."""
        return f"http://{user}{'@' * bool(user)}{self.host}:{self.port}/{path}"


@contextmanager
def receiver(host: str = "127.0.0.1") -> Iterator[Receiver]:
    """Serve until the context ends, on an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def _receive(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            here.received.append(Received(self.command, self.path, dict(self.headers), body))
            here.answers.wait()
            self.send_response(here.status)
            for name, value in here.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = _receive

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer((host, 0), Handler) as server:
        server.daemon_threads = True
        here = Receiver(host, server.server_address[1])
        here.answers.set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield here
        finally:
            here.answers.set()
            server.shutdown()
