# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod of ours is removed, and is gone only when it was seen to be."""

from __future__ import annotations

from dataclasses import replace

from ...deadline import Deadline
from ..api.api_errors import ClusterError, Conflict, NotFound
from ..api.client import Client
from ..api.objects import Pod

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before a refused deletion is sent again; one that is not refused for a moment only is sent no more often."""


def remove_pod(client: Client, pod: Pod, deadline: Deadline) -> None:
    """Delete a pod and wait until it is really gone. Never by force: on a lost node its volume may still be written to.

    A refusal may be a moment's: a webhook, a quota, rights that are being replaced. Raises DeadlineExceeded, Cancelled and ClusterError.
    """
    refusals = 0
    while True:
        try:
            if _removed(client, pod, deadline):
                return
            failure: ClusterError = Conflict(f"The API says that pod {pod.namespace}/{pod.name} cannot be deleted, and it is still there.")
        except ClusterError as error:
            failure = error
        if refusals >= len(PAUSES) and not failure.passes:
            raise failure
        pause = max(PAUSES[min(refusals, len(PAUSES) - 1)], failure.retry_after)
        refusals += 1
        if pause >= deadline.left():
            raise failure
        deadline.sleep(pause)


def removal_command(namespace: str, pod: str) -> str:
    """Return what a person can do about a pod that is left."""
    return f"kubectl delete pod --namespace {namespace} {pod}"


def _removed(client: Client, pod: Pod, deadline: Deadline) -> bool:
    """Delete the pod and wait for its end; False where it was refused as if it were gone, or another one, and it is not."""
    try:
        answer = client.delete("Pod", pod.namespace, pod.name, pod.uid, deadline)
    except (NotFound, Conflict):  # something else may have answered, or two wrote at once
        return _is_gone(client, pod, deadline)
    if answer.get("kind") == "Status":
        return True
    version = (answer.get("metadata") or {}).get("resourceVersion", pod.resource_version)
    for change in client.changes(replace(pod, resource_version=version), deadline):
        if change is None:
            if _is_gone(client, pod, deadline):
                return True
        elif change.type == "DELETED" or change.object["metadata"].get("uid") != pod.uid:
            return True
    raise AssertionError("a watch ends with its deadline")


def _is_gone(client: Client, pod: Pod, deadline: Deadline) -> bool:
    try:
        present = client.get("Pod", pod.namespace, pod.name, deadline)
    except NotFound:
        return True
    return bool(present["metadata"].get("uid") != pod.uid)
