# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A websocket as the kubernetes client's configuration wants it: who asks, whom to trust, the way there; and how long that may take."""

from __future__ import annotations

import base64
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

from ...errors import InvalidOption

_CUT_AGAIN = 0.5
"""Seconds between two cuts, as a connection that is being made has no socket yet."""


def headers(configuration: Any, defaults: Mapping[str, str]) -> Sequence[str]:
    """Return the request's headers, credentials among them."""
    found = {str(name): str(value) for name, value in defaults.items() if name != "User-Agent"}
    # Only the client itself knows where it keeps a token: its versions differ.
    token = configuration.auth_settings().get("BearerToken", {}).get("value")
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


_PROXIES = {"http": 80, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
"""Kinds of proxies that websocket-client knows, with their usual ports."""


def proxy_options(configuration: Any) -> dict[str, Any]:
    """websocket-client's options for the configured proxy; none where there is none. Raises InvalidOption where it cannot use that one."""
    if not configuration.proxy:
        return {}
    parts = urlsplit(configuration.proxy)
    if parts.scheme not in _PROXIES or not parts.hostname:
        raise InvalidOption(
            f"The proxy is {parts.scheme or 'nothing'}://{parts.hostname or ''}, and processes in pods are reached through http and SOCKS proxies only.",
            "Give another one (proxy, K8S_AUTH_PROXY, HTTPS_PROXY), as http://host:port, or name the API's host in no_proxy.",
        )
    if parts.scheme != "http" and find_spec("python_socks") is None:
        raise InvalidOption(
            f"The proxy is {parts.scheme}://{parts.hostname}, for which the package python-socks is missing.",
            f"Install it: {sys.executable} -m pip install python-socks",
        )
    options: dict[str, Any] = {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or _PROXIES[parts.scheme],
        "proxy_type": parts.scheme,
    }
    user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else _proxy_user(configuration.proxy_headers or {})
    if user is not None:
        options["http_proxy_auth"] = user
    if configuration.no_proxy:
        options["http_no_proxy"] = [item.strip() for item in configuration.no_proxy.split(",")]
    return options


def _proxy_user(told: Mapping[str, str]) -> tuple[str, str] | None:
    """The user and password in ``proxy_headers``, which websocket-client wants apart."""
    value = next((str(value) for name, value in told.items() if name.lower() == "proxy-authorization"), "")
    if not value:
        return None
    kind, _space, coded = value.partition(" ")
    try:
        user, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except ValueError:
        colon = ""
    if kind.lower() != "basic" or not colon:
        raise InvalidOption(
            "The proxy's credentials in proxy_headers are none of a user and a password.",
            "Processes in pods are reached with proxy_headers: {proxy_basic_auth: 'user:password'} only.",
        )
    return user, password


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
