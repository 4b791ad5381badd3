"""The status of one pod, as its kubelet writes it."""

from __future__ import annotations

from collections.abc import Callable

from .resources import PODS, Object
from .store import Store, timestamp

_PENDING_READY = ("ContainersNotReady", "containers with unready status: [{}]")


def pull_error(image: str, policy: str, failures: int) -> list[tuple[str, str]]:
    """(reason, message) of a container whose image cannot be pulled for the n-th time."""
    if policy == "Never":
        return [("ErrImageNeverPull", f'Container image "{image}" is not present with pull policy of Never')]
    cause = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
    if failures == 0:
        return [("ErrImagePull", cause)]
    return [("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {cause}')]


class Status:
    """Writes one pod's status, as long as the pod is there."""

    def __init__(self, store: Store, pod: Object) -> None:
        self._store, self.pod = store, pod
        self.node: str = pod["spec"]["nodeName"]

    def current(self) -> Object | None:
        """The pod as it is now; None when it was deleted, also if another has its name."""
        metadata = self.pod["metadata"]
        found = self._store.find(PODS, metadata["namespace"], metadata["name"])
        return found if found and found["metadata"]["uid"] == metadata["uid"] else None

    def _change(self, how: Callable[[Object], None]) -> None:
        if self.current() is not None:
            metadata = self.pod["metadata"]
            self.pod = self._store.change(PODS, metadata["namespace"], metadata["name"], lambda item: how(item["status"])) or self.pod

    def accepted(self) -> None:
        """The pod has arrived on its node."""

        def how(status: Object) -> None:
            status.update({"startTime": timestamp(), "hostIP": "127.0.0.1", "hostIPs": [{"ip": "127.0.0.1"}]})
            names = [container["name"] for container in self.pod["spec"]["containers"]]
            status["containerStatuses"] = [_container(container) for container in self.pod["spec"]["containers"]]
            set_condition(status, "PodReadyToStartContainers", "False")
            set_condition(status, "Initialized", "True")
            for kind in ("Ready", "ContainersReady"):
                set_condition(status, kind, "False", _PENDING_READY[0], _PENDING_READY[1].format(" ".join(names)))

        self._change(how)

    def networked(self) -> None:
        """The pod has its volumes and its address."""

        def how(status: Object) -> None:
            status.update({"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]})
            set_condition(status, "PodReadyToStartContainers", "True")

        self._change(how)

    def waiting(self, name: str, reason: str, message: str) -> None:
        """A container waits."""
        self._container(name, {"waiting": {"message": message, "reason": reason}}, ready=False)

    def running(self, name: str, started: str, restarts: int) -> None:
        """A container runs."""
        self._container(name, {"running": {"startedAt": started}}, ready=True, restarts=restarts)

    def terminated(self, name: str, code: int, reason: str, message: str, started: str) -> None:
        """A container has ended."""
        state = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": timestamp(), **({"message": message} if message else {})}
        self._container(name, {"terminated": state}, ready=False)

    def finished(self) -> None:
        """All containers have ended for good."""

        def how(status: Object) -> None:
            codes = [found["state"].get("terminated", {}).get("exitCode", 0) for found in status["containerStatuses"]]
            failed = any(codes)
            status["phase"] = "Failed" if failed else "Succeeded"
            set_condition(status, "PodReadyToStartContainers", "False")
            if not failed:
                set_condition(status, "Initialized", "True", "PodCompleted")
            for kind in ("Ready", "ContainersReady"):
                set_condition(status, kind, "False", "PodFailed" if failed else "PodCompleted")

        self._change(how)

    def failed(self, reason: str, message: str) -> None:
        """The node has given the pod up."""

        def how(status: Object) -> None:
            status.update({"phase": "Failed", "reason": reason, "message": message})
            for kind in ("Ready", "ContainersReady"):
                set_condition(status, kind, "False", "PodFailed")

        self._change(how)

    def _container(self, name: str, state: Object, *, ready: bool, restarts: int | None = None) -> None:
        def how(status: Object) -> None:
            for found in status["containerStatuses"]:
                if found["name"] == name:
                    if "terminated" in found["state"] and "terminated" not in state:
                        found["lastState"] = found["state"]
                    found.update({"state": state, "ready": ready, "started": ready})
                    if restarts is not None:
                        found["restartCount"] = restarts
            unready = [found["name"] for found in status["containerStatuses"] if not found["ready"]]
            if any("running" in found["state"] for found in status["containerStatuses"]):
                status["phase"] = "Running"
            for kind in ("Ready", "ContainersReady"):
                if unready:
                    set_condition(status, kind, "False", _PENDING_READY[0], _PENDING_READY[1].format(" ".join(unready)))
                else:
                    set_condition(status, kind, "True")

        self._change(how)


def _container(container: Object) -> Object:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "started": False,
        "state": {"waiting": {"reason": "ContainerCreating"}},
    }


def set_condition(status: Object, kind: str, value: str, reason: str = "", message: str = "") -> None:
    """Set one condition; its time is that of its last change of value."""
    conditions = status.setdefault("conditions", [])
    old = next((item for item in conditions if item["type"] == kind), None)
    changed = timestamp() if old is None or old["status"] != value else old["lastTransitionTime"]
    new = {"type": kind, "status": value, "lastProbeTime": None, "lastTransitionTime": changed}
    new.update({key: text for key, text in (("reason", reason), ("message", message)) if text})
    status["conditions"] = [*(item for item in conditions if item["type"] != kind), new]
