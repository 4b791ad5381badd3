# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams that are not as they should be."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bounds import BOUND
from tests.repositories import make
from tests.upstream import packing

from .harness import METHODS, WORK, Scene, own


def shallow(scene: Scene) -> Path:
    """An upstream with the newest part of its history only; the whole one is beside it."""
    whole = make.make(scene.server.root / "whole" / "one.git", commits=30)
    return make.shallow_copy(whole, scene.server.root / "one.git")


def become_whole(scene: Scene) -> None:
    """A maintainer mends it."""
    source = scene.server.root / "one.git"
    make.git(source, "fetch", "--quiet", "--unshallow", f"file://{scene.server.root / 'whole' / 'one.git'}")


@pytest.mark.parametrize("method", METHODS)
def test_a_shallow_upstream_is_refused_and_nothing_is_published(scene: Scene, method: str) -> None:
    scene.deploy()
    shallow(scene)
    failed = scene.run(method=method, clones=str(scene.directory / "clones"))
    assert failed.code != 0
    assert f"{scene.url()} is a shallow repository: its history ends at commit " in failed.text
    assert [path.name for volume in (scene.worker(), scene.sandbox()) for path in volume.iterdir() if path.name != "lost+found"] == []
    become_whole(scene)
    scene.succeed(method=method, clones=str(scene.directory / "clones"))
    scene.check()


@pytest.mark.parametrize("method", ["git", "seed"])
def test_what_an_earlier_version_published_of_a_shallow_upstream_is_mended(scene: Scene, method: str) -> None:
    scene.deploy()
    source = shallow(scene)
    for volume in (scene.sandbox(), scene.worker()):
        entry = make.shallow_copy(source, volume / "one", depth=1000)
        (entry / "shallow").unlink()
        own(entry, volume)
    become_whole(scene)
    make.commit(source, "main", 3)
    done = scene.succeed(method=method, verify=True)
    assert "one was mended, and its good objects kept: objects behind its refs are missing" in done.text
    make.commit(source, "main", 3)
    scene.check()


@pytest.fixture
def slow(scene: Scene) -> Iterator[Scene]:
    """Upstreams that count for longer than a silent one is waited for; the one of `dead` says nothing."""
    scene.server.packing = packing.settings(packing.counting(scene.directory, seconds=12, dead="dead.git"), keep_alive=0)
    yield scene
    (scene.directory / "go-on").touch()


def test_an_upstream_that_counts_for_long_is_waited_for_by_each_method_and_a_silent_one_is_given_up(slow: Scene) -> None:
    slow.deploy()
    methods = {"one": "git", "two": "rsync", "three": "seed", "dead": "seed"}
    for seed, name in enumerate(methods):
        slow.repository(name, seed=seed)
    variables = slow.variables(*methods, clones=str(slow.directory / "clones"), stall_timeout=10)
    for project, method in zip(variables["repository_cache_projects"], methods.values(), strict=True):
        project["method"] = method
    done = slow.run(variables=variables)
    assert done.code != 0
    assert f"Fetching {slow.url('dead')} in pod {WORK}/packit-cache-seed-" in done.text
    assert "was given up: upstream sent nothing for 10 seconds. Run again." in done.text
    slow.check("one", "two", "three")
    assert done.result["summary"] and not (slow.sandbox() / "dead").exists()


def test_names_of_any_bytes_arrive_and_bad_ones_are_named(scene: Scene) -> None:
    scene.deploy()
    source = scene.repository()
    for name in (b"refs/heads/caf\xe9", "refs/heads/topic\u2028x".encode(), b"refs/heads/topic"):
        argv = [b"git", b"-c", b"safe.directory=*", b"-C", bytes(source), b"update-ref", name, b"main~2"]
        subprocess.run(argv, check=True, env=make.ENVIRONMENT, timeout=BOUND)
        make.commit(source)
    scene.server.more_refs = [("1" * 40, b"refs/heads/a..b"), ("1" * 40, b"refs/heads/\x1b[31mx.lock")]
    done = scene.succeed()
    words = [line for line in done.output.splitlines() if "Refs of one at upstream were left out" in line]
    assert words and all(r"\x1b[31mx.lock" in line and "`refs/heads/a..b`" in line and "\x1b" not in line for line in words)
    packed = [(path / "one/packed-refs").read_bytes().split(b"\n", 1)[1] for path in (scene.worker(), scene.sandbox())]
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(source), "for-each-ref", "--format=%(objectname) %(refname)"],
        check=True, capture_output=True, env=make.ENVIRONMENT, timeout=BOUND,
    ).stdout  # fmt: skip
    assert packed == [listed, listed]
    scene.check()
    assert scene.succeed().result["changed"] is False
