# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The claims that new ones start as clones of."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import (
    ANNOTATION,
    Inventory,
    Record,
    RecordedEntry,
    render,
)
from ansible_collections.packit.deployment.plugins.module_utils.claims.changes import new_claim
from ansible_collections.packit.deployment.plugins.module_utils.claims.claim_plan import (
    ClaimAction,
    ClaimPlan,
    WantedClaims,
    WorkerSet,
    parse_worker_set,
    plan_claims,
)
from ansible_collections.packit.deployment.plugins.module_utils.claims.sources import choose_sources
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.claim_clones import CLONED_FROM
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Claim, Pod, parse_claim, parse_pod
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.claim_lock import HOLDER
from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.manifest import LABEL
from ansible_collections.packit.deployment.tests.unit.recorded import recorded_entry

PREFIXES = {"work": "packit-worker-repository-cache-", "sand": "sandcastle-repository-cache-"}
TEMPLATE = {
    "metadata": {"name": "packit-worker-repository-cache", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    "spec": {"accessModes": ["ReadWriteOncePod"], "storageClassName": "fast", "resources": {"requests": {"storage": "4Gi"}}},
}


def entry(sha256: str = "s", time: str = "2026-01-01T00:00:00Z") -> RecordedEntry:
    return recorded_entry(url="url", snapshot="digest", time=time, inventory=Inventory(1, 0, sha256))


def claim(side: str, number: int, *, storage: str = "4Gi", capacity: str = "", storage_class: str = "fast", filled: bool = True, **more: Any) -> Claim:
    """A claim, filled with one project unless it is said otherwise."""
    record = Record("uid", "pv", {"one": entry()}) if filled else Record("uid", "pv")
    annotations = {ANNOTATION: render(more.pop("record", record)), **more.pop("annotations", {})}
    meta = {"namespace": side, "name": f"{PREFIXES[side]}w-{number}", "uid": "uid", "annotations": annotations, **more.pop("meta", {})}
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": storage}}, "volumeName": "pv", **more}
    return parse_claim({"metadata": meta, "spec": spec, "status": {"phase": "Bound", "capacity": {"storage": capacity or storage}}})


def workers(replicas: int, scale_to: int = 0) -> WorkerSet:
    spec = {"replicas": replicas, "volumeClaimTemplates": [TEMPLATE], "selector": {"matchLabels": {"component": "w"}}}
    found = parse_worker_set({"metadata": {"name": "w"}, "spec": spec}, scale_to)
    assert found is not None
    return found


def planned(*claims: Claim, replicas: int = 2, scale_to: int = 0, pods: tuple[Pod, ...] = (), wanted: WantedClaims | None = None) -> ClaimPlan:
    found = plan_claims(("work", "sand"), wanted or WantedClaims("", "", {}, True, scale_to), claims, (workers(replicas, scale_to),))
    return choose_sources(found, claims, pods)


def sources(found: ClaimPlan) -> dict[str, str]:
    """claim → source, of those that are made."""
    return {step.volume.claim: step.source for steps in found.workers for step in steps if step.action is ClaimAction.CREATE}


def user(of: str, *, node: str = "n", namespace: str = "sand", phase: str = "Running", labels: dict[str, str] | None = None) -> Pod:
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": of}}
    meta = {"name": "p", "namespace": namespace, "labels": labels or {}}
    return parse_pod({"metadata": meta, "spec": {"nodeName": node, "volumes": [volume]}, "status": {"phase": phase}})


WORKERS = (claim("work", 0), claim("work", 1, filled=False))
NEW, OLD = "sandcastle-repository-cache-w-1", "sandcastle-repository-cache-w-0"


def test_a_new_sandboxs_claim_starts_as_a_filled_one() -> None:
    found = planned(*WORKERS, claim("sand", 0))
    assert sources(found) == {NEW: OLD}
    assert not any(step.source for steps in found.workers for step in steps if step.volume.claim != NEW)


def test_the_one_with_most_projects_is_taken_and_of_these_the_newest() -> None:
    many = Record("uid", "pv", {"one": entry(), "two": entry()})
    newer = Record("uid", "pv", {"one": entry(time="2026-01-03T00:00:00Z"), "two": entry()})
    others = [claim("sand", 0), claim("sand", 2, record=many), claim("sand", 3, record=newer), claim("sand", 4, record=many)]
    assert sources(planned(*WORKERS, *others))[NEW] == "sandcastle-repository-cache-w-3"


@pytest.mark.parametrize(
    "other",
    [
        claim("sand", 0, filled=False),
        claim("sand", 0, record=Record("uid", "pv", {"one": entry()}, damaged=("two",))),
        claim("sand", 0, record=Record("another", "pv", {"one": entry()})),
        claim("sand", 0, record=Record("uid", "another", {"one": entry()})),
        claim("sand", 0, annotations={HOLDER: '{"namespace":"sand","pod":"p","uid":"u","container":"","beat":"","id":"a","by":{}}'}),
        claim("sand", 0, meta={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        claim("sand", 0, storage="5Gi"),
        claim("sand", 0, capacity="5Gi"),
        claim("sand", 0, storage_class="slow"),
        claim("sand", 0, storage_class=""),
        claim("sand", 0, volumeMode="Block"),
    ],
    ids=["empty", "damaged", "another-claims-record", "another-volumes-record", "held", "deleting", "larger", "has-more", "class", "no-class", "mode"],
)
def test_what_is_not_known_to_be_filled_and_free_or_does_not_fit_is_no_source(other: Claim) -> None:
    assert sources(planned(*WORKERS, other)) == {NEW: ""}


@pytest.mark.parametrize("pod", [user(OLD), user(OLD, phase="Pending"), user(OLD, node="", labels={LABEL: "filler"})], ids=["runs", "starts", "filler"])
def test_what_a_pod_holds_is_no_source(pod: Pod) -> None:
    assert sources(planned(*WORKERS, claim("sand", 0), pods=(pod,))) == {NEW: ""}


@pytest.mark.parametrize("pod", [user(OLD, phase="Succeeded"), user(OLD, node=""), user(OLD, namespace="work"), user("another")])
def test_what_no_pod_holds_is_a_source(pod: Pod) -> None:
    assert sources(planned(*WORKERS, claim("sand", 0), pods=(pod,))) == {NEW: OLD}


def test_a_worker_to_come_is_cloned_with_its_sandbox_from_one_pair() -> None:
    assert sources(planned(claim("work", 0), claim("sand", 0), replicas=0, scale_to=2)) == {
        "sandcastle-repository-cache-w-1": "sandcastle-repository-cache-w-0",
        "packit-worker-repository-cache-w-1": "packit-worker-repository-cache-w-0",
    }


@pytest.mark.parametrize(
    ("worker", "pods"),
    [
        (claim("work", 0), (user("packit-worker-repository-cache-w-0", namespace="work"),)),
        (claim("work", 0, record=Record("uid", "pv", {"one": entry("other")})), ()),
        (claim("work", 2), ()),
    ],
    ids=["runs", "not-proved", "another-pairs"],
)
def test_a_worker_starts_empty_where_no_pair_is_free_and_proved(worker: Claim, pods: tuple[Pod, ...]) -> None:
    found = sources(planned(worker, claim("sand", 0), replicas=1, scale_to=2, pods=pods))
    assert (found["packit-worker-repository-cache-w-1"], found[NEW]) == ("", OLD)


def test_the_claims_of_workers_to_come_are_as_their_stateful_set_makes_them() -> None:
    found = plan_claims(("work", "sand"), WantedClaims("", "", {}, False, 3), (claim("work", 0), claim("sand", 0)), (workers(1, 3),))
    made = {step.volume.claim: step for steps in found.workers for step in steps if step.action is ClaimAction.CREATE}
    assert sorted(made) == [prefix + f"w-{number}" for prefix in sorted(PREFIXES.values()) for number in (1, 2)]
    assert new_claim(made["packit-worker-repository-cache-w-2"]) == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "packit-worker-repository-cache-w-2", "labels": {"a": "b", "component": "w"}, "annotations": {"c": "d"}},
        "spec": TEMPLATE["spec"],
    }
    assert found.awaited == found.orphans == ()


def test_a_worker_to_come_has_as_much_room_as_is_asked_for_and_never_less_than_its_template() -> None:
    for storage, wanted in (("8Gi", "8Gi"), ("1Gi", "4Gi")):
        found = planned(replicas=0, scale_to=1, wanted=WantedClaims(storage, "", {}, False, 1))
        assert [step.storage for steps in found.workers for step in steps[1:]] == [wanted]


def test_workers_that_are_asked_of_the_stateful_set_are_left_to_it() -> None:
    found = planned(claim("work", 0), replicas=2, scale_to=2)
    assert [volume.claim for volume in found.awaited] == ["packit-worker-repository-cache-w-1"]
    assert [step.volume.claim for steps in found.workers for step in steps if step.action is ClaimAction.CREATE] == [OLD, NEW]


def test_a_clone_says_of_which_claim_it_is_one() -> None:
    (step,) = (step for steps in planned(*WORKERS, claim("sand", 0)).workers for step in steps if step.action is ClaimAction.CREATE)
    made = new_claim(step)
    assert made["spec"]["dataSource"] == {"kind": "PersistentVolumeClaim", "name": OLD}
    assert made["metadata"]["annotations"] == {CLONED_FROM: OLD} and made["spec"]["storageClassName"] == "fast"
