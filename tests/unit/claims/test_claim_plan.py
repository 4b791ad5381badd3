# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims that are made and grown, and the words for those that are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.claims import claim_report as report
from ansible_collections.packit.deployment.plugins.module_utils.claims.changes import explain
from ansible_collections.packit.deployment.plugins.module_utils.claims.claim_plan import (
    ClaimAction,
    ClaimPlan,
    ClaimStep,
    WantedClaims,
    WorkerSet,
    parse_worker_set,
    plan_claims,
)
from ansible_collections.packit.deployment.plugins.module_utils.claims.module import parse_wanted
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import ClusterError, Forbidden, QuotaExceeded
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.objects import Claim, parse_claim
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption

SET = WorkerSet("packit-worker", ("packit-worker-0", "packit-worker-1"), "4Gi", "fast", {"paas.redhat.com/appcode": "A", "component": "x"})
AS_WORKERS = WantedClaims("", "", {})


def claim(side: str, pod: str, storage: str = "4Gi", *, bound: bool = True, capacity: str = "", **meta: Any) -> Claim:
    namespace, prefix = {"work": ("work", "packit-worker-repository-cache-"), "sand": ("sand", "sandcastle-repository-cache-")}[side]
    spec = {"storageClassName": "fast", "resources": {"requests": {"storage": storage}}, "volumeName": "pv" if bound else ""}
    status = {"capacity": {"storage": capacity or storage}} if bound else {}
    return parse_claim({"metadata": {"namespace": namespace, "name": prefix + pod, **meta}, "spec": spec, "status": status})


def plan(wanted: WantedClaims, *claims: Claim, sets: tuple[WorkerSet, ...] | None = (SET,)) -> ClaimPlan:
    return plan_claims(("work", "sand"), wanted, claims, sets)


def only(found: ClaimPlan) -> list[ClaimStep]:
    return [step for steps in found.workers for step in steps]


ONE = WorkerSet("packit-worker", ("packit-worker-0",), "4Gi", "fast", {})


def test_workers_are_the_pods_of_stateful_sets_with_a_cache() -> None:
    template = {"metadata": {"name": "packit-worker-repository-cache"}, "spec": {"resources": {"requests": {"storage": "4Gi"}}}}
    data = {"metadata": {"name": "w"}, "spec": {"replicas": 2, "ordinals": {"start": 3}, "volumeClaimTemplates": [template]}}
    found = parse_worker_set(data)
    assert found is not None and found.pods == ("w-3", "w-4") and found.storage == "4Gi"
    assert parse_worker_set({"metadata": {"name": "w"}, "spec": {"replicas": 2}}) is None


def test_a_missing_claim_is_as_its_workers_template_says() -> None:
    found = plan(AS_WORKERS)
    assert [(str(step.volume), step.action, step.storage, step.storage_class, step.labels) for step in only(found)] == [
        (f"sand/sandcastle-repository-cache-packit-worker-{number}", ClaimAction.CREATE, "4Gi", "fast", {"paas.redhat.com/appcode": "A"})
        for number in (0, 1)
    ]
    assert [volume.claim for volume in found.awaited] == [f"packit-worker-repository-cache-packit-worker-{number}" for number in (0, 1)]


def test_a_missing_claim_is_as_its_workers_claim_is_which_may_have_grown() -> None:
    (sandbox, own) = only(plan(AS_WORKERS, claim("work", "packit-worker-0", "9Gi"), sets=(ONE,)))
    assert (sandbox.action, sandbox.storage, own.action) == (ClaimAction.CREATE, "9Gi", ClaimAction.NOTHING)


def test_what_the_user_says_goes_before_what_the_worker_has() -> None:
    wanted = WantedClaims("4Gi", "slow", {"paas.redhat.com/appcode": "B", "mine": "1"})
    sandbox = only(plan(wanted, claim("work", "packit-worker-0", labels={"paas.redhat.com/appcode": "A"}), sets=(ONE,)))[0]
    assert (sandbox.storage_class, sandbox.labels) == ("slow", {"paas.redhat.com/appcode": "B", "mine": "1"})


def test_workers_are_found_by_their_claims_where_stateful_sets_may_not_be_read() -> None:
    found = plan(AS_WORKERS, claim("work", "packit-worker-7"), sets=None)
    assert [step.volume.serves for step in only(found)] == ["packit-worker-7"] * 2
    assert (found.orphans, found.awaited) == ((), ())


def test_with_everything_there_nothing_is_done() -> None:
    found = plan(WantedClaims("4Gi", "fast", {}), claim("work", "packit-worker-0"), claim("sand", "packit-worker-0"), sets=(ONE,))
    assert [step.action for step in only(found)] == [ClaimAction.NOTHING] * 2
    assert (found.warnings, found.orphans, found.awaited) == ((), (), ())
    assert report.summary(only(found), ()) == ["Nothing to do: all 2 claims are as they should be."]


def test_claims_of_equal_size_written_differently_are_equal() -> None:
    found = plan(WantedClaims("4096Mi", "", {}), claim("work", "packit-worker-0"), claim("sand", "packit-worker-0"), sets=(ONE,))
    assert [step.action for step in only(found)] == [ClaimAction.NOTHING] * 2


def test_a_sandboxs_claim_grows_before_its_workers() -> None:
    found = plan(WantedClaims("8Gi", "", {}), claim("work", "packit-worker-0"), claim("sand", "packit-worker-0"), sets=(ONE,))
    assert [(step.volume.role.value, step.action, step.before, step.storage) for step in only(found)] == [
        ("sandbox", ClaimAction.GROW, "4Gi", "8Gi"),
        ("worker", ClaimAction.GROW, "4Gi", "8Gi"),
    ]
    assert found.warnings == (
        "The volumeClaimTemplate packit-worker-repository-cache of StatefulSet packit-worker asks for 4Gi, so new workers get that, and "
        "to apply the StatefulSet with 8Gi is refused (422: it cannot be changed). Delete the StatefulSet and leave its pods "
        "(oc delete statefulset packit-worker --cascade=orphan), then deploy it again with storage: 8Gi.",
    )


def test_a_volume_that_is_larger_than_its_claim_asks_for_is_large_enough() -> None:
    found = plan(WantedClaims("8Gi", "", {}), claim("sand", "packit-worker-0", capacity="10Gi"), sets=(ONE,))
    assert [step.action for step in only(found)] == [ClaimAction.NOTHING]


def test_a_growth_that_the_storage_never_made_can_be_taken_back() -> None:
    (step,) = only(plan(WantedClaims("6Gi", "", {}), claim("sand", "packit-worker-0", "9Gi", capacity="4Gi"), sets=(ONE,)))
    assert (step.action, step.storage) == (ClaimAction.GROW, "6Gi")


def test_a_claim_does_not_shrink() -> None:
    steps = only(plan(WantedClaims("2Gi", "", {}), claim("sand", "packit-worker-0"), sets=(ONE,)))
    assert report.failures(steps) == (
        "1 of 1 claims are not as wanted; nothing was taken from them.\n"
        "- sand/sandcastle-repository-cache-packit-worker-0: The claim has 4Gi, and cannot shrink to "
        "the 2Gi that option `storage` asks for. Set option `storage` to at least 4Gi."
    )


def test_a_claim_that_is_not_bound_grows_later() -> None:
    steps = only(plan(WantedClaims("8Gi", "", {}), claim("sand", "packit-worker-0", bound=False), sets=(ONE,)))
    assert report.failures(steps) == ""
    assert report.later(steps) == [
        "sand/sandcastle-repository-cache-packit-worker-0: The claim of 4Gi can grow to 8Gi only when it is bound to a volume: after "
        "its first use. Run again when it is filled."
    ]


def test_a_claim_that_is_being_deleted_is_named() -> None:
    (step,) = only(plan(AS_WORKERS, claim("sand", "packit-worker-0", deletionTimestamp="2026-01-01T00:00:00Z"), sets=(ONE,)))
    assert (step.action, step.why) == (
        ClaimAction.FAILED,
        "The claim is being deleted.",
    )


def test_labels_are_added_and_others_stay() -> None:
    there = claim("sand", "packit-worker-0", labels={"a": "1", "other": "x"})
    (step,) = only(plan(WantedClaims("", "", {"a": "1", "b": "2"}), there, sets=(ONE,)))
    assert (step.action, step.labels) == (ClaimAction.LABEL, {"b": "2"})


def test_claims_whose_worker_is_gone_are_orphans_and_are_left_alone() -> None:
    there = [claim(side, f"packit-worker-{number}") for number in (0, 1) for side in ("work", "sand")]
    found = plan(AS_WORKERS, *there, claim("sand", "gone-3"), sets=(ONE,))
    assert [str(volume) for volume in found.orphans] == [
        "work/packit-worker-repository-cache-packit-worker-1",
        "sand/sandcastle-repository-cache-gone-3",
        "sand/sandcastle-repository-cache-packit-worker-1",
    ]
    assert all(step.action is ClaimAction.NOTHING for step in only(found))
    assert report.summary(only(found), found.orphans)[1] == (
        "sand/sandcastle-repository-cache-gone-3: its worker gone-3 is gone. It is left alone; delete it when nobody needs it."
    )


def test_no_claim_is_named_as_those_that_the_service_deletes() -> None:
    (step, _own) = only(plan(AS_WORKERS, claim("work", "x-pvc"), sets=None))
    assert (step.action, step.why) == (
        ClaimAction.FAILED,
        "A claim must not be named so: the service deletes claims of that namespace whose names end in -pvc.",
    )


def test_a_sandboxs_claim_that_is_smaller_or_of_another_class_is_told() -> None:
    found = plan(WantedClaims("", "slow", {}), claim("work", "packit-worker-0", "9Gi"), claim("sand", "packit-worker-0"), sets=(ONE,))
    assert found.warnings == (
        "The claim sand/sandcastle-repository-cache-packit-worker-0 (4Gi) is smaller than its worker's (9Gi), and must hold all that is "
        "there: set option `storage` to 9Gi.",
        "The claim sand/sandcastle-repository-cache-packit-worker-0 has the storage class fast and not slow. It stays so: the class of a "
        "claim cannot be changed.",
    )


@pytest.mark.parametrize(
    ("error", "why", "remedy"),
    [
        (
            Forbidden(
                'persistentvolumeclaims "a" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that …'
            ),
            "The storage class fast does not let claims grow (allowVolumeExpansion).",
            "Ask a cluster administrator to allow it, or set option `storage` to 4Gi.",
        ),
        (
            QuotaExceeded("exceeded quota: q, requested: requests.storage=4Gi"),
            "The quota of namespace sand has no room for 8Gi: exceeded quota: q, requested: requests.storage=4Gi",
            "Raise that quota, or ask for less (option `storage`).",
        ),
        (ClusterError("Something else.", "Do that."), "Something else.", "Do that."),
    ],
)
def test_refusals_are_explained(error: ClusterError, why: str, remedy: str) -> None:
    volume = only(plan(AS_WORKERS, sets=(ONE,)))[0].volume
    step = ClaimStep(
        volume=type(volume)("sand", "c", volume.role, "p"),
        action=ClaimAction.GROW,
        storage="8Gi",
        before="4Gi",
        storage_class="fast",
    )
    assert explain(step, error) == (why, remedy)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"storage": "lots"}, "The size `lots` is no Kubernetes quantity"),
        ({"storage": "0"}, "The size `0` is no Kubernetes quantity of more than 0"),
        ({"storage": "-1Gi"}, "The size `-1Gi` is no"),
        ({"labels": {"a": 1}}, "The label `a` has the value 1, which is no text. Put it in quotes"),
    ],
)
def test_wrong_options_are_named_before_anything_is_made(options: dict[str, Any], words: str) -> None:
    given = {"worker_namespace": "w", "sandbox_namespace": "s", "storage": "", "storage_class": "", "labels": {}, **options}
    with pytest.raises(InvalidOption) as caught:
        parse_wanted(given)
    assert words in str(caught.value)


def test_claims_that_fail_for_one_cause_are_told_together() -> None:
    steps = only(plan(WantedClaims("2Gi", "", {}), claim("work", "packit-worker-0"), claim("sand", "packit-worker-0"), sets=(ONE,)))
    alike = [replace(step, action=ClaimAction.FAILED, why="No rights.", remedy="Ask.") for step in steps]
    assert report.failures(alike) == (
        "2 of 2 claims are not as wanted; nothing was taken from them.\n"
        "- sand/sandcastle-repository-cache-packit-worker-0, work/packit-worker-repository-cache-packit-worker-0: No rights. Ask."
    )
