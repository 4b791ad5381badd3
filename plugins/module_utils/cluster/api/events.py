# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the cluster says of one object."""

from __future__ import annotations

from ...deadline import Deadline
from .client import Client
from .objects import Event, parse_event


def events_of(client: Client, namespace: str, uid: str, deadline: Deadline) -> list[Event]:
    """Return the events of the object of that uid, the newest last. Raises ClusterError."""
    found = client.list("Event", namespace, deadline, fields=f"involvedObject.uid={uid}")
    return sorted(map(parse_event, found), key=lambda event: event.last)
