# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places where figures are measured: the real cluster with four pairs of volumes, and embedded ones."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clusters.embedded import EmbeddedTestCluster
from tests.clusters.real import RealCluster
from tests.consumers.packit import packit
from tests.integration.harness import SAND, WORK, Scene
from tests.integration.runs import Run
from tests.modules.launcher import launcher
from tests.playbooks.launcher import FreshPlaybooks
from tests.repositories.make import make_large
from tests.repositories.realistic import Shape, cached, realistic
from tests.upstream.server import GitServer

from .rivals import Place

PAIRS = 4
ONE_PAIR = "[?worker.pod=='packit-worker-0']"
LARGE = 1200
"""Megabytes."""


@dataclass
class World:
    """The clusters on which everything is measured."""

    cluster: RealCluster
    scene: Scene

    @property
    def repository(self) -> Path:
        """Upstream's, which moves on with each `a_day`."""
        return self.scene.server.root / "one.git"

    @property
    def megabytes(self) -> float:
        """Its size as a bare clone has it: pack and index."""
        return sum(path.stat().st_size for path in self.packs) / 1e6

    @property
    def packs(self) -> list[Path]:
        """Upstream's packs and indexes."""
        return [path for path in sorted((self.repository / "objects/pack").iterdir()) if path.suffix in (".pack", ".idx")]

    @property
    def places(self) -> list[Place]:
        """All volumes, the first sandbox's before the others."""
        numbers = range(PAIRS)
        sandboxes = [Place(self.cluster, SAND, self.scene.sandbox_claim(number)) for number in numbers]
        return [*sandboxes, *(Place(self.cluster, WORK, self.scene.worker_claim(number)) for number in numbers)]

    def original(self) -> None:
        """Upstream is as at first, and the volumes are empty."""
        shutil.rmtree(self.repository, ignore_errors=True)
        shutil.copytree(realistic(Shape()), self.repository)
        self.empty()

    def empty(self) -> None:
        """All volumes are empty again, and nothing is known of them."""
        body = {"metadata": {"annotations": {"packit.dev/repository-cache": None}}}
        for place in self.places:
            left = [str(path) for path in place.path.iterdir() if path.name != "lost+found"]
            subprocess.run(["rm", "-rf", "--", *left], check=True)
            self.cluster.core.patch_namespaced_persistent_volume_claim(place.claim, place.namespace, body)


def sandbox_of(run: Run) -> dict[str, object]:
    """Return what the result says of the first pair's sandbox's volume."""
    found: dict[str, object] = next(volume for volume in run.result["volumes"] if volume["role"] == "sandbox")
    return found


def large() -> Path:
    """A repository of 1.2 GB, few commits of large files."""
    return cached(f"benchmark-repository-large-{LARGE}", lambda path: make_large(path, LARGE, commits=4000))


@contextmanager
def embedded(through_playbook: bool = True) -> Iterator[tuple[EmbeddedTestCluster, Scene]]:
    """An embedded cluster with nothing on it, for amounts."""
    cluster = EmbeddedTestCluster()
    try:
        with tempfile.TemporaryDirectory(prefix="packit-benchmark-") as name, launcher() as modules, packit() as consumer:
            directory = Path(name)
            with GitServer(directory / "upstream", cluster.upstream_host) as server:
                yield cluster, Scene(cluster, server, directory, modules, FreshPlaybooks(), consumer, through_playbook=through_playbook)
    finally:
        cluster.close()


@contextmanager
def world() -> Iterator[World]:
    """Made, and taken away."""
    with tempfile.TemporaryDirectory(prefix="packit-benchmark-", dir="/var/tmp") as name:
        cluster = RealCluster()
        cluster.reset()
        directory = Path(name)
        root = directory / "upstream"
        root.mkdir()
        try:
            with GitServer(root, cluster.upstream_host) as server, launcher() as modules, packit() as consumer:
                scene = Scene(cluster, server, directory, modules, FreshPlaybooks(), consumer, through_playbook=True)
                scene.deploy(PAIRS, size="3G")
                made = World(cluster, scene)
                made.original()
                yield made
        finally:
            cluster.close()
