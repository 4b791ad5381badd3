"""Events: what happened to an object, as kubelets, the scheduler and controllers report it."""

from __future__ import annotations

import datetime
import secrets

from .resources import EVENTS, Object
from .store import Store, timestamp


def record(store: Store, about: Object, reason: str, message: str, *, component: str, node: str = "", warning: bool = False, container: str = "") -> None:
    """Report something about an object; the same report again only raises its count."""
    metadata = about["metadata"]
    namespace, kind = metadata.get("namespace") or "default", "Warning" if warning else "Normal"
    involved = {
        "apiVersion": about["apiVersion"],
        "kind": about["kind"],
        "name": metadata["name"],
        "namespace": namespace,
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
        **({"fieldPath": f"spec.containers{{{container}}}"} if container else {}),
    }
    for event in store.list(EVENTS, namespace):
        same = (event["reason"], event["message"], event["involvedObject"]["uid"]) == (reason, message, metadata["uid"])
        if same and event["firstTimestamp"]:
            store.update(EVENTS, {**event, "count": event["count"] + 1, "lastTimestamp": timestamp()})
            return
    scheduler = component == "default-scheduler"
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    event = {
        "metadata": {"name": f"{metadata['name']}.{secrets.token_hex(8)}", "namespace": namespace},
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": kind,
        "source": {} if scheduler else {"component": component, **({"host": node} if node else {})},
        "reportingComponent": component,
        "reportingInstance": "default-scheduler-embedded" if scheduler else node,
        "firstTimestamp": None if scheduler else timestamp(),
        "lastTimestamp": None if scheduler else timestamp(),
        "eventTime": now if scheduler else None,
        **({"action": "Scheduling"} if scheduler else {"count": 1}),
    }
    store.create(EVENTS, event)
