# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""packit's own RepositoryCache on a worker's volume, and the checkout moved to where the sandbox's volume stands.

Both need the volume at /repository-cache. So each runs in mount namespaces of its own, over a root file system in which
that directory exists; no root is needed where unprivileged user namespaces are allowed. To import packit takes longer than to
clone, so a fork server does it once.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from packit.utils.repo import RepositoryCache

from tests.bounds import BOUND
from tests.forks import ForkServer

from .namespaces import enter

_LOG_FORMAT = "[%(asctime)s: %(levelname)s/%(processName)s] task.run_copr_build_handler[f0d1] %(message)s"
_CHECKS = r"""
set -e
cd "$1"
git fsck --connectivity-only
git status --short
git log --oneline --all >/dev/null
echo change >change.txt
git add change.txt
git -c user.name=a -c user.email=a@example.org commit --quiet -m change
git fetch --quiet --tags
git fsck --connectivity-only
"""


class Packit:
    """A packit service whose worker clones, and whose sandbox works in the clone."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server

    def clone(self, worker_volume: Path, url: str, checkout: Path) -> str:
        """Clone with packit's own code from the worker's volume, return the worker's log; it must have used the cache."""
        name = url.rsplit("/", 1)[1].removesuffix(".git")
        log = self._work(worker_volume, checkout, url=url, name=name)
        alternates = (checkout / ".git/objects/info/alternates").read_text().strip()
        assert alternates.startswith(f"/repository-cache/{name}/"), alternates
        return log

    def clone_without_cache(self, worker_volume: Path, url: str, checkout: Path) -> str:
        """Clone with packit's own code, return the worker's log; the worker's volume must not have the repository."""
        return self._work(worker_volume, checkout, url=url, name="")

    def check_in_sandbox(self, sandbox_volume: Path, checkout: Path) -> None:
        """The checkout is whole, and can be worked in, with the sandbox's volume behind it."""
        self._work(sandbox_volume, checkout)

    def _work(self, volume: Path, checkout: Path, **more: str) -> str:
        directory = Path(tempfile.mkdtemp(dir=checkout.parent))
        process = self._server.start(directory, volume=str(volume), checkout=str(checkout), **more)
        assert process.wait(BOUND) == 0, process.printed[-3000:]
        return process.printed


@contextmanager
def packit() -> Iterator[Packit]:
    """Return a packit, whose fork server ends with the context."""
    with ForkServer(__name__) as server:
        yield Packit(server)


def work(job: Mapping[str, Any]) -> int:
    """Clone a job's ``url``, of which the cache has ``name``, or without one work in what was cloned: what the processes of the fork server do.

    A clone is logged as the service's workers do it (packit_service/worker/tasks.py, ``setup_loggers``).
    """
    safe = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    os.environ.update(safe, HOME=job["directory"])
    enter(Path(job["volume"]), Path(job["directory"]) / "root")
    if "url" not in job:
        return subprocess.run(["sh", "-c", _CHECKS, "checks", job["checkout"]], check=False, timeout=BOUND).returncode
    logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format=_LOG_FORMAT)
    cache = RepositoryCache("/repository-cache")
    cache.get_repo(job["url"], job["checkout"])
    assert ",".join(cache.projects_cloned_using_cache) == job["name"], f"packit did not use the cache for {job['url']}"
    return 0
