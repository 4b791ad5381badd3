# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket frames (RFC 6455, section 5) as an exec's streams need them: whole binary messages, pings, close. Pure.

Written here, as the kubernetes client's own exec stream keeps all output in memory and cannot read and write at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

BINARY, CLOSE, PING, PONG = 0x2, 0x8, 0x9, 0xA
_TEXT, _CONTINUATION = 0x1, 0x0
LARGEST = 4 * 1024 * 1024
"""Bytes of one message, at most: servers send an exec's output in pieces of some 32 KiB."""
_CONTROL_LARGEST = 125
"""Bytes of a ping or a close, at most."""
_XOR = tuple(bytes(byte ^ key for byte in range(256)) for key in range(256))
"""A table for each byte of a key: what it makes of every byte."""


class BadFrame(ValueError):
    """Something came that the other side of an exec does not send."""


def encode(opcode: int, payload: bytes) -> bytes:
    """One whole frame, masked as a client must."""
    length = len(payload)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + length.to_bytes(8, "big")
    key = os.urandom(4)
    # Every fourth byte has the same byte of the key, and `translate` is C's loop: less than half the time of one XOR of two
    # large integers, which was a second of a processor for a repository of 315 MB.
    masked = bytearray(length)
    for place, byte in enumerate(key):
        masked[place::4] = payload[place::4].translate(_XOR[byte])
    return b"".join((head, key, masked))


class Decoder:
    """Turns received bytes into messages. Fragments are joined."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._joining = False
        self._fragments = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The messages that are complete now, as (opcode, payload); text counts as binary. Raises BadFrame."""
        self._buffer += data
        while True:
            frame = self._next()
            if frame is None:
                return
            final, opcode, payload = frame
            if opcode >= CLOSE:
                yield opcode, payload
                continue
            if (opcode == _CONTINUATION) != self._joining:
                raise BadFrame("a message that begins in the middle of another, or none that a fragment belongs to")
            if final and not self._joining:
                yield BINARY, payload
                continue
            self._fragments += payload
            _check_length(len(self._fragments), LARGEST)
            self._joining = not final
            if final:
                message = bytes(self._fragments)
                self._fragments.clear()
                yield BINARY, message

    def _next(self) -> tuple[bool, int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        final, opcode = bool(buffer[0] & 0x80), buffer[0] & 0x0F
        if buffer[0] & 0x70 or buffer[1] & 0x80 or opcode not in (_CONTINUATION, _TEXT, BINARY, CLOSE, PING, PONG):
            raise BadFrame(f"a frame of an unknown kind ({bytes(buffer[:2]).hex()})")
        if opcode >= CLOSE and not final:
            raise BadFrame("a ping or a close in fragments")
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            length, start = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start:
            return None
        _check_length(length, _CONTROL_LARGEST if opcode >= CLOSE else LARGEST)
        if len(buffer) < start + length:
            return None
        payload = bytes(buffer[start : start + length])
        del buffer[: start + length]
        return final, opcode, payload


def _check_length(length: int, most: int) -> None:
    if length > most:
        raise BadFrame(f"a message of {length} bytes, where {most} are the most")
