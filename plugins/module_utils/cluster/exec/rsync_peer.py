# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's exec as rsync's remote shell: rsync starts a tiny program of ours, which hands its standard streams to this process.

The program knows no credentials and moves no bytes; the exec is opened here, and one loop moves both directions between rsync's
own descriptors and the connection, each with a bound, so that neither side waits for the other while the memory stays small.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...background import Background, unexpected
from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import RsyncPeer
from ..api.channels import STDERR, STDOUT
from .streams import Descriptor, ExecStream, ready

_BOUND = 4 * 1024 * 1024
"""Bytes on their way in one direction, at most."""
_READ = 256 * 1024
_CLOSING_SECONDS = 20.0
_KNOCK_SECONDS = 0.5
_ENDING_SECONDS = 0.05
"""Seconds in which a process that has closed its files has ended, where that cannot be seen."""
_HANDING_OVER_SECONDS = 10.0
"""Seconds in which a remote shell says what to run, and ends when it has its exit code."""
_HOST = "pod"
_LONGEST_PLACE, _SHORT_PLACE = 72, "/tmp"
"""Bytes of the name of a directory in which ours can be made, as a socket's whole name may have 103 (macOS; Linux: 107); and another one."""
_LOST = 12
"""rsync's own exit code for a connection that was lost."""

# What rsync starts as its remote shell: `program HOST rsync --server …`. It hands over its standard streams, and its argv as
# JSON; what comes back is the exit code.
PROGRAM = r"""
import json, os, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(os.environ["PACKIT_RSYNC_SOCKET"])
words = json.dumps(sys.argv[2:]).encode()
socket.send_fds(link, [len(words).to_bytes(4, "big")], [0, 1, 2])
link.sendall(words)
for descriptor in (0, 1, 2):
    os.close(descriptor)
os._exit(int(link.recv(16) or LOST))
""".replace("LOST", str(_LOST))


@dataclass(frozen=True)
class _Streams:
    """rsync's side of its remote shell: what it sends, what it wants to read, and where it says what went wrong."""

    sends: Descriptor
    reads: Descriptor
    errors: Descriptor


@contextmanager
def serve_rsync(opened: Callable[[Sequence[str]], ExecStream], deadline: Deadline) -> Iterator[RsyncPeer]:
    """Serve the remote shells of rsyncs that are started while the context is open; ``opened`` starts an argv in the pod."""
    with _own_directory() as directory:
        path = Path(directory)
        program = path / "rsh.py"
        program.write_text(PROGRAM)
        program.chmod(stat.S_IRUSR)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path / "socket"))
            listener.listen(1)
            listener.settimeout(_KNOCK_SECONDS)
            done = threading.Event()
            # Where it has ended nobody takes up a remote shell any more: one that knocks is refused, and does not wait.
            server = Background("rsync's way to the pod", lambda: _serve(listener, opened, deadline, done), lambda _error: listener.close())
            server.start()
            address = listener.getsockname()
            try:
                yield RsyncPeer((sys.executable, "-IS", str(program)), f"{_HOST}:", {"PACKIT_RSYNC_SOCKET": str(path / "socket")})
            finally:
                done.set()
                with suppress(OSError), socket.socket(socket.AF_UNIX) as knock:
                    knock.settimeout(_KNOCK_SECONDS)
                    knock.connect(address)  # else a volume would be held until the wait for an rsync ends
                server.join()
                server.require_well()


def _own_directory() -> tempfile.TemporaryDirectory[str]:
    """A directory that only we can enter, in the usual place unless a socket's name has no room for that. Raises DeploymentError."""
    usual = tempfile.gettempdir()
    place = usual if len(os.fsencode(usual)) <= _LONGEST_PLACE else _SHORT_PLACE
    try:
        return tempfile.TemporaryDirectory(prefix="packit-rsh-", dir=place)
    except OSError as error:
        raise DeploymentError(
            f"In {place} on this machine no directory can be made for rsync's remote shell: {error.strerror or error}.",
            f"Set TMPDIR to a directory that can be written, with a name of at most {_LONGEST_PLACE} bytes.",
        ) from error


def _serve(listener: socket.socket, opened: Callable[[Sequence[str]], ExecStream], deadline: Deadline, done: threading.Event) -> None:
    while not done.is_set():
        try:
            link, _address = listener.accept()
        except TimeoutError:
            continue
        if done.is_set():
            link.close()
            return
        with link:
            link.settimeout(_HANDING_OVER_SECONDS)
            try:
                with _handed_over(link) as (streams, argv):
                    code = _one(Descriptor(link.fileno()), streams, argv, opened, deadline, done)
                    # rsync asks for its remote shell's exit code when the streams end, so that one has ended before they do.
                    with _seen_ending(link, code):
                        _answer(link, code)
                        link.recv(1)
            except (OSError, ValueError):
                _answer(link, _LOST)  # rsync is gone, or its program: there is nobody to tell more


@contextmanager
def _seen_ending(link: socket.socket, code: int) -> Iterator[None]:
    """Wait at the end until a remote shell has ended: its files are closed a moment before its parent can see that."""
    try:
        credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        process = os.pidfd_open(struct.unpack("3i", credentials)[0])
    except (AttributeError, OSError):  # it has ended, or this is no Linux (or one before 5.3)
        yield
        if code:
            time.sleep(_ENDING_SECONDS)
        return
    try:
        yield
        ready([Descriptor(process)], [], _HANDING_OVER_SECONDS)
    finally:
        os.close(process)


@contextmanager
def _handed_over(link: socket.socket) -> Iterator[tuple[_Streams, list[str]]]:
    """The streams and the argv of a remote shell. Raises OSError, ValueError."""
    head, descriptors, _flags, _address = socket.recv_fds(link, 4, 3, socket.MSG_CMSG_CLOEXEC)
    try:
        if len(head) < 4 or len(descriptors) < 3:
            raise ValueError("rsync's remote shell ended before it handed over its streams")
        argv = [str(word) for word in json.loads(_exactly(link, int.from_bytes(head, "big")))]
        for descriptor in descriptors[:2]:
            os.set_blocking(descriptor, False)
        yield _Streams(*map(Descriptor, descriptors)), argv
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _one(
    program: Descriptor,
    streams: _Streams,
    argv: Sequence[str],
    opened: Callable[[Sequence[str]], ExecStream],
    deadline: Deadline,
    done: threading.Event,
) -> int:
    try:
        stream = opened(argv)
        try:
            return _pump(program, streams, stream, deadline, done)
        finally:
            stream.close()
    except Exception as error:  # noqa: BLE001  (this thread's outermost frame for one rsync: its words are rsync's)
        os.write(streams.errors.number, f"{unexpected('The way to the pod', error)}\n".encode())
        return _LOST


def _pump(program: Descriptor, streams: _Streams, stream: ExecStream, deadline: Deadline, done: threading.Event) -> int:
    """Both directions, until the server has closed or rsync has gone. Returns the exit code; _LOST where the connection was lost."""
    back = bytearray()
    reading = True
    ending = deadline
    while not stream.closed and not done.is_set():
        others = [program, *([streams.sends] if reading and stream.outgoing < _BOUND else [])]
        writers = [streams.reads] if back else []
        received, readable, writable = stream.exchange(min(0.5, ending.left()), others, writers, read=len(back) < _BOUND)
        if program.number in readable:
            return _LOST  # it says no more, so this is its end: rsync gave up, and ended it
        for channel, data in received:
            if channel == STDOUT:
                back += data
            elif channel == STDERR:
                os.write(streams.errors.number, data)
        if streams.sends.number in readable:
            data = os.read(streams.sends.number, _READ)
            if data:
                stream.write(data)
            else:
                reading = False  # rsync has said all, so the other side knows that it will end
        if writable and back:
            del back[: os.write(streams.reads.number, memoryview(back)[:_READ])]
        if ending is deadline and (not reading or stream.exit_code is not None):
            ending = deadline.within(_CLOSING_SECONDS, "the end of rsync's connection")
    while back and not done.is_set():
        if ready([], [streams.reads], min(0.5, ending.left()))[1]:
            del back[: os.write(streams.reads.number, memoryview(back)[:_READ])]
    return _LOST if stream.exit_code is None else stream.exit_code


def _exactly(link: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = link.recv(length - len(data))
        if not chunk:
            raise ValueError("rsync's remote shell ended before it said what to run")
        data += chunk
    return data


def _answer(link: socket.socket, code: int) -> None:
    try:
        link.sendall(str(code).encode())
    except OSError:
        return  # rsync is gone: there is nobody to tell
