# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events, as the API server keeps them: the same words about the same object are one event with a count."""

from __future__ import annotations

from .resources import BY_KIND
from .store import Json, Store, now

_EVENT = BY_KIND["Event"]


def tell(store: Store, about: Json, kind: str, reason: str, message: str) -> None:
    """Make an event (``kind`` is Normal or Warning), or count it once more."""
    meta = about["metadata"]
    for item in store.list(_EVENT, meta["namespace"], fields=f"involvedObject.uid={meta['uid']}"):
        if (item["type"], item["reason"], item["message"]) == (kind, reason, message):
            store.change(_EVENT, meta["namespace"], item["metadata"]["name"], _once_more)
            return
    reference = {
        "apiVersion": about.get("apiVersion", "v1"), "kind": about["kind"], "namespace": meta["namespace"], "name": meta["name"],
        "uid": meta["uid"],
    }  # fmt: skip
    body = {
        "metadata": {"generateName": f"{meta['name']}."}, "involvedObject": reference, "type": kind, "reason": reason, "message": message,
        "count": 1, "firstTimestamp": now(), "lastTimestamp": now(), "source": {"component": "embedded"},
    }  # fmt: skip
    store.create(_EVENT, meta["namespace"], body)


def _once_more(event: Json) -> None:
    event.update({"count": event["count"] + 1, "lastTimestamp": now()})
