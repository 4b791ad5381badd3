# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway between a user's machine and the API, which may cut each connection at any time."""

from __future__ import annotations

import selectors
import socket
import threading
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import yaml

from ..bounds import BOUND

_CHUNK = 65536


class Gateway:
    """Passes all bytes on, both ways. A context manager. ``kubeconfig`` leads to the API through it."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        settings = yaml.safe_load(kubeconfig.read_text())
        cluster = settings["clusters"][0]["cluster"]
        address = urlsplit(cluster["server"])
        self._api = (str(address.hostname), int(address.port or 443))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        cluster["server"] = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.kubeconfig = directory / "through-a-gateway.kubeconfig"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(settings))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._accepts = threading.Thread(target=self._accept, daemon=True)

    def cut(self) -> int:
        """Cut all connections; return how many there were."""
        with self._lock:
            found = list(self._open)
            for each in found:
                _shut(each)
        return len(found) // 2

    def __enter__(self) -> Gateway:
        self._accepts.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _shut(self._listener)
        self._accepts.join(BOUND)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _address = self._listener.accept()
            except OSError:  # it was shut
                return
            threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(self._api, BOUND)
            except OSError:
                return
            with far, selectors.DefaultSelector() as selector:
                ends = {near: far, far: near}
                with self._lock:
                    self._open |= {*ends}
                for end in ends:
                    selector.register(end, selectors.EVENT_READ)
                try:
                    _carry(selector, ends)
                finally:
                    with self._lock:
                        self._open -= {*ends}


def _carry(selector: selectors.BaseSelector, ends: dict[socket.socket, socket.socket]) -> None:
    """Pass bytes on until one of the ends has no more, or was cut."""
    while True:
        for key, _events in selector.select():
            source = key.fileobj
            assert isinstance(source, socket.socket)
            try:
                data = source.recv(_CHUNK)
                if not data:
                    return
                ends[source].sendall(data)
            except OSError:
                return


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return
