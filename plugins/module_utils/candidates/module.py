# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``cache_candidates``: which repositories the workers clone, and what the cache would save."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ..cluster.api.access import Right, require
from ..cluster.api.api_errors import ClusterError
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..cluster.api.names import require_namespace
from ..cluster.api.objects import Pod
from ..deadline import Deadline
from ..errors import DeadlineExceeded, Interrupted, InvalidOption
from ..signals import stopping_on_signals
from ..table import table
from .clone_log import Clone, read_clones
from .estimate import SHARE_WITH_CACHE, Candidate, candidates

ARGUMENT_SPEC: dict[str, Any] = {
    "worker_namespace": {"type": "str", "required": True},
    "container": {"type": "str", "default": "packit-worker"},
    "lines": {"type": "int", "default": 200_000},
    "timeout": {"type": "int", "default": 600},
}
RIGHTS = (Right("pods", "list"), Right("pods/log", "get"))
_MOST = 100
"""Candidates that are told. Logs are foreign text, in which any number may stand."""
_MOST_BYTES = 64 * 1024 * 1024
"""Bytes of one pod's log. By default a kubelet keeps 10 MiB (containerLogMaxSize)."""


def cache_candidates(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    namespace, container = params["worker_namespace"], params["container"]
    require_namespace(namespace)
    client = connect(module)
    with stopping_on_signals() as stop:
        deadline = Deadline(params["timeout"], f"reading the logs in {namespace}", stop)
        require(client, [namespace], RIGHTS, deadline)
        pods = [pod for pod in client.pods(namespace, deadline) if any(item.name == container for item in pod.containers)]
        if not pods:
            raise InvalidOption(
                f"No pod in {namespace} has a container `{container}`.", "Give the name of the workers' container as option `container`."
            )
        read: list[str] = []
        clones: list[Clone] = []
        for pod in sorted(pods, key=lambda pod: pod.name):
            try:
                clones.extend(read_clones(_log(client, pod, container, params["lines"], deadline, module)))
                read.append(pod.name)
            except Interrupted:
                raise
            except (ClusterError, DeadlineExceeded) as error:
                module.warn(f"The log of {namespace}/{pod.name} was not read to its end: {error}")
    summed = candidates(clones)
    if summed.refused:
        module.warn(
            f"Clones that are left out: {summed.refused}. Their URLs have credentials in them, or another form that a project's URL cannot have."
        )
    if read and not clones:
        module.warn(
            f"The logs tell of no clone. packit writes them at level DEBUG: see LOGLEVEL of the workers; "
            f"and the newest {params['lines']} lines of a pod were read (option `lines`)."
        )
    found = summed.found[:_MOST]
    if len(summed.found) > _MOST:
        module.warn(f"The logs tell of {len(summed.found)} repositories; those are told of which most can be saved, {_MOST} of them.")
    worth_it = _worth_it(found)
    for candidate in found:
        chosen = worth_it.get(candidate.name, candidate)
        if chosen.url != candidate.url:
            module.warn(
                f"{candidate.url} has the name of {chosen.url}, and the service finds a repository by that alone: only one of them can be cached."
            )
    module.exit_json(
        changed=False,
        pods=read,
        candidates=[asdict(candidate) for candidate in found],
        projects=[{"url": candidate.url} for candidate in worth_it.values()],
        summary=_table(found),
        requests=client.requests,
    )


def _log(client: Client, pod: Pod, container: str, lines: int, deadline: Deadline, module: Any) -> Iterator[str]:
    size = 0
    for line in client.log_lines(pod.namespace, pod.name, container, lines, deadline):
        size += len(line)
        if size > _MOST_BYTES:
            module.warn(f"The log of {pod.namespace}/{pod.name} was read for {_MOST_BYTES >> 20} MiB. Lower option `lines` for its newest part.")
            return
        yield line.decode("utf-8", "replace")


def _worth_it(found: tuple[Candidate, ...]) -> dict[str, Candidate]:
    """Return, by name, the candidate that saves most time; those that save none are left out."""
    first: dict[str, Candidate] = {}
    for candidate in found:
        if candidate.saved_seconds > 0:
            first.setdefault(candidate.name, candidate)
    return first


def _table(found: tuple[Candidate, ...]) -> list[str]:
    if not found:
        return ["No clone was found."]
    head = ("CLONES", "CACHED", "SECONDS", "SAVED", "URL")
    rows = [(str(item.clones), str(item.cached), f"{item.seconds:.1f}", f"{item.saved_seconds:.1f}", item.url) for item in found]
    return [*table(head, rows), f"SAVED is an estimate of what the cache would have saved: a clone with it takes about {SHARE_WITH_CACHE:.0%} of the time."]
