# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left when a scenario has failed: enough to understand it without a second run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubernetes.client import ApiException

from tests.clusters.base import SANDBOX_PREFIX, WORKER_TEMPLATE, TestCluster

from .harness import SAND, WORK, Scene

_LINES = 60
"""Lines of a log, and of a volume's listing, at most."""


def sections(cluster: TestCluster, scene: Scene | None) -> Iterator[tuple[str, str]]:
    """Title and text of each part. What cannot be had says why."""
    for number, run in enumerate(scene.started if scene is not None else ()):
        yield f"run {number + 1}, exit code {run.poll()}", run.so_far()[-20_000:]
    for namespace in (WORK, SAND):
        yield f"pods of {namespace}", "\n".join(_guarded(_pods, cluster, namespace))
        yield f"events of {namespace}", "\n".join(_guarded(_events, cluster, namespace))
        yield f"volumes of {namespace}", "\n".join(_guarded(_volumes, cluster, namespace))


def _guarded(part: Any, cluster: TestCluster, namespace: str) -> list[str]:
    try:
        return list(part(cluster, namespace))
    except (ApiException, OSError) as error:
        return [f"could not be read: {type(error).__name__}: {error}"]


def _pods(cluster: TestCluster, namespace: str) -> Iterator[str]:
    for pod in cluster.core.list_namespaced_pod(namespace).items:
        meta, status = pod.metadata, pod.status
        ending = ", on its way out" if meta.deletion_timestamp else ""
        yield f"{meta.name} on {pod.spec.node_name}: {status.phase}{ending} {status.reason or ''} {status.message or ''}"
        for item in status.container_statuses or []:
            state = item.state.to_dict()
            yield from (f"    {item.name}: {kind} {found}" for kind, found in state.items() if found)
        for item in status.conditions or []:
            if item.status != "True":
                yield f"    {item.type} is {item.status}: {item.reason or ''} {item.message or ''}"
        yield from (f"    | {line}" for line in _log(cluster, namespace, meta.name))


def _log(cluster: TestCluster, namespace: str, pod: str) -> list[str]:
    try:
        return str(cluster.core.read_namespaced_pod_log(pod, namespace, tail_lines=_LINES)).splitlines()
    except ApiException as error:
        return [f"no log: {error.status} {error.reason}"]


def _events(cluster: TestCluster, namespace: str) -> Iterator[str]:
    for item in cluster.core.list_namespaced_event(namespace).items:
        involved = item.involved_object
        yield f"{item.last_timestamp} {item.type} {item.reason} {involved.kind}/{involved.name}: {item.message}"


def _volumes(cluster: TestCluster, namespace: str) -> Iterator[str]:
    for claim in cluster.core.list_namespaced_persistent_volume_claim(namespace).items:
        name = claim.metadata.name
        yield f"{name}: {claim.status.phase} {claim.metadata.annotations or {}}"
        if name.startswith((WORKER_TEMPLATE, SANDBOX_PREFIX)):
            path = cluster.volume_path(namespace, name)
            yield from (f"    {line}" for line in _listing(path)[:_LINES])


def _listing(path: Path) -> list[str]:
    """Mode, owner, size and name of each file, not those within work trees."""
    listed = []
    for directory, directories, files in os.walk(path):
        for name in sorted((*directories, *files)):
            place = Path(directory) / name
            facts = place.lstat()
            listed.append(f"{facts.st_mode:o} {facts.st_uid}:{facts.st_gid} {facts.st_size:>10} {place.relative_to(path)}")
    return listed
