# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies of the API's answers: read within a bound and a deadline, and parsed."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from typing import Any

from ...deadline import Deadline
from ...errors import DeadlineExceeded
from .api_errors import ClusterError
from .objects import Object

MOST_BYTES = 256 * 1024 * 1024
"""Bytes of an answer. A namespace's pods, some thousands of them, have about a tenth of it."""
MOST_WORDS = 1024 * 1024
"""Bytes of an answer with an error status."""
_CHUNK = 256 * 1024


class TooLarge(ClusterError):
    """An answer that is no API's, or of more objects than this machine should hold."""


class NoAnswer(Exception):
    """Something came that is no answer of an API; the text says what it is."""


def parts(response: Any, deadline: Deadline) -> Generator[bytes, None, None]:
    """Read a urllib3 response's body as it comes: a peer may send it a byte at a time. Raises TooLarge, DeadlineExceeded, urllib3's errors."""
    size, ended = 0, False
    take = getattr(response, "read1", None) or partial(_read1, response._fp)
    try:
        while deadline.left() and (part := take(_CHUNK)):
            size += len(part)
            if size > MOST_BYTES:
                raise TooLarge(
                    f"An answer of the API has more than {MOST_BYTES >> 20} MiB, and was not read further.",
                    "Check the host. A namespace with so many objects should be tidied up.",
                )
            yield part
        if size < _told_length(response.headers):  # before 2.0 urllib3 does not look
            raise ConnectionResetError("the answer was cut")
        ended = True
    except HTTPException as error:
        raise ConnectionResetError(f"the answer was cut: {type(error).__name__}") from error
    finally:
        if not ended:
            response.close()  # the rest is never read
        response.release_conn()


def _read1(body: Any, size: int) -> bytes:
    """Read what has come of a body. urllib3 before 2.2 has no such method, and its ``read`` waits for the whole size: what it reads from is asked."""
    part: bytes = body.read1(size)
    if not part:
        body.read()  # so that it notices its end, and the connection can be used again
    return part


def _told_length(headers: Mapping[str, str]) -> int:
    """The bytes that an answer says it has, 0 where it does not say, or is packed."""
    told = str(headers.get("Content-Length") or "")
    return int(told) if told.isdecimal() and not headers.get("Content-Encoding") else 0


def read(response: Any, deadline: Deadline) -> bytes:
    """Read a body to its end. Raises as ``parts`` does."""
    return b"".join(parts(response, deadline))


def lines(response: Any, deadline: Deadline) -> Iterator[bytes]:
    """Read a body's whole lines, without empty ones. Raises as ``parts`` does."""
    rest = bytearray()
    for part in parts(response, deadline):
        *whole, begun = part.split(b"\n")
        for end in whole:
            if line := bytes(rest + end).strip():
                yield line
            rest.clear()
        rest += begun


def words(response: Any, seconds: float) -> bytes:
    """Read what came of an answer with an error status in so many seconds, and no more than its beginning. Raises urllib3's errors."""
    said = bytearray()
    with suppress(DeadlineExceeded), closing(parts(response, Deadline(seconds))) as coming:
        for part in coming:
            said += part
            if len(said) >= MOST_WORDS:
                break
    return bytes(said[:MOST_WORDS])


def parse(raw: bytes) -> Object:
    """Return the object in a body. Raises NoAnswer."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError) as error:
        start = raw.lstrip()[:15].lower()
        what = "a web page" if start.startswith((b"<!doctype", b"<html")) else "nothing at all" if not start else "no JSON"
        raise NoAnswer(f"it is {what}") from error
    if not isinstance(answer, dict):
        raise NoAnswer("it is no object")
    return answer


def retry_after(headers: Mapping[str, str] | None) -> float:
    """Return the seconds after which an answer's sender wants to be asked again; 0 where it does not say. A date counts as that."""
    told = str((headers or {}).get("Retry-After") or "").strip()
    return float(told) if told.isdecimal() and len(told) < 7 else 0.0
