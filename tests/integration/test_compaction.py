# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many packs become one, and go when the grace is over; checkouts that borrow, and a second run, notice nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.repositories import make

from .harness import SAND, WORK, Scene, objects, own

RECORD = "packit.dev/repository-cache"
MANY = 55


def packs(entry: Path) -> set[str]:
    return {path.stem for path in (entry / "objects/pack").glob("*.pack")}


def many_packs(entry: Path, volume: Path) -> None:
    """As many updates leave them."""
    for number in range(MANY):
        value = make.git(entry, "hash-object", "-w", "--stdin", stdin=f"update {number}".encode())
        make.git(entry, "pack-objects", "--quiet", str(entry / "objects/pack/pack"), stdin=f"{value}\n".encode())
        (entry / "objects" / value[:2] / value[2:]).unlink()
        (entry / "objects" / value[:2]).rmdir()
    own(entry, volume)


def published_long_ago(scene: Scene) -> None:
    """Two days pass: what both claims say is two days older."""
    for namespace, claim in ((WORK, scene.worker_claim()), (SAND, scene.sandbox_claim())):
        record = json.loads(scene.cluster.annotations(namespace, claim)[RECORD])
        assert record["projects"]["one"]["covering_since"]
        record["projects"]["one"]["covering_since"] = "2026-01-01T00:00:00Z"
        body = {"metadata": {"annotations": {RECORD: json.dumps(record)}}}
        scene.cluster.core.patch_namespaced_persistent_volume_claim(claim, namespace, body)


def test_many_packs_become_one_and_go_after_the_grace(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=20)
    scene.succeed()
    many_packs(scene.worker() / "one", scene.worker())
    make.commit(upstream, "main")
    scene.succeed(compact="never")
    old, held = packs(scene.worker() / "one"), objects(scene.worker() / "one")
    assert len(old) == MANY + 2
    checkout = scene.directory / "before" / "code"
    checkout.parent.mkdir()
    scene.packit.clone(scene.worker(), scene.url(), checkout)

    planned = scene.succeed(arguments=("--check",))
    why = f"{MANY + 2} packs, of which the small ones become one"
    assert {step["why"] for step in planned.result["plan"]} == {why, "it has the same packs as its worker's volume"}
    assert packs(scene.worker() / "one") == old
    done = scene.succeed()
    assert {action for actions in done.actions().values() for action in actions.values()} == {"compact"}
    (words,) = done.project(scene.worker_claim(), "one")["notes"]
    assert words == f"one pack was made of {MANY + 2}, which stay for the time of repository_cache_compact_grace"
    (new,) = packs(scene.worker() / "one") - old
    assert old < packs(scene.worker() / "one") and new in packs(scene.sandbox() / "one")
    scene.check()
    assert scene.succeed().result["changed"] is False

    published_long_ago(scene)
    planned = scene.succeed(arguments=("--check",))
    assert {step["why"] for step in planned.result["plan"]} == {"old packs go, as a newer one has all of their objects"}
    done = scene.succeed()
    assert {action for actions in done.actions().values() for action in actions.values()} == {"compact"}
    assert new in packs(scene.worker() / "one") and len(packs(scene.worker() / "one")) <= 3
    assert packs(scene.worker() / "one") <= packs(scene.sandbox() / "one")
    for volume in (scene.worker(), scene.sandbox()):
        assert held <= objects(volume / "one")
    scene.packit.check_in_sandbox(scene.sandbox(), checkout)
    scene.check()
    again = scene.succeed()
    assert again.result["changed"] is False and all(volume["locks"] == [] for volume in again.result["volumes"])
