# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image is pulled by a pod without volumes, once, and before a volume is taken where it is known that one will be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError, ExecRefused
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import parse_claim, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.quota import ConcurrencyLimit
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import FillerSpec, Placement, Purpose
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError, Interrupted
from ansible_collections.packit.deployment.plugins.module_utils.volumes import warm_up as module
from ansible_collections.packit.deployment.plugins.module_utils.volumes.holding import ClusterVolumeAccess, Settings
from ansible_collections.packit.deployment.plugins.module_utils.volumes.place import InUse, parse_filler
from ansible_collections.packit.deployment.plugins.module_utils.volumes.warm_up import WarmUpPods
from ansible_collections.packit.deployment.tests.bounds import BOUND

VOLUME = Volume("sand", "claim", Role.SANDBOX)
CONSUMERS_IMAGE = "consumer:1"


def limit() -> Deadline:
    return Deadline(BOUND, "this test")


@dataclass
class Pods:
    """In the place of a cluster: the pods that were made, and how the next ones end."""

    made: list[FillerSpec] = field(default_factory=list)
    failures: list[DeploymentError] = field(default_factory=list)

    @contextmanager
    def filler(self, _client: object, spec: FillerSpec, deadline: Deadline, rooms: list[ConcurrencyLimit], *_tell: object) -> Iterator[Any]:
        deadline.left()
        assert len(rooms) == 1
        self.made.append(spec)
        if self.failures:
            raise self.failures.pop()
        yield type("Filler", (), {"shell": lambda _self: _a_shell()})()


class Shell:
    """A place in which processes can be run, or an exec is refused."""

    refuses: ExecRefused | None = None

    def run(self, argv: tuple[str, ...], *, deadline: Deadline) -> None:
        deadline.left()
        if self.refuses is not None:
            raise self.refuses


@contextmanager
def _a_shell() -> Iterator[Shell]:
    yield Shell()


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> Pods:
    made = Pods()
    monkeypatch.setattr(module, "Filler", made.filler)
    return made


@pytest.fixture
def warm_ups() -> WarmUpPods:
    return WarmUpPods(None, 1800, {("sand", Role.SANDBOX): ConcurrencyLimit(1)}, lambda _volume, _words: None)  # type: ignore[arg-type]


def spec(node: str = "n1") -> FillerSpec:
    return FillerSpec("sand", "filler", None, "image:1", {"run": "r"}, placement=Placement(node, (), {}))


def test_an_image_is_pulled_once_for_each_node_by_a_pod_that_holds_nothing(pods: Pods, warm_ups: WarmUpPods) -> None:
    with ThreadPoolExecutor(4) as executor:
        list(executor.map(lambda _: warm_ups.pull(VOLUME, spec(), limit()), range(4)))
    warm_ups.pull(VOLUME, spec("n2"), limit())
    assert [pod.placement.node for pod in pods.made] == ["n1", "n2"]
    assert {pod.mount for pod in pods.made} == {None}
    assert {pod.purpose for pod in pods.made} == {Purpose.IMAGE}
    assert {pod.overrides.start_timeout for pod in pods.made} == {1800}
    assert len({pod.name for pod in pods.made}) == 2


def test_a_pull_that_failed_is_tried_again(pods: Pods, warm_ups: WarmUpPods) -> None:
    pods.failures.append(ClusterError("ImagePullBackOff"))
    with pytest.raises(ClusterError):
        warm_ups.pull(VOLUME, spec(), limit())
    warm_ups.pull(VOLUME, spec(), limit())
    warm_ups.pull(VOLUME, spec(), limit())
    assert len(pods.made) == 2


def test_what_a_pod_anywhere_has_pulled_is_not_pulled_again_where_no_node_is_known(pods: Pods, warm_ups: WarmUpPods) -> None:
    with warm_ups.opened(VOLUME, spec(), limit()) as shell:
        assert isinstance(cast(object, shell), Shell)
    warm_ups.pull(VOLUME, spec(""), limit())
    assert [pod.placement.node for pod in pods.made] == [""]


def test_a_pull_by_another_is_not_waited_for_when_nobody_needs_it_any_more(pods: Pods, warm_ups: WarmUpPods) -> None:
    unneeded = threading.Event()

    class Pulling:
        """The lock of another that pulls for ever. While it is waited for, nobody needs the image any more."""

        def acquire(self, timeout: float) -> bool:
            unneeded.set()
            return False

    warm_ups._pulling["sand", "image:1", "n1"] = Pulling()  # type: ignore[assignment]
    with pytest.raises(Interrupted):
        warm_ups.pull(VOLUME, spec(), Deadline(BOUND, "this test", wanted=unneeded))
    assert unneeded.is_set()
    assert pods.made == []


def consumer(node: str) -> Any:
    return parse_pod(
        {
            "metadata": {"name": "job", "namespace": "sand"},
            "spec": {
                "nodeName": node,
                "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "claim"}}],
                "containers": [{"name": "c", "image": CONSUMERS_IMAGE, "volumeMounts": [{"name": "cache", "mountPath": "/c"}]}],
            },
            "status": {"phase": "Running" if node else "Pending"},
        }
    )


@pytest.mark.parametrize(
    ("in_use", "node", "image", "pulled"),
    [
        ("same_node", None, "", [("quay.io/packit/sandcastle", "")]),  # nobody uses it
        ("same_node", "", "", [(CONSUMERS_IMAGE, "")]),  # somebody waits
        ("same_node", "n1", "", [(CONSUMERS_IMAGE, "n1")]),  # somebody runs, and the image is there: exec alone is tried
        ("same_node", "n1", "other:1", [("other:1", "n1")]),
        ("wait", "n1", "other:1", []),  # it is not taken for now, and who knows where then
        ("skip", "n1", "other:1", []),
        ("holder", "n1", "other:1", []),
        ("skip", None, "other:1", [("other:1", "")]),
    ],
)
def test_a_volume_is_prepared_where_it_will_be_taken_by_a_pod_of_ours(
    pods: Pods, in_use: str, node: str | None, image: str, pulled: list[tuple[str, str]]
) -> None:
    found = [] if node is None else [consumer(node)]
    claim = parse_claim({"metadata": {"name": "claim", "namespace": "sand", "uid": "u"}})
    settings = Settings(
        path="/repository-cache",
        image=image,
        overrides=parse_filler({}),
        in_use=InUse(in_use),
        timeout=60,
        concurrency=1,
        node_concurrency=1,
        owner={"run": "r"},
        pods=found,
    )
    access = ClusterVolumeAccess(None, {VOLUME: claim}, settings, lambda _progress: None)  # type: ignore[arg-type]
    access.prepare(VOLUME, limit())
    assert [(pod.image, pod.placement.node) for pod in pods.made] == pulled


@pytest.fixture
def access() -> ClusterVolumeAccess:
    """Of a volume that is used on a node, by a pod with the filler's image, so that nothing is to be pulled."""
    claim = parse_claim({"metadata": {"name": "claim", "namespace": "sand", "uid": "u"}})
    settings = Settings(
        path="/repository-cache",
        image="",
        overrides=parse_filler({"pull_policy": "Never"}),
        in_use=InUse.SAME_NODE,
        timeout=60,
        concurrency=1,
        node_concurrency=1,
        owner={"run": "r"},
        pods=[consumer("n1")],
    )
    return ClusterVolumeAccess(None, {VOLUME: claim}, settings, lambda _progress: None)  # type: ignore[arg-type]


def test_whether_exec_works_is_tried_once_a_run_in_a_pod_without_volumes(pods: Pods, access: ClusterVolumeAccess) -> None:
    access.prepare(VOLUME, limit())
    access.prepare(VOLUME, limit())
    assert [(pod.mount, pod.placement.node) for pod in pods.made] == [(None, "n1")]


def test_a_refused_exec_is_found_before_a_volume_is_taken(pods: Pods, access: ClusterVolumeAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shell, "refuses", ExecRefused("The gateway says no."))
    with pytest.raises(ExecRefused, match="The gateway says no"):
        access.prepare(VOLUME, limit())
    assert [pod.mount for pod in pods.made] == [None]
