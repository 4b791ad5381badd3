# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filler pod's whole life: made, waited for, used, and gone again, whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta

from ...annotation import parse_object
from ...deadline import AWAY_SECONDS, Deadline
from ...errors import DeadlineExceeded, DeploymentError
from ...heartbeat import HEARTBEAT_LIMIT
from ...progress import OnLine
from ...times import time_text
from ..api.api_errors import AlreadyExists, CloneRefused, ClusterError, FillerExists, NotFound, PodLost, QuotaExceeded, VolumeBusy
from ..api.client import Client
from ..api.objects import Pod, parse_pod
from ..api.quota import ConcurrencyLimit, never_fits
from ..exec.pod_shell import ContainerAddress, PodShell
from .consumers import waits_elsewhere
from .diagnosis import FATAL_WAITING, Diagnosis, explain
from .entrypoint import ALONE
from .manifest import CONTAINER, FIRST_HEARTBEAT, HEARTBEAT, JOBS, OWNER, FillerSpec, manifest
from .overrides import START_TIMEOUT
from .pod_removal import PAUSES, removal_command, remove_pod

UNSCHEDULABLE_GRACE = 5.0
"""Seconds for which a filler may be unschedulable: the scheduler tries again when others have gone."""
SKEW = 30.0
"""Seconds by which the clocks of several API servers may differ."""


def _nobody(_told: object) -> None:
    """Tell nobody."""


class Filler:
    """One filler pod. A context manager: Ready inside, gone after.

    ``attach``, ``work`` and ``release`` are the seconds from its creation until it could work, from then until its deletion, and from that until it
    was gone. ``left`` is called with a sentence where it could not be removed; ``closed`` is True once the one or the other is so. ``on_consumer``
    is called with a consumer's pod that waits for the volume on another node before the filler has it: the filler goes away then.
    """

    def __init__(
        self,
        client: Client,
        spec: FillerSpec,
        deadline: Deadline,
        limits: Sequence[ConcurrencyLimit] = (),
        tell: OnLine = _nobody,
        left: OnLine = _nobody,
        on_consumer: Callable[[Pod], None] = _nobody,
    ) -> None:
        self._client = client
        self._spec = spec
        self._deadline = deadline
        self._limits = limits
        self._tell = tell
        self._left = left
        self._on_consumer = on_consumer
        self._stack = ExitStack()
        self._pod: Pod | None = None
        self._created = 0.0
        self.attach = 0.0
        self.work = 0.0
        self.release = 0.0
        self.closed = False

    @property
    def pod(self) -> Pod:
        """The pod, as it was when it became Ready."""
        if self._pod is None:
            raise AssertionError("only inside the context")
        return self._pod

    @property
    def seconds(self) -> float:
        """Seconds since the pod was created."""
        return time.monotonic() - self._created

    def __enter__(self) -> Filler:
        self.start()
        return self

    def start(self) -> None:
        """Make the pod, and wait until it is Ready. For a pod that is to outlive its controller; else use the filler as a context manager."""
        ready = False
        try:
            for limit in self._limits:
                self._stack.enter_context(limit.place(self._deadline))
            while not ready:
                try:
                    self._pod = self._until_ready(self._create())
                    ready = True
                except _Alone as error:
                    self._tell(error.message)
                    remove_pod(self._client, self.pod, self._deadline)
                    self._pod = None  # what is left to be removed from now on is the next one
        finally:
            if not ready:
                self._remove()
                self._stack.close()
        self.attach = self.seconds

    def __exit__(self, *_: object) -> None:
        started = time.monotonic()
        self.work = self.seconds - self.attach
        self._remove()
        self.release = time.monotonic() - started
        self._stack.close()
        self.closed = True

    def shell(self) -> PodShell:
        """A Shell in the pod; its agent keeps the pod's heartbeat."""
        return PodShell(
            self._client,
            ContainerAddress(self._spec.namespace, self._spec.name, self.pod.uid, CONTAINER),
            job_directory=JOBS,
            heartbeat=HEARTBEAT,
            reconnect_seconds=float(self._spec.overrides.heartbeat or HEARTBEAT_LIMIT),
            stop=self._deadline.stop,
            ended=lambda deadline: why_ended(parse_pod(self._client.get("Pod", self._spec.namespace, self._spec.name, deadline))),
        )

    def _create(self) -> Pod:
        attempt = 0
        refused_since = 0.0
        while True:
            self._created = time.monotonic()
            try:
                return parse_pod(self._client.create("Pod", self._spec.namespace, manifest(self._spec), self._deadline))
            except QuotaExceeded as error:
                self._refuse_what_never_fits(error)
                for limit in self._limits[:1]:
                    limit.refused()
                pause = PAUSES[min(attempt, len(PAUSES) - 1)]
                if pause >= self._deadline.left():
                    raise
                self._tell(f"waits for quota: {error.message}")
                self._deadline.sleep(pause)
            except AlreadyExists:
                mine = self._other_filler()
                if mine is not None:
                    return mine
            except ClusterError as error:
                # The name is fixed: where the pod was made all the same, the next round finds it, and that it is ours.
                if not error.passes:
                    raise
                refused_since = refused_since or self._created
                pause = max(PAUSES[min(attempt, len(PAUSES) - 1)], error.retry_after)
                longest = min(refused_since + self._spec.overrides.start_timeout - time.monotonic(), self._deadline.left())
                if pause >= longest:
                    raise
                self._tell(f"was refused, and is asked for again: {error.message}")
                self._deadline.sleep(pause)
            attempt += 1

    def _refuse_what_never_fits(self, error: QuotaExceeded) -> None:
        found = never_fits(error.message)
        if found is not None:
            resource, requested, limited = found
            raise QuotaExceeded(
                f"The {self._spec.purpose.value} pod asks for {requested} of {resource}, and a quota of namespace {self._spec.namespace} allows "
                f"{limited} in all: {error.message}",
                f"Raise the quota, or ask for less (option `{self._spec.purpose.option}.resources`).",
            ) from error

    def _other_filler(self) -> Pod | None:
        """A pod of our name is there: ours after a lost answer (returned), or another's: waited for until it is gone."""
        try:
            pod = parse_pod(self._client.get("Pod", self._spec.namespace, self._spec.name, self._deadline))
        except NotFound:
            return None
        if owner(pod).get("run") == self._spec.owner.get("run") and not pod.deleting:
            return pod
        if is_left_behind(pod, self._client.now()):
            self._tell(f"removes a filler that {describe_owner(pod)} left behind")
            remove_pod(self._client, pod, self._deadline)
            return None
        self._tell(f"waits for the filler of {describe_owner(pod)}")
        limit = self._deadline
        try:
            for change in self._client.changes(pod, limit):
                if change is None:
                    if is_left_behind(pod, self._client.now()):
                        remove_pod(self._client, pod, self._deadline)
                        return None
                    continue
                if change.type == "DELETED":
                    return None
                pod = parse_pod(change.object)
                if pod.ended and not pod.deleting:
                    remove_pod(self._client, pod, self._deadline)
                    return None
        except DeadlineExceeded as error:
            raise FillerExists(
                f"Another filler holds the volume: pod {pod.namespace}/{pod.name} of {describe_owner(pod)}.",
                "Wait for that run to end, or raise option `timeout`.",
            ) from error
        return None

    def _until_ready(self, pod: Pod) -> Pod:
        limit = self._deadline.within(self._spec.overrides.start_timeout, f"the start of pod {pod.namespace}/{pod.name}")
        self._pod = pod
        unschedulable = 0.0
        try:
            for change in self._client.changes(pod, limit):
                if change is not None:
                    if change.type == "DELETED":
                        raise PodLost(f"Pod {pod.namespace}/{pod.name} was deleted by somebody else while it was starting.", "Run again.")
                    pod = self._pod = parse_pod(change.object)
                if pod.usable:
                    return pod
                waiting = pod.conditions.get("PodScheduled", ("", "", ""))[0] == "False"
                unschedulable = (unschedulable or time.monotonic()) if waiting else 0.0
                if self._ended_alone(pod):
                    raise _Alone(f"Pod {pod.namespace}/{pod.name} ended before this run could come, as the API did not answer. It is made again.")
                failed = pod.ended or any(container.waiting in FATAL_WAITING for container in pod.needed)
                if change is None:
                    self._give_way(pod)
                if failed or change is None:
                    self._judge(
                        pod, must_fail=failed, grace_over=bool(unschedulable) and time.monotonic() - unschedulable >= UNSCHEDULABLE_GRACE
                    )
        except DeadlineExceeded as error:
            found = explain(self._client, pod, self._closing_deadline())
            raise ClusterError(f"{error}. {found.sentence}", found.remedy) from error
        raise ClusterError(f"Pod {pod.namespace}/{pod.name} disappeared while it was starting.", "Run again.")

    def _ended_alone(self, pod: Pod) -> bool:
        """Return whether a pod ended as nobody came: not sooner than it waits for that, whatever else ends with that code at once, and would again."""
        young = pod.created is not None and (self._client.now() - pod.created).total_seconds() < FIRST_HEARTBEAT - SKEW
        return not young and any(container.exit_code == ALONE for container in pod.containers if container.name == CONTAINER)

    def _give_way(self, pod: Pod) -> None:
        """Raise VolumeBusy where a consumer's pod waits for the volume on another node than the one that the filler has been placed on."""
        if self._spec.mount is None or not pod.node:
            return
        waiting = waits_elsewhere(self._client.pods(pod.namespace, self._deadline), self._spec.mount.claim, pod.node)
        if waiting is not None:
            self._on_consumer(waiting)
            where = f" on node {waiting.node}" if waiting.node else ""
            raise VolumeBusy(
                f"Pod {waiting.name} waits for the volume{where}, and goes first.", "The filler comes back on that node, or at the next run."
            )

    def _judge(self, pod: Pod, must_fail: bool, grace_over: bool) -> None:
        """Raise where waiting will not help."""
        found: Diagnosis = explain(self._client, pod, self._deadline)
        if found.busy:
            raise VolumeBusy(found.sentence, found.remedy)
        if found.clone_refused:
            raise CloneRefused(found.sentence, found.remedy)
        if must_fail or (found.fatal and grace_over):
            raise (PodLost if pod.deleting else ClusterError)(found.sentence, found.remedy)
        self._tell(found.sentence)

    def _remove(self) -> None:
        """Delete the pod and wait until it is gone, with a deadline of its own: also when the run was asked to stop."""
        deadline, began = self._closing_deadline(), time.monotonic()
        try:
            pod = self._pod or self._mine(deadline)
            if pod is not None:
                remove_pod(self._client, pod, deadline)
        except DeploymentError as error:
            stuck = self._why_it_stays(error, time.monotonic() - began)
            self._tell(stuck)
            self._left(stuck)

    def _why_it_stays(self, error: DeploymentError, seconds: float) -> str:
        """Return that the pod could not be removed in so many seconds, what it holds since when, and what to do."""
        node = self._pod.node if self._pod is not None else ""
        ends = self._spec.overrides.heartbeat
        itself = f"It ends itself {ends} seconds after its last heartbeat." if ends else "It does not end by itself before its deadline."
        because, remedy = str(error), f"{itself} To remove it: {removal_command(self._spec.namespace, self._spec.name)}"
        if isinstance(error, DeadlineExceeded) and node and not self._client.is_away:  # it is being deleted: to ask once more does nothing
            since = self._client.now() - timedelta(seconds=seconds)
            because = f"it was asked to end at {time_text(since)}, and node {node} has not ended it."
            remedy = (
                f"{itself} Where the node does not answer, the volume is free when it is back, or when an administrator of the cluster has made "
                "sure that it is off, and given it the taint node.kubernetes.io/out-of-service. Do not remove the pod by force: it may still write."
            )
        held = f", so {self._spec.mount.claim} stays held" if self._spec.mount is not None else ""
        where = f" on node {node}" if node else ""
        return f"Pod {self._spec.namespace}/{self._spec.name}{where} could not be removed{held}: {because} {remedy}"

    def _mine(self, deadline: Deadline) -> Pod | None:
        """The pod, where the answer to its creation was lost."""
        if not self._created:
            return None
        try:
            pod = parse_pod(self._client.get("Pod", self._spec.namespace, self._spec.name, deadline))
        except NotFound:
            return None
        return pod if owner(pod).get("run") == self._spec.owner.get("run") else None

    def _closing_deadline(self) -> Deadline:
        return Deadline(AWAY_SECONDS, f"the removal of pod {self._spec.namespace}/{self._spec.name}", threading.Event())


class _Alone(ClusterError):
    """A pod has ended by itself, as its run could not come to it in time."""


def why_ended(pod: Pod) -> str:
    """Return why nothing can be started in a pod of ours any more; empty where something can. Pure."""
    if not pod.ended:
        return ""
    own = next((container for container in pod.containers if container.name == CONTAINER and container.terminated), None)
    if own is not None:
        return f"its first process ended with code {own.exit_code} ({own.terminated})"
    return f"it is {pod.phase}, {pod.reason or 'for no reason that is told'}"


def owner(pod: Pod) -> dict[str, str]:
    """Return who made a filler: run, user, host; empty where it does not say."""
    return {str(key): str(value) for key, value in parse_object(pod.annotations.get(OWNER)).items()}


def describe_owner(pod: Pod) -> str:
    """A filler's owner in words, with its age."""
    by = owner(pod)
    since = f" since {pod.created:%H:%M:%S} UTC" if pod.created is not None else ""
    return f"{by.get('user', 'somebody')} on {by.get('host', 'an unknown host')} (run {by.get('run', 'unknown')}){since}"


def is_left_behind(pod: Pod, now: datetime) -> bool:
    """Return whether nobody is there for a pod of ours any more: it has ended, or is still not running long after its run gave up.

    ``now`` is the API server's time, as the pod's creation is: the clock of this machine says nothing about either.

    A running one without a heartbeat ends itself, so a running one is alive.
    """
    if pod.deleting:
        return False
    if pod.ended:
        return True
    if pod.phase == "Running" or pod.created is None:
        return False
    age = (now - pod.created).total_seconds()
    allowed = owner(pod).get("start_timeout", "")
    return age > (float(allowed) if allowed.isdecimal() else START_TIMEOUT) + SKEW
