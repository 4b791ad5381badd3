# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a pair's two sides hold, one run makes it right or says in words what it needs; and it stays so for years."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import AUTO
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.populate.report import unlisted
from ansible_collections.packit.deployment.tests.once import made
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.years.world import Told, World, local_upstreams
from ansible_collections.packit.deployment.tests.years.year import beginnings, live

from .test_killed import all_objects

YEARS = 60
"""Here; `make years` lives 1000 others."""
BROKEN_ONCE = (508,)
"""Seeds of years that were not whole before something was mended."""


@pytest.fixture
def start() -> Path:
    return made("years", beginnings)


@pytest.fixture
def world(tmp_path: Path, start: Path) -> Iterator[World]:
    """One pair, filled with projects one and two."""
    with local_upstreams():
        yield World(tmp_path / "world", start, pairs=1)


def sandbox(world: World, name: str = "one") -> Path:
    return world.claims[world.pairs[0].sandbox].directory / name


def worker(world: World, name: str = "one") -> Path:
    return world.claims[world.pairs[0].worker].directory / name


def anew(world: World, *, of: str = "sandbox") -> None:
    """A claim is deleted and made again."""
    volume = world.pairs[0].sandbox if of == "sandbox" else world.pairs[0].worker
    world.claims[volume] = world.new_claim()


def upstream(world: World, name: str = "one") -> Path:
    return world.upstreams / f"{name}.git"


def only(world: World, *names: str, **settings: object) -> None:
    """List these projects, and no others."""
    world.projects = {name: replace(world.project(name), **settings) for name in names}  # type: ignore[arg-type]


def right(world: World, done: Told, *names: str) -> None:
    """The run did not fail, the rule holds, and both sides are whole."""
    assert not done.failed
    for name in names or ("one",):
        assert all_objects(worker(world, name)) <= all_objects(sandbox(world, name))
        for entry in (worker(world, name), sandbox(world, name)):
            make.git(entry, "fsck", "--full", "--no-dangling")
    assert not world.run(dry=True).plan.changes


def actions(done: Told) -> dict[str, dict[str, Action]]:
    """Role → project → action."""
    return {
        volume.volume.role.value: {project.project: project.action for project in volume.projects}
        for result in done.results
        for volume in (result.sandbox, result.worker)
    }


def flip(pack: Path) -> None:
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)


def pack_of(entry: Path) -> Path:
    return next((entry / "objects/pack").glob("*.pack"))


@pytest.mark.parametrize("method", [AUTO, "git", "rsync"])
@pytest.mark.parametrize("verify", [False, True])
def test_a_sandbox_made_anew_gets_what_only_its_worker_has_before_it_is_judged(world: World, method: str, verify: bool) -> None:
    only(world, "one", refs=("refs/heads/main",), method=method)
    world.run()
    anew(world)
    make.commit(upstream(world), "main", 2)
    right(world, world.run(verify=verify))
    assert make.refs(sandbox(world))["refs/heads/main"] == make.git(upstream(world), "rev-parse", "main")


def test_a_sandbox_restored_from_last_month_catches_up_with_its_worker(world: World, tmp_path: Path) -> None:
    only(world, "one", refs=("refs/heads/main",))
    world.run()
    shutil.copytree(sandbox(world).parent, tmp_path / "last-month")
    for month in range(2):
        make.commit(upstream(world), "main", 2, seed=month)
        world.run()
    anew(world)
    shutil.copytree(tmp_path / "last-month", sandbox(world).parent, dirs_exist_ok=True)
    make.commit(upstream(world), "main", 1, seed=9)
    right(world, world.run())


def test_what_was_fetched_by_hand_on_a_worker_is_brought_to_its_sandbox(world: World) -> None:
    tip = make.commit(upstream(world), "main", 2)
    make.git(worker(world), "fetch", "--quiet", str(upstream(world)), "main:refs/heads/mine")
    make.commit(upstream(world), "main", 1, seed=3)
    right(world, world.run())
    assert tip in all_objects(sandbox(world))


def test_what_nobody_lists_any_more_is_brought_to_a_sandbox_that_lacks_it(world: World) -> None:
    only(world, "one")
    assert not world.run(dry=True).plan.changes  # both claims say that all is well
    anew(world)
    told = world.run(dry=True)
    why = {step.project.name: step.why for step in told.plan.pairs[0].sandbox}
    assert why["two"] == "it is not listed, and stays; whether the sandbox's volume has all that the worker's has is looked at"
    done = world.run()
    assert actions(done)["sandbox"] == {"one": Action.ADD, "two": Action.ADD}
    right(world, done, "one", "two")
    assert unlisted(done.plan, done.results) == (
        "Not listed, and left where it is: two (1 worker). To remove it: option `state: absent` with it in option `projects`."
    )


def test_what_was_made_by_hand_on_a_worker_and_never_listed_counts_as_well(world: World) -> None:
    make.git(worker(world).parent, "clone", "--quiet", str(upstream(world, "three")), "by-hand")
    make.commit(upstream(world), "main", 1)
    done = world.run()
    assert actions(done)["sandbox"]["by-hand"] is Action.ADD
    assert (sandbox(world, "by-hand") / ".git/objects").exists()  # at the worker's path
    objects = all_objects(worker(world, "by-hand"))
    assert objects and objects <= all_objects(sandbox(world, "by-hand"))
    assert unlisted(done.plan, done.results).startswith("Not listed, and left where it is: by-hand (1 worker).")
    assert not world.run(dry=True).plan.changes


def test_what_nobody_lists_and_cannot_be_brought_fails_in_words(world: World) -> None:
    entry = worker(world, "borrowing")
    make.git(worker(world).parent, "clone", "--quiet", "--bare", "--reference", str(worker(world)), str(upstream(world)), "borrowing")
    assert (entry / "objects/info/alternates").exists()
    done = world.run(verify=True)
    words = done.failed["w0/worker/borrowing"]
    assert "borrowing is not listed, and what it has on the worker's volume cannot be brought to its sandbox's: it borrows objects" in words
    assert "List it, or remove it (option `state: absent`" in words
    assert set(done.failed) == {"w0/worker/borrowing", "w0/sandbox/borrowing"}


def test_claims_that_never_were_a_pair_are_compared(tmp_path: Path, start: Path) -> None:
    with local_upstreams():
        world = World(tmp_path / "world", start, pairs=2)
        value = make.git(worker(world), "hash-object", "-w", "--stdin", stdin=b"on the first worker alone")
        assert not world.run(verify=True).failed
        one, other = world.pairs
        world.pairs = [replace(one, sandbox=other.sandbox), replace(other, sandbox=one.sandbox)]
        assert [step.why for step in world.run(dry=True).plan.pairs[0].sandbox if step.action is Action.LOOK] == [
            "the claims do not say that it has all that its worker's volume has"
        ]
        right(world, world.run())
        assert value in all_objects(sandbox(world))


@pytest.mark.parametrize("role", ["sandbox", "worker"])
@pytest.mark.parametrize("listed", [True, False])
def test_bit_rot_is_mended_from_wherever_the_objects_are(world: World, role: str, listed: bool) -> None:
    entry = {"sandbox": sandbox, "worker": worker}[role](world)
    if not listed:
        only(world, "two")
        shutil.rmtree(upstream(world))  # its partner has it
    flip(pack_of(entry))
    done = world.run(verify=True)
    assert actions(done)[role]["one"] is Action.REPAIR, done
    right(world, done)
    assert not world.run(verify=True).changed


def test_a_pack_whose_index_is_lost_gets_one(world: World) -> None:
    pack_of(worker(world)).with_suffix(".idx").unlink()
    done = world.run(verify=True)
    assert actions(done)["worker"]["one"] is Action.REPAIR
    right(world, done)


def test_damage_is_written_down_until_it_is_mended(world: World) -> None:
    for entry in (sandbox(world), worker(world)):
        flip(pack_of(entry))
    upstream(world).rename(upstream(world).with_suffix(".gone"))
    shutil.rmtree(world.directory / "mirrors")
    failed = world.run(verify=True).failed
    assert set(failed) == {"w0/sandbox/one", "w0/worker/one"}
    plan = world.run(dry=True).plan.pairs[0]
    assert {step.why for step in plan.steps if step.project.name == "one"} == {"it was damaged when it was looked at last, and is mended"}
    assert world.run().failed  # nobody takes it for good meanwhile
    upstream(world).with_suffix(".gone").rename(upstream(world))
    done = world.run()
    assert actions(done)["worker"]["one"] is Action.REPAIR
    right(world, done)


def test_what_is_good_in_a_damaged_pack_and_nowhere_else_stays(world: World) -> None:
    """A checkout that runs borrows an object that no ref has any more."""
    entry = worker(world)
    ids = [make.git(entry, "hash-object", "-w", "--stdin", stdin=bytes([65 + number]) * 3000) for number in range(4)]
    name = make.git(
        entry, "pack-objects", "--quiet", str(entry / "objects/pack/pack"), stdin="".join(f"{value}\n" for value in ids).encode()
    )
    for value in ids:
        (entry / "objects" / value[:2] / value[2:]).unlink()
    flip(entry / f"objects/pack/pack-{name}.pack")
    assert not world.run(verify=True).failed
    good = [value for value in ids if make.git(entry, "cat-file", "--batch-check", stdin=f"{value}\n".encode()).endswith("blob 3000")]
    assert len(good) == len(ids) - 1
    make.git(entry, "fsck", "--full", "--no-dangling")
    assert set(good) <= all_objects(sandbox(world))


@pytest.mark.parametrize("how", ["a ref to nothing", "no list of refs", "no configuration", "shallow", "promisor"])
def test_refs_and_settings_are_repaired_and_packs_kept_under_a_running_checkout(world: World, tmp_path: Path, how: str) -> None:
    entry, checkout = worker(world), tmp_path / "checkout"
    old = make.force_push(upstream(world), "feature")[0]  # an object that no ref will have
    make.git(tmp_path, "clone", "--quiet", f"--reference={entry}", str(upstream(world)), str(checkout))
    make.git(checkout, "update-ref", "refs/heads/mine", old)
    before = all_objects(entry)
    if how == "a ref to nothing":
        (entry / "refs/heads").mkdir(parents=True, exist_ok=True)
        (entry / "refs/heads/bad").write_text(f"{'1' * 40}\n")
    elif how == "no list of refs":
        (entry / "packed-refs").write_text("nothing that git reads\n")
    elif how == "no configuration":
        (entry / "config").write_text("[[\n")
    elif how == "shallow":
        (entry / "shallow").write_text(make.git(upstream(world), "rev-parse", "main~2") + "\n")
    else:
        pack_of(entry).with_suffix(".promisor").write_text("")
    done = world.run(verify=True)
    assert actions(done)["worker"]["one"] is Action.REPAIR
    assert before <= all_objects(entry)
    right(world, done)
    make.git(checkout, "fsck", "--full", "--no-dangling")
    assert dict(make.refs(entry)) == dict(make.refs(upstream(world)))


def test_a_branch_that_becomes_a_directory_after_refs_were_narrowed_stops_nobody(world: World) -> None:
    make.git(upstream(world), "update-ref", "refs/heads/dev", "refs/heads/main")
    world.run()
    only(world, "one", refs=("refs/heads/main",))
    assert {step.why for step in world.run(dry=True).plan.pairs[0].steps if step.project.name == "one"} == {
        "its `refs` are others than they were; git, as only the difference is fetched"
    }
    world.run()
    assert set(make.refs(worker(world))) == {"refs/heads/main"}
    for volume in world.claims.values():  # as an earlier version left it, and nobody knows of it
        make.git(volume.directory / "one", "update-ref", "refs/heads/dev", "refs/heads/main")
    make.git(upstream(world), "update-ref", "-d", "refs/heads/dev")
    make.git(upstream(world), "update-ref", "refs/heads/dev/x", "refs/heads/main")
    only(world, "one", refs=("refs/heads/main", "refs/heads/dev/*"))
    right(world, world.run())
    assert set(make.refs(worker(world))) == {"refs/heads/main", "refs/heads/dev/x"}


def test_narrowed_refs_bring_narrowed_packs_by_rsync(world: World) -> None:
    """The clone that is kept on the controller has all that was listed before."""
    only(world, "three", method="rsync")
    world.run()
    for of in ("sandbox", "worker"):
        anew(world, of=of)
    only(world, "three", method="rsync", refs=("refs/heads/main",))
    right(world, world.run(), "three")
    feature = make.git(upstream(world, "three"), "rev-parse", "feature")
    assert feature not in all_objects(worker(world, "three"))


def test_a_worker_that_cannot_have_the_new_snapshot_has_what_it_has_brought_to_its_sandbox(world: World) -> None:
    anew(world)
    make.commit(upstream(world), "main", 1)
    upstream(world).rename(upstream(world).with_suffix(".gone"))
    assert set(world.run().failed) == {"w0/sandbox/one", "w0/worker/one"}
    assert all_objects(worker(world)) <= all_objects(sandbox(world))


@pytest.mark.parametrize("seed", [*range(YEARS), *BROKEN_ONCE])
def test_a_year_of_use_stays_whole(tmp_path: Path, start: Path, seed: int) -> None:
    """A broken one is repeated by its seed: python -m tests.years 1 SEED."""
    assert live(tmp_path / "world", start, seed) is not None


def test_a_checkout_of_a_worker_is_whole_with_the_sandbox_behind_it(world: World, tmp_path: Path) -> None:
    """The look at a year's end can fail: with an object of the worker's missing in the sandbox it does."""
    anew(world)
    checkout = tmp_path / "checkout"
    make.git(
        tmp_path,
        "-c",
        "protocol.file.allow=always",
        "clone",
        "--quiet",
        f"--reference={worker(world)}",
        f"file://{upstream(world)}",
        str(checkout),
    )
    alternates = checkout / ".git/objects/info/alternates"
    alternates.write_text(str(sandbox(world) / "objects") + "\n")
    looked = subprocess.run(["git", "-C", str(checkout), "fsck"], capture_output=True, text=True, check=False)
    assert looked.returncode != 0
    right(world, world.run(), "one", "two")
    make.git(checkout, "fsck")
