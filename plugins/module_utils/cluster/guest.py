# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a container that somebody else made: with a directory of our own there, of which nothing stays behind."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from ..deadline import Deadline
from ..errors import DeploymentError
from .client import Client
from .errors import PodLost
from .shell import PodShell

_LEAVING_SECONDS = 30.0

# $1 our directory: jobs that still run there are ended, then it is removed.
_LEAVE = r"""
running() {
    for job in "$1"/jobs/*/; do
        if [ -e "$job/rc" ] || [ ! -f "$job/pid" ]; then continue; fi
        read -r pid <"$job/pid"
        case $pid in '' | *[!0-9]*) continue ;; esac
        kill -s "$2" -- "-$pid" 2>/dev/null && found=1
    done
}
found=
running "$1" TERM
[ -z "$found" ] || { sleep 1; running "$1" KILL; }
rm -rf -- "$1"
"""


class Guest:
    """A shell and a directory for our own files. ``left``: why something of ours stays there, once it is over; mostly empty."""

    def __init__(self, shell: PodShell, scratch: str) -> None:
        self.shell = shell
        self.scratch = scratch
        self.left = ""


@contextmanager
def guest(client: Client, namespace: str, pod: str, container: str, stop: threading.Event) -> Iterator[Guest]:
    """Be a guest in a container. What it leaves is removed when the context ends, also when the run was asked to stop."""
    scratch = f"/tmp/packit-deployment-{uuid.uuid4().hex[:12]}"
    visit = Guest(PodShell(client, namespace, pod, container, job_directory=f"{scratch}/jobs", stop=stop), scratch)
    try:
        with visit.shell:
            yield visit
    finally:
        visit.left = _leave(visit)


def _leave(visit: Guest) -> str:
    """Remove what is ours, by an exec of its own: the agent's connection has ended, in whatever way. Returns why not, in words."""
    deadline = Deadline(_LEAVING_SECONDS, f"cleaning up in {visit.shell.where}")
    try:
        done = visit.shell.run_apart(("sh", "-c", _LEAVE, "packit-leave", visit.scratch), deadline)
    except PodLost:
        return ""  # with all that was in it
    except DeploymentError as error:
        return f"{visit.scratch} in {visit.shell.where} could not be removed: {error.message}"
    return f"{visit.scratch} in {visit.shell.where} could not be removed: {done.stderr.strip()[-200:]}" if done.returncode else ""
