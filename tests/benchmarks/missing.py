# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what travels where volumes have most of it: amounts, so on the embedded cluster, and with a smaller repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.integration.harness import SAND, WORK, Scene, own
from tests.repositories.make import git
from tests.repositories.realistic import Shape, a_day, realistic

from .measure import Table, watched
from .world import embedded

_SHAPE = Shape(commits=6_000, files=1_000)


def missing(table: Table) -> None:
    """A worker's volume that is a new one beside its sandbox's, and volumes that were filled by hand."""
    with embedded() as (_cluster, scene):
        scene.deploy()
        upstream = shutil.copytree(realistic(_SHAPE), scene.server.root / "one.git")
        _emptied_worker(scene, upstream, table)
        _by_hand(scene, upstream, table)


def _emptied_worker(scene: Scene, upstream: Path, table: Table) -> None:
    watched(scene, method="auto")
    _forget(scene, WORK, scene.worker_claim(), scene.worker())
    before, entry = git(upstream, "rev-parse", "main"), scene.sandbox() / "one"
    a_day(upstream)
    new = f"main\n^{before}\n".encode()
    git(upstream, "pack-objects", "--revs", "--delta-base-offset", "--quiet", str(scene.directory / "lacked"), stdin=new)
    lacked, size = _size(scene.directory, "lacked-*"), _size(entry, "objects/pack/*")
    watched(scene, method="auto")
    grown, how = _size(entry, "objects/pack/*") - size, "embedded cluster; its worker's volume was a new one; packs and indexes"
    table.say("200 commits, what a sandbox's volume grew by ÷ what it lacked", f"{grown / lacked:.2f}", "≤ 1.5", how)


def _by_hand(scene: Scene, upstream: Path, table: Table) -> None:
    for space, claim, volume in (
        (WORK, scene.worker_claim(), scene.worker()),
        (SAND, scene.sandbox_claim(), scene.sandbox()),
    ):
        _forget(scene, space, claim, volume)
        git(volume, "clone", "--quiet", "--mirror", "--no-local", f"file://{upstream}", "one")
        own(volume / "one", volume)
    size = _size(scene.worker(), "one/objects/pack/*")
    before = scene.server.sent
    watched(scene, method="auto")
    sent, how = scene.server.sent - before, "embedded cluster; all that the git server sent, refs too"
    table.say("bytes read from upstream ÷ repository, a look at volumes that were filled by hand", f"{sent / size:.4f}", "≤ 0.01", how)


def _forget(scene: Scene, namespace: str, claim: str, volume: Path) -> None:
    """The volume is empty, and nothing is known of it."""
    shutil.rmtree(volume / "one")
    body = {"metadata": {"annotations": {"packit.dev/repository-cache": None}}}
    scene.cluster.core.patch_namespaced_persistent_volume_claim(claim, namespace, body)


def _size(directory: Path, pattern: str) -> int:
    return sum(file.stat().st_size for file in directory.glob(pattern) if file.suffix in (".pack", ".idx"))
