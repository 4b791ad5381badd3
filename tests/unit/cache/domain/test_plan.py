"""The plan, made of what is known, without a pod."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.compaction import CompactionOptions
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.methods import Method, Outlook, choose_method
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Pair, Ref, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import (
    Action,
    Plan,
    Wanted,
    make_plan,
)
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.record import Inventory, Record
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_git import GIT
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_rsync import RSYNC
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_seed import SEED
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import METHODS
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.times import time_text
from ansible_collections.packit.deployment.tests.unit.recorded import recorded_entry

PAIR = Pair(Volume("work", "w", Role.WORKER, "packit-worker-0"), Volume("sand", "s", Role.SANDBOX, "packit-worker-0"))
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
PROJECT = Project("x", "https://example.org/x.git")
SNAPSHOT = Snapshot((Ref("refs/heads/main", "a" * 40),), "refs/heads/main")


def held(snapshot: Snapshot = SNAPSHOT, url: str = PROJECT.url) -> Record:
    return Record("u", "v").with_project("x", recorded_entry(url=url, snapshot=snapshot.digest, time="t", inventory=Inventory(1, 0, "0")))


def plan_for(record: Record | None, *, state: State = State.PRESENT, verify: bool = False, project: Project = PROJECT) -> Plan:
    wanted = Wanted(state, (project,), {"x": SNAPSHOT}, METHODS, NOW, verify)
    return make_plan(wanted, (PAIR,), {PAIR.worker: record, PAIR.sandbox: record})


def test_what_the_claim_says_is_there_needs_no_pod() -> None:
    plan = plan_for(held())
    assert not plan.changes
    assert {step.action for step in plan.pairs[0].steps} == {Action.NOTHING}


def test_many_packs_are_compacted_and_only_then_a_volume_is_taken() -> None:
    record = held()
    entry = record.projects["x"]
    many = record.with_project("x", replace(entry, inventory=replace(entry.inventory, packs=365)))
    waits = record.with_project("x", replace(many.projects["x"], covering="a b", covering_since=time_text(NOW - timedelta(hours=1))))

    def steps(worker: Record, sandbox: Record, project: Project = PROJECT, digest: Snapshot = SNAPSHOT) -> list[tuple[Action, Method, str]]:
        wanted = Wanted(State.PRESENT, (project,), {"x": digest}, METHODS, NOW, compaction=CompactionOptions())
        plan = make_plan(wanted, (PAIR,), {PAIR.worker: worker, PAIR.sandbox: sandbox})
        return [(step.action, step.method, step.why) for step in plan.pairs[0].steps]

    same = "it has the same packs as its worker's volume"
    assert steps(many, many) == [(Action.COMPACT, GIT, same), (Action.COMPACT, GIT, "365 packs, of which the small ones become one")]
    assert [action for action, _method, _why in steps(waits, waits)] == [Action.NOTHING, Action.NOTHING]
    assert steps(many, many, replace(PROJECT, method="seed"))[1] == (Action.COMPACT, GIT, "365 packs, of which the small ones become one")
    over = record.with_project("x", replace(waits.projects["x"], covering_since=time_text(NOW - timedelta(days=3))))
    old = "old packs go, as a newer one has all of their objects"
    assert [why for _action, _method, why in steps(over, over)] == [old, old]
    newer = Snapshot((Ref("refs/heads/main", "b" * 40),), "refs/heads/main")
    why = [why for _action, _method, why in steps(many, many, digest=newer)]
    moved = "upstream has moved; git, as only the difference is fetched"
    assert why == [moved, f"{moved}; 365 packs, of which the small ones become one"]


def test_an_unknown_volume_is_looked_at() -> None:
    assert {step.action for step in plan_for(None).pairs[0].steps} == {Action.LOOK}


def test_a_known_volume_without_the_project_gets_it() -> None:
    assert plan_for(Record("u", "v")).pairs[0].sandbox[0].action is Action.ADD


def test_a_moved_upstream_and_another_url_are_updates() -> None:
    older = Snapshot((Ref("refs/heads/main", "b" * 40),), "refs/heads/main")
    assert plan_for(held(older)).pairs[0].worker[0].action is Action.UPDATE
    step = plan_for(held(url="https://elsewhere.example/x.git")).pairs[0].worker[0]
    assert step.action is Action.UPDATE
    assert "https://elsewhere.example/x.git" in step.why


def test_verify_trusts_no_claim() -> None:
    assert plan_for(held(), verify=True).pairs[0].sandbox[0].action is Action.LOOK


def test_removal_knows_absent_from_unknown() -> None:
    gone = Record("u", "v").without_project("x")
    assert plan_for(gone, state=State.ABSENT).pairs[0].worker[0].action is Action.NOTHING
    assert plan_for(held(), state=State.ABSENT).pairs[0].worker[0].action is Action.REMOVE
    assert plan_for(None, state=State.ABSENT).pairs[0].worker[0].action is Action.LOOK
    assert plan_for(Record("u", "v"), state=State.ABSENT).pairs[0].worker[0].action is Action.LOOK


@pytest.mark.parametrize(
    ("project", "has", "outlook", "method", "why"),
    [
        (Project("x", PROJECT.url, path="/clones/x"), None, Outlook(8), RSYNC, "rsync, as there is a local clone"),
        (Project("x", "git@example.org:a/x.git"), None, Outlook(8), RSYNC, "rsync, as only the controller has a key for that URL"),
        (PROJECT, True, Outlook(0, 10**9), GIT, "git, as only the difference is fetched"),
        (PROJECT, True, Outlook(0, 10**9, seed_keeps=True), SEED, "seed, which kept the earlier snapshot"),
        (PROJECT, None, Outlook(2, 10**6), GIT, "git, as it is small"),
        (PROJECT, None, Outlook(4, 10**6), SEED, "seed, so that upstream is read once for 4 volumes"),
        (PROJECT, None, Outlook(2), SEED, "seed, so that nothing is indexed while a volume is held"),
        (Project("x", PROJECT.url, method="git"), None, Outlook(8), GIT, "git was asked for"),
    ],
)
def test_auto_chooses_by_what_is_known_before_a_volume_is_taken_and_says_why(
    project: Project, has: bool | None, outlook: Outlook, method: Method, why: str
) -> None:
    record = held() if has else None
    assert choose_method(METHODS, project, record.projects["x"] if record else None, outlook) == (method, why)


def test_a_plan_says_how_each_volume_will_be_filled() -> None:
    wanted = Wanted(State.PRESENT, (PROJECT,), {"x": SNAPSHOT}, METHODS, NOW)
    sandbox, worker = make_plan(wanted, (PAIR,), {PAIR.worker: held(), PAIR.sandbox: None}).pairs[0].steps
    assert (sandbox.action, sandbox.why) == (Action.LOOK, "nothing is known of the volume; git, as it is small")
    assert (worker.action, worker.why) == (Action.LOOK, "its sandbox's volume may lack something that it has")


def test_steps_come_sandbox_first() -> None:
    assert [step.volume.role for step in plan_for(None).pairs[0].steps] == [Role.SANDBOX, Role.WORKER]


def test_options_that_changed_are_said_to_be_that() -> None:
    record = Record("u", "v").with_project("x", replace(held().projects["x"], patterns="refs/heads/*"))
    assert {step.why for step in plan_for(record).pairs[0].steps} == {
        "its `refs` are others than they were; git, as only the difference is fetched"
    }


def test_what_is_not_listed_is_looked_at_where_the_claims_do_not_say_that_all_is_well() -> None:
    here, elsewhere = (replace(held().projects["x"], inventory=Inventory(1, 0, digest)) for digest in ("0", "1"))
    wanted = Wanted(State.PRESENT, (PROJECT,), {"x": SNAPSHOT}, METHODS, NOW)
    with_old = held().with_project("old", here)

    def old_steps(sandbox: Record | None) -> list[Action]:
        (pair,) = make_plan(wanted, (PAIR,), {PAIR.worker: with_old, PAIR.sandbox: sandbox}).pairs
        assert pair.unlisted == ("old",)
        return [step.action for step in pair.steps if step.project.name == "old" and not step.listed]

    assert old_steps(with_old) == []
    assert old_steps(held().with_project("old", replace(elsewhere, includes=here.key))) == []
    assert old_steps(held().with_project("old", elsewhere)) == [Action.LOOK, Action.LOOK]
    assert old_steps(held()) == [Action.LOOK, Action.LOOK]
    assert old_steps(None) == [Action.LOOK, Action.LOOK]
    absent = make_plan(replace(wanted, state=State.ABSENT), (PAIR,), {PAIR.worker: with_old, PAIR.sandbox: None}).pairs[0]
    assert {step.project.name for step in absent.steps} == {"x"}
