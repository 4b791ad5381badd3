# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds volumes by filler pods, or inside the pods that hold them, and keeps records on the claims."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from ..cache.domain.model import Role, Volume
from ..cache.domain.record import ANNOTATION, Change, Record, fit, left_out, parse, render, unchanged
from ..cache.domain.results import ConsumerWait, HoldTimes
from ..cache.rollout.volume_access import VolumeSkipped
from ..cache.rollout.volume_run import writing
from ..cluster.api.api_errors import CloneRefused, ClusterError, Forbidden, NotFound, VolumeBusy
from ..cluster.api.claim_clones import is_unmade_clone, start_empty
from ..cluster.api.claims import read_claim
from ..cluster.api.client import Client
from ..cluster.api.objects import Claim, Pod, parse_pod
from ..cluster.api.ours import SCRATCH
from ..cluster.api.quota import ConcurrencyLimit
from ..cluster.pods.claim_lock import Busy, ClaimLock, Holder, holder_of
from ..cluster.pods.consumers import SELECTED_NODE, Consumers, consumers, identity, image, mounted_at, placement, sub_path, users
from ..cluster.pods.contention import seconds_waited, watching_contention
from ..cluster.pods.diagnosis import require_file_system
from ..cluster.pods.filler import Filler
from ..cluster.pods.manifest import (
    DEFAULT_IMAGE,
    RUN,
    FillerSpec,
    Identity,
    Mount,
    copied_labels,
    filler_name,
)
from ..cluster.pods.overrides import NEVER, PodOverrides
from ..deadline import Deadline
from ..errors import DeadlineExceeded, DeploymentError
from ..progress import Progress, Report
from ..shell import Shell
from .discovery import Observed
from .guest_hold import MountedVolume, guest_hold, wait_for
from .place import InUse, Place
from .warm_up import WarmUpPods

_LOOK_EVERY = 2.0
"""Seconds between two looks at a volume that is waited for."""
_TOLD_SOON = 0.5
"""Seconds in which the end of a pod is told that was seen to have ended."""
_BUSY_PAUSE = 5.0
"""Seconds before a volume that was attached elsewhere is tried again."""
_LAST_WAIT = 60.0
"""Seconds after the work in which a consumer's pod may get the volume for which it waited, so that the result can say how long that took."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings for holding volumes. ``timeout`` is seconds for one volume; ``openshift`` are the namespaces whose user ids OpenShift assigns."""

    path: str
    image: str
    overrides: Mapping[Role, PodOverrides]
    in_use: InUse
    timeout: int
    concurrency: int
    node_concurrency: int
    owner: Mapping[str, str]
    openshift: frozenset[str] = frozenset()
    partners: Mapping[Volume, Volume] = field(default_factory=dict)
    """Sandbox's volume → its worker's, whose consumer tells as whom to run where the sandbox's has none."""
    pods: Sequence[Pod] = ()
    """The pods as they were when the run began: enough to tell as whom the workers run, and to pull images beforehand."""


class ClusterVolumeAccess:
    """See ``cache.rollout.volume_access.VolumeAccess``. Safe for threads."""

    def __init__(self, client: Client, claims: Mapping[Volume, Claim], settings: Settings, report: Report) -> None:
        self._client = client
        self._claims = dict(claims)
        self._settings = settings
        self._report = report
        self._lock = threading.Lock()
        # Apart for workers and sandboxes: a pair waits for its sandbox's place while it has its worker's.
        self._limits = {(volume.namespace, volume.role): ConcurrencyLimit(settings.concurrency) for volume in claims}
        self._nodes: dict[str, ConcurrencyLimit] = {}
        self._records = {volume: known(claim) for volume, claim in claims.items()}
        self._held: dict[Volume, ClaimLock] = {}
        self._warm_ups = WarmUpPods(client, settings.timeout, self._limits, self._tell)
        self._stuck: dict[Volume, str] = {}
        # A clone is not made while its source is held, and the other way round.
        self._sources = {(claim.namespace, claim.clone_of): ConcurrencyLimit(1) for claim in claims.values() if is_unmade_clone(claim)}
        self._emptied: dict[Volume, str] = {}
        self._waiting: dict[Volume, dict[str, Pod]] = {}

    @property
    def left(self) -> Sequence[str]:
        """Return why pods that held no volume are still there."""
        return tuple(self._warm_ups.left)

    def still_held(self, volume: Volume) -> str:
        """Return why a volume's filler is still there, so that the volume is held; empty where it is free."""
        return self._stuck.get(volume, "")

    def _know_left(self, volume: Volume, words: str) -> None:
        self._stuck[volume] = words

    def waits(self, stop: threading.Event) -> Mapping[Volume, tuple[ConsumerWait, ...]]:
        """Return which consumers' pods waited for volumes that were held, and for how long: until they had them, or for a minute more than the work."""
        deadline = Deadline(_LAST_WAIT, "waiting for pods to get their volumes", stop)
        found: dict[Volume, list[ConsumerWait]] = {}
        for volume, pods in self._waiting.items():
            found[volume] = [ConsumerWait(pod.name, self._waited(volume, pod, deadline)) for pod in pods.values()]
        return {volume: tuple(waits) for volume, waits in found.items()}

    def _waited(self, volume: Volume, pod: Pod, deadline: Deadline) -> float | None:
        try:
            while (seconds := seconds_waited(self._client, pod, self._claims[volume].volume_name, deadline)) is None:
                if not self._is_there(pod, deadline):
                    return None
                deadline.sleep(_LOOK_EVERY)
        except DeploymentError:
            return None
        return seconds

    def _know_waiting(self, volume: Volume, pod: Pod) -> None:
        with self._lock:
            self._waiting.setdefault(volume, {})[pod.uid] = pod

    def capacity(self, volume: Volume) -> int:
        """The claim's capacity in bytes."""
        return self._claims[volume].capacity

    def recorded(self, volume: Volume) -> Record | None:
        """Return what the claim's annotation says, as it was read last."""
        with self._lock:
            return self._records[volume]

    def read_again(self, volume: Volume, deadline: Deadline) -> None:
        """Read the claim of a volume that is not held."""
        claim = read_claim(self._client, volume.namespace, volume.claim, deadline)
        self._know(volume, claim, known(claim))

    def record(self, volume: Volume, change: Change, deadline: Deadline) -> None:
        """Write the annotation, in the hold that there is, or where nobody else has one."""
        with self._lock:
            lock = self._held.get(volume) or ClaimLock(self._client, self._claims[volume])
        lock.write(lambda claim: _annotation(claim, change), deadline)
        self._know(volume, lock.claim, recorded(lock.claim))

    def _know(self, volume: Volume, claim: Claim, record: Record | None) -> None:
        with self._lock:
            self._claims[volume], self._records[volume] = claim, record

    def prepare(self, volume: Volume, deadline: Deadline) -> None:
        """Have the image of the volume's filler pulled, judging by the pods that there were when the run began."""
        used = consumers([pod for pod in self._settings.pods if pod.namespace == volume.namespace], volume.claim)
        if used.holder is None or self._settings.in_use == InUse.SAME_NODE:
            self._pull(volume, used, self._spec(volume, used), deadline)

    @contextmanager
    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> Iterator[MountedVolume]:
        """Take a volume by the user's policy, with the lock on its claim. Raises VolumeSkipped and ClusterError."""
        with self._lock:
            lock = ClaimLock(self._client, self._claims[volume])
        require_file_system(lock.claim)
        held: MountedVolume | None = None
        try:
            # pylint sees no cleanup where a generator is left in the middle; `_taken` has its own.
            with self._taken(volume, lock, deadline) as held:  # pylint: disable=contextmanager-generator-missing-cleanup
                with self._lock:
                    self._held[volume] = lock
                self._know(volume, lock.claim, recorded(lock.claim))
                yield held
        finally:
            with self._lock:
                self._held.pop(volume, None)
            if lock.taken:
                self._let_go(volume, lock, news if held is not None else unchanged, held)

    def _let_go(self, volume: Volume, lock: ClaimLock, news: Change, held: MountedVolume | None) -> None:
        """Write down what the hold has seen, and give the lock back where its work has ended. Nobody waits for that.

        The deadline is its own: it is done also when the run was asked to stop.
        """
        try:
            written = recorded(lock.write(lambda claim: _annotation(claim, news), writing(volume), last=True))
            words = left_out(written, news)
        except DeploymentError as error:
            words = f"what it holds could not be written on its claim, so the next run looks inside: {error.message}"
        if words:
            if held is not None:
                held.warnings += (words,)
            self._tell(volume, words)
        self._know(volume, lock.claim, known(lock.claim))

    @contextmanager
    def _taken(self, volume: Volume, lock: ClaimLock, deadline: Deadline) -> Iterator[MountedVolume]:
        since: datetime | None = None
        busy: VolumeBusy | None = None
        while True:
            used = self._consumers(volume, deadline)
            if used.holder is not None and self._settings.in_use in (InUse.SKIP, InUse.HOLDER) and not self._is_there(used.holder, deadline):
                deadline.sleep(_TOLD_SOON)
                continue
            if used.holder is not None and self._settings.in_use == InUse.SKIP:
                raise VolumeSkipped(
                    f"Pod {used.holder.namespace}/{used.holder.name} uses the volume.", "Use option `in_use: same_node`, or wait."
                )
            if used.holder is not None and self._settings.in_use == InUse.WAIT:
                self._tell(volume, f"waits for pod {used.holder.name}, which uses the volume")
                deadline.sleep(_LOOK_EVERY)
                continue
            within = used.holder if self._settings.in_use == InUse.HOLDER else None
            other = lock.other(deadline)
            if other is not None and (within is not None or other.container):  # of two fillers, the second finds the first by its name
                wait_for(other, lock, partial(self._tell, volume), deadline)
                continue
            user = self._source_user(volume, lock.claim, deadline)
            if user is not None:
                self._start_empty(volume, lock, f"Pod {user.name} uses {lock.claim.clone_of} now.", deadline)
                continue
            with ExitStack() as stack:
                try:
                    held = stack.enter_context(
                        self._by_filler(volume, used, lock, deadline) if within is None else self._by_guest(volume, within, lock, deadline)
                    )
                except VolumeBusy as error:
                    if self._settings.in_use == InUse.SKIP:
                        raise VolumeSkipped(error.message, error.remedy) from error
                    since, busy = since or self._client.now(), error
                    self._tell(volume, error.message)
                    try:
                        deadline.sleep(_BUSY_PAUSE)
                    except DeadlineExceeded as over:
                        raise _never_free(volume, since, busy) from over
                    continue
                except CloneRefused as error:
                    self._start_empty(volume, lock, error.message, deadline)
                    continue
                except Busy as error:  # another run was a moment faster
                    self._tell(volume, error.message)
                    deadline.sleep(_LOOK_EVERY)
                    continue
                except ClusterError as error:
                    if busy is None or since is None or not isinstance(error.__cause__, DeadlineExceeded):
                        raise
                    raise _never_free(volume, since, busy) from error  # the time was over before this filler was told the same
                held.warnings += tuple(words for words in (self._emptied.pop(volume, ""),) if words)
                yield held
            return

    def _source_user(self, volume: Volume, claim: Claim, deadline: Deadline) -> Pod | None:
        """Return who uses the volume that a claim's is to be a clone of; this run's own pods do not do so at the same time."""
        if not is_unmade_clone(claim):
            return None
        using = users(self._client.pods(volume.namespace, deadline), claim.clone_of)
        return next((pod for pod in using if pod.labels.get(RUN) != self._settings.owner["run"]), None)

    def _start_empty(self, volume: Volume, lock: ClaimLock, why: str, deadline: Deadline) -> None:
        """Go on with an empty claim in the place of a clone that cannot be made. Raises ClusterError."""
        source = lock.claim.clone_of
        try:
            claim = start_empty(self._client, lock.claim, deadline)
        except Forbidden as error:
            raise ClusterError(
                f"{why} An empty claim could not be put in its place: {error.message}",
                f"Grant `delete` and `create` of persistentvolumeclaims, or delete it (kubectl delete pvc -n {volume.namespace} {volume.claim}), "
                "and run again.",
            ) from error
        lock.follow(claim)
        self._know(volume, claim, known(claim))
        if not claim.clone_of:
            self._emptied[volume] = f"It starts empty, not as a clone of {source}: {why}"
            self._tell(volume, self._emptied[volume])

    @contextmanager
    def _by_guest(self, volume: Volume, pod: Pod, lock: ClaimLock, deadline: Deadline) -> Iterator[MountedVolume]:
        """Hold a volume as a guest in the pod that has it mounted. Raises Busy and the other ClusterErrors."""
        container, path = mounted_at(pod, volume.claim)
        mine = Holder(by=self._settings.owner, namespace=pod.namespace, pod=pod.name, uid=pod.uid, container=container)
        lock.take(mine, deadline)
        with guest_hold(self._client, pod, path, mine, lock, partial(self._tell, volume), deadline) as held:
            yield held

    @contextmanager
    def _by_filler(self, volume: Volume, used: Consumers, lock: ClaimLock, deadline: Deadline) -> Iterator[MountedVolume]:
        """Hold a volume by a filler pod. Raises VolumeBusy, Busy and the other ClusterErrors."""
        settings = self._settings
        spec = self._spec(volume, used)
        self._pull(volume, used, spec, deadline)
        at_once = [self._limits[volume.namespace, volume.role], *self._node_limits(volume, used), *self._source_limits(volume, lock.claim)]
        self._stuck.pop(volume, None)  # a later turn finds it again, and may well remove it
        filler = Filler(
            self._client,
            spec,
            deadline,
            at_once,
            tell=partial(self._tell, volume),
            left=partial(self._know_left, volume),
            on_consumer=partial(self._know_waiting, volume),
        )
        held: MountedVolume | None = None
        try:
            with filler:
                pod = filler.pod
                self._require_as_it_was(volume, spec, deadline)
                lock.take(Holder(by=settings.owner, namespace=pod.namespace, pod=pod.name, uid=pod.uid), deadline)
                with filler.shell() as shell, self._watching(volume, pod) as wanted:
                    limits = (spec.overrides.memory_bytes, spec.overrides.cpus)
                    started = time.monotonic() - filler.seconds
                    held = MountedVolume(shell, settings.path, f"{SCRATCH}/work", *limits, used.holder is not None, "", started, guest=False)
                    held.wanted = wanted
                    yield held
        finally:
            lock.work_ended = filler.closed and volume not in self._stuck
            if held is not None:
                held.lock = HoldTimes(round(filler.attach, 3), round(filler.work, 3), round(filler.release, 3))

    @contextmanager
    def warm_up_pod(self, volume: Volume, deadline: Deadline) -> Iterator[Shell]:
        """A pod without volumes that is otherwise like the volume's filler: its image is pulled then, and the network tried."""
        used = self._consumers(volume, deadline)
        with self._warm_ups.opened(volume, self._spec(volume, used), deadline) as shell:
            yield shell

    def _watching(self, volume: Volume, pod: Pod) -> AbstractContextManager[threading.Event | None]:
        """Sandboxes' volumes are given back when a consumer waits; a worker's has its consumer on the same node."""
        if volume.role is not Role.SANDBOX:
            return nullcontext()
        return watching_contention(self._client, pod, volume.claim, partial(self._tell, volume), partial(self._know_waiting, volume))

    def _node_limits(self, volume: Volume, used: Consumers) -> Sequence[ConcurrencyLimit]:
        """Volumes of one node share its disks and its network, so that not all of them are worked on at once.

        The node is the holder's; else the one that the scheduler chose for the claim's first pod, where it says so.
        """
        node = used.holder.node if used.holder is not None else self._claims[volume].annotations.get(SELECTED_NODE, "")
        if not node:
            return ()
        with self._lock:
            # Apart for workers and sandboxes, as the limits above.
            return (self._nodes.setdefault(f"{volume.role.value} {node}", ConcurrencyLimit(self._settings.node_concurrency)),)

    def _source_limits(self, volume: Volume, claim: Claim) -> Sequence[ConcurrencyLimit]:
        """A volume that clones are to be made of, and each of these, are held one at a time until the clones are made."""
        names = [claim.name, *([claim.clone_of] if is_unmade_clone(claim) else [])]
        return [limit for name in names if (limit := self._sources.get((volume.namespace, name))) is not None]

    def _consumers(self, volume: Volume, deadline: Deadline) -> Consumers:
        return consumers(self._client.pods(volume.namespace, deadline), volume.claim)

    def _is_there(self, holder: Pod, deadline: Deadline) -> bool:
        """Return whether a holder is still one. Where no pod of ours is made because of it, nothing else would tell."""
        try:
            pod = parse_pod(self._client.get("Pod", holder.namespace, holder.name, deadline))
        except NotFound:
            return False
        return pod.uid == holder.uid and not pod.ended

    def _require_as_it_was(self, volume: Volume, spec: FillerSpec, deadline: Deadline) -> None:
        """Look once more who uses the volume, now that our own pod was seen: by that all is known that was so when it was made.

        Raises VolumeBusy where our pod should not be, or should be another one; on which node it should be, the attach has told.
        """
        now = self._consumers(volume, deadline)
        if now.any is None:
            return
        if now.holder is not None and self._settings.in_use != InUse.SAME_NODE:
            raise VolumeBusy(f"Pod {now.holder.name} began to use the volume just before it was taken.", "Run again.")
        wanted = self._spec(volume, now)
        if (wanted.identity, wanted.mount) != (spec.identity, spec.mount):
            raise VolumeBusy(f"Pod {now.any.name}, which uses the volume in another way, came just before it was taken.", "Run again.")

    def _spec(self, volume: Volume, used: Consumers) -> FillerSpec:
        settings, claim = self._settings, self._claims[volume]
        return FillerSpec(
            namespace=volume.namespace,
            name=filler_name(claim.uid),
            mount=Mount(claim.name, settings.path, _sub_path(volume, used)),
            image=settings.image or image(used.any, volume.claim) or DEFAULT_IMAGE,
            owner=settings.owner,
            overrides=settings.overrides[volume.role],
            identity=self._identity(volume, used),
            placement=placement(used),
            labels=copied_labels(claim),
            # A worker's volume is held while its sandbox's is filled, so it has the time of both.
            deadline=settings.timeout * (2 if volume.role is Role.WORKER else 1) + 120,
        )

    def _pull(self, volume: Volume, used: Consumers, spec: FillerSpec, deadline: Deadline) -> None:
        """Have the filler's image on its node, where that can be known, and exec tried, before the volume is taken."""
        there = used.holder is not None and image(used.any, volume.claim) == spec.image
        if spec.overrides.pull_policy != NEVER and not there:
            self._warm_ups.pull(volume, spec, deadline)
        self._warm_ups.require_exec(volume, spec, deadline)

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


def access_to(
    client: Client,
    observed: Observed,
    place: Place,
    report: Report,
    *,
    owner: Mapping[str, str],
    openshift: frozenset[str],
    timeout: int,
    concurrency: int,
    node_concurrency: int,
) -> ClusterVolumeAccess:
    """Return access to the volumes that were found, with fillers as the options say."""
    settings = Settings(
        path=place.path,
        image=place.image,
        overrides=place.overrides,
        in_use=place.in_use,
        timeout=timeout,
        concurrency=concurrency,
        node_concurrency=node_concurrency,
        owner=owner,
        openshift=openshift,
        partners={pair.sandbox: pair.worker for pair in observed.found.pairs},
        pods=observed.pods,
    )
    return ClusterVolumeAccess(client, observed.claims, settings, report)


def _sub_path(volume: Volume, used: Consumers) -> str:
    """Return what the consumer sees as the volume is what is filled. Raises ClusterError where that differs from pod to pod."""
    found = sub_path(used.any, volume.claim)
    if "$(" in found:
        raise ClusterError(
            f"Pod {used.any.name if used.any else ''} mounts {volume} by the subPathExpr {found}, which differs from pod to pod.",
            "Mount the volume by a subPath without variables, or use option `in_use: holder`.",
        )
    return found


def _never_free(volume: Volume, since: datetime, busy: VolumeBusy) -> ClusterError:
    """Return the error for a volume that was another's for as long as there was time."""
    return ClusterError(
        f"Volume {volume} was not free since {since:%H:%M:%S} UTC, when it was first asked for. {busy.message}",
        "See which node has it (kubectl get volumeattachments), and whether that node is well. Nothing was removed by force, as a pod on a lost node "
        "may still write. Run again when it is free.",
    )


def _annotation(claim: Claim, change: Change) -> dict[str, str]:
    """Return what to write on a claim: its record as it is now, changed; nothing where that changes nothing."""
    before = recorded(claim) or Record(claim.uid, claim.volume_name)
    after = fit(change(before))
    return {} if after == before else {ANNOTATION: render(after)}


def known(claim: Claim) -> Record | None:
    """Return what is known of a volume that we do not hold: nothing where another run is at work, or was killed, as it may be about to change. Pure."""
    return recorded(claim) if holder_of(claim) is None else None


def recorded(claim: Claim) -> Record | None:
    """Return what a claim's annotation says of its volume. Pure."""
    return parse(claim.annotations.get(ANNOTATION), claim.uid, claim.volume_name)
