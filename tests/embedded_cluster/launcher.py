"""Containers and the processes that exec starts in them, as children of the server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from .container import Container

_START_TIMEOUT = 30.0
_PROJECT = Path(__file__).parents[2]
SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StartError(Exception):
    """A container's first process, or one of an exec, cannot be started; the text is as a container runtime says it."""


@dataclass(frozen=True)
class Process:
    """A container's first process."""

    pid: int
    container: Container
    exited: asyncio.Future[int]
    """The exit code; 128 and the signal's number where a signal ended it."""

    def kill(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if not self.exited.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def entering(self, argv: list[str]) -> list[str]:
        """The command line that runs ``argv`` inside this container. Raises StartError."""
        if not argv:
            raise StartError("args must not be empty")
        self._check_command(argv[0])
        root = f"/proc/{self.pid}/root"
        options = ["--target", str(self.pid), "--mount", "--pid", "--uts", "--ipc", f"--root={root}", f"--wd={root}{self.container.cwd}"]
        users = ["--user", "--preserve-credentials"] if self.container.users else []
        return ["nsenter", *options, *users, "--", *argv]

    def _check_command(self, command: str) -> None:
        """What a runtime says before it starts anything."""
        folders = self.container.env.get("PATH", SEARCHED).split(":")
        places = [command] if "/" in command else [f"{folder}/{command}" for folder in folders]
        found = [path for path in (Path(f"/proc/{self.pid}/root/{place.lstrip('/')}") for place in places) if os.path.lexists(path)]
        if not found:
            missing = "executable file not found in $PATH" if "/" not in command else f"stat {command}: no such file or directory"
            raise StartError(f'exec: "{command}": {missing}')
        if not any(path.is_symlink() or os.access(path, os.X_OK) for path in found):
            raise StartError(f'exec: "{command}": permission denied')


async def launch(container: Container, log: Path) -> Process:
    """Start a container; its output goes to the end of ``log``. Raises StartError."""
    Path(container.root).mkdir(exist_ok=True)
    with log.open("ab") as output:
        helper = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-m", f"{__package__}.container", str(output.fileno())),
            cwd=_PROJECT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            pass_fds=(output.fileno(),),
        )
        text = json.dumps(dataclasses.asdict(container)).encode()
        report, _ = await asyncio.wait_for(helper.communicate(text), _START_TIMEOUT)
    pid, _, error = report.decode().partition("\n")
    if not pid:
        raise StartError(f"the container's helper failed: {log.read_text()[-500:]}")
    exited = _watch(int(pid))
    if error:
        await exited
        raise StartError(error)
    return Process(int(pid), container, exited)


def _watch(pid: int) -> asyncio.Future[int]:
    """The exit code, some time, of a process that this one has adopted."""
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[int] = loop.create_future()
    descriptor = os.pidfd_open(pid)

    def ended() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        exited.set_result(code if code >= 0 else 128 - code)

    loop.add_reader(descriptor, ended)
    return exited
