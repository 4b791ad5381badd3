# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seed, a probe, a policy or a replica fails: the others go on, and nothing is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Ref, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.packs import FinishedPack
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetch_errors import OutOfMemory, OutOfReach, SnapshotGone
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import FinishedPacks
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_network import Key, NetworkTransport, Route, SeedLost
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.via_controller import ControllerTransport
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import (
    ClusterError,
    Forbidden,
    PodLost,
    QuotaExceeded,
)
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import FillerSpec, Purpose
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.network_policy import policies
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.service_pod import ServicePod
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import Cancelled, DeadlineExceeded, DeploymentError
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed import fetches, ways
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed import seeds as module
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.context import SeedContext
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.replicas import Replicas
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.seed_options import SeedOptions
from ansible_collections.packit.deployment.plugins.module_utils.populate.seed.seeds import Seeds
from ansible_collections.packit.deployment.plugins.module_utils.redaction import SECRETS
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND

SPEC = FillerSpec("work", "seed", None, "image", {"run": "r"}, purpose=Purpose.SEED)
SNAPSHOT = Snapshot((Ref("refs/heads/main", "1" * 40),), "refs/heads/main")
PROJECT = Project("one", "https://host/one", ("refs/heads/*",))
PROBE_TARGET = Volume("sand", "claim", Role.SANDBOX)
REPOSITORY = SimpleNamespace(guest=False)
PACKS = FinishedPacks("/served/one/abc", (FinishedPack(f"pack-{'2' * 40}", 1, 1, "", ""),), True)


class Obedient:
    """A place in which everything goes well."""

    def __init__(self, where: str) -> None:
        self.where = where

    def run(self, argv: tuple[str, ...], *, deadline: Deadline) -> Completed:
        deadline.left()
        return Completed(argv, 0, b"", "")


class Pod:
    """The seed's pod without a cluster; one that is suspected is made again, unless it is ``alive``."""

    def __init__(self) -> None:
        self.alive = False
        self.suspected = False
        self.lives = 1
        self.closed = False
        self.left: list[str] = []

    def ready(self, deadline: Deadline) -> tuple[Any, Any]:
        deadline.left()
        self.lives += self.suspected and not self.alive
        self.suspected = False
        return type("Pod", (), {"uid": str(self.lives), "address": "10.0.0.1"})(), Obedient(f"pod {self.lives}")

    def suspect(self) -> None:
        self.suspected = True

    def shell(self, _uid: str) -> None:
        return None

    def close(self) -> None:
        self.closed = True


def limit() -> Deadline:
    return Deadline(BOUND, "this test")


@contextmanager
def opening(_volume: Volume, _deadline: Deadline) -> Iterator[Any]:
    yield None


class Mirror:
    """In place of the seed's own: fetches by ``fetched``, if there is one, and makes packs in its pod's name."""

    fetched: Callable[[Project], object] | None = None

    def __init__(self, shell: Any, *_: object) -> None:
        self._where = shell.where

    def fetch(self, project: Project, *_: object) -> None:
        if Mirror.fetched is not None:
            Mirror.fetched(project)

    def size(self, _deadline: Deadline) -> int:
        return 1

    def maker(self) -> str:
        return f"maker of {self._where}"


def context(client: Any = None, **options: Any) -> SeedContext:
    return SeedContext(client, SPEC, SeedOptions(**options), threading.Event(), lambda _phase, _line: None)


Made = Callable[..., tuple[Seeds, Pod]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setattr(module, "serve", lambda *_: None)
    monkeypatch.setattr(ways, "probe", lambda *_: "")
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    monkeypatch.setattr(ways, "_PAUSE", 0.01)
    monkeypatch.setattr(fetches, "Mirror", Mirror)
    monkeypatch.setattr(Mirror, "fetched", None)

    def made(open_pod: Any = opening, client: Any = None, **options: Any) -> tuple[Seeds, Pod]:
        pod = Pod()
        monkeypatch.setattr(module, "ServicePod", lambda *_: pod)
        return Seeds(context(client, **options), (PROBE_TARGET,), 0, open_pod, tmp_path), pod

    return made


@pytest.mark.parametrize("error", [PodLost("the probe's pod is gone"), ClusterError("no place for it"), QuotaExceeded("no quota")])
def test_a_probe_that_cannot_be_made_is_no_failure_of_any_volume(make: Made, error: Exception | None) -> None:
    @contextmanager
    def open_pod(_volume: Volume, _deadline: Deadline) -> Iterator[Any]:
        if error is not None:
            raise error
        yield

    seeds, pod = make(open_pod)
    assert seeds.ready(PROJECT, SNAPSHOT, 0, limit()) == "maker of pod 1"  # type: ignore[comparison-overlap]
    seeds.close()
    assert (
        pod.closed
        and "Packs went to sand through the API server, which is slower, as its pods cannot reach the seed pod: it could" in seeds.notes[0]
    )


def test_a_network_that_drops_packets_in_spite_of_the_policy_is_no_failure(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each probe waits for its connection for longer than is left for the policy to be in force, by the clock."""
    now = [0.0]

    def probe(*_: object) -> str:
        now[0] += ways._POLICY_SECONDS + 1
        return "no answer"

    class Client:
        def create(self, _kind: str, _namespace: str, body: Any, _deadline: Deadline) -> Any:
            return {**body, "metadata": {**body["metadata"], "uid": "u"}}

        def delete(self, *_: object) -> None:
            return

    monkeypatch.setattr(ways, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(ways, "probe", probe)
    seeds, _pod = make(client=Client(), network_policy=True)
    assert seeds.ready(PROJECT, SNAPSHOT, 0, limit()) == "maker of pod 1"  # type: ignore[comparison-overlap]
    seeds.close()
    assert seeds.notes


def test_a_seed_that_cannot_be_had_costs_its_time_once(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took all of a project's time for each project of each pair, one after the other."""
    seeds, pod = make()
    asked: list[str] = []

    def ready(_deadline: Deadline) -> Any:
        asked.append("once")
        raise ClusterError("The seed pod cannot be placed.", "Make it smaller.")

    monkeypatch.setattr(pod, "ready", ready)
    for name in ("one", "two", "one"):
        with pytest.raises(ClusterError, match="cannot be placed"):
            seeds.ready(Project(name, f"https://host/{name}"), SNAPSHOT, 0, limit())
    assert asked == ["once"]
    seeds.close()


def test_a_seed_that_is_refused_for_a_moment_is_tried_again(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, pod = make()
    ready, busy = pod.ready, ClusterError("etcdserver: leader changed")
    busy.passes = True
    answers: list[Any] = [busy]

    def refused_once(deadline: Deadline) -> Any:
        if answers:
            raise answers.pop()
        return ready(deadline)

    monkeypatch.setattr(pod, "ready", refused_once)
    with pytest.raises(ClusterError, match="leader"):
        seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    assert seeds.ready(PROJECT, SNAPSHOT, 0, limit()) == "maker of pod 1"  # type: ignore[comparison-overlap]
    seeds.close()


@pytest.mark.parametrize(
    ("error", "tries"),
    [(OutOfReach("no way"), 1), (DeadlineExceeded("too slow"), 1), (SnapshotGone("moved"), 2), (Cancelled("stop"), 2)],
)
def test_what_a_project_failed_by_is_tried_once_a_run_and_no_other_projects(
    make: Made, monkeypatch: pytest.MonkeyPatch, error: DeploymentError, tries: int
) -> None:
    tried: list[str] = []

    def fetched(project: Project) -> None:
        tried.append(project.name)
        if project is PROJECT:
            raise error

    monkeypatch.setattr(Mirror, "fetched", fetched)
    seeds, _pod = make()
    for _pair in range(2):
        with pytest.raises(type(error)):
            seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    assert tried.count("one") == tries
    assert seeds.ready(Project("two", "https://host/two"), SNAPSHOT, 0, limit()) == "maker of pod 1"  # type: ignore[comparison-overlap]
    seeds.close()


def test_what_had_too_little_time_is_tried_again(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others had used it up, and whoever comes later has more."""
    now = [0.0]
    late = Deadline(BOUND, "this test", clock=lambda: now[0])
    now[0] = BOUND * 0.6
    monkeypatch.setattr(Mirror, "fetched", mock.Mock(side_effect=DeadlineExceeded("too slow")))
    seeds, _pod = make()
    with pytest.raises(DeadlineExceeded):
        seeds.ready(PROJECT, SNAPSHOT, 0, late)
    monkeypatch.setattr(Mirror, "fetched", None)
    assert seeds.ready(PROJECT, SNAPSHOT, 0, limit()) == "maker of pod 1"  # type: ignore[comparison-overlap]
    seeds.close()


def ready_at_once(seeds: Seeds, *names: str) -> list[Any]:
    """Ask for several projects at once."""
    with ThreadPoolExecutor(len(names)) as executor:
        asked = [executor.submit(seeds.ready, Project(name, f"https://host/{name}"), SNAPSHOT, 0, limit()) for name in names]
    return [one.result() for one in asked]


def test_upstreams_of_several_projects_are_read_at_once(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)

    seeds, _pod = make()
    monkeypatch.setattr(Mirror, "fetched", lambda _project: both.wait(BOUND))
    assert ready_at_once(seeds, "one", "two") == ["maker of pod 1", "maker of pod 1"]
    seeds.close()


class Mirrors:
    """In place of ``Mirror``: the first fetches, of which there are ``beside`` at once, are too much for the pod's memory; so are all with ``always``."""

    def __init__(self, beside: int, always: bool = False) -> None:
        self._together = threading.Barrier(beside)
        self._always = always
        self._lock = threading.Lock()
        self._left = beside
        self._inside = 0
        self.fetches: list[int] = []

    def __call__(self, *_: object) -> Mirrors:
        return self

    def fetch(self, *_: object) -> None:
        with self._lock:
            self._inside += 1
            self.fetches.append(self._inside)
            first, self._left = self._left > 0, self._left - 1
        try:
            if first:
                self._together.wait(BOUND)
            if first or self._always:
                raise OutOfMemory("git was killed")
        finally:
            with self._lock:
                self._inside -= 1

    def size(self, _deadline: Deadline) -> int:
        return 1

    def maker(self) -> str:
        return "maker"


def test_fetches_that_were_too_much_at_once_are_made_again_one_by_one(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, _pod = make()
    mirrors = Mirrors(beside=2)
    monkeypatch.setattr(fetches, "Mirror", mirrors)
    assert ready_at_once(seeds, "one", "two") == ["maker", "maker"]
    assert mirrors.fetches == [1, 2, 1, 1]
    seeds.close()


def test_whoever_only_waited_for_a_place_has_not_failed(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, _pod = make()
    seeds.lost()  # from now on one fetches after the other
    begun, go_on = threading.Event(), threading.Event()

    def fetched(project: Project) -> None:
        if project is not PROJECT:
            begun.set()
            go_on.wait(BOUND)

    monkeypatch.setattr(Mirror, "fetched", fetched)
    with ThreadPoolExecutor(1) as executor:
        other = executor.submit(seeds.ready, Project("two", "https://host/two"), SNAPSHOT, 0, limit())
        assert begun.wait(BOUND)
        with pytest.raises(DeadlineExceeded):
            seeds.ready(PROJECT, SNAPSHOT, 0, Deadline(0.2, "this project"))
        go_on.set()
        other.result()
    assert seeds.ready(PROJECT, SNAPSHOT, 0, limit()) == "maker of pod 2"  # type: ignore[comparison-overlap]
    seeds.close()


def test_a_fetch_that_is_too_much_by_itself_fails(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, _pod = make()
    mirrors = Mirrors(beside=1, always=True)
    monkeypatch.setattr(fetches, "Mirror", mirrors)
    with pytest.raises(OutOfMemory):
        seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    assert len(mirrors.fetches) == 2
    seeds.close()


def test_a_pod_that_is_lost_before_it_serves_is_made_again(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [PodLost("gone")]

    def serve(*_: object) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(module, "serve", serve)
    seeds, _pod = make()
    assert seeds.ready(PROJECT, SNAPSHOT, 0, limit()) == "maker of pod 2"  # type: ignore[comparison-overlap]
    seeds.close()


def test_what_a_seed_that_is_gone_did_not_send_is_not_held_against_the_next(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two copies at once from the old seed fail when the new one is there already: its packs still go over the network."""
    seeds, pod = make()
    copies: list[str] = []

    def copy(*_: object) -> None:
        copies.append("one more")
        if len(copies) == 1:
            with pytest.raises(SeedLost):
                seeds.copy(PROBE_TARGET, PACKS, REPOSITORY, limit(), None)  # type: ignore[arg-type]
        else:
            seeds.lost()
            seeds.ready(PROJECT, SNAPSHOT, 0, limit())
        raise SeedLost("connection reset")

    monkeypatch.setattr(NetworkTransport, "copy", copy)
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    with pytest.raises(SeedLost):
        seeds.copy(PROBE_TARGET, PACKS, REPOSITORY, limit(), None)  # type: ignore[arg-type]
    pod.alive = True
    seeds.lost()
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    seeds.close()
    assert (pod.lives, seeds.notes) == (2, ())


@pytest.mark.parametrize(
    ("endings", "detour"),
    [
        ([SeedLost("reset"), SeedLost("reset")], True),
        ([SeedLost("reset"), None, SeedLost("reset")], False),
        ([PodLost("the filler was evicted")] * 3, False),
    ],
)
def test_only_what_fails_in_a_row_and_by_a_living_seeds_fault_costs_the_detour(
    make: Made, monkeypatch: pytest.MonkeyPatch, endings: list[Exception | None], detour: bool
) -> None:
    seeds, pod = make()
    pod.alive = True
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    for ending in endings:

        def copy(*_: object, ending: Exception | None = ending) -> None:
            if ending is not None:
                raise ending

        monkeypatch.setattr(NetworkTransport, "copy", copy)
        with suppress(DeploymentError):
            seeds.copy(PROBE_TARGET, PACKS, REPOSITORY, limit(), None)  # type: ignore[arg-type]
        seeds.lost()
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    seeds.close()
    assert bool(seeds.notes) is detour


def test_a_replica_that_serves_does_not_hide_that_the_first_seed_does_not(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, pod = make()
    pod.alive = True
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    routes: list[Route] = []

    @contextmanager
    def route(_self: Replicas, _packs: FinishedPacks, first: Route) -> Iterator[Route]:
        routes.append(first if len(routes) % 2 == 0 else Route("10.0.0.2", first.served))
        yield routes[-1]

    def copy(transport: NetworkTransport, *_: object) -> None:
        if transport._route.address == "10.0.0.1":
            raise SeedLost("reset")

    monkeypatch.setattr(Replicas, "route", route)
    monkeypatch.setattr(NetworkTransport, "copy", copy)
    for _turn in range(3):
        with suppress(DeploymentError):
            seeds.copy(PROBE_TARGET, PACKS, REPOSITORY, limit(), None)  # type: ignore[arg-type]
    seeds.lost()
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    seeds.close()
    words = "as 2 copies from the seed pod in a row failed, the last one so: reset"
    assert seeds.notes == (f"Packs went to sand through the API server, which is slower, {words}",)


def test_a_policy_that_cannot_be_removed_leaves_no_pod_behind(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []

    class Client:
        def create(self, _kind: str, _namespace: str, body: Any, _deadline: Deadline) -> Any:
            return {**body, "metadata": {**body["metadata"], "uid": "u"}}

        def delete(self, _kind: str, namespace: str, *_: object) -> None:
            removed.append(namespace)
            raise Forbidden("not any more")

    answers = ["no answer", ""]
    monkeypatch.setattr(ways, "probe", lambda *_: answers.pop(0))
    seeds, pod = make(client=Client(), network_policy=True)
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    seeds.close()
    assert pod.closed and sorted(removed) == ["sand", "work"]
    assert seeds.notes == ("What was made for the run could not all be removed: not any more",)


def test_policies_for_two_namespaces_of_fillers_have_different_names() -> None:
    names = [(namespace, body["metadata"]["name"]) for of in ("work", "sand") for namespace, body in policies("r", "work", of, 1)]
    assert len(set(names)) == 4


def test_a_replica_that_failed_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[float] = []

    def ready(self: ServicePod, deadline: Deadline) -> None:
        starts.append(deadline.within(self._spec.overrides.start_timeout, "its start").left())
        raise QuotaExceeded("no room for a second one")

    monkeypatch.setattr(ServicePod, "ready", ready)
    replicas = Replicas(context(), 1, ())
    first = Route("10.0.0.1", "/served")
    for _pair in range(3):
        replicas.spread(PACKS, first, Deadline(1800, "one pair"))
    assert len(starts) == 1
    assert starts[0] <= 120
    with replicas.route(PACKS, first) as route:
        assert route == first


def test_a_pod_that_never_starts_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods import service_pod  # noqa: PLC0415

    class Filler:
        def __init__(self, *_: object) -> None:
            return

        def __enter__(self) -> None:
            raise PodLost("deleted while it was starting")

        def __exit__(self, *_: object) -> None:
            pytest.fail("it was never there")

    monkeypatch.setattr(service_pod, "Filler", Filler)
    pod = ServicePod(None, SPEC, threading.Event(), lambda _words: None)  # type: ignore[arg-type]
    for _start in range(3):
        with pytest.raises(PodLost):
            pod.ready(limit())
    with pytest.raises(DeploymentError, match="did not start, 3 times"):
        pod.ready(limit())


def test_where_strangers_are_packs_come_through_the_controller_and_no_secret(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, _pod = make()
    ways: list[str] = []
    monkeypatch.setattr(NetworkTransport, "copy", lambda transport, *_: ways.append(f"network as {transport._key.user}"))
    monkeypatch.setattr(ControllerTransport, "copy", lambda *_: ways.append("controller"))
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    for guest in (True, False):
        seeds.copy(PROBE_TARGET, PACKS, SimpleNamespace(guest=guest), limit(), None)  # type: ignore[arg-type]
    seeds.close()
    assert ways == ["controller", "network as filler-0"]


def test_every_volume_and_every_replica_has_a_secret_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[Key] = []
    monkeypatch.setattr(module, "serve", lambda *words: given.extend(words[4]))
    monkeypatch.setattr(ways, "probe", lambda *_: "")
    monkeypatch.setattr(fetches, "Mirror", Mirror)
    monkeypatch.setattr(module, "ServicePod", lambda *_: Pod())
    volumes = (PROBE_TARGET, Volume("sand", "another", Role.SANDBOX), Volume("work", "claim", Role.WORKER))
    seeds = Seeds(context(), volumes, 2, opening, tmp_path)
    seeds.ready(PROJECT, SNAPSHOT, 0, limit())
    seeds.close()
    assert [key.user for key in given] == ["filler-0", "filler-1", "filler-2", "replica-0", "replica-1"]
    assert len({key.secret for key in given}) == 5 and all(len(key.secret) > 30 for key in given)
    assert not any(key.secret in SECRETS.text(f"{key.secret} {key}") for key in given)
