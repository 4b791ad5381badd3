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

# $1 the new root, $2 `ro` or `rw`, $3 words that change the user, $4 the working directory, $5 the host name, then mode:source:destination
# triples up to `--`, then the command. What makes a container: a tmpfs with this machine's directories in it, our binds, its own /proc
# and /tmp. What is to be below one of this machine's directories, where nothing is yet, is in a layer over it, as an image would have it.
_SETUP = r"""
set -e
exec 3>&0 </dev/null
root=$1 mode=$2 user=$3 cwd=$4
hostname "$5"
shift 5
layers=
layer() {
    mkdir .layer
    mount -t tmpfs none .layer
    mkdir .layer/upper .layer/work
    mount -t overlay -o "lowerdir=$1,upperdir=.layer/upper,workdir=.layer/work" none ".$1"
    umount -l .layer
    rmdir .layer
}
mount -t tmpfs -o mode=0755 none "$root"
cd "$root"
mkdir .outside dev proc tmp home root run srv sys var var/tmp
chmod 1777 tmp var/tmp
links='' own=''
for d in /bin /etc /lib* /opt /sbin /usr; do
    if [ -L "$d" ]; then links="$links $d"
    elif [ -d "$d" ]; then own="$own .$d"; fi
done
[ -z "$links" ] || cp -P $links .
mkdir $own
for d in $own; do mount --rbind "${d#.}" "$d"; done
mount --rbind /dev dev
mount -t proc proc proc
while [ "$1" != -- ]; do
    how=${1%%:*} from=${1#*:}
    to=${from#*:} from=${from%%:*}
    case $to in /bin/*|/etc/*|/lib*|/opt/*|/sbin/*|/usr/*)
        top=${to#/} top=/${top%%/*}
        if [ ! -e ".$to" ]; then
            case " $layers " in *" $top "*) ;; *) layer "$top"; layers="$layers $top" ;; esac
        fi ;;
    esac
    if [ -d "$from" ]; then [ -d ".$to" ] || mkdir -p ".$to"
    elif [ ! -e ".$to" ]; then [ -d ".${to%/*}" ] || mkdir -p ".${to%/*}"; : >".$to"; fi
    mount --bind "$from" ".$to"
    if [ "$how" = ro ]; then
        flags=$(findmnt -n -o VFS-OPTIONS -T "$from")
        mount -o "remount,bind,ro,${flags#rw,}" ".$to"
    fi
    shift
done
shift
pivot_root . .outside
cd /
umount -l .outside
rmdir .outside
if [ "$mode" = ro ]; then mount -o remount,ro,bind /; fi
exec $user sh -c 'cd -- "$0" && echo >&3 && exec 3>&- && exec "$@"' "$cwd" "$@"
"""
"""The container's root has this machine's programs, and nothing else of it. The last step says on the descriptor
that it was given as standard input that the container's own command begins. It is no chroot: in one, nobody may make a user namespace."""

LOG = "log"
"""The name, in a container's own directory, of the file with what its first process prints."""
_ENTER = ("nsenter", "--mount", "--pid", "--uts", "--root", "--wd")


@dataclass(frozen=True)
class Bind:
    """A file or directory of this machine in a container."""

    source: Path
    destination: str
    read_only: bool


@dataclass(frozen=True)
class ContainerSpec:
    """A container that is to run. ``user`` 0: as the server."""

    command: tuple[str, ...]
    environment: dict[str, str]
    hostname: str
    binds: tuple[Bind, ...]
    read_only: bool
    user: int
    group: int
    directory: str


class Container:
    """A running container."""

    def __init__(self, process: asyncio.subprocess.Process, spec: ContainerSpec, begun: asyncio.Future[bool]) -> None:
        self._process = process
        self._begun = begun
        self.spec = spec

    @classmethod
    async def start(cls, spec: ContainerSpec, place: Path) -> Container:
        """Start it; ``place`` is a directory of its own."""
        root = place / "root"
        root.mkdir(parents=True, exist_ok=True)
        log = place / LOG
        binds = [f"{_mode(bind.read_only)}:{bind.source}:{bind.destination}" for bind in spec.binds]
        arguments = [str(root), _mode(spec.read_only), _as_user(spec), spec.directory, spec.hostname, *binds, "--", *spec.command]
        begins, says = os.pipe()
        begun = _first_byte(begins)
        try:
            with log.open("wb") as out:
                process = await asyncio.create_subprocess_exec(
                    "unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child=KILL",
                    "sh", "-c", _SETUP, "container", *arguments,
                    stdin=says, stdout=out, stderr=out, env=spec.environment, start_new_session=True,
                )  # fmt: skip
        finally:
            os.close(says)
        return cls(process, spec, begun)

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
        return await self._begun

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


def _mode(read_only: bool) -> str:
    return "ro" if read_only else "rw"


def _as_user(spec: ContainerSpec) -> str:
    """Words that change the user: to another one of this machine as root, else to the server's own under the pod's number."""
    if not spec.user:
        return ""
    if os.environ.get("EMBEDDED_CLUSTER_ROOT") == "1":
        return f"setpriv --reuid={spec.user} --regid={spec.group} --clear-groups --no-new-privs --"
    return f"unshare --user --map-user={spec.user} --map-group={spec.group} --"


def _first_byte(descriptor: int) -> asyncio.Future[bool]:
    """Return what tells whether a byte came by a pipe before its end. Closes the pipe."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bool] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(descriptor)
        some = bool(os.read(descriptor, 1))
        os.close(descriptor)
        if not came.done():
            came.set_result(some)

    loop.add_reader(descriptor, readable)
    return came


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
