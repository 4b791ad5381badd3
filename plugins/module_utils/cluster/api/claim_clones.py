# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims whose volumes are to begin as clones: why the storage refuses one, and the empty claim that takes its place.

A clone is made when the storage makes the volume: at once, or, where the class waits for a first pod, when that comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...deadline import Deadline
from .api_errors import AlreadyExists, ClusterError, Conflict, NotFound
from .claims import read_claim
from .client import Client
from .events import events_of
from .objects import Claim, Event, Object, parse_claim

CLONED_FROM = "packit.dev/cloned-from"
"""Annotation of a claim that was made by us: the claim whose clone it was to be. No other one is ever replaced."""
PROVISIONING_FAILED = "ProvisioningFailed"
"""The reason of the event (sigs.k8s.io/sig-storage-lib-external-provisioner)."""
_WAITS = "WaitForFirstConsumer"
"""The same of kubernetes' pkg/controller/volume/persistentvolume."""
_MAY_GO_ON = re.compile(r"code = (Canceled|DeadlineExceeded|Unavailable|Aborted)\b")
"""Codes after which the storage may still be at it (kubernetes-csi/external-provisioner, pkg/controller, `checkError`): no refusal."""
_OF_THE_CLUSTER = re.compile(r"(^|\.)(kubernetes|k8s)\.io/")
"""Annotations that the cluster's controllers write on a claim."""
_PAUSE = 0.5
_CONFLICTS = 20
"""Most times in a row that a claim may be changed just before we delete it."""


def is_unmade_clone(claim: Claim) -> bool:
    """Return whether a claim was made by us to be a clone, and has no volume yet. Pure."""
    return bool(claim.clone_of) and CLONED_FROM in claim.annotations and not claim.volume_name and not claim.deleting


def refusal(events: Iterable[Event]) -> str:
    """Return why the storage does not make a claim's volume; empty where it has not refused, or may still be at it. Pure."""
    failed = [event.message for event in events if event.reason == PROVISIONING_FAILED]
    return failed[-1] if failed and not _MAY_GO_ON.search(failed[-1]) else ""


def why_not_cloned(client: Client, made: Claim, deadline: Deadline) -> str:
    """Wait until a clone has its volume, or it is known that it gets one when a pod comes; return why the storage refuses it, else nothing.

    Raises DeadlineExceeded and ClusterError.
    """
    while True:
        claim = read_claim(client, made.namespace, made.name, deadline)
        if claim.uid != made.uid or not is_unmade_clone(claim):
            return ""
        events = events_of(client, claim.namespace, claim.uid, deadline)
        why = refusal(events)
        if why or any(event.reason == _WAITS for event in events):
            return why
        deadline.sleep(_PAUSE)


def start_empty(client: Client, claim: Claim, deadline: Deadline) -> Claim:
    """Put an empty claim in the place of a clone that has no volume; return it, or what somebody else has put there. Raises ClusterError.

    Only the claim of that uid is deleted, and only as it was read: one that has got its volume since stays.
    """
    for _conflict in range(_CONFLICTS):
        body = client.get("PersistentVolumeClaim", claim.namespace, claim.name, deadline)
        present = parse_claim(body)
        if present.uid != claim.uid or not is_unmade_clone(present):
            return present
        try:
            client.delete("PersistentVolumeClaim", claim.namespace, claim.name, claim.uid, deadline, version=present.resource_version)
        except (Conflict, NotFound):
            continue
        _until_gone(client, claim, deadline)
        try:
            return parse_claim(client.create("PersistentVolumeClaim", claim.namespace, _emptied(body), deadline))
        except AlreadyExists:
            return read_claim(client, claim.namespace, claim.name, deadline)
    raise ClusterError(
        f"Claim {claim.namespace}/{claim.name} was changed by somebody else {_CONFLICTS} times in a row, each time just before this run could.",
        "Look who changes it, and run again.",
    )


def _until_gone(client: Client, claim: Claim, deadline: Deadline) -> None:
    try:
        while read_claim(client, claim.namespace, claim.name, deadline).uid == claim.uid:
            deadline.sleep(_PAUSE)
    except NotFound:
        pass


def _emptied(body: Object) -> Object:
    """Return the claim as it was asked for, without a source. Pure."""
    meta, spec = body["metadata"], body["spec"]
    annotations = meta.get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key != CLONED_FROM and not _OF_THE_CLUSTER.search(key)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": meta["name"], "labels": meta.get("labels") or {}, "annotations": kept},
        "spec": {key: value for key, value in spec.items() if key not in ("dataSource", "dataSourceRef", "volumeName")},
    }
