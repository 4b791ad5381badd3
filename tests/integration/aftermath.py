# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show of a failed scenario what happened, so that it is understood without a second run: its runs, pods with their logs, events and volumes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from kubernetes.client import ApiException, V1ObjectMeta

from tests.clusters.base import TestCluster

from .harness import Scene
from .runs import Started

_LINES = 60
"""Lines of a log, and of a volume's listing, at most."""


def sections(cluster: TestCluster, scene: Scene | None) -> Iterator[tuple[str, str]]:
    """Yield the title and the text of each section of pytest's report. What cannot be read says why."""
    for number, run in enumerate(scene.started if scene is not None else ()):
        yield f"run {number + 1}", "\n".join(_guarded(_run, run))
    for namespace in cluster.namespaces:
        yield f"pods of {namespace}", "\n".join(_guarded(_pods, cluster, namespace))
        yield f"events of {namespace}", "\n".join(_guarded(_events, cluster, namespace))
        yield f"volumes of {namespace}", "\n".join(_guarded(_volumes, cluster, namespace))


def _guarded(part: Callable[..., Iterator[str]], *of: object) -> list[str]:
    lines: list[str] = []
    try:
        for line in part(*of):
            lines.append(line)  # so that what was read before an error is kept
    except Exception as error:  # noqa: BLE001  the report's outermost frame: an error here would end pytest and hide the test's own
        lines.append(f"could not be read: {type(error).__name__}: {error}")
    return lines


def _run(run: Started) -> Iterator[str]:
    yield f"exit code {run.poll()}"
    yield run.so_far()[-20_000:]


def _pods(cluster: TestCluster, namespace: str) -> Iterator[str]:
    for pod in cluster.core.list_namespaced_pod(namespace).items:
        meta, status = pod.metadata, pod.status
        ending = ", on its way out" if meta.deletion_timestamp else ""
        yield f"{meta.name} on {pod.spec.node_name}: {status.phase}{ending} {status.reason or ''} {status.message or ''}"
        for item in status.container_statuses or []:
            state = item.state.to_dict()
            yield from (f"    {item.name}: {kind} {found}" for kind, found in state.items() if found)
            # A container that waits for its restart has its last words in the log of its previous run.
            waits = bool(state["waiting"]) and item.restart_count > 0
            yield from (f"    | {line}" for line in _log(cluster, meta, item.name, waits))
        for item in status.conditions or []:
            if item.status != "True":
                yield f"    {item.type} is {item.status}: {item.reason or ''} {item.message or ''}"


def _log(cluster: TestCluster, pod: V1ObjectMeta, container: str, previous: bool) -> list[str]:
    try:
        said = cluster.core.read_namespaced_pod_log(pod.name, pod.namespace, container=container, previous=previous, tail_lines=_LINES)
        return str(said).splitlines()
    except ApiException as error:
        return [f"no log: {error.status} {error.reason}"]


def _events(cluster: TestCluster, namespace: str) -> Iterator[str]:
    for item in sorted(cluster.core.list_namespaced_event(namespace).items, key=lambda item: str(item.last_timestamp)):
        involved = item.involved_object
        yield f"{item.last_timestamp} {item.type} {item.reason} {involved.kind}/{involved.name}: {item.message}"


def _volumes(cluster: TestCluster, namespace: str) -> Iterator[str]:
    for claim in cluster.core.list_namespaced_persistent_volume_claim(namespace).items:
        name = claim.metadata.name
        yield f"{name}: {claim.status.phase} {claim.metadata.annotations or {}}"
        listed = list(_listing(cluster.volume_path(namespace, name)))
        yield from (f"    {line}" for line in listed[:_LINES])
        if len(listed) > _LINES:
            yield f"    and {len(listed) - _LINES} more"


def _listing(path: Path) -> Iterator[str]:
    """Yield mode, owner, size and name of each file and directory, a directory's own before what is deeper."""
    for directory, directories, files in os.walk(path):
        directories.sort()
        for name in sorted((*directories, *files)):
            place = Path(directory) / name
            try:
                facts = place.lstat()
            except FileNotFoundError:  # something still works there
                continue
            yield f"{facts.st_mode:o} {facts.st_uid}:{facts.st_gid} {facts.st_size:>10} {place.relative_to(path)}"
