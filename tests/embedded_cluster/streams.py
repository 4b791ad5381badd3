# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exec: a process in a container behind a websocket, as v4.channel.k8s.io and v5.channel.k8s.io."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web

from .container import Container
from .faults import Fault

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
_STDOUT, _STDERR, _STATUS, _CLOSE = 1, 2, 3, 255
_READ = 32 * 1024


async def serve_exec(
    request: web.Request, container: Container, command: list[str], stdin: bool, fault: Fault | None
) -> web.StreamResponse:
    """Run the command; the connection ends with its status. A cut connection leaves the process running."""
    socket = web.WebSocketResponse(protocols=(V5, V4), max_msg_size=64 * 1024 * 1024, autoping=True)
    await socket.prepare(request)
    process = await asyncio.create_subprocess_exec(
        *container.enter(command), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=container.spec.environment, start_new_session=True, limit=256 * 1024,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    if not stdin:
        process.stdin.close()
    counter = _Counter(fault)
    reading = asyncio.create_task(_feed(socket, process.stdin, counter))
    outputs = [
        asyncio.create_task(_pour(socket, stream, number, counter))
        for stream, number in ((process.stdout, _STDOUT), (process.stderr, _STDERR))
    ]
    try:
        ended = asyncio.create_task(asyncio.wait(outputs))
        await asyncio.wait([ended, reading], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done() and (socket.closed or counter.cut):
            if request.transport is not None and counter.cut:
                request.transport.abort()
            return socket
        await ended
        code = await process.wait()
        if not socket.closed:
            await socket.send_bytes(bytes((_STATUS,)) + _status(code, command))
            await socket.close()
    except (ConnectionError, RuntimeError):
        pass  # the client has gone; the process goes on, as on a real node
    finally:
        reading.cancel()
        for task in outputs:
            task.cancel()
    return socket


class _Counter:
    """Counts what passes, for a connection that is to be cut after so many bytes."""

    def __init__(self, fault: Fault | None) -> None:
        self._left = fault.after_bytes if fault is not None else -1
        self.cut = False

    def passed(self, number: int) -> None:
        if self._left >= 0:
            self._left -= number
            self.cut = self._left < 0


async def _feed(socket: web.WebSocketResponse, stdin: asyncio.StreamWriter, counter: _Counter) -> None:
    """From the client to the process. Ends when the client has gone, or is to be cut off."""
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        counter.passed(len(message.data))
        if counter.cut:
            return
        if message.data[0] == _CLOSE:
            stdin.close()
        elif message.data[0] == 0 and not stdin.is_closing():
            stdin.write(message.data[1:])
            try:
                await stdin.drain()
            except (ConnectionError, BrokenPipeError):
                stdin.close()
    stdin.close()


async def _pour(socket: web.WebSocketResponse, stream: asyncio.StreamReader, number: int, counter: _Counter) -> None:
    while data := await stream.read(_READ):
        counter.passed(len(data))
        if socket.closed:
            continue  # read on, so that the process is not stopped by a full pipe
        await socket.send_bytes(bytes((number,)) + data)


def _status(code: int, command: list[str]) -> bytes:
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    code = 128 - code if code < 0 else code
    message = f"command terminated with non-zero exit code: exit status {code}"
    details = {"causes": [{"reason": "ExitCode", "message": str(code)}]}
    if code == 127:
        missing = f'OCI runtime exec failed: exec failed: unable to start container process: exec: "{command[0]}": executable file not found in $PATH'
        return json.dumps({"metadata": {}, "status": "Failure", "message": missing, "reason": "InternalError", "code": 500}).encode()
    return json.dumps({"metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode", "details": details}).encode()
