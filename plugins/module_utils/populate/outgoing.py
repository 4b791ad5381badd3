# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a run's news to a URL of the user's. Bounded, and nowhere else than to that URL."""

from __future__ import annotations

import urllib.error
from collections.abc import Mapping
from http.client import HTTPException
from urllib.parse import urlsplit

from ..background import Background
from ..errors import DeploymentError, InvalidOption

_SECONDS = 10.0
"""Seconds for all of it: to connect, to send, and until the answer's status is there."""


class NotSent(DeploymentError):
    """The other side did not take it."""


def check_url(option: str, url: str) -> None:
    """Raises InvalidOption where nothing can be sent to a URL. Its words show no part of it, as it may be a secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise InvalidOption(f"The value of option `{option}` is no URL that starts with http:// or https:// and names a host.")


def send(url: str, method: str, headers: Mapping[str, str], body: bytes) -> None:
    """Send a body. Redirects are not followed. Raises NotSent; it names the URL's host alone, as the rest may be a secret."""
    sending = Background(f"Sending to {_shown(url)}", lambda: _send(url, method, headers, body))
    sending.start()
    sending.join(_SECONDS)
    if sending.is_alive():
        raise NotSent(f"{_shown(url)} did not take it within {_SECONDS:.0f} seconds.")
    sending.require_well()


def _send(url: str, method: str, headers: Mapping[str, str], body: bytes) -> None:
    from ansible.module_utils.urls import ConnectionError as NoConnection  # noqa: PLC0415  imports much, which most runs do not need
    from ansible.module_utils.urls import open_url  # noqa: PLC0415

    try:
        settings = {"timeout": _SECONDS, "follow_redirects": "none", "force_basic_auth": True}
        open_url(url, data=body, headers=dict(headers), method=method, **settings).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise NotSent(f"{_shown(url)} answered with HTTP status {error.code}.") from None
    except (NoConnection, OSError, HTTPException, ValueError) as error:  # their words may show the URL
        reason = getattr(error, "reason", error)
        words = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
        raise NotSent(f"{_shown(url)} could not be reached: {words}.") from None


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"
