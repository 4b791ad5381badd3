# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts ansible-playbook."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from tests.forks import ForkServer
from tests.once import made

_PROGRAM = str(Path(sys.executable).parent / "ansible-playbook")
_OF_A_RUN = ("K8S_AUTH_", "KUBECONFIG", "PYTEST_")
"""Beginnings of names of variables that only modules, or pytest, read."""


class PlaybookProcess(Protocol):
    """A process of ansible-playbook."""

    @property
    def pid(self) -> int: ...

    @property
    def printed(self) -> str:
        """Return what it has printed until now, without its standard error where that goes elsewhere."""

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""

    def wait(self, seconds: float) -> int:
        """Return its exit code when it has ended. Raises TimeoutExpired."""


class Playbooks(ABC):
    """Starts ansible-playbook."""

    @abstractmethod
    def start(self, words: list[str], directory: Path, environment: Mapping[str, str], stderr: Path | None = None) -> PlaybookProcess:
        """Start it with these arguments in a directory, as a leader of a session; its standard error may go to another file."""


class ForkedPlaybooks(Playbooks):
    """Starts it in processes that have imported it.

    What Ansible reads of its environment when it is imported is as each run would have it: a fork server serves one environment. All
    runs of a session share the modules that Ansible has packed, which is most of what it does in a short play: no module of the same
    collections may change while tests run.
    """

    def __init__(self, servers: ExitStack) -> None:
        self._stack = servers
        self._servers: dict[frozenset[tuple[str, str]], ForkServer] = {}

    def start(self, words: list[str], directory: Path, environment: Mapping[str, str], stderr: Path | None = None) -> PlaybookProcess:
        assert not (directory / "ansible.cfg").exists(), "Ansible reads it when it is imported"
        lasting = {name: value for name, value in environment.items() if not name.startswith(_OF_A_RUN)}
        known = frozenset(lasting.items())
        if known not in self._servers:
            self._servers[known] = self._stack.enter_context(ForkServer("tests.playbooks.entry", lasting))
        apart = {} if stderr is None else {"stderr": str(stderr)}
        place = Path(tempfile.mkdtemp(dir=directory, prefix="playbook-"))
        collections = hashlib.sha256(environment["ANSIBLE_COLLECTIONS_PATH"].encode()).hexdigest()
        job = {"argv": [_PROGRAM, *words], "within": str(directory), "packed": str(made(f"packed-{collections}", Path.mkdir)), **apart}
        return self._servers[known].start(place, environment=dict(environment), **job)


class FreshPlaybooks(Playbooks):
    """Starts the program itself, as a user does."""

    def start(self, words: list[str], directory: Path, environment: Mapping[str, str], stderr: Path | None = None) -> PlaybookProcess:
        printed = Path(tempfile.mkdtemp(dir=directory, prefix="playbook-")) / "printed"
        with ExitStack() as files:
            out = files.enter_context(printed.open("ab"))
            errors = out if stderr is None else files.enter_context(stderr.open("ab"))
            argv = [_PROGRAM, *words]
            process = subprocess.Popen(argv, env=environment, stdout=out, stderr=errors, cwd=directory, start_new_session=True)
        return _Fresh(process, printed)


class _Fresh:
    def __init__(self, process: subprocess.Popen[bytes], printed: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._printed = printed

    @property
    def printed(self) -> str:
        return self._printed.read_text(errors="replace")

    def poll(self) -> int | None:
        return self._process.poll()

    def wait(self, seconds: float) -> int:
        return self._process.wait(seconds)


@contextmanager
def playbooks() -> Iterator[Playbooks]:
    """Return what starts ansible-playbook; its fork servers end with the context."""
    with ExitStack() as servers:
        yield ForkedPlaybooks(servers)
