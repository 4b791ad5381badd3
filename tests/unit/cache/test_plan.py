"""What is decided from what is known, without a pod."""

from __future__ import annotations

from ansible_collections.packit.deployment.plugins.module_utils.cache.model import Method, Pair, Project, Ref, Role, Snapshot, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.plan import Action, State, Wanted, make_plan
from ansible_collections.packit.deployment.plugins.module_utils.cache.record import Held, Objects, Record

PAIR = Pair(Volume("work", "w", Role.WORKER, "packit-worker-0"), Volume("sand", "s", Role.SANDBOX, "packit-worker-0"))
PROJECT = Project("x", "https://example.org/x.git")
SNAPSHOT = Snapshot((Ref("refs/heads/main", "a" * 40),), "refs/heads/main")


def held(snapshot: Snapshot = SNAPSHOT, url: str = PROJECT.url) -> Record:
    return Record("u", "v").with_project("x", Held(url, snapshot.digest, 1, 1, "bare", "git", "t", Objects(1, "0")))


def plan_for(record: Record | None, *, state: State = State.PRESENT, verify: bool = False, project: Project = PROJECT):
    wanted = Wanted(state, (project,), {"x": SNAPSHOT}, verify)
    return make_plan(wanted, (PAIR,), {PAIR.worker: record, PAIR.sandbox: record})


def test_what_the_claim_says_is_there_needs_no_pod() -> None:
    plan = plan_for(held())
    assert not plan.changes
    assert {step.action for step in plan.pairs[0].steps} == {Action.NOTHING}


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


def test_auto_is_rsync_with_a_local_clone_and_says_why() -> None:
    step = plan_for(None, project=Project("x", PROJECT.url, path="/clones/x")).pairs[0].sandbox[0]
    assert step.method is Method.RSYNC
    assert step.why.endswith("rsync, as there is a local clone")
    assert plan_for(None).pairs[0].sandbox[0].method is Method.GIT


def test_steps_come_sandbox_first() -> None:
    assert [step.volume.role for step in plan_for(None).pairs[0].steps] == [Role.SANDBOX, Role.WORKER]
