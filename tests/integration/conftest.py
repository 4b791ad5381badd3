# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the cluster that the scenarios run on (the embedded one, or with ``--real`` the real one), and what each finds there."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests import once
from tests.clusters.base import TestCluster
from tests.clusters.embedded import EmbeddedTestCluster
from tests.clusters.real import RealCluster
from tests.consumers.packit import Packit, packit
from tests.modules.launcher import Launcher, launcher
from tests.playbooks.launcher import Playbooks, playbooks
from tests.upstream.server import GitServer

from .aftermath import sections
from .harness import ROOT, Scene

_CLUSTER: pytest.StashKey[TestCluster] = pytest.StashKey()
_SCENE: pytest.StashKey[Scene] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Make the session's directory, and let the processes that scenarios start find the collection, also where `make` did not start pytest."""
    collections = str(ROOT / ".build" / "collections")
    os.environ.setdefault("ANSIBLE_COLLECTIONS_PATH", collections)
    os.environ.setdefault("PYTHONPATH", f"{collections}:{ROOT}:{ROOT / 'tests' / 'site'}")
    once.pytest_configure(config)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--real``."""
    parser.addoption("--real", action="store_true", help="run on the real cluster, which tests/real_cluster/cluster.sh has brought up")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for the other cluster, and begin with what waits most: the others run meanwhile."""
    real = config.getoption("--real")
    left_out = [item for item in items if (item.get_closest_marker("real") and not real) or (item.get_closest_marker("embedded") and real)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: item.get_closest_marker("faults") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what a scenario that failed has left behind, before it is cleaned up."""
    report = yield
    if report.when in ("setup", "call") and report.failed:
        cluster = item.session.stash.get(_CLUSTER, None)
        if cluster is not None:
            report.sections += list(sections(cluster, item.stash.get(_SCENE, None)))
    return report


@pytest.fixture(scope="session")
def shared_cluster(request: pytest.FixtureRequest) -> Iterator[TestCluster]:
    """The cluster, up for the whole session."""
    cluster: TestCluster = RealCluster() if request.config.getoption("--real") else EmbeddedTestCluster()
    try:
        request.session.stash[_CLUSTER] = cluster
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def cluster(shared_cluster: TestCluster) -> Iterator[TestCluster]:
    """The cluster, with nothing in it before and after."""
    shared_cluster.reset()
    yield shared_cluster
    shared_cluster.reset()


@pytest.fixture(scope="session", name="launcher")
def shared_launcher() -> Iterator[Launcher]:
    """A process that starts modules without Ansible."""
    with launcher() as made:
        yield made


@pytest.fixture(scope="session", name="playbooks")
def shared_playbooks() -> Iterator[Playbooks]:
    """Processes that start ansible-playbook."""
    with playbooks() as made:
        yield made


@pytest.fixture(scope="session", name="packit")
def shared_packit() -> Iterator[Packit]:
    """The consumer of the caches."""
    with packit() as made:
        yield made


@pytest.fixture
def scene(
    cluster: TestCluster, launcher: Launcher, playbooks: Playbooks, packit: Packit, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Scene]:
    """A cluster with nothing in it, and a git server with nothing on it."""
    root = tmp_path / "upstream"
    root.mkdir()
    with GitServer(root, cluster.upstream_host) as server:
        made = Scene(cluster, server, tmp_path, launcher, playbooks, packit, request.node.get_closest_marker("playbook") is not None)
        request.node.stash[_SCENE] = made
        yield made
        for run in made.started:
            if run.poll() is None:
                run.kill()
