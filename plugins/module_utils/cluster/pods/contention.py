# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks, while a volume is held, whether a consumer's pod waits for it; and afterwards, for how long it has waited."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...background import Background
from ...deadline import Deadline
from ...errors import DeploymentError
from ...progress import OnLine
from ...times import parse_time
from ..api.client import Client
from ..api.events import events_of
from ..api.objects import Pod
from .consumers import waits_elsewhere

_LOOK_EVERY = 4.0
"""Seconds."""
_REQUEST_SECONDS = 20.0


@contextmanager
def watching_contention(
    client: Client, filler: Pod, claim: str, tell: OnLine, on_consumer: Callable[[Pod], None]
) -> Iterator[threading.Event]:
    """Give an event that is set when a consumer's pod waits on another node for ``claim``, which ``filler`` has mounted.

    ``on_consumer`` is called with that pod first.
    """
    wanted, done = threading.Event(), threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_EVERY):
            deadline = Deadline(_REQUEST_SECONDS, "looking for pods that wait", done)
            try:
                pods = client.pods(filler.namespace, deadline)
            except DeploymentError:
                continue  # whatever it is, the work itself will say so
            waiting = waits_elsewhere(pods, claim, filler.node)
            if waiting is not None:
                on_consumer(waiting)
                tell(f"pod {waiting.name} waits for it{' on ' + waiting.node if waiting.node else ''}")
                wanted.set()
                return

    Background("Looking for pods that wait for it", look, lambda error: tell(str(error))).start()
    try:
        yield wanted
    finally:
        done.set()  # not joined: a request under way must not keep the volume


def seconds_waited(client: Client, pod: Pod, volume: str, deadline: Deadline) -> float | None:
    """Return the seconds from a pod's creation until ``volume`` was attached for it, by the cluster's events; None where they do not say so.

    A volume that needs no attaching is there when a container of the pod has started.
    """
    events = events_of(client, pod.namespace, pod.uid, deadline)
    had = [
        parse_time(event.last)
        for event in events
        if event.last and (event.reason == "Started" or (event.reason == "SuccessfulAttachVolume" and volume in event.message))
    ]
    return max(0.0, (min(had) - pod.created).total_seconds()) if had and pod.created is not None else None
