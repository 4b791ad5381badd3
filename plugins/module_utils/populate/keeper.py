# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds volumes by filler pods, or inside the pods that hold them, and keeps records on the claims."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from ..cache.keeper import VolumeSkipped
from ..cache.model import Role, Volume
from ..cache.record import ANNOTATION, Record, parse, render
from ..cache.results import Lock, Progress
from ..cluster.client import Client
from ..cluster.errors import VolumeBusy
from ..cluster.filler import Filler
from ..cluster.holders import SELECTED_NODE, Consumers, consumers, identity, image, mounted_at, placement
from ..cluster.lookout import looking_out
from ..cluster.manifest import (
    DEFAULT_IMAGE,
    SCRATCH,
    FillerSpec,
    Identity,
    Mount,
    Wishes,
    copied_labels,
    filler_name,
)
from ..cluster.objects import Claim, Pod, parse_claim, parse_pod
from ..cluster.quota import Room
from ..cluster.shell import PodShell
from ..deadline import Deadline
from ..shell import Shell
from .in_pod import remove_scratch
from .visitors import Visitors

_LOOK_EVERY = 2.0
"""Seconds between two looks at a volume that is waited for."""
_BUSY_PAUSE = 5.0
"""Seconds before a volume that was attached elsewhere is tried again."""
_CLEANING_SECONDS = 30.0
_HOLDER_LIMITS = (256 * 1024 * 1024, 1.0)
"""Bytes of memory and processors that git may use inside somebody else's container."""


@dataclass(frozen=True)
class Settings:
    """How volumes are held. ``timeout`` is seconds for one volume; ``openshift`` are the namespaces whose user ids OpenShift assigns."""

    path: str
    image: str
    wishes: Wishes
    in_use: str
    timeout: int
    concurrency: int
    node_concurrency: int
    owner: Mapping[str, str]
    openshift: frozenset[str] = frozenset()
    partners: Mapping[Volume, Volume] = field(default_factory=dict)
    """Sandbox's volume → its worker's, whose consumer tells as whom to run where the sandbox's has none."""
    pods: Sequence[Pod] = ()
    """As they were when the run began: enough to tell as whom the workers run, and to pull images beforehand."""


class _Held:
    """A volume while it is held; see ``cache.keeper.HeldVolume``."""

    def __init__(
        self, shell: Shell, root: str, scratch: str, memory_bytes: int, cpus: float, shared: bool, tag: str, started: float
    ) -> None:
        self.shell = shell
        self.root = root
        self.scratch = scratch
        self.memory_bytes = memory_bytes
        self.cpus = cpus
        self.shared = shared
        self.tag = tag
        self.lock = Lock()
        self.warnings: tuple[str, ...] = ()
        self.wanted: threading.Event | None = None
        self._started = started

    @property
    def held_seconds(self) -> float:
        return time.monotonic() - self._started


class ClusterKeeper:
    """See ``cache.keeper.Keeper``. Safe for threads."""

    def __init__(
        self, client: Client, claims: Mapping[Volume, Claim], settings: Settings, stop: threading.Event, report: Callable[[Progress], None]
    ) -> None:
        self._client = client
        self._claims = dict(claims)
        self._settings = settings
        self._stop = stop
        self._report = report
        self._lock = threading.Lock()
        # Apart for workers and sandboxes: a pair waits for its sandbox's place while it has its worker's.
        self._rooms = {(volume.namespace, volume.role): Room(settings.concurrency) for volume in claims}
        self._nodes: dict[str, Room] = {}
        self._records = {volume: recorded(claim) for volume, claim in claims.items()}
        self._visitors = Visitors(client, settings.timeout, self._rooms, self._tell)

    def capacity(self, volume: Volume) -> int:
        """The claim's capacity in bytes."""
        return self._claims[volume].capacity

    def recorded(self, volume: Volume) -> Record | None:
        """What the claim's annotation says."""
        with self._lock:
            return self._records[volume]

    def empty_record(self, volume: Volume, deadline: Deadline) -> Record:
        """A record for the claim, which is bound by now, after its first pod."""
        known = self._claims[volume]
        if known.volume_name:
            return Record(known.uid, known.volume_name)
        claim = parse_claim(self._client.get("PersistentVolumeClaim", volume.namespace, volume.claim, deadline))
        with self._lock:
            self._claims[volume] = claim
        return Record(claim.uid, claim.volume_name)

    def record(self, volume: Volume, record: Record, deadline: Deadline) -> None:
        """Write the annotation. The claim must still be the one that was filled."""
        body = {"metadata": {"uid": record.claim_uid, "annotations": {ANNOTATION: render(record)}}}
        self._client.patch("PersistentVolumeClaim", volume.namespace, volume.claim, body, deadline)
        with self._lock:
            self._records[volume] = record

    def prepare(self, volume: Volume, deadline: Deadline) -> None:
        """Have the image of the volume's filler pulled, judging by the pods that there were when the run began."""
        used = consumers([pod for pod in self._settings.pods if pod.namespace == volume.namespace], volume.claim)
        if used.holder is None or self._settings.in_use == "same_node":
            self._pull(volume, used, self._spec(volume, used), deadline)

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline) -> Iterator[_Held]:
        """Take a volume by the user's policy. Raises VolumeSkipped and ClusterError."""
        while True:
            used = self._consumers(volume, deadline)
            if used.holder is not None and self._settings.in_use == "skip":
                raise VolumeSkipped(
                    f"Pod {used.holder.namespace}/{used.holder.name} uses the volume.", "Use repository_cache_in_use: same_node, or wait."
                )
            if used.holder is not None and self._settings.in_use == "wait":
                self._tell(volume, f"waits for pod {used.holder.name}, which uses the volume")
                deadline.sleep(_LOOK_EVERY)
                continue
            if used.holder is not None and self._settings.in_use == "holder":
                with self._inside(volume, used.holder) as inside:
                    yield inside
                return
            spec = self._spec(volume, used)
            self._pull(volume, used, spec, deadline)
            rooms = [self._rooms[volume.namespace, volume.role], *self._node_room(volume, used)]
            filler = Filler(self._client, spec, deadline, rooms, lambda words: self._tell(volume, words))
            try:
                entered = filler.__enter__()
            except VolumeBusy as error:
                if self._settings.in_use == "skip":
                    raise VolumeSkipped(error.message, error.remedy) from error
                self._tell(volume, error.message)
                deadline.sleep(_BUSY_PAUSE)
                continue
            held: _Held | None = None
            try:
                with entered.shell() as shell, self._looking_out(volume, entered.pod) as wanted:
                    held = _Held(
                        shell,
                        self._settings.path,
                        f"{SCRATCH}/work",
                        self._settings.wishes.memory_bytes,
                        self._settings.wishes.cpus,
                        used.holder is not None,
                        "",
                        time.monotonic() - filler.seconds,
                    )
                    held.wanted = wanted
                    yield held
            finally:
                worked = filler.seconds - filler.attach
                filler.__exit__()
                if held is not None:
                    held.lock = Lock(round(filler.attach, 3), round(worked, 3), round(filler.release, 3))
                    held.warnings = (filler.stuck,) if filler.stuck else ()
            return

    @contextmanager
    def visit(self, volume: Volume, deadline: Deadline) -> Iterator[Shell]:
        """A pod without volumes that is otherwise like the volume's filler: its image is pulled then, and the network tried."""
        used = self._consumers(volume, deadline)
        with self._visitors.visit(volume, self._spec(volume, used), deadline) as shell:
            yield shell

    def _looking_out(self, volume: Volume, pod: Pod) -> AbstractContextManager[threading.Event | None]:
        """Sandboxes' volumes are given back when a consumer waits; a worker's has its consumer on the same node."""
        if volume.role is not Role.SANDBOX:
            return nullcontext()
        return looking_out(self._client, pod, volume.claim, lambda words: self._tell(volume, words))

    def _node_room(self, volume: Volume, used: Consumers) -> Sequence[Room]:
        """Volumes of one node share its disks and its network, so that not all of them are worked on at once.

        The node is the holder's; else the one that the scheduler chose for the claim's first pod, where it says so.
        """
        node = used.holder.node if used.holder is not None else self._claims[volume].annotations.get(SELECTED_NODE, "")
        if not node:
            return ()
        with self._lock:
            # Apart for workers and sandboxes, as the rooms above.
            return (self._nodes.setdefault(f"{volume.role.value} {node}", Room(self._settings.node_concurrency)),)

    @contextmanager
    def _inside(self, volume: Volume, pod: Pod) -> Iterator[_Held]:
        """Work inside the pod that holds the volume, as the operators do by hand. Locks nobody out."""
        container, path = mounted_at(pod, volume.claim)
        run = self._settings.owner["run"]
        scratch = f"/tmp/packit-deployment-{run}"
        started = time.monotonic()
        with PodShell(
            self._client, pod.namespace, pod.name, pod.uid, container, job_directory=f"{scratch}/jobs", stop=self._stop
        ) as shell:
            held = _Held(shell, path, f"{scratch}/work", *_HOLDER_LIMITS, True, f"@{run}", started)
            try:
                yield held
            finally:
                if not self._stop.is_set():
                    cleaning = Deadline(_CLEANING_SECONDS, f"cleaning up in pod {pod.namespace}/{pod.name}", self._stop)
                    remove_scratch(shell, f"{scratch}/work", cleaning)

    def _consumers(self, volume: Volume, deadline: Deadline) -> Consumers:
        pods = [parse_pod(item) for item in self._client.list("Pod", volume.namespace, deadline)]
        return consumers(pods, volume.claim)

    def _spec(self, volume: Volume, used: Consumers) -> FillerSpec:
        settings, claim = self._settings, self._claims[volume]
        return FillerSpec(
            namespace=volume.namespace,
            name=filler_name(claim.uid),
            mounts=(Mount(claim.name, claim.uid, settings.path),),
            image=settings.image or image(used.any, volume.claim) or DEFAULT_IMAGE,
            owner=settings.owner,
            wishes=settings.wishes,
            identity=self._identity(volume, used),
            placement=placement(used),
            labels=copied_labels(claim),
            # A worker's volume is held while its sandbox's is filled, so it has the time of both.
            deadline=settings.timeout * (2 if volume.role is Role.WORKER else 1) + 120,
        )

    def _pull(self, volume: Volume, used: Consumers, spec: FillerSpec, deadline: Deadline) -> None:
        """Have the filler's image on its node, where that can be known, before the volume is taken."""
        if spec.wishes.pull_policy == "Never" or (used.holder is not None and image(used.any, volume.claim) == spec.image):
            return  # it cannot be pulled, or is there
        self._visitors.pull(volume, spec, deadline)

    def _identity(self, volume: Volume, used: Consumers) -> Identity:
        openshift = volume.namespace in self._settings.openshift
        if openshift or used.any is not None:
            return identity(used.any, volume.claim, openshift)
        partner = self._settings.partners.get(volume)
        if partner is None:
            return Identity()
        pods = [pod for pod in self._settings.pods if pod.namespace == partner.namespace]
        return identity(consumers(pods, partner.claim).any, partner.claim, False)

    def _tell(self, volume: Volume, words: str) -> None:
        self._report(Progress(str(volume), words))


def recorded(claim: Claim) -> Record | None:
    """What a claim's annotation says of its volume. Pure."""
    return parse(claim.annotations.get(ANNOTATION), claim.uid, claim.volume_name)
