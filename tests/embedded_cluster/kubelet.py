"""Pods as processes: each pod has a task that starts its containers, reports on them, and ends them.

Source of facts: pods' status and events of a real kubelet 1.34.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from . import pod_files
from .container import Container
from .errors import ApiError
from .faults import Faults
from .launcher import Process, StartError, launch
from .pod_status import Status, pull_error
from .recorder import record
from .resources import CLAIMS, PODS, Object
from .scheduler import claim_names
from .store import Store, timestamp
from .volumes import Volumes

IMAGE_USERS = {"localhost/filler:test": 0}
"""The user that an image runs as. Others: 1000."""
_BACK_OFF = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
_FORCED_GRACE = 2.0
_LOOK_AGAIN = 0.5
_DEADLINE = "Pod was active on the node longer than the specified deadline"


@dataclass
class Life:
    """What the kubelet knows of one pod."""

    uid: str
    directory: Path
    status: Status
    processes: dict[str, Process] = field(default_factory=dict)
    starting: set[asyncio.Task[Process]] = field(default_factory=set)
    stopping: bool = False


class Kubelet:
    """The kubelets of all nodes in one."""

    def __init__(self, store: Store, directory: Path, volumes: Volumes, faults: Faults, *, users: bool) -> None:
        self._store, self._directory, self._volumes, self._faults, self._users = store, directory, volumes, faults, users
        self._lives: dict[str, Life] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def reconcile(self) -> None:
        """Start a task for each pod that has a node and none yet."""
        for pod in self._store.list(PODS):
            uid = pod["metadata"]["uid"]
            if pod["spec"].get("nodeName") and uid not in self._lives:
                self._lives[uid] = Life(uid, self._directory / uid, Status(self._store, pod))
                self._tasks[uid] = asyncio.get_running_loop().create_task(self._live(self._lives[uid]))
                self._tasks[uid].add_done_callback(_report_failure)

    def process(self, pod: Object, container: str) -> Process | None:
        """A container's running process."""
        life = self._lives.get(pod["metadata"]["uid"])
        process = life.processes.get(container) if life else None
        return process if process and not process.exited.done() else None

    def log(self, pod: Object, container: str) -> Path:
        """The file with a container's output."""
        return self._directory / pod["metadata"]["uid"] / f"{container}.log"

    async def close(self) -> None:
        """Kill everything."""
        for life in self._lives.values():
            for process in life.processes.values():
                process.kill(signal.SIGKILL)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _live(self, life: Life) -> None:
        """From a pod's arrival on its node to its end."""
        loop = asyncio.get_running_loop()
        life.directory.mkdir(parents=True)
        life.status.accepted()
        work = loop.create_task(self._work(life))
        deadline = life.status.pod["spec"].get("activeDeadlineSeconds")
        expires = None if deadline is None else loop.time() + deadline
        expired = False
        try:
            while not work.done():
                pod = life.status.current()
                if pod is None or pod["metadata"].get("deletionTimestamp"):
                    break
                if expires is not None and loop.time() >= expires:
                    expired = True
                    record(self._store, pod, "DeadlineExceeded", _DEADLINE, component="kubelet", node=life.status.node)
                    break
                left = _LOOK_AGAIN if expires is None else min(_LOOK_AGAIN, max(0.0, expires - loop.time()))
                change = loop.create_task(self._store.changed(left))
                await asyncio.wait({work, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
            await self._end(life, work, expired=expired)
        finally:
            work.cancel()
            shutil.rmtree(life.directory / "volumes", ignore_errors=True)

    async def _end(self, life: Life, work: asyncio.Task[None], *, expired: bool) -> None:
        """Stop what still runs; report how it ended; forget the pod if it was deleted."""
        life.stopping = True
        if life.starting:
            await asyncio.wait(life.starting)
        pod = life.status.current()
        metadata = pod["metadata"] if pod else {}
        if not work.done():
            grace = metadata.get("deletionGracePeriodSeconds", life.status.pod["spec"]["terminationGracePeriodSeconds"]) if pod else _FORCED_GRACE
            if all(process.exited.done() for process in life.processes.values()):
                work.cancel()
            for name, process in life.processes.items():
                if pod:
                    record(self._store, pod, "Killing", f"Stopping container {name}", component="kubelet", node=life.status.node, container=name)
                process.kill(signal.SIGTERM)
            _, running = await asyncio.wait({work}, timeout=grace)
            if running:
                for process in life.processes.values():
                    process.kill(signal.SIGKILL)
                await asyncio.wait({work})
        if not work.cancelled():
            work.result()
        self._volumes.detach(life.uid)
        if expired:
            life.status.failed("DeadlineExceeded", _DEADLINE)
        while True:
            pod = life.status.current()
            if pod is None:
                break
            if pod["metadata"].get("deletionTimestamp"):
                self._store.remove(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
                break
            await self._store.changed(3600)
        shutil.rmtree(life.directory, ignore_errors=True)
        del self._lives[life.uid]
        del self._tasks[life.uid]

    async def _work(self, life: Life) -> None:
        """Attach, mount and start; returns when all containers have ended for good."""
        await self._attach(life)
        files = await self._mount(life)
        pod = life.status.pod
        slow = self._faults.take("delay_start", namespace=pod["metadata"]["namespace"], name=pod["metadata"]["name"])
        if slow:
            await asyncio.sleep(float(slow.parameters.get("seconds", 3600)))
        life.status.networked()
        await asyncio.gather(*(self._run(life, container, files) for container in pod["spec"]["containers"]))
        life.status.finished()

    async def _attach(self, life: Life) -> None:
        """Wait until no other node has a volume of this pod."""
        pod = life.status.pod
        said = ""
        while True:
            volume, why = self._volumes.attach(pod)
            if not volume:
                break
            if why != said:
                message, said = f'Multi-Attach error for volume "{volume}" {why}', why
                record(self._store, pod, "FailedAttachVolume", message, component="attachdetach-controller", warning=True)
            await self._store.changed(_LOOK_AGAIN)
        for name in claim_names(pod):
            volume = self._store.get(CLAIMS, pod["metadata"]["namespace"], name)["spec"].get("volumeName", "")
            message = f'AttachVolume.Attach succeeded for volume "{volume}"'
            record(self._store, pod, "SuccessfulAttachVolume", message, component="attachdetach-controller")

    async def _mount(self, life: Life) -> pod_files.Files:
        """Make the pod's own files; a missing Secret or ConfigMap is waited for."""
        pod = life.status.pod
        while True:
            try:
                return pod_files.prepare(self._store, pod, life.directory / "volumes", self._volumes)
            except ApiError as error:
                message = f"MountVolume.SetUp failed for volume : {error.message}"
                record(self._store, pod, "FailedMount", message, component="kubelet", node=life.status.node, warning=True)
                await asyncio.sleep(2 * _LOOK_AGAIN)

    async def _pull(self, life: Life, container: Object) -> None:
        """Report the image as present, or stay in the errors of an image that cannot be pulled."""
        image, name, failures = container["image"], container["name"], 0
        while self._faults.take("image_pull_error", image=image, node=life.status.node):
            for reason, message in pull_error(image, container["imagePullPolicy"], failures):
                life.status.waiting(name, reason, message)
            pull_error_events(self._store, life.status.pod, container, life.status.node, failures)
            failures += 1
            await asyncio.sleep(1.0 if failures == 1 else 10.0)
        text = f'Container image "{image}" already present on machine'
        record(self._store, life.status.pod, "Pulled", text, component="kubelet", node=life.status.node, container=name)

    async def _run(self, life: Life, container: Object, files: pod_files.Files) -> None:
        """Start one container, again if the pod's policy says so, until it has ended for good."""
        pod, name = life.status.pod, container["name"]
        await self._pull(life, container)
        context = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
        uid = context.get("runAsUser", IMAGE_USERS.get(container["image"], 1000))
        if context.get("runAsNonRoot") and uid == 0:
            where = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({life.uid})"
            message = f'container has runAsNonRoot and image will run as root (pod: "{where}", container: {name})'
            life.status.waiting(name, "CreateContainerConfigError", message)
            record(self._store, pod, "Failed", f"Error: {message}", component="kubelet", node=life.status.node, warning=True, container=name)
            await asyncio.Event().wait()
        restarts = 0
        while True:
            code = await self._run_once(life, container, files, (uid, context.get("runAsGroup", 0)), restarts)
            policy = pod["spec"]["restartPolicy"]
            if life.stopping or policy == "Never" or (policy == "OnFailure" and code == 0):
                return
            delay = _BACK_OFF[min(restarts, len(_BACK_OFF) - 1)]
            if delay:
                where = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({life.uid})"
                text = f"back-off {int(delay)}s restarting failed container={name} pod={where}"
                life.status.waiting(name, "CrashLoopBackOff", text)
                record(self._store, pod, "BackOff", text, component="kubelet", node=life.status.node, warning=True, container=name)
            await asyncio.sleep(delay)
            restarts += 1

    async def _launch(self, life: Life, name: str, spec: Container, log: Path) -> Process:
        """Start a container in a task of its own, so that no start is forgotten half way. Raises StartError."""

        async def start() -> Process:
            life.processes[name] = process = await launch(spec, log)
            return process

        task = asyncio.get_running_loop().create_task(start())
        life.starting.add(task)
        task.add_done_callback(life.starting.discard)
        return await asyncio.shield(task)

    async def _run_once(self, life: Life, container: Object, files: pod_files.Files, user: tuple[int, int], restarts: int) -> int:
        """One start of a container. Returns its exit code."""
        pod, name = life.status.current() or life.status.pod, container["name"]
        log = life.directory / f"{name}.log"
        started = timestamp()
        try:
            spec = pod_files.container(self._store, pod, container, files, life.directory, user, users=self._users)
            process = await self._launch(life, name, spec, log)
        except StartError as error:
            words = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
            text = f"{words}unable to start container process: {error}: unknown"
            record(self._store, pod, "Failed", f"Error: {text}", component="kubelet", node=life.status.node, warning=True, container=name)
            life.status.terminated(name, 128, "StartError", text, "1970-01-01T00:00:00Z")
            return 128
        except ApiError as error:
            life.status.waiting(name, "CreateContainerConfigError", error.message)
            record(self._store, pod, "Failed", f"Error: {error.message}", component="kubelet", node=life.status.node, warning=True, container=name)
            await asyncio.sleep(2)
            return 128
        for reason, text in (("Created", f"Created container: {name}"), ("Started", f"Started container {name}")):
            record(self._store, pod, reason, text, component="kubelet", node=life.status.node, container=name)
        life.status.running(name, started, restarts)
        code = await process.exited
        message = ""
        if code and container["terminationMessagePolicy"] == "FallbackToLogsOnError":
            message = log.read_bytes()[-2048:].decode(errors="replace")
        life.status.terminated(name, code, "Error" if code else "Completed", message, started)
        return code


def _report_failure(task: asyncio.Task[None]) -> None:
    """A bug in a pod's task must be seen."""
    if not task.cancelled() and (error := task.exception()):
        traceback.print_exception(type(error), error, error.__traceback__)


def pull_error_events(store: Store, pod: Object, container: Object, node: str, failures: int) -> None:
    """The events of one failed pull."""
    image, name, never = container["image"], container["name"], container["imagePullPolicy"] == "Never"
    reason, message = pull_error(image, container["imagePullPolicy"], failures)[-1]
    if never:
        record(store, pod, reason, message, component="kubelet", node=node, warning=True, container=name)
    elif failures == 0:
        record(store, pod, "Pulling", f'Pulling image "{image}"', component="kubelet", node=node, container=name)
        record(store, pod, "Failed", f'Failed to pull image "{image}": {message}', component="kubelet", node=node, warning=True, container=name)
    else:
        record(store, pod, "BackOff", message, component="kubelet", node=node, container=name)
    record(store, pod, "Failed", f"Error: {reason}", component="kubelet", node=node, warning=True, container=name)

