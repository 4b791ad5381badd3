# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until the volume behind a claim has grown: that the API took the new size only means that the storage is asked for it."""

from __future__ import annotations

from ..cache.domain.model import Volume
from ..cluster.api.api_errors import Forbidden
from ..cluster.api.claims import read_claim
from ..cluster.api.client import Client
from ..cluster.api.events import events_of
from ..cluster.api.objects import Claim, quantity
from ..deadline import Deadline
from ..errors import DeadlineExceeded
from ..times import time_text

_PAUSE = 1.0
"""Seconds between two looks at a claim."""
_FAILED = "VolumeResizeFailed"
"""The reason of the event of kubernetes-csi's external-resizer."""


def why_not_grown(client: Client, volume: Volume, storage: str, deadline: Deadline) -> str:
    """Wait until a claim's volume has this size; return why it has not by the deadline, or as the storage refuses it; empty where it has.

    A volume that no pod has mounted has grown, and its file system follows when a pod mounts it.
    """
    wanted, since = quantity(storage), time_text(client.now())
    try:
        while True:
            claim = read_claim(client, volume.namespace, volume.claim, deadline)
            if claim.capacity >= wanted or claim.grows_when_mounted:
                return ""
            refusal = _refusal(client, claim, since, deadline)
            if refusal:
                return f"The cluster says: {refusal}"
            deadline.sleep(_PAUSE)
    except DeadlineExceeded as error:
        return f"{error}."


def _refusal(client: Client, claim: Claim, since: str, deadline: Deadline) -> str:
    """Return why the storage has refused the growth since then; empty where it has not, or nobody may tell us.

    An older refusal may be of another size, and one of that very second may be older: the storage is asked again, and refuses again.
    """
    try:
        events = events_of(client, claim.namespace, claim.uid, deadline)
    except Forbidden:
        return ""
    return next((event.message for event in events if event.reason == _FAILED and event.last > since), "")
