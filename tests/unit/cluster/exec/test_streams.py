# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket frames and exec channels."""

from __future__ import annotations

import json

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.channels import NotStarted, exit_code
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.frames import BINARY, CLOSE, PING, Decoder, encode


def server_frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """As a server sends it: not masked."""
    head = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + b"\x7e" + len(payload).to_bytes(2, "big") + payload
    return head + b"\x7f" + len(payload).to_bytes(8, "big") + payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 300_000])
def test_a_frame_is_masked_and_unmasks_to_what_was_sent(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    frame = encode(BINARY, payload)
    length = frame[1] & 0x7F
    start = {126: 4, 127: 10}.get(length, 2)
    key, masked = frame[start : start + 4], frame[start + 4 :]
    assert frame[0] == 0x82 and frame[1] & 0x80
    assert bytes(byte ^ key[index % 4] for index, byte in enumerate(masked)) == payload


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_messages_are_found_however_they_are_cut(step: int) -> None:
    data = server_frame(BINARY, b"a" * 200) + server_frame(PING, b"") + server_frame(BINARY, b"b" * 70000) + server_frame(CLOSE, b"")
    decoder = Decoder()
    found = [item for start in range(0, len(data), step) for item in decoder.feed(data[start : start + step])]
    assert found == [(BINARY, b"a" * 200), (PING, b""), (BINARY, b"b" * 70000), (CLOSE, b"")]


def test_fragments_are_joined_around_a_ping() -> None:
    data = server_frame(BINARY, b"one", False) + server_frame(PING, b"") + server_frame(0, b"two", False) + server_frame(0, b"three")
    assert list(Decoder().feed(data)) == [(PING, b""), (BINARY, b"onetwothree")]


def test_no_status_is_a_lost_connection_and_never_success() -> None:
    assert exit_code(b"") is None


def test_exit_codes_as_a_real_server_writes_them() -> None:
    assert exit_code(b'{"metadata":{},"status":"Success"}') == 0
    failure = {
        "metadata": {},
        "status": "Failure",
        "message": "command terminated with non-zero exit code: command terminated with exit code 3",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
    }
    assert exit_code(json.dumps(failure).encode()) == 3


def test_a_process_that_could_not_start_is_told_in_the_servers_words() -> None:
    status = {"status": "Failure", "message": 'exec: "nope": executable file not found in $PATH', "reason": "InternalError"}
    with pytest.raises(NotStarted, match="executable file not found"):
        exit_code(json.dumps(status).encode())
