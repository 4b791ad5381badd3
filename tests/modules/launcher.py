# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts modules by way of a fork server, and reads their answers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.packit.deployment.plugins.plugin_utils.option_names import worded
from tests.forks import Forked, ForkServer

CLOCK_AHEAD = "TESTS_CLOCK_AHEAD"
"""Environment: seconds by which Python's clock in the job is ahead of this machine's; fewer than 0 for behind."""
REMOVAL_SECONDS = "TESTS_REMOVAL_SECONDS"
"""Environment: seconds for which the job waits for a pod to go, where a test has a node that does not answer; 150 is usual."""


@dataclass(frozen=True)
class Call:
    """A module and its arguments, as Ansible would give them; ``variables`` are those that a role's task takes them from."""

    module: str
    arguments: Mapping[str, Any]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModuleProcess:
    """A process that runs modules."""

    process: Forked
    directory: Path
    calls: Sequence[Call]
    _read: dict[int, dict[str, Any]] = field(default_factory=dict)

    def answers(self) -> list[dict[str, Any]]:
        """The answers that there are, in the order of the calls, in the words that our action plugins give them."""
        for number, call in enumerate(self.calls):
            path = self.directory / f"{number}.json"
            if number not in self._read and path.exists():
                self._read[number] = worded(json.loads(path.read_text()), call.variables)
        return [self._read[number] for number in sorted(self._read)]


class Launcher:
    """Runs modules in processes that have imported them already."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server

    def start(self, calls: Sequence[Call], directory: Path, environment: Mapping[str, str], *, check: bool, diff: bool) -> ModuleProcess:
        """Start modules that run one after the other, whatever becomes of the first, in a directory of their own below this one."""
        place = Path(tempfile.mkdtemp(dir=directory, prefix="modules-"))
        internal = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": str(place)}
        given = [{"module": call.module, "arguments": {**call.arguments, **internal}} for call in calls]
        return ModuleProcess(self._server.start(place, environment=dict(environment), calls=given), place, calls)


@contextmanager
def launcher() -> Iterator[Launcher]:
    """Return a launcher, whose fork server ends with the context."""
    with ForkServer("tests.modules.entry") as server:
        yield Launcher(server)
