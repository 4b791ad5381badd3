# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A websocket as the kubernetes client's configuration wants it: who asks, whom to trust, the way there; and how long that may take."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

_CUT_AGAIN = 0.5
"""Seconds between two cuts, as a connection that is being made has no socket yet."""


def headers(configuration: Any, defaults: Mapping[str, str]) -> Sequence[str]:
    """The request's headers, credentials among them."""
    found = {str(name): str(value) for name, value in defaults.items() if name != "User-Agent"}
    token = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    if token:
        found["Authorization"] = token if " " in token else f"Bearer {token}"
    elif configuration.username and configuration.password:
        pair = f"{configuration.username}:{configuration.password}".encode()
        found["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    return [f"{name}: {value}" for name, value in found.items()]


def tls_options(configuration: Any, url: str, authorities: str) -> dict[str, Any]:
    """websocket-client's ``sslopt``; ``authorities`` is the file of those that are trusted where no other is configured."""
    options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
    if url.startswith("wss:") and configuration.verify_ssl:
        options = {
            "cert_reqs": ssl.CERT_REQUIRED,
            "ca_certs": configuration.ssl_ca_cert or authorities,
            "check_hostname": configuration.assert_hostname is not False,
        }
    if configuration.cert_file:
        options["certfile"] = configuration.cert_file
    if configuration.key_file:
        options["keyfile"] = configuration.key_file
    if getattr(configuration, "tls_server_name", None):
        options["server_hostname"] = configuration.tls_server_name
    return options


def proxy_options(configuration: Any) -> dict[str, Any]:
    """websocket-client's options for the configured proxy; none where there is none."""
    if not configuration.proxy:
        return {}
    parts = urlsplit(configuration.proxy)
    options: dict[str, Any] = {"http_proxy_host": parts.hostname, "http_proxy_port": parts.port, "proxy_type": "http"}
    if parts.username:
        options["http_proxy_auth"] = (parts.username, parts.password or "")
    if configuration.no_proxy:
        options["http_no_proxy"] = [item.strip() for item in configuration.no_proxy.split(",")]
    return options


@contextmanager
def cut_after(seconds: float, connection: Any) -> Iterator[None]:
    """Cut a websocket-client's connection where its handshake takes longer: its own time-out is for each byte anew."""
    done = threading.Event()

    def cut() -> None:
        pause = seconds
        while not done.wait(pause):
            pause = _CUT_AGAIN
            with suppress(OSError):
                if (there := connection.sock) is not None:
                    there.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=cut, name="cuts a handshake", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
