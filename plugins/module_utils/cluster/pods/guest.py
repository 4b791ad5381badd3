# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a container that somebody else made: with a directory of our own there, of which nothing stays behind."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ...deadline import AWAY_SECONDS, Deadline
from ...errors import DeploymentError
from ..api.api_errors import ClusterError, ConnectionLost, NotFound, PodLost
from ..api.client import Client
from ..api.objects import Pod, parse_pod
from ..api.ours import SCRATCH
from ..exec.pod_shell import ContainerAddress, PodShell
from .manifest import HEARTBEAT, LABEL

_PAUSE = 1.0
"""Seconds before what was cut off is done again."""

# Each word is a directory of ours: jobs that still run there are ended, with whatever else has a path below it among its words or in its
# environment, as all that we start has, then it is removed.
LEAVE = r"""
for ours; do
    groups=
    for job in "$ours"/jobs/*/; do
        if [ -e "$job/rc" ] || [ ! -f "$job/pid" ]; then continue; fi
        read -r pid <"$job/pid"
        case $pid in '' | *[!0-9]*) continue ;; esac
        kill -s TERM -- "-$pid" 2>/dev/null && groups="$groups $pid"
    done
    [ -z "$groups" ] || sleep 1
    for pid in $groups; do kill -s KILL -- "-$pid" 2>/dev/null; done  # the first of a group may have ended, and not the others
    for p in /proc/[0-9]*; do
        [ "$p" != "/proc/$$" ] || continue
        cat "$p/cmdline" "$p/environ" 2>/dev/null | tr '\000' '\n' | grep -qF -- "$ours/" || continue
        kill -s KILL -- "-${p#/proc/}" 2>/dev/null
        kill -s KILL "${p#/proc/}" 2>/dev/null
    done
done
rm -rf -- "$@"
"""


class Guest:
    """A shell and a directory for our own files. ``left``: why something of ours is there still; empty once all is known to be gone."""

    def __init__(self, shell: PodShell, scratch: str) -> None:
        self.shell = shell
        self.scratch = scratch
        self.left = f"The work in {shell.where} has not ended."


@contextmanager
def guest(
    client: Client,
    pod: Pod,
    container: str,
    stop: threading.Event,
    name: str = "",
    require: Callable[[Deadline], None] | None = None,
) -> Iterator[Guest]:
    """Be a guest in a container. What it leaves is removed when the context ends, also when the run was asked to stop.

    ``name`` tells its directory from others' there, for who has to ``end_visit``. ``require`` as in ``PodShell``.
    """
    address = ContainerAddress(pod.namespace, pod.name, pod.uid, container)
    ours = LABEL in pod.labels
    scratch = _directories(name or uuid.uuid4().hex)[0 if ours else -1]

    def required(limit: Deadline) -> None:
        _require_container(client, address, limit)
        if require is not None:
            require(limit)

    shell = PodShell(
        client,
        address,
        job_directory=f"{scratch}/jobs",
        heartbeat=HEARTBEAT if ours else "",
        stop=stop,
        require=required,
    )
    visit = Guest(shell, scratch)
    try:
        with visit.shell:
            yield visit
    finally:
        visit.left = _leave(visit, _one_by_one(client, address, threading.Event()))


def end_visit(client: Client, address: ContainerAddress, name: str, deadline: Deadline) -> None:
    """End all that a run which is no more has left in a container. Raises ClusterError where it may go on."""
    with suppress(PodLost):
        _remove(_one_by_one(client, address, deadline.stop), _directories(name), deadline)


def _one_by_one(client: Client, address: ContainerAddress, stop: threading.Event) -> PodShell:
    """A shell for cleaning up: what is ours is ended there whoever has the lock by now."""
    return PodShell(
        client,
        address,
        job_directory="",
        stop=stop,
        require=lambda limit: _require_container(client, address, limit),
    )


def _require_container(client: Client, address: ContainerAddress, deadline: Deadline) -> None:
    """Raises PodLost where nothing that was started in a container can run there any more."""
    try:
        pod = parse_pod(client.get("Pod", address.namespace, address.pod, deadline))
    except NotFound:
        pod = None
    if pod is None or pod.uid != address.uid:
        raise PodLost(f"Pod {address.namespace}/{address.pod} is not there any more.", "Run again.")
    if pod.ended or any(item.name == address.container and (item.waiting or item.terminated) for item in pod.containers):
        raise PodLost(f"Container {address.container} of {address} does not run any more.", "Run again.")


def _directories(name: str) -> tuple[str, ...]:
    """Return where our own files may be: in a filler of ours, and in another container."""
    return tuple(f"{place}/packit-deployment-{name}" for place in (SCRATCH, "/tmp"))


def _remove(shell: PodShell, directories: Sequence[str], deadline: Deadline) -> None:
    """Remove directories by execs of their own: the agent's connection has ended, in whatever way."""
    limit = deadline.within(AWAY_SECONDS, "cleaning up in a container")
    while True:
        try:
            done = shell.run_apart(("sh", "-c", LEAVE, "packit-leave", *directories), limit)
            break
        except ConnectionLost:
            if limit.left() <= _PAUSE:
                raise
            limit.sleep(_PAUSE)  # what is gone already is no hindrance
    if done.returncode:
        raise ClusterError(done.stderr.strip()[-200:] or f"rm ended with code {done.returncode}")


def _leave(visit: Guest, shell: PodShell) -> str:
    """Remove what is ours. Returns why not, in words."""
    try:
        _remove(shell, (visit.scratch,), Deadline(AWAY_SECONDS, f"cleaning up in {visit.shell.where}"))
    except PodLost:
        return ""  # with all that was in it
    except DeploymentError as error:
        return f"{visit.scratch} in {visit.shell.where} could not be removed: {error.message}"
    return ""
