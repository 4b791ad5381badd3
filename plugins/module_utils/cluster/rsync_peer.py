# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's exec as rsync's remote shell: rsync starts a tiny program of ours, which pumps to this process by a socket.

The program knows no credentials; the exec is opened here. One loop moves the bytes of both directions, each with a bound,
so that neither side waits for the other while the memory stays small.
"""

from __future__ import annotations

import json
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..deadline import Deadline
from ..errors import DeploymentError
from ..shell import RsyncPeer
from .channels import STDERR, STDOUT, NotStarted
from .exec import ExecStream

_BOUND = 4 * 1024 * 1024
"""Bytes on their way in one direction, at most."""
_READ = 256 * 1024
_CLOSING_SECONDS = 20.0
_HOST = "pod"

# What rsync starts as its remote shell: `program HOST rsync --server …`. It speaks to the socket in framed lines: first its
# argv as JSON; then bytes. Coming back, each message is one byte (1 stdout, 2 stderr, 3 the exit code) and 4 bytes of length.
PROGRAM = r"""
import json, os, socket, sys, threading
link = socket.socket(socket.AF_UNIX)
link.connect(os.environ["PACKIT_RSYNC_SOCKET"])
words = json.dumps(sys.argv[2:]).encode()
link.sendall(len(words).to_bytes(4, "big") + words)
def forward():
    while True:
        data = os.read(0, 262144)
        if not data:
            link.shutdown(socket.SHUT_WR)
            return
        try:
            link.sendall(data)
        except OSError:
            return
threading.Thread(target=forward, daemon=True).start()
stream = link.makefile("rb")
while True:
    head = stream.read(5)
    if len(head) < 5:
        os._exit(12)
    data = stream.read(int.from_bytes(head[1:], "big"))
    if head[0] == 3:
        os._exit(int(data))
    view = memoryview(data)
    while view:
        view = view[os.write(head[0], view):]
"""


@contextmanager
def serve_rsync(opened: Callable[[Sequence[str]], ExecStream], deadline: Deadline) -> Iterator[RsyncPeer]:
    """Serve the remote shells of rsyncs that are started while the context is open; ``opened`` starts an argv in the pod."""
    with tempfile.TemporaryDirectory(prefix="packit-rsh-") as directory:
        path = Path(directory)
        program = path / "rsh.py"
        program.write_text(PROGRAM)
        program.chmod(stat.S_IRUSR)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path / "socket"))
            listener.listen(1)
            listener.settimeout(0.5)
            done = threading.Event()
            server = threading.Thread(target=_serve, args=(listener, opened, deadline, done), daemon=True)
            server.start()
            try:
                yield RsyncPeer((sys.executable, "-IS", str(program)), f"{_HOST}:", {"PACKIT_RSYNC_SOCKET": str(path / "socket")})
            finally:
                done.set()
                server.join()


def _serve(listener: socket.socket, opened: Callable[[Sequence[str]], ExecStream], deadline: Deadline, done: threading.Event) -> None:
    while not done.is_set():
        try:
            link, _address = listener.accept()
        except TimeoutError:
            continue
        with link:
            try:
                code = _one(link, opened, deadline, done)
            except (DeploymentError, NotStarted, OSError, ValueError) as error:
                _answer(link, 2, f"{error}\n".encode())
                code = 12
            _answer(link, 3, str(code).encode())


def _one(link: socket.socket, opened: Callable[[Sequence[str]], ExecStream], deadline: Deadline, done: threading.Event) -> int:
    link.settimeout(min(30.0, deadline.left()))
    length = int.from_bytes(_exactly(link, 4), "big")
    argv = [str(word) for word in json.loads(_exactly(link, length))]
    stream = opened(argv)
    try:
        return _pump(link, stream, deadline, done)
    finally:
        stream.close()


def _pump(link: socket.socket, stream: ExecStream, deadline: Deadline, done: threading.Event) -> int:
    """Both directions, until the server has closed. Returns the exit code; 12 where the connection was lost."""
    link.setblocking(False)
    back = bytearray()
    reading = True
    ending = deadline
    while not stream.closed and not done.is_set():
        others = [link] if reading and stream.outgoing < _BOUND else []
        writers = [link] if back else []
        received, readable, writable = stream.exchange(min(0.5, ending.left()), others, writers, read=len(back) < _BOUND)
        for channel, data in received:
            if channel in (STDOUT, STDERR):
                back += bytes((1 if channel == STDOUT else 2,)) + len(data).to_bytes(4, "big") + data
        if readable:
            data = link.recv(_READ)
            if data:
                stream.write(data)
            else:
                reading = False
                stream.end_input()
        if writable and back:
            del back[: link.send(memoryview(back)[:_READ])]
        if ending is deadline and stream.exit_code is not None:
            ending = deadline.within(_CLOSING_SECONDS, "the end of rsync's connection")
    link.setblocking(True)
    link.settimeout(10.0)
    if back:
        link.sendall(back)
    return 12 if stream.exit_code is None else stream.exit_code


def _exactly(link: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = link.recv(length - len(data))
        if not chunk:
            raise ValueError("rsync's remote shell ended before it said what to run")
        data += chunk
    return data


def _answer(link: socket.socket, kind: int, data: bytes) -> None:
    try:
        link.sendall(bytes((kind,)) + len(data).to_bytes(4, "big") + data)
    except OSError:
        return  # rsync is gone: there is nobody to tell
