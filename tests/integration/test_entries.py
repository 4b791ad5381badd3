# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries that lie on volumes already: made by hand, older, broken, or planted."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.bounds import BOUND
from tests.repositories import make

from .harness import Scene, entry_refs, objects, own


def put(source: Path, volume: Path, name: str, *words: str, bare: bool = True) -> Path:
    """A clone made by hand on a volume."""
    entry = volume / name
    argv = ["git", "-c", "safe.directory=*", "-c", "protocol.file.allow=always", "clone", "--quiet", *(["--bare"] if bare else []), *words]
    subprocess.run([*argv, f"file://{source}", str(entry)], check=True, capture_output=True, timeout=BOUND)
    own(entry, volume)
    return entry


def test_older_bare_and_non_bare_entries_are_updated_in_place(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=20)
    for volume in (scene.worker(), scene.sandbox()):
        put(upstream, volume, "one", bare=False)
    head, index = (scene.worker() / "one/.git/HEAD").read_bytes(), (scene.worker() / "one/.git/index").read_bytes()
    branch = make.git(scene.worker() / "one", "rev-parse", "refs/heads/main")
    make.commit(upstream, "main", 2)
    done = scene.succeed()
    assert done.project(scene.worker_claim(), "one")["layout"] == "non-bare"
    entry = scene.worker() / "one"
    assert (entry / ".git/HEAD").read_bytes() == head
    assert (entry / ".git/index").read_bytes() == index
    refs = entry_refs(entry)
    assert refs["refs/heads/main"] == branch
    assert refs["refs/packit-cache/heads/main"] == make.git(upstream, "rev-parse", "main")
    scene.check()
    assert scene.succeed().result["changed"] is False


def test_an_entry_of_another_user_is_updated_in_place(scene: Scene) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    scene.deploy()
    upstream = scene.repository(commits=5)
    for volume in (scene.worker(), scene.sandbox()):
        entry = put(upstream, volume, "one")
        for path in (entry, *entry.rglob("*")):
            os.chown(path, 4242, -1)
    make.commit(upstream, "main", 2)
    done = scene.succeed()
    assert done.actions()[scene.worker_claim()] == {"one": "update"}
    assert (scene.worker() / "one").stat().st_uid == 4242
    scene.check()


def test_mixed_layouts_in_a_pair_are_bridged(scene: Scene) -> None:
    scene.deploy()
    one, two = scene.repository("one", commits=10), scene.repository("two", commits=10)
    put(one, scene.worker(), "one", bare=False)
    put(two, scene.sandbox(), "two", bare=False)
    scene.succeed("one", "two")
    assert (scene.sandbox() / "one/.git/objects").is_symlink()
    assert (scene.sandbox() / "two/objects").is_symlink()
    scene.check("one", "two")
    assert scene.succeed("one", "two", verify=True).result["changed"] is False


def test_what_only_the_worker_has_reaches_its_sandbox_first(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=10)
    entry = put(upstream, scene.worker(), "one")
    loose = make.git(entry, "hash-object", "-w", "--stdin", stdin=b"nobody refers to me")
    forgotten, _new = make.force_push(upstream, "main")
    make.forget_unreachable(upstream)
    own(entry, scene.worker())
    done = scene.succeed()
    assert {loose, forgotten} <= objects(scene.worker() / "one")
    assert {loose, forgotten} <= objects(scene.sandbox() / "one")
    warnings = done.project(scene.sandbox_claim(), "one")["warnings"]
    assert any("copied from the worker's volume, with objects that" in words for words in warnings)
    scene.check()


def test_sixty_packs_and_an_aged_unreachable_object_survive_an_update(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=3)
    entry = put(upstream, scene.sandbox(), "one")
    for number in range(60):
        blob = make.git(entry, "hash-object", "-w", "--stdin", stdin=f"blob {number}".encode())
        make.git(entry, "pack-objects", "--quiet", "objects/pack/pack", stdin=f"{blob}\n".encode())
    make.git(entry, "prune-packed")
    aged = make.git(entry, "hash-object", "-w", "--stdin", stdin=b"old and unreachable")
    long_ago = time.time() - 400 * 86400
    for path in (entry / "objects").rglob("*"):
        os.utime(path, (long_ago, long_ago))
    own(entry, scene.sandbox())
    before = objects(entry)
    make.commit(upstream, "main")
    scene.succeed()
    assert before <= objects(entry)
    assert aged in objects(entry)
    assert len(list((entry / "objects/pack").glob("*.pack"))) > 60
    scene.check()


def test_unusable_entries_are_mended_or_replaced_where_that_is_safe(scene: Scene) -> None:
    scene.deploy()
    names = ("shallow", "partial", "empty", "halfmade", "broken")
    for name in names:
        scene.repository(name, commits=10)
    make.git(scene.server.root / "partial.git", "config", "uploadpack.allowFilter", "true")
    volume = scene.worker()
    put(scene.server.root / "shallow.git", volume, "shallow", "--depth=2", "--no-single-branch")
    put(scene.server.root / "partial.git", volume, "partial", "--filter=blob:none")
    (volume / "empty").mkdir()
    (volume / "halfmade" / "objects").mkdir(parents=True)
    broken = put(scene.server.root / "broken.git", volume, "broken")
    for pack in (broken / "objects/pack").iterdir():
        pack.unlink()
    for name in ("empty", "halfmade"):
        own(volume / name, volume)
    done = scene.succeed(*names)
    actions = done.actions()[scene.worker_claim()]
    assert actions == {"shallow": "repair", "partial": "repair", "empty": "add", "halfmade": "replace", "broken": "repair"}
    assert "shallow was mended, and its good objects kept: it is a shallow clone, which git refuses as a reference" in done.text
    scene.check(*names)


def test_an_entry_that_may_be_in_use_is_not_replaced_but_explained(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=5)
    entry = put(upstream, scene.worker(), "one")
    elsewhere = scene.worker() / "elsewhere"
    shutil.copytree(entry / "objects", elsewhere)
    (entry / "objects/info").mkdir(exist_ok=True)
    (entry / "objects/info/alternates").write_text("/repository-cache/elsewhere\n")
    own(entry, scene.worker())
    done = scene.run()
    assert done.code != 0
    assert "it borrows objects from elsewhere (objects/info/alternates)" in done.text
    assert "It is not replaced while another pod has the volume mounted." in done.text
    assert (entry / "objects/info/alternates").exists()
    assert scene.fillers() == []


def test_leftovers_of_failed_runs_are_cleaned(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=5)
    entry = put(upstream, scene.sandbox(), "one")
    old = [entry / "objects/pack/tmp_pack_abc", entry / "packed-refs.lock", entry / "packed-refs.new"]
    for path in old:
        path.write_bytes(b"x" * 100)
    (scene.sandbox() / ".packit-deployment#work/one/objects/pack").mkdir(parents=True)
    own(entry, scene.sandbox())
    own(scene.sandbox() / ".packit-deployment#work", scene.sandbox())
    for path in old:
        os.utime(path, (1, 1))
    make.delete_branch(upstream, "feature")
    scene.succeed()
    assert not any(path.exists() for path in old)
    scene.check()


def test_locks_of_a_run_that_was_killed_do_not_stop_the_next(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=5)
    scene.succeed()
    for volume in (scene.sandbox(), scene.worker()):
        for name in ("packed-refs.lock", "packed-refs.new"):
            (volume / "one" / name).write_text("")  # young
        work = volume / ".packit-deployment#work"
        (work / "one").mkdir(parents=True)
        (work / "one/locks").write_text("")
        own(work, volume)
        own(volume / "one", volume)
    make.delete_branch(upstream, "feature")
    scene.succeed()
    assert not [path.name for path in (scene.worker() / "one").glob("packed-refs.*")]
    scene.check()


def test_a_poisoned_entry_runs_nothing_reads_nothing_and_is_reported(scene: Scene) -> None:
    scene.deploy()
    upstream = scene.repository(commits=5)
    marker = "/repository-cache/PWNED"
    entry = put(upstream, scene.sandbox(), "one")
    script = f"#!/bin/sh\ntouch {marker}\n"
    for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "fsmonitor", "update"):
        hook = entry / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(script)
        hook.chmod(0o755)
    with (entry / "config").open("a") as file:
        file.write(
            f"[core]\n\tfsmonitor = touch {marker}\n\tsshCommand = touch {marker}\n\thooksPath = {entry}/hooks\n\talternateRefsCommand = touch {marker}\n"
            f'[url "ext::sh -c touch% {marker}"]\n\tinsteadOf = http\n[include]\n\tpath = /etc/passwd\n'
            f"[uploadpack]\n\tpackObjectsHook = touch {marker}\n[credential]\n\thelper = !touch {marker}\n"
        )
    own(entry, scene.sandbox())
    make.commit(upstream, "main", 2)
    done = scene.succeed()
    assert not (scene.sandbox() / "PWNED").exists()
    warnings = " ".join(done.project(scene.sandbox_claim(), "one")["warnings"])
    assert "one has 5 hooks; they were not run" in warnings
    assert "core.fsmonitor" in warnings and "touch" not in warnings
    assert make.git(upstream, "rev-parse", "main") in (scene.sandbox() / "one/packed-refs").read_text()


def test_symlinks_that_lead_outside_are_not_followed(scene: Scene) -> None:
    scene.deploy()
    for name in ("one", "two", "three"):
        scene.repository(name, commits=5)
    volume = scene.sandbox()
    secret = volume / "lost+found"
    (volume / "one").symlink_to("/etc")
    entry = put(scene.server.root / "two.git", volume, "two")
    shutil.rmtree(entry / "objects")
    (entry / "objects").symlink_to("/tmp")
    entry = put(scene.server.root / "three.git", volume, "three", bare=False)
    shutil.rmtree(entry / ".git")
    (entry / ".git").write_text("gitdir: /repository-cache/two\n")
    own(entry, volume)
    done = scene.succeed("one", "two", "three")
    assert set(done.actions()[scene.sandbox_claim()].values()) == {"replace"}
    assert "which could lead anywhere" in done.text
    assert secret.is_dir()
    scene.check("one", "two", "three")
