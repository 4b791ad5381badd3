# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduler and kubelets: takes pods from Pending to Running to gone."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import socket
from pathlib import Path

from .container import LOG, Container, ContainerSpec
from .faults import Faults
from .resources import BY_KIND
from .scheduling import choose
from .store import Change, Json, Store, now
from .volumes import Volumes, claims_of

POD = BY_KIND["Pod"]
_RETRY = 0.1
"""Seconds between two tries to schedule or attach."""


class Kubelet:
    """Runs all pods of all nodes."""

    def __init__(self, store: Store, volumes: Volumes, faults: Faults, directory: Path) -> None:
        self._store = store
        self._volumes = volumes
        self._faults = faults
        self._directory = directory
        self._containers: dict[str, Container] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: set[asyncio.Task[None]] = set()
        # Every pod has an address of its own, as on a pod network; all of 127/8 is this machine's.
        self._network, network = _own_network()
        self._addresses = (f"{network}.{number // 250 % 250}.{number % 250 + 1}" for number in itertools.count())
        store.hooks.append(self._seen)

    def container(self, pod: Json) -> Container | None:
        """The running container of a pod."""
        return self._containers.get(pod["metadata"]["uid"])

    def log(self, pod: Json) -> bytes:
        """Return what a pod's first process has printed, ended or not."""
        path = self._directory / pod["metadata"]["uid"] / LOG
        return path.read_bytes() if path.exists() else b""

    def _seen(self, change: Change) -> None:
        if change.resource is POD and change.type == "ADDED":
            self._tasks[change.object["metadata"]["uid"]] = asyncio.get_running_loop().create_task(self._live(change.object))

    def delete(self, pod: Json, grace: float) -> None:
        """Ask a pod to end; its object goes when its process has."""
        meta = pod["metadata"]

        def deleting(item: Json) -> None:
            item["metadata"]["deletionTimestamp"] = now()
            item["metadata"]["deletionGracePeriodSeconds"] = int(grace)

        self._store.change(POD, meta["namespace"], meta["name"], deleting)
        task = asyncio.get_running_loop().create_task(self._end(pod, grace))
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def _end(self, pod: Json, grace: float) -> None:
        meta = pod["metadata"]
        container = self._containers.get(meta["uid"])
        task = self._tasks.get(meta["uid"])
        if container is not None:
            await container.stop(grace)
        elif task is not None:
            task.cancel()
        if task is not None:
            await asyncio.wait([task], timeout=5)
        present = self._store.peek(POD, meta["namespace"], meta["name"])
        if present is not None and present["metadata"]["uid"] == meta["uid"]:
            self._store.remove(POD, meta["namespace"], meta["name"])
        shutil.rmtree(self._directory / meta["uid"], ignore_errors=True)

    async def close(self) -> None:
        """Kill everything."""
        for container in self._containers.values():
            container.kill()
        for task in [*self._tasks.values(), *self._ends]:
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *self._ends, return_exceptions=True)
        self._network.close()

    async def _live(self, pod: Json) -> None:
        """A pod's life, until its process has ended."""
        uid = pod["metadata"]["uid"]
        try:
            node = await self._schedule(pod)
            await self._attach(pod, node)
            if not await self._pulled(pod):
                return
            await self._run(pod)
        finally:
            self._containers.pop(uid, None)
            self._tasks.pop(uid, None)

    async def _schedule(self, pod: Json) -> str:
        namespace, told = pod["metadata"]["namespace"], ""
        while True:
            claims = claims_of(pod)
            absent = [claim for claim in claims if self._store.peek(BY_KIND["PersistentVolumeClaim"], namespace, claim) is None]
            nodes = self._store.list(BY_KIND["Node"])
            node, message = "", self._faults.message("unschedulable", pod)
            if absent:
                message = f'0/{len(nodes)} nodes are available: persistentvolumeclaim "{absent[0]}" not found. preemption: not helpful for scheduling.'
            if not message and self._exclusive(pod):
                message = (
                    f"0/{len(nodes)} nodes are available: 1 node has pod using PersistentVolumeClaim with the same name "
                    "and ReadWriteOncePod access mode. preemption: not helpful for scheduling."
                )
            if not message:
                node, message = choose(pod, nodes, [self._volumes.pinned_to(namespace, claim) for claim in claims])
            if node:
                break
            if message != told:
                self._condition(pod, "PodScheduled", "False", "Unschedulable", message)
                self._event(pod, "Warning", "FailedScheduling", message)
                told = message
            await asyncio.sleep(_RETRY)
        for claim in claims:
            self._volumes.bind(namespace, claim)

        def scheduled(item: Json) -> None:
            item["spec"]["nodeName"] = node
            item["status"]["startTime"] = now()

        self._edit(pod, scheduled)
        self._condition(pod, "PodScheduled", "True", "", "")
        self._event(pod, "Normal", "Scheduled", f"Successfully assigned {namespace}/{pod['metadata']['name']} to {node}")
        return node

    def _exclusive(self, pod: Json) -> bool:
        for claim in claims_of(pod):
            body = self._store.peek(BY_KIND["PersistentVolumeClaim"], pod["metadata"]["namespace"], claim)
            if (
                body is not None
                and "ReadWriteOncePod" in body["spec"].get("accessModes", [])
                and self._volumes.other_user(pod, claim) is not None
            ):
                return True
        return False

    async def _attach(self, pod: Json, node: str) -> None:
        told = False
        while True:
            blocked = ""
            for claim in claims_of(pod):
                other = self._volumes.other_user(pod, claim)
                if self._faults.message("hold_volume", pod, claim) or (other is not None and other["spec"].get("nodeName") != node):
                    user = other["metadata"]["name"] if other else "elsewhere"
                    volume = f"pv-{pod['metadata']['namespace']}-{claim}"
                    blocked = f'Multi-Attach error for volume "{volume}" Volume is already used by pod(s) {user}'
            if not blocked:
                break
            if not told:
                self._event(pod, "Warning", "FailedAttachVolume", blocked)
                self._waiting(pod, "ContainerCreating", "")
                told = True
            await asyncio.sleep(_RETRY)

        def attached(item: Json) -> None:
            item["metadata"].setdefault("annotations", {})["embedded.test/attached"] = "true"

        if claims_of(pod):
            self._edit(pod, attached)

    async def _pulled(self, pod: Json) -> bool:
        image = pod["spec"]["containers"][0]["image"]
        message = self._faults.message("image_pull_error", pod, image)
        if not message and not image.startswith("missing.test/"):
            return True
        words = f'failed to pull and unpack image "{image}": not found'
        self._event(pod, "Warning", "Failed", f'Failed to pull image "{image}": {words}')
        self._waiting(pod, "ErrImagePull", words)
        await asyncio.sleep(0.3)
        self._waiting(pod, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {words}')
        await asyncio.Event().wait()
        return False

    async def _run(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        place = self._directory / uid
        spec = self._spec(pod, place)
        container = await Container.start(spec, place)
        self._containers[uid] = container
        if await container.ready():
            self._running(pod)
        deadline = pod["spec"].get("activeDeadlineSeconds")
        try:
            code = await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(container.wait())), deadline)
            self._ended(pod, code, "")
        except asyncio.TimeoutError:
            await container.stop(1)
            self._ended(pod, 137, "DeadlineExceeded")

    def _spec(self, pod: Json, place: Path) -> ContainerSpec:
        container = pod["spec"]["containers"][0]
        namespace = pod["metadata"]["namespace"]
        pod_context, context = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
        group = int(pod_context.get("fsGroup") or 0)
        binds = {}
        sources = {}
        for volume in pod["spec"].get("volumes") or []:
            if "persistentVolumeClaim" in volume:
                path = self._volumes.path(namespace, volume["persistentVolumeClaim"]["claimName"])
                self._volumes.share(path, group)
            else:
                path = place / "volumes" / volume["name"]
                path.mkdir(parents=True, exist_ok=True)
                path.chmod(0o777)
            sources[volume["name"]] = path
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in sources:
                source = sources[mount["name"]] / mount.get("subPath", "")
                if not source.exists():  # the kubelet makes it with the volume's mode
                    source.mkdir()
                    source.chmod(source.parent.stat().st_mode)
                binds[str(source)] = mount["mountPath"]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": pod["metadata"]["name"]}
        environment.update({item["name"]: _value(item, pod) for item in container.get("env") or []})
        user = int(context.get("runAsUser", pod_context.get("runAsUser", 0)) or 0)
        return ContainerSpec(
            command=(*(container.get("command") or ["sleep", "infinity"]), *(container.get("args") or [])),
            environment=environment,
            binds=binds,
            read_only=bool(context.get("readOnlyRootFilesystem")),
            user=user,
            group=group or user,
            directory=container.get("workingDir", "/"),
        )

    def _running(self, pod: Json) -> None:
        name = pod["spec"]["containers"][0]["name"]
        address = next(self._addresses)

        def edit(item: Json) -> None:
            item["status"].update({"phase": "Running", "podIP": address, "hostIP": "127.0.0.1"})
            item["status"]["containerStatuses"] = [
                {
                    "name": name,
                    "image": item["spec"]["containers"][0]["image"],
                    "imageID": "",
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": now()}},
                }
            ]

        self._edit(pod, edit)
        self._condition(pod, "Ready", "True", "", "")
        self._event(pod, "Normal", "Started", f"Started container {name}")

    def _ended(self, pod: Json, code: int, reason: str) -> None:
        name = pod["spec"]["containers"][0]["name"]

        def edit(item: Json) -> None:
            item["status"]["phase"] = "Failed" if code or reason else "Succeeded"
            if reason:
                item["status"].update({"reason": reason, "message": "Pod was active on the node longer than the specified deadline"})
            state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
            item["status"]["containerStatuses"] = [
                {
                    "name": name,
                    "image": item["spec"]["containers"][0]["image"],
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": state,
                }
            ]

        self._edit(pod, edit)
        self._condition(pod, "Ready", "False", "PodFailed" if code else "PodCompleted", "")

    def _waiting(self, pod: Json, reason: str, message: str) -> None:
        container = pod["spec"]["containers"][0]

        def edit(item: Json) -> None:
            state = {"waiting": {"reason": reason, "message": message}}
            item["status"]["containerStatuses"] = [
                {"name": container["name"], "image": container["image"], "imageID": "", "ready": False, "restartCount": 0, "state": state}
            ]

        self._edit(pod, edit)

    def _condition(self, pod: Json, kind: str, status: str, reason: str, message: str) -> None:
        def edit(item: Json) -> None:
            conditions = [other for other in item["status"].get("conditions") or [] if other["type"] != kind]
            item["status"]["conditions"] = [
                *conditions,
                {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now()},
            ]

        self._edit(pod, edit)

    def _edit(self, pod: Json, edit: object) -> None:
        meta = pod["metadata"]
        present = self._store.peek(POD, meta["namespace"], meta["name"])
        if present is not None and present["metadata"]["uid"] == meta["uid"]:
            self._store.change(POD, meta["namespace"], meta["name"], edit)  # type: ignore[arg-type]

    def _event(self, pod: Json, kind: str, reason: str, message: str) -> None:
        meta = pod["metadata"]
        reference = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"], "apiVersion": "v1"}
        body = {
            "metadata": {"generateName": f"{meta['name']}."}, "involvedObject": reference, "type": kind, "reason": reason, "message": message,
            "count": 1, "firstTimestamp": now(), "lastTimestamp": now(), "source": {"component": "embedded"},
        }  # fmt: skip
        self._store.create(BY_KIND["Event"], meta["namespace"], body)


def _value(item: Json, pod: Json) -> str:
    """The value of a variable of a container's environment; of the downward API as much as is used."""
    field = ((item.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath", "")
    return str(pod["metadata"]["uid"] if field == "metadata.uid" else item.get("value", ""))


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
