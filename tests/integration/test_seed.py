# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method seed, and what auto chooses: upstream is read once, volumes get the same finished packs, and what is lost is made good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.pods.network_policy import policies
from tests.repositories import make
from tests.waiting import until

from .harness import METHODS, SAND, WORK, Scene, own
from .runs import Run, Started

SEED, FILLER = "packit.dev/repository-cache-filler=seed", "packit.dev/repository-cache-filler=filler"


def packs(entry: Path) -> set[str]:
    return {path.name for path in (entry / "objects/pack").iterdir()}


def upstream_bytes(repository: Path) -> int:
    return sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())


def seed_pods(scene: Scene) -> list[str]:
    return scene.cluster.pods(WORK, SEED)


def delete_first(scene: Scene, namespace: str, selector: str) -> None:
    """Delete the first of these pods, when there is one, without waiting."""
    until(lambda: scene.cluster.pods(namespace, selector) != [], f"a pod with {selector}")
    scene.cluster.core.delete_namespaced_pod(scene.cluster.pods(namespace, selector)[0], namespace, grace_period_seconds=0)


def received(*volumes: Path) -> bool:
    """Return whether some of a pack, and not all of the project, is on one of the volumes."""
    return any(not (volume / "one").exists() and any(_sizes(volume)) for volume in volumes)


def _sizes(volume: Path) -> Iterator[int]:
    for path in (volume / ".packit-deployment#work").glob("*/objects/pack/*pack*"):
        with suppress(FileNotFoundError):  # it has just been published
            yield path.stat().st_size


def delete_while_one_receives(scene: Scene, run: Started, volumes: list[Path], namespace: str, selector: str) -> None:
    """Delete a pod while a pack comes to one of the volumes. The run stands still meanwhile, so that it publishes nothing before."""
    with run.frozen_when(lambda: received(*volumes), "bytes of a pack on a volume"):
        delete_first(scene, namespace, selector)


def test_upstream_is_read_once_and_all_volumes_have_the_same_packs(scene: Scene) -> None:
    scene.deploy(4, nodes=("node1", "node2"))
    upstream = make.make_large(scene.server.root / "one.git", 20, commits=60)
    done = scene.succeed(method="seed")
    assert scene.server.fetches == 1
    assert scene.server.sent < 1.05 * upstream_bytes(upstream)
    assert done.project(scene.sandbox_claim(3), "one")["method"] == "seed"
    held = [packs(volume(number) / "one") for number in range(4) for volume in (scene.worker, scene.sandbox)]
    assert len({tuple(sorted(names)) for names in held}) == 1 and len(held[0]) == 2
    scene.check(volumes=1)
    assert scene.succeed(method="seed").result["changed"] is False
    assert scene.fillers() == []


def _limit_of_seed(scene: Scene, pod: str) -> str:
    return str(scene.cluster.core.read_namespaced_pod(pod, WORK).spec.containers[0].resources.limits["memory"])


@pytest.mark.parametrize(("quota", "limit"), [("", "3Gi"), ("3Gi", "768Mi")])
def test_a_seed_has_memory_for_the_kernel_unless_a_quota_has_no_room_beside_it(scene: Scene, quota: str, limit: str) -> None:
    scene.deploy()
    scene.repository()
    if quota:
        scene.cluster.quota(WORK, "memory", {"limits.memory": quota})
    scene.server.hold()
    run = scene.start(method="seed")
    (pod,) = until(lambda: seed_pods(scene), "the seed pod")
    assert _limit_of_seed(scene, pod) == limit
    scene.server.release()
    assert run.finish().code == 0
    scene.check()


def test_several_seeds_serve_and_upstream_is_still_read_once(scene: Scene) -> None:
    scene.deploy(2)
    scene.repository(commits=20)
    with scene.cluster.pods_at_once(WORK, SEED) as counted:
        done = scene.succeed(method="seed", seed={"count": 2})
    assert max(counted) == 2
    assert "is left out" not in done.text
    assert scene.server.fetches == 1
    scene.check()


def test_auto_says_in_the_plan_what_it_chose_and_why(scene: Scene) -> None:
    scene.deploy(2)
    upstream = scene.repository(commits=20)
    planned = scene.succeed(method="auto", arguments=("--check",))
    assert "nothing is known of the volume; seed, so that upstream is read once for 4 volumes" in planned.text
    first = scene.succeed(method="auto")
    assert first.project(scene.worker_claim(), "one")["method"] == "seed"
    make.commit(upstream, "main", 2)
    planned = scene.succeed(method="auto", arguments=("--check",))
    assert "upstream has moved; git, as only the difference is fetched" in planned.text
    second = scene.succeed(method="auto")
    assert second.project(scene.sandbox_claim(1), "one")["method"] == "git"
    scene.check()


def test_a_kept_scratch_fetches_and_sends_only_the_difference(scene: Scene) -> None:
    scene.deploy(1)
    scene.cluster.claim(WORK, "seed-scratch")
    upstream = make.make_large(scene.server.root / "one.git", 10, commits=100)
    wrong = scene.run(method="seed", seed={"claim": scene.worker_claim()})
    assert f"The seed's claim {scene.worker_claim()} is a repository cache" in wrong.text and wrong.code != 0
    first = scene.succeed(method="auto", seed={"claim": "seed-scratch"})
    assert first.project(scene.worker_claim(), "one")["method"] == "seed"
    sent = scene.server.sent
    make.commit(upstream, "main", 3)
    second = scene.succeed(method="auto", seed={"claim": "seed-scratch"})
    assert second.project(scene.sandbox_claim(), "one")["method"] == "seed"
    assert second.project(scene.sandbox_claim(), "one")["bytes"] < 200_000
    assert scene.server.sent - sent < 200_000
    assert packs(scene.worker() / "one") == packs(scene.sandbox() / "one")
    scene.check()


def test_a_seed_pod_that_is_killed_during_its_clone_is_made_again(scene: Scene) -> None:
    scene.deploy(1)
    scene.repository(commits=20)
    scene.server.hold()
    run = scene.start(method="seed")
    until(lambda: scene.server.fetches > 0, "the seed's clone")
    delete_first(scene, WORK, SEED)
    scene.server.release()
    done = run.finish()
    assert done.code == 0, done.story
    scene.check()


def test_a_seed_pod_that_is_killed_while_eight_fillers_read_is_made_again(scene: Scene) -> None:
    scene.deploy(4)
    make.make_large(scene.server.root / "one.git", 40, commits=60)
    run = scene.start(method="seed")
    delete_while_one_receives(scene, run, [scene.worker(number) for number in range(4)], WORK, SEED)
    done = run.finish()
    assert done.code == 0, done.story
    scene.check(volumes=2)


@pytest.mark.parametrize("method", METHODS)
def test_a_filler_that_is_killed_in_the_middle_is_gone_on_with(scene: Scene, method: str) -> None:
    scene.deploy(1)
    make.make_large(scene.server.root / "one.git", 60, commits=60)
    run = scene.start(method=method, clones=str(scene.directory / "clones"))
    delete_while_one_receives(scene, run, [scene.sandbox()], SAND, FILLER)
    done = run.finish()
    assert done.code == 0, done.story
    scene.check()


def test_a_workers_filler_that_is_killed_in_the_middle_is_made_again(scene: Scene) -> None:
    scene.deploy(1)
    make.make_large(scene.server.root / "one.git", 60, commits=60)
    run = scene.start(method="seed")
    delete_while_one_receives(scene, run, [scene.worker()], WORK, FILLER)
    done = run.finish()
    assert done.code == 0, done.story
    scene.check()


def test_policies_of_a_run_that_was_killed_are_removed_by_the_next(scene: Scene) -> None:
    scene.deploy(1)
    scene.repository(commits=5)
    for namespace, body in policies("killedrun", WORK, SAND, 8730):
        scene.cluster.api_of("NetworkingV1Api").create_namespaced_network_policy(namespace, body)
    done = scene.succeed(method="seed", seed={"network_policy": True})
    assert scene.cluster.network_policies(WORK) == scene.cluster.network_policies(SAND) == []
    assert "What an earlier run left behind was removed" in done.text


def test_a_probe_that_cannot_be_made_costs_the_detour_and_nothing_else(scene: Scene) -> None:
    scene.deploy(1)
    scene.repository(commits=10)
    scene.server.hold()  # the probe lives while the seed fetches
    run = scene.start(method="seed")
    delete_first(scene, SAND, "packit.dev/repository-cache-filler=image")
    scene.server.release()
    done = run.finish()
    assert done.code == 0, done.story
    scene.check()


def test_a_run_that_was_killed_in_the_middle_is_gone_on_with_by_the_next(scene: Scene) -> None:
    scene.deploy(1)
    make.make_large(scene.server.root / "one.git", 60, commits=60)
    run = scene.start(method="seed", filler={"heartbeat": 12})
    with run.frozen_when(lambda: received(scene.sandbox()), "bytes of a pack on the sandbox's volume"):
        run.kill()
    done = scene.succeed(method="seed", filler={"heartbeat": 12})
    assert done.actions()[scene.sandbox_claim()] == {"one": "add"}
    assert "left behind was removed" in done.text  # its seed pod: it was alive when this run began, and has ended since
    scene.sweep(method="seed")
    scene.check()


@pytest.mark.real  # pods of the embedded cluster have no network of their own
@pytest.mark.parametrize("policy", [False, True])
def test_where_the_network_is_blocked_packs_go_through_the_api_server_and_the_result_says_so(scene: Scene, policy: bool) -> None:
    scene.deploy(1)
    scene.repository(commits=20)
    with scene.real.blocked_network(WORK), scene.cluster.policies_made(WORK, SAND) as seen:
        done = scene.run(method="seed", seed={"network_policy": policy})
    assert done.code == 0, done.story
    assert {name.split("-")[2] for name in seen} == ({"filler", "seed"} if policy else set())
    assert f"Packs went to {SAND} through the API server, which is slower, as its pods cannot reach the seed pod" in done.text
    assert scene.server.fetches == 1
    assert scene.cluster.network_policies(WORK) == scene.cluster.network_policies(SAND) == []
    scene.check()


def test_a_scratch_that_is_known_to_be_too_small_is_named_before_the_clone(scene: Scene) -> None:
    scene.deploy(2)
    make.make_large(scene.server.root / "one.git", 20, commits=30)
    scene.succeed(method="git", select="[?worker.pod=='packit-worker-0']")
    fetches = scene.server.fetches
    done = scene.run(method="seed", seed={"size": "16Mi"})
    assert done.code != 0
    assert "of the seed pod's scratch, which has 17 MB in all." in done.text
    assert "Raise repository_cache_seed.size, or use repository_cache_method: rsync." in done.text
    assert scene.server.fetches == fetches
    assert scene.fillers() == []


def locks(done: Run) -> dict[str, int]:
    """Return how often the volumes of each kind were taken."""
    volumes = done.result["volumes"]
    return {role: sum(len(volume["locks"]) for volume in volumes if volume["role"] == role) for role in ("sandbox", "worker")}


def test_a_scratch_that_turns_out_to_be_too_small_is_named_and_no_sandboxs_volume_is_taken(scene: Scene) -> None:
    scene.deploy(1)
    upstream = make.make_large(scene.server.root / "one.git", 48, commits=30)
    scene.server.rate = 4_000_000
    done = scene.run(method="seed", seed={"size": "16Mi"})
    assert done.code != 0
    assert f"{scene.url()} has " in done.text and "and there is room for 17 MB in pod" in done.text
    assert "The fetch was ended. Raise repository_cache_seed.size, name a claim that is large enough" in done.text
    assert scene.server.sent < upstream_bytes(upstream)
    assert locks(done) == {"sandbox": 0, "worker": 1}, "the worker's was looked at"
    assert scene.fillers() == []


def test_a_quota_that_is_too_small_for_the_seeds_scratch_is_named_and_not_waited_for(scene: Scene) -> None:
    scene.deploy(1)
    scene.repository()
    scene.cluster.quota(WORK, "storage", {"limits.ephemeral-storage": "1Gi"})
    scene.cluster.limit_range(WORK, "defaults", [{"type": "Container", "default": {"ephemeral-storage": "64Mi"}}])
    done = scene.run(method="seed")
    assert done.code != 0
    assert f"of limits.ephemeral-storage, and a quota of namespace {WORK} allows 1Gi in all" in done.text
    assert "Raise the quota, or ask for less (repository_cache_seed.resources)." in done.text
    assert "waits for quota" not in done.text
    assert scene.fillers() == []


def test_a_volume_that_is_too_small_is_refused_with_the_figures_and_nothing_is_written(scene: Scene) -> None:
    scene.deploy(1, sandbox_size="32M")
    make.make_large(scene.server.root / "one.git", 40, commits=30)
    done = scene.run(method="seed")
    assert done.code != 0
    # Where the claim's size is known already, the volume is not even taken.
    assert "more on the volume, which has" in done.text or "It was not taken." in done.text
    assert "Grow the claim by at least" in done.text
    assert not (scene.sandbox() / "one").exists()
    assert not list(scene.sandbox().rglob("*.pack"))
    assert done.actions()[scene.worker_claim()] == {"one": "blocked"}
    until(lambda: scene.fillers() == [], "the end of the seed and the fillers")


def test_a_known_volume_that_is_too_small_is_not_even_taken(scene: Scene) -> None:
    scene.deploy(1, size="64M")
    scene.repository("small")
    scene.succeed("small")
    make.make_large(scene.server.root / "one.git", 80, commits=30)
    done = scene.run("small", "one", method="seed")
    assert done.code != 0
    assert "It was not taken." in done.text
    assert locks(done) == {"sandbox": 0, "worker": 1}, "the worker's was looked at"
    scene.check("small")


def test_a_pack_that_was_damaged_on_its_way_is_named_and_copied_again(scene: Scene) -> None:
    scene.deploy(1)
    make.make_large(scene.server.root / "one.git", 10, commits=30)
    scene.succeed(method="seed")
    name = next(path.stem for path in (scene.worker() / "one/objects/pack").glob("*.pack"))
    good = (scene.sandbox() / f"one/objects/pack/{name}.pack").read_bytes()
    scene.succeed(method="seed", state="absent")
    quarantine = scene.sandbox() / ".packit-deployment#work/one/objects/pack"
    quarantine.mkdir(parents=True)
    damaged = bytearray(good[: len(good) // 2])  # what a cut transfer left, with one bit flipped
    damaged[1000] ^= 1
    (quarantine / f"{name}.pack").write_bytes(damaged)
    own(scene.sandbox() / ".packit-deployment#work", scene.sandbox())
    done = scene.succeed(method="seed")
    assert f"pack {name} of one arrived damaged and was copied again" in done.text
    scene.check()


def test_an_upstream_that_stalls_ends_at_the_deadline_with_no_sandboxs_volume_held(scene: Scene) -> None:
    scene.deploy(1)
    scene.repository(commits=5)
    scene.server.hold()
    done = scene.run(method="seed", timeout=30)
    assert done.code != 0
    assert "took longer than 30 seconds" in done.text
    assert locks(done) == {"sandbox": 0, "worker": 1}, "the worker's was looked at"
    assert scene.fillers() == []


def test_an_upstream_that_loses_an_object_between_the_refs_and_the_seeds_fetch(scene: Scene) -> None:
    scene.deploy(2)
    upstream = scene.repository(commits=10, tags=())
    moved: list[tuple[str, str]] = []

    def move() -> None:
        if not moved:
            moved.append(make.force_push(upstream, "main"))
            make.forget_unreachable(upstream)

    scene.server.before_fetch = move
    scene.succeed(method="seed")
    assert moved
    assert moved[0][1] in (scene.sandbox(1) / "one/packed-refs").read_text()
    scene.check()


def test_only_the_runs_fillers_get_in(scene: Scene) -> None:
    """A pod that presents another secret is refused by the seed's daemon."""
    scene.deploy(1)
    scene.repository(commits=10)
    scene.server.hold()
    run = scene.start(method="seed")
    until(lambda: scene.server.fetches > 0, "the seed's clone")
    pod = scene.cluster.core.read_namespaced_pod(seed_pods(scene)[0], WORK)
    script = 'echo wrong >/tmp/x && chmod 600 /tmp/x && rsync --password-file=/tmp/x "$1" /tmp/ 2>&1; echo "code $?"'
    url = f"rsync://filler@{pod.status.pod_ip}:8730/packs/probe"
    said = scene.cluster.execute(WORK, scene.pods[0], ["sh", "-c", script, "x", url])
    assert "auth failed" in said and "code 5" in said, said
    scene.server.release()
    assert run.finish().code == 0
    scene.check()


def test_a_project_that_only_the_controller_can_reach_goes_by_rsync_and_its_clone_is_kept(scene: Scene) -> None:
    scene.deploy(1)
    upstream = scene.repository(commits=30)
    clones = scene.directory / "clones"
    first = scene.succeed(method="rsync", clones=str(clones))
    assert first.project(scene.worker_claim(), "one")["method"] == "rsync"
    scene.check()
    sent = scene.server.sent
    make.commit(upstream, "main", 2)
    second = scene.succeed(method="rsync", clones=str(clones))
    assert second.project(scene.sandbox_claim(), "one")["bytes"] < first.project(scene.sandbox_claim(), "one")["bytes"]
    assert 0 < scene.server.sent - sent < 50_000
    assert [path.name for path in clones.glob("one-*/packs-*")] == []
    scene.check()


def test_auto_goes_by_rsync_where_the_cluster_cannot_read_upstream(scene: Scene) -> None:
    """Upstream wants a password, which the controller has and no pod gets."""
    scene.deploy(1)
    scene.repository(commits=10)
    scene.server.password = "pw-of-the-controller"
    helper = scene.directory / "gitconfig"
    helper.write_text(f'[credential]\n\thelper = "!f() {{ echo username=user; echo password={scene.server.password}; }}; f"\n')
    done = scene.succeed(method="auto", clones=str(scene.directory / "clones"), environment={"GIT_CONFIG_GLOBAL": str(helper)})
    assert done.project(scene.sandbox_claim(), "one")["method"] == "rsync"
    assert "The cluster cannot read the upstream of one, so the controller did, and rsync brought it" in done.text
    assert scene.server.password not in done.everything
    scene.server.password = ""
    scene.check()


@pytest.mark.embedded
def test_connections_that_are_cut_cost_no_more_than_time(scene: Scene) -> None:
    scene.deploy(1)
    scene.repository(commits=50)
    for namespace in (WORK, SAND):
        scene.embedded.fault("drop_connection", namespace=namespace, after_bytes=4_000, times=2)
    scene.succeed(method="seed")
    assert scene.embedded.faults_left() == 0
    scene.check()


def test_volumes_of_one_node_are_worked_on_a_few_at_a_time(scene: Scene) -> None:
    scene.deploy(3)
    scene.repository(commits=5)
    with scene.cluster.pods_at_once(WORK, FILLER) as counted:
        scene.succeed(node_concurrency=1)
    assert max(counted) == 1
    scene.check()
