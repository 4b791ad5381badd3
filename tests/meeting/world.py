# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of volumes and the runs that meet on it: which of them goes on, and how far, is the caller's to say.

Decisions, locks, fillers and records are the real ones. A volume is a set of objects for each project; what git does there is one step.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Layout, Pair, Ref, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action, Wanted, make_plan, patterns_of
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Inventory, Record, RecordedEntry
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.results import PairResult, ProjectResult
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.rollout_options import Options
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout import fill_pair as pair_module
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout import remove_pair, sandbox
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.fill_pair import FillPair
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.remove_pair import RemovePair
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.snapshots import Snapshots
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.staged_project import NotThere, StagedProject, Work, including
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_rsync import RSYNC
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError, Forbidden, PodLost
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_claim, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import claim_lock
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import filler as filler_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import guest as guest_module
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.claim_lock import ClaimLock, holder_of
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import RUN
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.heartbeat import HEARTBEAT_LIMIT
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.plugins.module_utils.times import time_text
from ansible_collections.packit.deployment.plugins.module_utils.volumes import holding as holding_module
from ansible_collections.packit.deployment.plugins.module_utils.volumes.holding import ClusterVolumeAccess, Settings, known, recorded
from ansible_collections.packit.deployment.plugins.module_utils.volumes.place import InUse, parse_filler
from ansible_collections.packit.deployment.plugins.module_utils.volumes.warm_up import WarmUpPods
from ansible_collections.packit.deployment.tests.bounds import BOUND

from .api import MemoryClient, Objects

PAIR = Pair(Volume("w", "worker", Role.WORKER, "w0"), Volume("s", "sandbox", Role.SANDBOX, "w0"))
PROJECTS = ("one", "two")
IN_USE = ("same_node", "holder")
_STEPS = 4000
"""A run that has not ended after so many steps never will."""
_here = threading.local()


class Killed(BaseException):
    """A run that was killed does nothing any more, no cleaning up either."""


def point() -> None:
    """Here another run may go on, and this one be stopped or killed."""
    actor = getattr(_here, "actor", None)
    if actor is not None:
        actor.rest()


def _sleep(deadline: Deadline, _seconds: float) -> None:
    deadline.left()
    point()
    deadline.left()


@dataclass(frozen=True)
class Contents:
    """See ``cache.domain.packs.Contents``."""

    objects: frozenset[tuple[str, int]]
    doubtful = False

    @property
    def inventory(self) -> Inventory:
        return Inventory(len(self.objects), 0, " ".join(f"{name}.{number}" for name, number in sorted(self.objects)))

    def includes(self, other: Contents) -> bool:
        return self.objects >= other.objects


def objects_of(key: str) -> set[str]:
    """Return what ``record.key`` says lies there."""
    return {*key.partition(":")[2].split()}


class Place:
    """A container of a pod in which processes run; see ``cluster.exec.pod_shell.PodShell``."""

    def __init__(
        self,
        client: MemoryClient,
        address: ContainerAddress,
        *,
        job_directory: str,
        require: Any = None,
        **_: Any,
    ) -> None:
        self.world: World = _here.actor.world
        self.key, self.uid = (address.namespace, address.pod), address.uid
        self.directory = job_directory
        self._require = require
        self.cut = False

    where = "a pod"

    def __enter__(self) -> Place:
        if self._require is not None:
            self._require(Deadline(BOUND))
        self.require_there()
        self.world.places.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.world.places.remove(self)

    @property
    def alive(self) -> bool:
        """Return whether processes can run here."""
        body = self.world.api.find("Pod", *self.key)
        return not self.cut and body is not None and body["metadata"]["uid"] == self.uid and not parse_pod(body).ended

    @property
    def volume(self) -> Volume:
        """The volume on which work is done here."""
        namespace, pod = self.key
        claims = parse_pod(self.world.api.objects["Pod", namespace, pod]).uses
        return next(volume for volume in PAIR.volumes if volume.claim in claims)

    def require_there(self) -> None:
        """Raises PodLost."""
        if self.cut and self._require is not None:  # the agent was ended, and is started again
            self._require(Deadline(BOUND))
            self.cut = False
        if not self.alive:
            raise PodLost(f"pod {self.key[1]} is lost")

    def run(self, argv: Sequence[str], *, deadline: Deadline, **_: Any) -> Completed:
        point()
        deadline.left()
        self.require_there()
        output = b""
        if scripts.NAMES in argv:
            output = b"".join(name.encode() + b"\0" for name in self.world.volumes[self.volume])
        return Completed(tuple(argv), 0, output, "")

    def run_apart(self, argv: Sequence[str], deadline: Deadline) -> Completed:
        point()
        deadline.left()
        if self._require is not None:
            self._require(Deadline(BOUND))
        if not self.alive:
            raise PodLost(f"pod {self.key[1]} is lost")
        if self.world.refuses:
            raise ClusterError("the API refuses an exec")
        assert guest_module.LEAVE in argv
        for place in self.world.places:
            place.cut = place.cut or (place.key == self.key and place.directory.startswith(f"{argv[-1]}/"))
        return Completed(tuple(argv), 0, b"", "")


@dataclass
class Entry:
    """A project of a held volume, as far as removal and cleaning know it."""

    held: Any
    name: str

    def remove(self, deadline: Deadline) -> bool:
        self.held.shell.run(("rm",), deadline=deadline)
        return self.held.shell.world.volumes[self.held.shell.volume].pop(self.name, None) is not None

    def clean(self, deadline: Deadline) -> None:
        deadline.left()


def _receive(held: Any, volume: Volume, work: Work, worker: StagedProject | None, deadline: Deadline) -> StagedProject:
    held.shell.run(("receive",), deadline=deadline)
    name = work.project.name
    there = held.shell.world.volumes[volume].get(name)
    if there is None and work.snapshot is None and worker is None:
        raise NotThere("")
    objects = {*(there or ())}
    if work.snapshot is not None:
        objects |= {(name, number) for number in range(int(work.snapshot.refs[0].id, 16) + 1)}
    if worker is not None:
        theirs: Any = worker.side
        objects |= theirs.contents.objects
    contents: Any = Contents(frozenset(objects))
    # Too large to go through a turn with others: each step is the run's own then, at which another run may go on.
    size = sandbox.MAX_BATCHED_BYTES + 1
    entry = SimpleNamespace(usable=there is not None, whole=True, layout=Layout.BARE, bytes=size)
    side: Any = SimpleNamespace(
        entry=entry,
        incoming=SimpleNamespace(bytes=size),
        contents=contents,
        proof=contents,
        repository=Entry(held, name),
        joined=None,
    )
    return StagedProject(
        volume=volume,
        work=work,
        snapshot=work.snapshot or Snapshot(()),
        side=side,
        shared=held.shared,
        current=objects == there,
        lost=0,
        seconds=0.0,
        warnings=(),
    )


def _finish(received: StagedProject, worker: StagedProject | None, deadline: Deadline) -> ProjectResult:
    side: Any = received.side
    side.repository.held.shell.run(("publish",), deadline=deadline)
    volume, name, work = side.repository.held.shell.world.volumes[received.volume], received.project.name, received.work
    action = Action.ADD if name not in volume else Action.NOTHING if received.current else Action.UPDATE
    volume[name] = volume.get(name, set()) | side.contents.objects
    patterns = " ".join(work.earlier) if work.snapshot is None else patterns_of(work.project)
    held = RecordedEntry(
        url=work.project.url,
        snapshot=received.snapshot.digest,
        refs=1,
        bytes=1,
        layout="bare",
        method="rsync",
        time="",
        inventory=side.contents.inventory,
        patterns=patterns,
    )
    return ProjectResult(received.volume, name, action, held if worker is None else including(held, worker))


class Refusing(MemoryClient):
    """Removes no pod while the world refuses it."""

    world: World

    def delete(self, kind: str, namespace: str, name: str, uid: str, deadline: Deadline, *, version: str = "") -> dict[str, Any]:
        point()
        if self.world.refuses:
            raise Forbidden("the API refuses a removal")
        return super().delete(kind, namespace, name, uid, deadline, version=version)


class Transfer:
    """Brings nothing by itself: see ``_receive``."""

    method, resumes, seconds = RSYNC, False, 0.0

    def __init__(self, *_: object, **_more: object) -> None:
        return

    def prepare(self, snapshot: Snapshot, deadline: Deadline, first: bool) -> int:
        return 0


@dataclass
class Actor:
    """One run, a thread that goes on for a step at a time."""

    world: World
    name: str
    state: State
    wanted: tuple[str, ...]
    in_use: str
    skew: float
    awake: bool = True
    killed: bool = False
    done: bool = False
    result: PairResult | None = None
    error: BaseException | None = None
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._go, self._rests = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._rests.acquire(timeout=BOUND)

    def step(self) -> None:
        """Let it go on to its next point."""
        if not self.done:
            self._go.release()
            assert self._rests.acquire(timeout=BOUND), f"run {self.name} hangs"

    def kill(self) -> None:
        """It does nothing any more."""
        self.killed = True
        while not self.done:
            self.step()

    def rest(self) -> None:
        """Wait for the next step. Called in its thread."""
        if not self.killed:
            self._rests.release()
            assert self._go.acquire(timeout=BOUND)
        if self.killed:
            raise Killed

    def _run(self) -> None:
        _here.actor = self
        try:
            self.rest()
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001  (a killed run's, or what the test shows)
            self.error = error
        self.done = True
        self._rests.release()

    def _work(self) -> PairResult:
        world, stop = self.world, threading.Event()
        client: Any = Refusing(world.api, point, self.skew)
        client.world = world
        projects = tuple(Project(name, f"https://example.org/{name}.git", method="rsync") for name in self.wanted)
        claims = {
            volume: parse_claim(client.get("PersistentVolumeClaim", volume.namespace, volume.claim, Deadline(BOUND)))
            for volume in PAIR.volumes
        }
        present = self.state is State.PRESENT
        snapshots = {project.name: world.snapshot(project) for project in projects} if present else {}
        wanted = Wanted(self.state, projects, snapshots, METHODS, client.now())
        plan = make_plan(wanted, (PAIR,), {volume: known(claim) for volume, claim in claims.items()})
        owner = {"run": self.name, "user": "somebody", "host": "here"}
        settings = Settings(
            path="/cache",
            image="image",
            overrides=parse_filler({"pull_policy": "Never"}),
            in_use=InUse(self.in_use),
            timeout=600,
            concurrency=4,
            node_concurrency=4,
            owner=owner,
        )
        access = ClusterVolumeAccess(client, claims, settings, lambda told: self.told.append(f"{told.subject} {told.phase}"))
        options = Options(BOUND, BOUND, False, Path("/nowhere"))

        def tell(progress: Any) -> None:
            self.told.append(f"{progress.subject} {progress.project} {progress.phase} {progress.detail}")

        pair = plan.pairs[0]
        if pair.idle:  # as `rollout` would find nothing to do
            return RemovePair(pair, access, options, tell, stop).run() if not present else PairResult(PAIR, *self._untouched())
        if not present:
            return RemovePair(pair, access, options, tell, stop).run()
        shared = Snapshots(snapshots, world.snapshot)
        return FillPair(pair, access, shared, lambda _step: Transfer(), options, tell, stop).run()  # type: ignore[arg-type,return-value]

    def _untouched(self) -> tuple[Any, Any]:
        return SimpleNamespace(projects=()), SimpleNamespace(projects=())


@contextmanager
def _beaten(lock: ClaimLock, _tell: object) -> Iterator[None]:
    """Instead of a thread that beats: the world does it, as long as the run is awake."""
    actor = _here.actor
    actor.world.beats.append((actor, lock))
    try:
        yield
    finally:
        actor.world.beats.remove((actor, lock))


class World:
    """Everything that there is."""

    def __init__(self) -> None:
        self.api = Objects()
        self.volumes: dict[Volume, dict[str, set[tuple[str, int]]]] = {volume: {} for volume in PAIR.volumes}
        self.places: list[Place] = []
        self.beats: list[tuple[Actor, ClaimLock]] = []
        self.runs: list[Actor] = []
        self.refuses = False
        """True: no pod can be removed, and no work in another's pod can be ended."""
        self.upstream = dict.fromkeys(PROJECTS, 0)
        self._idle: dict[str, float] = {}
        self._read: dict[Volume, tuple[str, Record | None]] = dict.fromkeys(PAIR.volumes, ("", None))
        for volume in PAIR.volumes:
            self.api.put(
                "PersistentVolumeClaim",
                volume.namespace,
                volume.claim,
                {"spec": {"volumeName": f"pv-{volume.claim}"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}},
            )
            mounts = [{"name": "cache", "mountPath": "/cache"}]
            spec = {
                "nodeName": "node1",
                "containers": [{"name": "main", "image": "image", "volumeMounts": mounts}],
                "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": volume.claim}}],
            }
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            self.api.put("Pod", volume.namespace, f"consumer-{volume.claim}", {"spec": spec, "status": status})
        self._patches = ExitStack()
        for target, name, by in (
            (pair_module, "stage_project", _receive),
            (pair_module, "publish_project", _finish),
            (pair_module, "repository_on", lambda held, name, _age: Entry(held, name)),
            (sandbox, "FromWorker", Transfer),
            (sandbox, "stage_project", _receive),
            (sandbox, "publish_project", _finish),
            (sandbox, "repository_on", lambda held, name, _age: Entry(held, name)),
            (remove_pair, "repository_on", lambda held, name, _age: Entry(held, name)),
            (filler_module, "PodShell", Place),
            (guest_module, "PodShell", Place),
            (holding_module, "watching_contention", lambda *_: nullcontext()),
            (claim_lock.ClaimLock, "beating", _beaten),
            (WarmUpPods, "require_exec", lambda *_: None),  # pods without volumes meet nobody
            (Deadline, "sleep", _sleep),
        ):
            patch: AbstractContextManager[object] = mock.patch.object(target, name, by)
            self._patches.enter_context(patch)

    def close(self) -> None:
        """End all runs, and have the modules as they were."""
        for run in self.runs:
            run.kill()
        self._patches.close()

    def snapshot(self, project: Project) -> Snapshot:
        """Return what upstream has."""
        return Snapshot((Ref("refs/heads/main", f"{self.upstream[project.name]:040x}"),), "refs/heads/main")

    def start(self, state: State, wanted: tuple[str, ...], in_use: str, skew: float = 0.0) -> Actor:
        """Begin a run."""
        self.runs.append(Actor(self, f"run{len(self.runs)}", state, wanted, in_use, skew))
        return self.runs[-1]

    def pass_time(self, seconds: float) -> None:
        """Fillers that nobody beats end; the beats of those that are awake arrive."""
        self.api.seconds += seconds
        awake = {run.name for run in self.runs if run.awake and not run.done}
        for body in self.api.pods():
            run = body["metadata"].get("labels", {}).get(RUN)
            if run is None:
                continue
            uid = body["metadata"]["uid"]
            self._idle[uid] = 0.0 if run in awake else self._idle.get(uid, 0.0) + seconds
            if self._idle[uid] > HEARTBEAT_LIMIT:
                self.api.put("Pod", body["metadata"]["namespace"], body["metadata"]["name"], {**body, "status": {"phase": "Failed"}})
        for run, lock in self.beats:
            if run.awake and not run.done:
                self._beat(lock)

    def _beat(self, lock: ClaimLock) -> None:
        """As ``ClaimLock`` beats; not by it, as its run may be in the middle of a request."""
        claim = lock.claim
        body = self.api.find("PersistentVolumeClaim", claim.namespace, claim.name)
        assert body is not None
        present = holder_of(parse_claim(body))
        if present is not None and lock._mine is not None and present.id == lock._mine.id:
            meta = body["metadata"]
            text = meta["annotations"][claim_lock.HOLDER].replace(present.beat, time_text(self.api.now))
            annotations = {**meta["annotations"], claim_lock.HOLDER: text}
            self.api.put("PersistentVolumeClaim", claim.namespace, claim.name, {**body, "metadata": {**meta, "annotations": annotations}})

    def step_all(self) -> None:
        """Let every run that is awake go on for a step."""
        for run in self.runs:
            if run.awake and not run.done:
                run.step()
                self.check()

    def finish(self) -> None:
        """Wake all that sleep, and let every run come to its end."""
        for run in self.runs:
            run.awake = True
        for number in range(_STEPS):
            going = [run for run in self.runs if not run.done]
            if not going:
                return
            for run in going:
                run.step()
                self.check()
            if number % 10 == 9:
                self.pass_time(10)
        raise AssertionError(f"runs that never end: {[(run.name, run.told[-3:]) for run in self.runs if not run.done]}")

    def annotations(self, volume: Volume) -> dict[str, str]:
        """Return what is written on the claim."""
        found: dict[str, str] = self.api.objects["PersistentVolumeClaim", volume.namespace, volume.claim]["metadata"].get("annotations", {})
        return found

    def record(self, volume: Volume) -> Record:
        """Return what the claim says."""
        found = recorded(parse_claim(self.api.objects["PersistentVolumeClaim", volume.namespace, volume.claim]))
        assert found is not None
        return found

    def check(self) -> None:
        """The three things that hold after every step."""
        worker, sandbox = self.volumes[PAIR.worker], self.volumes[PAIR.sandbox]
        for name, objects in worker.items():
            assert objects <= sandbox.get(name, set()), f"the worker has more of {name} than its sandbox"
        for volume in PAIR.volumes:
            writers = [place for place in self.places if place.alive and place.volume == volume]
            assert len(writers) <= 1, f"{volume} has {len(writers)} writers"
            self._check_record(volume)

    def _check_record(self, volume: Volume) -> None:
        body = self.api.find("PersistentVolumeClaim", volume.namespace, volume.claim)
        assert body is not None
        version, record = self._read[volume]
        if body["metadata"]["resourceVersion"] != version:
            record = recorded(parse_claim(body))
            self._read[volume] = body["metadata"]["resourceVersion"], record
        if record is None:
            return
        for name, held in record.projects.items():
            there = {f"{of}.{number}" for of, number in self.volumes[volume].get(name, ())}
            assert name in self.volumes[volume], f"{volume} claims {name}, which is not there"
            for claimed in (held.key, held.includes):
                assert objects_of(claimed) <= there, f"{volume} claims more of {name} than is there"
        for name in record.absent:
            assert name not in self.volumes[volume], f"{volume} claims that {name} is not there, and it is"
