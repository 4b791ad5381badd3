# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that volumes have already are neither read from upstream nor copied."""

from __future__ import annotations

from pathlib import Path

from tests.repositories import make

from .harness import Scene, own


def by_hand(scene: Scene, volume: Path) -> Path:
    """A clone that somebody has made on a volume."""
    make.git(volume, "clone", "--quiet", "--mirror", "--no-local", f"file://{scene.server.root / 'one.git'}", "one")
    own(volume / "one", volume)
    return volume / "one"


def test_volumes_that_were_filled_by_hand_cost_no_seed(scene: Scene) -> None:
    scene.deploy(2)
    upstream = make.make_large(scene.server.root / "one.git", 5, commits=30)
    entries = [by_hand(scene, volume) for number in range(2) for volume in (scene.worker(number), scene.sandbox(number))]
    size = sum(file.stat().st_size for file in entries[0].rglob("*.pack"))
    make.commit(upstream, "main", 3)
    before = scene.server.sent
    done = scene.succeed(method="auto")
    assert scene.server.sent - before <= size / 100
    assert {action for actions in done.actions().values() for action in actions.values()} == {"update"}
    assert [len(volume["locks"]) for volume in done.result["volumes"]] == [1] * 4
    assert "seed pod" not in done.text
    scene.check()
    assert scene.succeed(method="auto").result["changed"] is False


def test_an_empty_volume_beside_those_that_were_filled_by_hand_gets_all(scene: Scene) -> None:
    scene.deploy(2)
    make.make_large(scene.server.root / "one.git", 5, commits=30)
    for volume in (scene.worker(1), scene.sandbox(1), scene.worker(0)):
        by_hand(scene, volume)
    done = scene.succeed(method="auto")
    assert done.project(scene.sandbox_claim(0), "one")["method"] == "seed" and "seed pod" in done.text
    scene.check()
