# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container: a process in its own mount and pid namespaces, over this machine's own root file system.

The server itself runs in a user and mount namespace of its own (see ``__main__``), so that no root is needed and every
mount goes away with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

# $1 the new root, $2 `ro` or `rw`, $3 words that change the user, $4 the working directory, then source:destination pairs up to `--`, then the command.
# What makes a container: a tmpfs with this machine's directories in it, our binds, its own /proc and /tmp.
_SETUP = r"""
set -e
root=$1 mode=$2 user=$3 cwd=$4
shift 4
mount -t tmpfs -o mode=0755 none "$root"
for d in /*; do
    case $d in /proc|/tmp|/sys|/dev|/repository-cache|/packit-scratch) continue ;; esac
    if [ -L "$d" ]; then cp -P "$d" "$root$d"
    elif [ -d "$d" ]; then mkdir "$root$d"; mount --rbind "$d" "$root$d"; fi
done
mkdir "$root/dev" "$root/proc" "$root/tmp"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
chmod 1777 "$root/tmp"
while [ "$1" != -- ]; do
    mkdir -p "$root${1#*:}"
    mount --bind "${1%%:*}" "$root${1#*:}"
    shift
done
shift
if [ "$mode" = ro ]; then mount -o remount,ro,bind "$root"; fi
cd /
exec chroot "$root" $user sh -c 'cd -- "$0" && exec "$@"' "$cwd" "$@"
"""

_ENTER = ("nsenter", "--mount", "--pid", "--root", "--wd")


@dataclass(frozen=True)
class ContainerSpec:
    """What to run. ``binds``: source directory → destination. ``user`` 0: as the server."""

    command: tuple[str, ...]
    environment: dict[str, str]
    binds: dict[str, str]
    read_only: bool
    user: int
    group: int
    directory: str


class Container:
    """A running container. ``log`` is a file with what its first process prints."""

    def __init__(self, process: asyncio.subprocess.Process, spec: ContainerSpec, log: Path) -> None:
        self._process = process
        self.spec = spec
        self.log = log

    @classmethod
    async def start(cls, spec: ContainerSpec, place: Path) -> Container:
        """Start it; ``place`` is a directory of its own."""
        root = place / "root"
        root.mkdir(parents=True, exist_ok=True)
        log = place / "log"
        binds = [f"{source}:{destination}" for source, destination in spec.binds.items()]
        arguments = [str(root), "ro" if spec.read_only else "rw", _as_user(spec), spec.directory or "/", *binds, "--", *spec.command]
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", _SETUP, "container", *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, env=spec.environment, start_new_session=True,
            )  # fmt: skip
        return cls(process, spec, log)

    @property
    def first(self) -> int:
        """The process id, outside, of the container's first process; 0 when it has ended."""
        try:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        except OSError:
            return 0
        return int(children[0]) if children else 0

    async def ready(self) -> bool:
        """Wait until its own command runs; whether it does."""
        for _try in range(200):
            first = self.first
            if self._process.returncode is not None:
                return False
            if first:
                try:
                    if str(Path(f"/proc/{first}/root").readlink()) != "/":
                        return True
                except OSError:
                    pass
            await asyncio.sleep(0.01)
        return False

    async def wait(self) -> int:
        """Its exit code."""
        code = await self._process.wait()
        return 128 - code if code < 0 else code

    async def stop(self, grace: float) -> None:
        """TERM, then KILL."""
        first = self.first
        if first:
            _signal(first, signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(self._process.wait()), max(0.05, grace))
        except asyncio.TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """KILL; the kernel ends everything in its pid namespace."""
        for process in (self.first, self._process.pid):
            if process:
                _signal(process, signal.SIGKILL)

    def enter(self, command: list[str]) -> list[str]:
        """The argv that runs a command inside."""
        user = _as_user(self.spec)
        return [*_ENTER, f"--target={self.first}", "--", *user.split(), *command]


def _as_user(spec: ContainerSpec) -> str:
    """Words that change the user, where we may (as root); elsewhere everything runs as the server's own user."""
    if os.environ.get("EMBEDDED_CLUSTER_ROOT") != "1" or not spec.user:
        return ""
    return f"setpriv --reuid={spec.user} --regid={spec.group} --clear-groups --no-new-privs --"


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
