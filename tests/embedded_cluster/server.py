# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server itself, inside the namespaces that ``__main__`` has made."""

from __future__ import annotations

import asyncio
import json
import os
import socket
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


async def serve(directory: Path, nodes: int) -> None:
    """Serve until the process is ended; prints the kubeconfig's path when ready."""
    store = Store()
    (directory / "orders").mkdir()
    attachments = Attachments(directory / "orders")
    volumes = Volumes(store, directory / "volumes", attachments)
    Expansion(store, attachments)
    faults = Faults()
    tokens = Tokens()
    door = socket.create_server(("127.0.0.1", 0))
    port = door.getsockname()[1]
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
    api = Api(store, kubelet, faults, tokens, Path(authority).read_text())
    runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, door, ssl_context=context).start()
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
