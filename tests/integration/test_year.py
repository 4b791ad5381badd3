# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A year of use: claims made anew, projects no longer listed, damage, and what a sandbox's own user did to its volume."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.repositories import make
from tests.volumes import poison

from .harness import SAND, Scene, objects, own


def make_sandbox_anew(scene: Scene) -> None:
    """The sandbox's claim as if somebody had deleted it and made it again: nothing on its volume, nothing written on it."""
    for entry in scene.sandbox().iterdir():
        shutil.rmtree(entry)
    ours = {name: None for name in scene.cluster.annotations(SAND, scene.sandbox_claim()) if name.startswith("packit.dev/")}
    assert ours
    scene.cluster.core.patch_namespaced_persistent_volume_claim(scene.sandbox_claim(), SAND, {"metadata": {"annotations": ours}})


def swap_two_blobs(entry: Path, volume: Path) -> str:
    """Each of two blobs has the other's content, for a git that believes the index. Returns the id of one."""
    one, two = poison.blobs(entry)[:2]
    poison.swap_offsets(next((entry / "objects/pack").glob("*.idx")), one, two)
    own(entry, volume)
    return one


@pytest.mark.parametrize("method", ["auto", "rsync"])
def test_a_sandbox_made_anew_gets_what_only_its_worker_has(scene: Scene, method: str) -> None:
    scene.deploy()
    upstream = scene.repository(commits=10)
    wanted = [{"url": scene.url(), "refs": ["refs/heads/main"]}]
    scene.succeed(method=method, projects=wanted)
    make_sandbox_anew(scene)
    make.commit(upstream, "main", 2)
    scene.succeed(method=method, projects=wanted)
    assert make.git(scene.sandbox() / "one", "rev-parse", "main") == make.git(upstream, "rev-parse", "main")
    scene.check()
    assert scene.succeed(method=method, projects=wanted).result["changed"] is False


def test_a_project_that_is_no_longer_listed_is_brought_to_a_sandbox_made_anew(scene: Scene) -> None:
    scene.deploy()
    for name in ("one", "two"):
        scene.repository(name, commits=5)
    scene.succeed("one", "two")
    make_sandbox_anew(scene)
    done = scene.succeed("one")
    assert done.actions()[scene.sandbox_claim()] == {"one": "add", "two": "add"}
    assert "Not listed, and left where it is: two (1 worker)." in done.text
    scene.check("one", "two")


def test_damage_that_verify_finds_is_mended_by_that_run(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=10)
    scene.succeed()
    pack = next((scene.worker() / "one/objects/pack").glob("*.pack"))
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o664)
    pack.write_bytes(data)
    done = scene.succeed(verify=True)
    assert done.actions()[scene.worker_claim()] == {"one": "repair"}
    make.git(scene.worker() / "one", "fsck", "--full", "--no-dangling")
    scene.check()
    assert scene.succeed(verify=True).result["changed"] is False


def test_verify_finds_what_a_sandboxs_user_put_in_anothers_place(scene: Scene) -> None:
    scene.deploy()
    scene.repository(commits=6)
    scene.succeed()
    value = swap_two_blobs(scene.sandbox() / "one", scene.sandbox())
    good = make.git(scene.worker() / "one", "cat-file", "blob", value)
    assert make.git(scene.sandbox() / "one", "cat-file", "blob", value) != good
    done = scene.succeed(verify=True)
    assert "it was tampered with: the index of pack" in done.text
    assert make.git(scene.sandbox() / "one", "cat-file", "blob", value) == good
    scene.check()


def test_no_mode_of_a_directory_and_no_lock_of_a_wrong_type_blocks_a_pair(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=6)
    scene.succeed()
    before = objects(scene.worker() / "one")
    entry = scene.sandbox() / "one"
    lost = next(entry / "objects" / f"{number:02x}" for number in range(256) if not (entry / "objects" / f"{number:02x}").exists())
    lost.mkdir()
    (lost / "x").write_text("\n")
    (entry / "refs/heads/main.lock").mkdir(parents=True)
    own(entry, scene.sandbox())
    lost.chmod(0)
    make.commit(upstream, "main", 1)
    scene.succeed()
    assert before <= objects(entry)
    scene.check()
    lost.mkdir(exist_ok=True)
    own(entry, scene.sandbox())
    lost.chmod(0)
    done = scene.succeed(state="absent")
    assert done.actions()[scene.sandbox_claim()] == {"one": "remove"}
    assert [path.name for volume in (scene.sandbox(), scene.worker()) for path in volume.iterdir() if path.name != "lost+found"] == []
