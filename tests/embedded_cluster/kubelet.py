# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelets: each pod that is made lives, until it is deleted."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import socket
from dataclasses import dataclass

from .container import LOG, Container
from .pod_life import POD, Node, PodLife
from .store import Change, Json, now


@dataclass(frozen=True)
class _Alive:
    """A pod that lives."""

    life: PodLife
    task: asyncio.Task[None]


class Kubelet:
    """Runs all pods of all nodes."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._alive: dict[str, _Alive] = {}
        self._ends: set[asyncio.Task[None]] = set()
        # Every pod has an address of its own, as on a pod network; all of 127/8 is this machine's.
        self._network, network = _own_network()
        self._addresses = (f"{network}.{number // 250 % 250}.{number % 250 + 1}" for number in itertools.count())
        node.store.hooks.append(self._seen)

    def container(self, pod: Json, name: str) -> Container | None:
        """Return one of a pod's containers, None where it does not run."""
        alive = self._alive.get(pod["metadata"]["uid"])
        return alive.life.containers.get(name) if alive is not None else None

    def log(self, pod: Json, name: str, previous: bool) -> bytes | None:
        """Return what a container's first process has printed, ended or not; None where there was none."""
        path = self._node.directory / pod["metadata"]["uid"] / name / (f"previous-{LOG}" if previous else LOG)
        return path.read_bytes() if path.exists() else None

    def _seen(self, change: Change) -> None:
        if change.resource is POD and change.type == "ADDED":
            uid = change.object["metadata"]["uid"]
            life = PodLife(self._node, change.object, next(self._addresses))
            task = asyncio.get_running_loop().create_task(life.live())
            self._alive[uid] = _Alive(life, task)
            task.add_done_callback(lambda _task: self._alive.pop(uid, None))

    def delete(self, pod: Json, grace: float) -> None:
        """Ask a pod to end; its object goes when its processes have."""
        meta = pod["metadata"]

        def deleting(item: Json) -> None:
            item["metadata"]["deletionTimestamp"] = now()
            item["metadata"]["deletionGracePeriodSeconds"] = int(grace)

        self._node.store.change(POD, meta["namespace"], meta["name"], deleting)
        task = asyncio.get_running_loop().create_task(self._end(pod, grace))
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def _end(self, pod: Json, grace: float) -> None:
        meta = pod["metadata"]
        alive = self._alive.get(meta["uid"])
        if alive is not None:
            if alive.life.containers:
                await alive.life.stop(grace)
            else:
                alive.task.cancel()
            _ended, left = await asyncio.wait([alive.task], timeout=5)
            for task in left:  # one of its containers is kept from starting
                task.cancel()
        present = self._node.store.peek(POD, meta["namespace"], meta["name"])
        if present is not None and present["metadata"]["uid"] == meta["uid"]:
            self._node.store.remove(POD, meta["namespace"], meta["name"])
        shutil.rmtree(self._node.directory / meta["uid"], ignore_errors=True)

    async def close(self) -> None:
        """Kill everything."""
        for alive in self._alive.values():
            for container in alive.life.containers.values():
                container.kill()
        tasks = [alive.task for alive in self._alive.values()]
        for task in [*tasks, *self._ends]:
            task.cancel()
        await asyncio.gather(*tasks, *self._ends, return_exceptions=True)
        self._network.close()


def _own_network() -> tuple[socket.socket, str]:
    """The first two numbers of addresses that no other embedded cluster of this machine uses while the socket is open."""
    for second in range(64, 255):
        claim = socket.socket()
        try:
            claim.bind((f"127.{second}.255.254", 8730))
            claim.listen()
        except OSError:
            claim.close()
            continue
        return claim, f"127.{second}"
    raise RuntimeError("There is no network left for an embedded cluster's pods: too many of them run on this machine.")
