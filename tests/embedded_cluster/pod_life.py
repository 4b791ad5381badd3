# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod's life: from Pending to Running to its end, with each of its containers started again as its policy says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .attachments import Refused
from .container import LOG, Bind, Container, ContainerSpec
from .content import Absent, files_of, write
from .downward import hostname
from .environment import environment, expand
from .events import tell
from .faults import Faults
from .images import find_image
from .provisioning import Provisioning
from .resources import BY_KIND
from .scheduling import choose
from .store import Json, Store, now
from .tokens import Tokens
from .volumes import Volumes, claims_of

POD = BY_KIND["Pod"]
_RETRY = 0.1
"""Seconds between two tries to schedule, attach, mount or configure."""
_COMMAND = ("/bin/sh",)
"""The command of an image for a container that names none (tests/real_cluster/cluster.sh)."""
_BACKOFFS = (0, 10, 20, 40, 80, 160, 300)
"""Seconds before a container is started again: the first time at once, the last one for all that follow."""
_READY, _POD_READY = "ContainersReady", "Ready"


@dataclass(frozen=True)
class Node:
    """The things that all pods share: the cluster's objects and volumes, and a directory in which each has one of its own."""

    store: Store
    volumes: Volumes
    provisioning: Provisioning
    faults: Faults
    tokens: Tokens
    directory: Path
    api_port: int


class PodLife:
    """A pod that is there. ``address`` is its own."""

    def __init__(self, node: Node, pod: Json, address: str) -> None:
        self._node = node
        self._pod = pod
        self._address = address
        self._place = node.directory / pod["metadata"]["uid"]
        self._statuses: dict[str, Json] = {item["name"]: _status(item) for item in pod["spec"]["containers"]}
        self._stopping = asyncio.Event()
        self.containers: dict[str, Container] = {}
        """Those that run, by name."""

    async def live(self) -> None:
        """Take the pod through its life, until its processes have ended for good."""
        try:
            await self._live()
        finally:
            self._node.volumes.release(self._pod)

    async def _live(self) -> None:
        await self._schedule()
        await self._attach()
        sources = await self._mount()
        await self._pull()
        containers = [asyncio.ensure_future(self._keep(item, sources)) for item in self._pod["spec"]["containers"]]
        try:
            done, left = await asyncio.wait(containers, timeout=self._pod["spec"].get("activeDeadlineSeconds"))
            for task in done:
                task.result()
            if left:
                await self.stop(1)
                self._overdue()
        finally:
            for task in containers:
                task.cancel()

    async def stop(self, grace: float) -> None:
        """End all processes: TERM, then KILL. None is started again."""
        self._stopping.set()
        await asyncio.gather(*(container.stop(grace) for container in list(self.containers.values())))

    async def _schedule(self) -> None:
        namespace, told = self._pod["metadata"]["namespace"], ""
        claims = claims_of(self._pod)
        while True:
            node, message = self._choose(claims)
            if node and all(self._node.provisioning.provision(namespace, claim) for claim in claims):
                break
            if message and message != told:
                self._condition("PodScheduled", "False", "Unschedulable", message)
                self._tell("Warning", "FailedScheduling", message)
                told = message
            await asyncio.sleep(_RETRY)

        def scheduled(item: Json) -> None:
            item["spec"]["nodeName"] = node
            item["status"]["startTime"] = now()

        self._edit(scheduled)
        self._pod["spec"]["nodeName"] = node
        self._condition("PodScheduled", "True", "", "")
        self._tell("Normal", "Scheduled", f"Successfully assigned {namespace}/{self._pod['metadata']['name']} to {node}")

    def _choose(self, claims: list[str]) -> tuple[str, str]:
        """The node, or why there is none."""
        store, namespace = self._node.store, self._pod["metadata"]["namespace"]
        nodes = store.list(BY_KIND["Node"])
        message = self._node.faults.message("unschedulable", self._pod)
        absent = [claim for claim in claims if store.peek(BY_KIND["PersistentVolumeClaim"], namespace, claim) is None]
        if absent:
            message = (
                f'0/{len(nodes)} nodes are available: persistentvolumeclaim "{absent[0]}" not found. preemption: not helpful for scheduling.'
            )
        if not message and self._exclusive(claims):
            message = (
                f"0/{len(nodes)} nodes are available: 1 node has pod using PersistentVolumeClaim with the same name "
                "and ReadWriteOncePod access mode. preemption: not helpful for scheduling."
            )
        if message:
            return "", message
        return choose(self._pod, nodes, [self._node.volumes.pinned_to(namespace, claim) for claim in claims])

    def _exclusive(self, claims: list[str]) -> bool:
        for claim in claims:
            body = self._node.store.peek(BY_KIND["PersistentVolumeClaim"], self._pod["metadata"]["namespace"], claim)
            once = body is not None and "ReadWriteOncePod" in body["spec"].get("accessModes", [])
            if once and self._node.volumes.other_user(self._pod, claim) is not None:
                return True
        return False

    async def _attach(self) -> None:
        namespace, claims = self._pod["metadata"]["namespace"], claims_of(self._pod)
        for claim in claims:
            if not self._node.volumes.pinned_to(namespace, claim):
                await self._attach_volume(claim)
                self._tell("Normal", "SuccessfulAttachVolume", f'AttachVolume.Attach succeeded for volume "pv-{namespace}-{claim}"')

        def attached(item: Json) -> None:
            item["metadata"].setdefault("annotations", {})["embedded.test/attached"] = "true"

        if claims:
            self._edit(attached)

    async def _attach_volume(self, claim: str) -> None:
        told, creating = "", False
        while True:
            try:
                if self._node.volumes.attach(self._pod, claim):
                    return
            except Refused as error:
                if str(error) != told:
                    told = str(error)
                    self._tell("Warning", "FailedAttachVolume", told)
            if not creating:
                self._creating()
                creating = True
            await asyncio.sleep(_RETRY)

    async def _mount(self) -> dict[str, tuple[Path, bool]]:
        """Return each volume's directory, and whether nobody may write there, when all of them can be had."""
        told = False
        while True:
            failed = []
            found: dict[str, tuple[Path, bool]] = {}
            for volume in self._pod["spec"].get("volumes") or []:
                try:
                    found[volume["name"]] = self._volume(volume)
                except Absent as error:
                    failed.append(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}')
            if not failed:
                return found
            if not told:
                self._creating()
                for message in failed:
                    self._tell("Warning", "FailedMount", message)
                told = True
            await asyncio.sleep(_RETRY)

    def _volume(self, volume: Json) -> tuple[Path, bool]:
        if "persistentVolumeClaim" in volume:
            path = self._node.volumes.path(self._pod["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"])
            self._node.volumes.share(path, int((self._pod["spec"].get("securityContext") or {}).get("fsGroup") or 0))
            return path, bool(volume["persistentVolumeClaim"].get("readOnly"))
        files = files_of(self._node.store, self._node.tokens, self._pod, volume)
        path = self._place / "volumes" / volume["name"]
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o777)
            if files is not None:
                write(files, path)
        return path, files is not None

    async def _pull(self) -> None:
        """Wait until the images are there, which is for ever where one is not."""
        for container in self._pod["spec"]["containers"]:
            image, name = container["image"], container["name"]
            message = self._node.faults.message("image_pull_error", self._pod, image)
            if message or image.startswith("missing.test/"):
                words = f'failed to pull and unpack image "{image}": not found'
                self._tell("Warning", "Failed", f'Failed to pull image "{image}": {words}')
                self._set(name, _waiting("ErrImagePull", words))
                await asyncio.sleep(0.3)
                self._set(name, _waiting("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {words}'))
                await asyncio.Event().wait()

    async def _keep(self, container: Json, sources: dict[str, tuple[Path, bool]]) -> None:
        """Run a container, again and again where its pod's policy says so."""
        name = container["name"]
        restarts = 0
        while True:
            place = self._place / name
            started = now()
            running = await Container.start(await self._spec(container, sources), place)
            self.containers[name] = running
            if await running.ready():
                self._set(name, {"running": {"startedAt": started}}, ready=True, restartCount=restarts)
                self._tell("Normal", "Started", f"Started container {name}")
            code = await running.wait()
            self.containers.pop(name, None)
            ended = _terminated(code, started)
            self._set(name, ended, restartCount=restarts)
            if self._stays_ended(code):
                return
            wait = _BACKOFFS[min(restarts, len(_BACKOFFS) - 1)]
            if wait:
                meta = self._pod["metadata"]
                of = f"container={name} pod={meta['name']}_{meta['namespace']}({meta['uid']})"
                words = f"back-off {wait // 60}m{wait % 60}s" if wait >= 60 else f"back-off {wait}s"
                self._set(name, _waiting("CrashLoopBackOff", f"{words} restarting failed {of}"), lastState=ended)
                self._tell("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {of.partition('pod=')[2]}")
                await asyncio.wait([asyncio.ensure_future(self._stopping.wait())], timeout=wait)
                if self._stopping.is_set():
                    return
            restarts += 1
            self._statuses[name]["lastState"] = ended
            (place / LOG).replace(place / f"previous-{LOG}")

    async def _spec(self, container: Json, sources: dict[str, tuple[Path, bool]]) -> ContainerSpec:
        pod_context, context = self._pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
        image = find_image(container["image"])
        user = int(context.get("runAsUser", pod_context.get("runAsUser", image.user)) or 0)
        api = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self._node.api_port)}
        variables = await self._variables(container, {**api, "HOME": "/" if user else "/root", **image.environment})
        words = [*(container.get("command") or ()), *(container.get("args") or ())] or list(_COMMAND)
        return ContainerSpec(
            command=tuple(expand(word, variables) for word in words),
            environment=variables,
            hostname=hostname(self._pod),
            binds=(
                *(Bind(path, str(path), read_only=True) for path in image.directories),
                *(_bind(mount, sources[mount["name"]]) for mount in container.get("volumeMounts") or []),
            ),
            read_only=bool(context.get("readOnlyRootFilesystem")),
            user=user,
            group=int(pod_context.get("fsGroup") or 0) or user,
            directory=container.get("workingDir") or "/",
        )

    async def _variables(self, container: Json, given: Mapping[str, str]) -> dict[str, str]:
        """The container's environment, when all of it can be had."""
        told = ""
        while True:
            self._pod["status"] = {**(self._pod.get("status") or {}), "podIP": self._address, "hostIP": "127.0.0.1"}
            try:
                return environment(self._node.store, self._pod, container, given)
            except Absent as error:
                if str(error) != told:
                    told = str(error)
                    self._set(container["name"], _waiting("CreateContainerConfigError", told))
                    self._tell("Warning", "Failed", f"Error: {told}")
                await asyncio.sleep(_RETRY)

    def _stays_ended(self, code: int) -> bool:
        """Return whether a container that ended with this code is not started again."""
        policy = self._pod["spec"].get("restartPolicy", "Always")
        return policy == "Never" or (policy == "OnFailure" and not code) or self._stopping.is_set()

    def _creating(self) -> None:
        for name in self._statuses:
            self._set(name, _waiting("ContainerCreating", ""))

    def _set(self, name: str, state: Json, **more: object) -> None:
        """Tell a container's state, and what follows from all of them for the pod."""
        self._statuses[name] = {**self._statuses[name], "ready": False, **more, "state": state, "started": "running" in state}
        states = list(self._statuses.values())
        codes = [item["state"]["terminated"]["exitCode"] for item in states if "terminated" in item["state"]]
        begun = all(item["restartCount"] or "waiting" not in item["state"] for item in states)
        ended = len(codes) == len(states) and all(self._stays_ended(code) for code in codes)
        phase = ("Failed" if any(codes) else "Succeeded") if ended else ("Running" if begun else "Pending")

        def edit(item: Json) -> None:
            item["status"].update({"phase": phase, "containerStatuses": states})
            if begun:
                item["status"].update({"podIP": self._address, "hostIP": "127.0.0.1"})

        self._edit(edit)
        able = all(item["ready"] for item in states)
        why = {"Failed": "PodFailed", "Succeeded": "PodCompleted"}.get(phase, "ContainersNotReady")
        for kind in (_READY, _POD_READY):
            self._condition(kind, "True" if able else "False", "" if able else why, "")

    def _overdue(self) -> None:
        """Tell that the pod's deadline has passed."""
        words = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}
        self._edit(lambda item: item["status"].update(words))

    def _condition(self, kind: str, status: str, reason: str, message: str) -> None:
        def edit(item: Json) -> None:
            before = item["status"].get("conditions") or []
            told = {"type": kind, "status": status, "reason": reason, "message": message}
            if any({**told, "lastTransitionTime": other.get("lastTransitionTime")} == other for other in before):
                return
            others = [other for other in before if other["type"] != kind]
            item["status"]["conditions"] = [*others, {**told, "lastTransitionTime": now()}]

        self._edit(edit)

    def _edit(self, edit: Callable[[Json], None]) -> None:
        meta = self._pod["metadata"]
        present = self._node.store.peek(POD, meta["namespace"], meta["name"])
        if present is not None and present["metadata"]["uid"] == meta["uid"]:
            self._node.store.change(POD, meta["namespace"], meta["name"], edit)

    def _tell(self, kind: str, reason: str, message: str) -> None:
        tell(self._node.store, self._pod, kind, reason, message)


def _bind(mount: Json, source: tuple[Path, bool]) -> Bind:
    """Return what a mount is made of; a sub-path that is not there is made, with the volume's mode, as the kubelet does."""
    volume, fixed = source
    path = volume / mount.get("subPath", "")
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(volume.stat().st_mode)
    return Bind(path, mount["mountPath"], fixed or bool(mount.get("readOnly")))


def _status(container: Json) -> Json:
    state = _waiting("ContainerCreating", "")
    return {"name": container["name"], "image": container["image"], "imageID": "", "ready": False, "started": False, "restartCount": 0, "state": state}


def _waiting(reason: str, message: str) -> Json:
    return {"waiting": {"reason": reason, "message": message}}


def _terminated(code: int, started: str) -> Json:
    return {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "startedAt": started, "finishedAt": now()}}
