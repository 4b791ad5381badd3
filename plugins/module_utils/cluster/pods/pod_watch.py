# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a namespace, known by one list and one watch for all who ask: so the requests of a run do not grow with the square of its volumes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from ...background import Background
from ...deadline import AWAY_SECONDS, Deadline
from ...errors import Cancelled, DeadlineExceeded, DeploymentError
from ..api.api_errors import ClusterError, Gone, Unreachable
from ..api.client import WATCH_SECONDS, Change, Client
from ..api.objects import Object, Pod, parse_pod

_SECONDS = 10
"""After so many seconds the watch is opened again where it was: something in between may hold back what is told until then."""
_REQUEST_SECONDS = AWAY_SECONDS
_PAUSE = 1.0
"""Seconds before the API is asked again, after it refused, or could not be asked for all of a request's time."""
_MOMENT = 0.05
"""Seconds between two watches, as the first may end at once."""
_LOOK_EVERY = 0.5
"""Seconds between two looks at the deadline."""


class PodWatch:
    """Keeps a namespace's pods up to date by one list and one watch, for all threads that ask.

    ``present`` is never older than a change that ``changes`` has told. A pod that is asked about was there: it is gone where its end was
    told, or where a list that was begun after the question does not have it.
    """

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._changed = threading.Condition()
        self._pods: dict[str, tuple[Object, Pod]] = {}
        self._gone: set[str] = set()
        self._version = ""
        self._begun = self._listed = 0
        self._failure: DeploymentError | None = None
        self._done = threading.Event()

    @contextmanager
    def followed(self) -> Iterator[None]:
        """The client knows the pods by this one while the context is open, and removes its own by it; a run's stop does not end that."""
        Background(f"Following the pods of {self._namespace}", self._keep, self._fail).start()
        self._client.followed[self._namespace] = self
        try:
            yield
        finally:
            del self._client.followed[self._namespace]
            self._done.set()  # not joined: the server ends the watch within its time, and nobody needs to wait for that

    def present(self, deadline: Deadline) -> Sequence[Pod]:
        """See ``Client.pods``. Raises what keeps the API from telling."""
        with self._changed:
            known = self._failure
            while not self._listed or (self._failure is not None and self._failure is known):
                self._wait(deadline, known)
            self._require_well(known)
            return [pod for _body, pod in self._pods.values()]

    def changes(self, pod: Pod, deadline: Deadline) -> Iterator[Change | None]:
        """See ``Client.changes``. Raises what keeps the API from telling."""
        version, begun, known = pod.resource_version, self._begun, self._failure
        quiet = time.monotonic()
        while True:
            with self._changed:
                change = self._news(pod, version, begun)
                if change is None:
                    self._wait(deadline, known)
                    change = self._news(pod, version, begun)
            if change is not None:
                version, quiet = change.object["metadata"].get("resourceVersion", version), time.monotonic()
                yield change
                if change.type == "DELETED":
                    return
            elif time.monotonic() - quiet >= WATCH_SECONDS:
                quiet = time.monotonic()
                yield None

    def _news(self, pod: Pod, version: str, begun: int) -> Change | None:
        body, known = self._pods.get(pod.name, ({}, None))
        if known is not None and known.uid == pod.uid:
            return None if known.resource_version == version else Change("MODIFIED", body)
        if pod.uid in self._gone or self._listed > begun:
            return Change("DELETED", {"metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}})
        return None  # it was made a moment ago, and is not told yet

    def _wait(self, deadline: Deadline, known: DeploymentError | None) -> None:
        self._require_well(known)
        self._changed.wait(min(_LOOK_EVERY, deadline.left()))

    def _require_well(self, known: DeploymentError | None) -> None:
        """Raise what keeps the API from telling; but what was ``known`` when it was asked, and may have passed since, only where it is so again."""
        if self._failure is not None and not (self._failure is known and _may_have_passed(self._failure)):
            raise self._failure

    def _fail(self, error: DeploymentError | None) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _keep(self) -> None:
        while not self._done.wait(_MOMENT):
            try:
                if not self._version:
                    self._list(self._deadline("listing"))
                self._follow(self._deadline("watching"))
            except Gone:
                self._version = ""
            except Cancelled:
                return
            except (ClusterError, DeadlineExceeded) as error:
                # Also what does not pass by itself: who asks meanwhile is told, and rights that come back count.
                self._fail(error)
                self._done.wait(_PAUSE)

    def _deadline(self, what: str) -> Deadline:
        return Deadline(_REQUEST_SECONDS, f"{what} the pods of {self._namespace}", self._done)

    def _list(self, deadline: Deadline) -> None:
        with self._changed:
            self._begun += 1
            number = self._begun
        bodies, version = self._client.list_with_version("Pod", self._namespace, deadline)
        found = {pod.name: (body, pod) for body, pod in zip(bodies, map(parse_pod, bodies), strict=True)}
        with self._changed:
            uids = {pod.uid for _body, pod in found.values()}
            self._gone.update(pod.uid for _body, pod in self._pods.values() if pod.uid not in uids)
            self._pods, self._version, self._listed, self._failure = found, version, number, None
            self._changed.notify_all()

    def _follow(self, deadline: Deadline) -> None:
        told = self._client.follow("Pod", self._namespace, self._version, _SECONDS, deadline)
        self._fail(None)
        with suppress(DeadlineExceeded):  # a server that does not end it by itself
            for change in told:
                self._take(change)

    def _take(self, change: Change) -> None:
        pod = parse_pod(change.object)
        with self._changed:
            if change.type == "DELETED":
                self._gone.add(pod.uid)
                self._pods.pop(pod.name, None)
            else:
                self._pods[pod.name] = change.object, pod
            self._version = pod.resource_version or self._version
            self._changed.notify_all()


def _may_have_passed(failure: DeploymentError) -> bool:
    return isinstance(failure, (DeadlineExceeded, Unreachable)) or (isinstance(failure, ClusterError) and failure.passes)


@contextmanager
def following(client: Client, namespaces: Iterable[str]) -> Iterator[None]:
    """The pods of these namespaces are followed while the context is open."""
    with ExitStack() as stack:
        for namespace in sorted(set(namespaces)):
            stack.enter_context(PodWatch(client, namespace).followed())
        yield
