# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``pod_rsync``: a local directory into a path in a pod, by the real rsync at both ends."""

from __future__ import annotations

import re
import time
from typing import Any

from ..cache.transfer.rsync import IDLE_TIMEOUT, explained, killed
from ..cluster.api.connect import connect
from ..cluster.api.given_paths import source as given_source
from ..cluster.api.given_paths import target
from ..deadline import Deadline
from ..errors import DeploymentError, InvalidOption
from ..local_shell import LocalShell, require_program
from ..shell import Shell, require_there
from ..signals import stopping_on_signals
from .guest_work import guest_work

ARGUMENT_SPEC: dict[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "pod": {"type": "str", "required": True},
    "container": {"type": "str", "default": ""},
    "src": {"type": "path", "required": True},
    "dest": {"type": "str", "required": True},
    "delete": {"type": "bool", "default": False},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 1800},
}
_PROBE = 'command -v rsync >/dev/null || exit 7; mkdir -p -- "$1" || exit 8'


def pod_rsync(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    source, destination = given_source("src", params["src"]), target("dest", params["dest"])
    if not source.is_dir():
        raise InvalidOption(f"`src` is no directory on the controller: {source}.")
    require_program("rsync")
    client = connect(module)
    client.require_way_for_exec()
    started = time.monotonic()
    with stopping_on_signals() as stop:
        deadline = Deadline(params["timeout"], f"copying {source} to pod {params['namespace']}/{params['pod']}", stop)
        with guest_work(client, params["namespace"], params["pod"], params["container"], destination, not module.check_mode, deadline) as held:
            if params["delete"] and str(destination) in held.volumes:
                raise InvalidOption(
                    f"`delete` with `dest: {destination}` would empty the whole volume that is mounted there, of all that is not in {source}.",
                    f"Name a directory in it, such as {destination}/{source.name}.",
                )
            _probe(held.shell, str(destination), module.check_mode, deadline)
            with held.shell.rsync_peer(deadline) as peer:
                argv = _command(params, str(source), f"{peer.prefix}{destination}", peer.options, module.check_mode)
                completed = LocalShell().run(argv, deadline=deadline, env=peer.env)
            if killed(completed):
                require_there(held.shell, deadline)
            if completed.returncode:
                raise explained(completed, f"to {held.shell.where}")
    for words in held.warnings:
        module.warn(words)
    changes, files, size = parse_statistics(completed.text())
    module.exit_json(changed=bool(changes), files=files, bytes=size, seconds=round(time.monotonic() - started, 3))


def _probe(shell: Shell, destination: str, check_mode: bool, deadline: Deadline) -> None:
    if check_mode:
        destination = "/"
    completed = shell.run(("sh", "-c", _PROBE, "pod-rsync", destination), deadline=deadline)
    if completed.returncode == 7:
        raise DeploymentError(f"There is no rsync in {shell.where}.", "Use an image that has it, such as quay.io/packit/sandcastle.")
    if completed.returncode:
        raise DeploymentError(f"{destination} cannot be made in {shell.where}: {completed.stderr.strip()}", "Check who may write there.")


def _command(params: dict[str, Any], source: str, destination: str, remote: tuple[str, ...], check_mode: bool) -> list[str]:
    """The rsync that runs here. `-s` keeps names from being split by a shell that is not there."""
    words = ["rsync", "-s", "--recursive", "--links", "--times", "--perms", "--partial", f"--timeout={IDLE_TIMEOUT}", "--stats"]
    words += ["--out-format=change %i", *remote]
    words += ["--delete"] if params["delete"] else []
    words += ["--dry-run"] if check_mode else []
    words += [f"--exclude={pattern}" for pattern in params["exclude"]]
    return [*words, "--", f"{source.rstrip('/')}/", f"{destination}/"]


def parse_statistics(output: str) -> tuple[int, int, int]:
    """(changes, files transferred, bytes of them) in what ``--stats --out-format`` printed. A time alone is no change. Pure."""
    changes = sum(1 for line in output.splitlines() if line.startswith("change ") and not re.fullmatch(r"change \.d\.\.t\.+", line))
    found = {}
    for name, pattern in (
        ("files", r"Number of regular files transferred: ([\d,.]+)"),
        ("bytes", r"Total transferred file size: ([\d,.]+)"),
    ):
        match = re.search(pattern, output)
        found[name] = int(re.sub(r"\D", "", match[1])) if match else 0
    return changes, found["files"], found["bytes"]
