# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""packit's own RepositoryCache on a worker's volume, and the checkout moved to where the sandbox's volume stands.

To import packit takes longer than to clone. So only a fork server does it, once, and no process of pytest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bounds import BOUND
from tests.forks import ForkServer


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
    with ForkServer("tests.consumers.entry") as server:
        yield Packit(server)
