# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server itself, inside the namespaces that ``__main__`` has made."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from pathlib import Path

from aiohttp import web

from .api import Api
from .attachments import Attachments
from .certificate import make_certificate
from .controllers import Controllers
from .expansion import Expansion
from .faults import Faults
from .kubelet import Kubelet
from .pod_life import Node
from .provisioning import Provisioning
from .resources import BY_KIND
from .store import Store
from .tokens import Tokens
from .volumes import Volumes


class Door:
    """The port of the API, which the cluster keeps for as long as it is there: open, or shut as where no API server runs."""

    def __init__(self, api: Api, context: ssl.SSLContext, port: int) -> None:
        self._api = api
        self._context = context
        self._port = port
        self._runner: web.AppRunner | None = None
        self._turning = asyncio.Lock()
        self._turns: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen."""
        async with self._turning:
            self._runner = web.AppRunner(self._api.application(), access_log=None, shutdown_timeout=0.5)
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._context, reuse_address=True).start()

    async def shut(self) -> None:
        """Cut all connections, and refuse who comes. Pods and storage go on."""
        async with self._turning:
            assert self._runner is not None and self._runner.server is not None
            for site in self._runner.sites:
                await site.stop()
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            await self._runner.cleanup()

    def obey(self, shut: signal.Signals, opened: signal.Signals) -> None:
        """Shut at the one signal, and open at the other."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(shut, lambda: self._turns.add(loop.create_task(self.shut())))
        loop.add_signal_handler(opened, lambda: self._turns.add(loop.create_task(self.open())))


async def serve(directory: Path, nodes: int) -> None:
    """Serve until the process is ended; prints the kubeconfig's path when ready."""
    store = Store()
    (directory / "orders").mkdir()
    attachments = Attachments(directory / "orders")
    volumes = Volumes(store, directory / "volumes", attachments)
    Expansion(store, attachments)
    faults = Faults()
    tokens = Tokens()
    place = socket.socket()  # bound only: nobody else is given the port while the API is away
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    port = place.getsockname()[1]
    kubelet = Kubelet(Node(store, volumes, Provisioning(store, volumes), faults, tokens, directory / "pods", port))
    controllers = Controllers(store, kubelet, volumes)
    for number in range(1, nodes + 1):
        name = f"node{number}"
        labels = {"kubernetes.io/hostname": name}
        store.create(
            BY_KIND["Node"],
            "",
            {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        )
    store.create(
        BY_KIND["StorageClass"],
        "",
        {"metadata": {"name": "standard"}, "provisioner": "embedded.test", "volumeBindingMode": "WaitForFirstConsumer"},
    )
    block = {"provisioner": "embedded.test", "allowVolumeExpansion": True}
    for name, mode in (("block", "WaitForFirstConsumer"), ("block-xfs", "WaitForFirstConsumer"), ("block-now", "Immediate")):
        store.create(BY_KIND["StorageClass"], "", {"metadata": {"name": name}, **block, "volumeBindingMode": mode})
    store.create(BY_KIND["Namespace"], "", {"metadata": {"name": "default"}, "status": {"phase": "Active"}})
    controllers.start()
    authority, context = make_certificate(directory)
    door = Door(Api(store, kubelet, faults, tokens, Path(authority).read_text()), context, port)
    await door.open()
    door.obey(signal.SIGUSR1, signal.SIGUSR2)
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "embedded",
                "clusters": [
                    {"name": "embedded", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority)}}
                ],
                "users": [{"name": "admin", "user": {"token": tokens.admin}}],
                "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "admin"}}],
            }
        )
    )
    kubeconfig.chmod(0o600)
    print(kubeconfig, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.umask(0o022)  # as containers have it, whatever the user's own is
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
