"""The program that becomes a container: reads what to mount and run as JSON on stdin, and starts it as PID 1 of its own.

Argument: the descriptor that the container writes its output to. Writes on stdout the container's pid (as its parent sees
it) and, if it cannot be started, the reason; stdout ends when the container runs. Ends at once itself; the container's
parent is then the server, which is its namespace's first process. Standard library only: it starts in 20 ms.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from . import namespaces

_IMAGE = ("bin", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "opt", "sbin", "usr")
"""Of the machine's root, what a container sees, read-only: the machine's own programs are its image."""
_EMPTY = ("home", "media", "mnt", "proc", "root", "run", "srv", "tmp", "var", "var/tmp")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_NOT_STARTED = 128
"""Exit code of a container whose command cannot be started, as containerd's."""


@dataclass(frozen=True)
class Mount:
    """A directory or file of this machine at a path of the container."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class Container:
    """What to run, and what it sees."""

    root: str
    """An empty directory; the container's root is built on it, visible to the container only."""
    hostname: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    uid: int
    gid: int
    users: bool
    """Whether user namespaces may be used; without them everything runs as the server's own user."""
    read_only_root: bool
    mounts: list[Mount]


def read(text: str) -> Container:
    """A container from its JSON."""
    data = json.loads(text)
    return Container(**{**data, "mounts": [Mount(**mount) for mount in data["mounts"]]})


def build_root(container: Container) -> None:
    """Make and enter the container's root directory. Raises OSError."""
    root = Path(container.root)
    namespaces.mount(None, "/", None, namespaces.PRIVATE | namespaces.RECURSIVE)
    namespaces.mount("tmpfs", root, "tmpfs", options="mode=755")
    for name in _IMAGE:
        _show(Path("/") / name, root / name)
    for name in _EMPTY:
        (root / name).mkdir()
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    _devices(root / "dev")
    namespaces.mount("proc", root / "proc", "proc")
    for mount in sorted(container.mounts, key=lambda mount: mount.target):
        _mount(mount, root)
    if container.read_only_root:
        namespaces.make_read_only(str(root))
    os.chdir(root)
    namespaces.mount(".", "/", None, namespaces.MOVE)
    os.chroot(".")


def _show(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
    elif source.is_dir():
        target.mkdir()
        namespaces.bind(source, target, read_only=True)


def _devices(directory: Path) -> None:
    directory.mkdir()
    for name in _DEVICES:
        (directory / name).touch()
        namespaces.bind(f"/dev/{name}", directory / name, read_only=False)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (directory / name).symlink_to(f"/proc/self/{target}")
    (directory / "shm").mkdir(mode=0o1777)


def _mount(mount: Mount, root: Path) -> None:
    target = root / mount.target.lstrip("/")
    try:
        if stat.S_ISDIR(os.stat(mount.source).st_mode):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    except OSError as error:
        raise OSError(error.errno, f"the embedded cluster cannot mount at {mount.target}, which is in the image: {error.strerror}") from error
    namespaces.bind(mount.source, target, read_only=mount.read_only)


def run(container: Container) -> None:
    """Become the container's first process. Returns only by an OSError."""
    build_root(container)
    socket.sethostname(container.hostname[:63])
    if container.users:
        outside = os.geteuid(), os.getegid()
        namespaces.unshare(namespaces.NEW_USERS)
        namespaces.map_user(container.uid, container.gid, *outside)
    namespaces.no_new_privileges()
    Path(container.cwd).mkdir(parents=True, exist_ok=True)
    os.chdir(container.cwd)
    os.umask(0o022)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and children inherit that
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(container.argv[0], container.argv, container.env)
    except FileNotFoundError as error:
        raise OSError(f'exec: "{container.argv[0]}": executable file not found in $PATH') from error
    except PermissionError as error:
        raise OSError(f'exec: "{container.argv[0]}": permission denied') from error


def main() -> None:
    """Start the container that is described on stdin."""
    output = int(sys.argv[1])
    container = read(sys.stdin.read())
    namespaces.unshare(namespaces.NEW_MOUNTS | namespaces.NEW_PIDS | namespaces.NEW_HOSTNAME | namespaces.NEW_IPC)
    pid = os.fork()
    if pid:
        os.write(1, f"{pid}\n".encode())
        os._exit(0)
    report = os.dup(1)  # closed when the container's command takes over, as every descriptor that Python makes
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    try:
        os.setsid()
        run(container)
    except OSError as error:
        os.write(report, str(error).encode())
    os._exit(_NOT_STARTED)


if __name__ == "__main__":
    main()
