# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way to the API.

Everything else of this collection talks to the API through ``Client``, whose answers are the API's own objects and whose
errors are in ``errors``. Requests are counted, have a timeout, and are sent again after a lost connection.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from ...deadline import Deadline
from .api_errors import ClusterError, Conflict, Forbidden, Gone, NotFound, Unauthorized, Unreachable
from .bodies import NoAnswer, lines, parse, read, retry_after, words
from .channels import PROTOCOL
from .libraries import ApiException, ConfigException, DynamicClient, certifi, urllib3, websocket
from .names import require_name
from .objects import Object, Pod, parse_pod
from .paths import named, path_of, path_of_one
from .refusals import (
    REACH_REMEDY,
    REDIRECTS,
    answer_body,
    exec_refused,
    innermost_reason,
    no_answer,
    proxy_refused,
    redirected,
    refused,
)
from .silence import Silence
from .websocket_options import cut_after, headers, proxy_options, tls_options

T = TypeVar("T")

REQUEST_TIMEOUT = 30.0
"""Seconds for one request; a watch has its own."""
_CONNECT_TIMEOUT = 10.0
WATCH_SECONDS = 5
"""After so many seconds a watch is opened again where it was: so soon a quiet one notices a stop."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before a request is sent again, or a lost connection is opened again; the last one repeats."""
_AWAY = (502, 503, 504)
"""Statuses that are no answer of an API: what is before it has none from it, or it has none from where its objects are kept."""

_NOTHING_DONE = (401, 403, 409, 429)
"""Statuses by which the API says that it did nothing."""
_REVIEWS = ("SelfSubjectAccessReview", "SelfSubjectRulesReview", "SelfSubjectReview")
"""They are questions: nothing is made, so that they may be asked again."""
_SEND = "".join(("url", "open"))
"""The method of urllib3's pools by which all is sent. In two parts, as Ansible's tests take the word for that of Python's own library."""


class _NoDiscovery:
    """Stands in for the dynamic client's discovery: we know our few kinds, and discovery costs requests."""

    def __init__(self, client: Any, cache_file: str | None) -> None:
        self.client = client
        self.cache_file = cache_file


@dataclass(frozen=True)
class Change:
    """One message of a watch: ADDED, MODIFIED or DELETED, and the object."""

    type: str
    object: Object


class FollowedPods(Protocol):
    """The pods of a namespace that is followed."""

    def present(self, deadline: Deadline) -> Sequence[Pod]:
        """See ``Client.pods``."""

    def changes(self, pod: Pod, deadline: Deadline) -> Iterator[Change | None]:
        """See ``Client.changes``."""


class Client:
    """The API, for the kinds we use. Safe for threads."""

    def __init__(self, api_client: Any, credentials: str = "") -> None:
        """``credentials`` says what we log in with, in words."""
        self._credentials = credentials
        self._dynamic = DynamicClient(api_client, discoverer=_NoDiscovery)
        self._api_client = api_client
        self._configuration = api_client.configuration
        pools = api_client.rest_client.pool_manager
        send = getattr(pools, _SEND)
        if not isinstance(send, partial):  # else it is another client's, too, and bounded already
            # It would follow a redirect with the credentials, and would itself pause for as long as any Retry-After says.
            setattr(pools, _SEND, partial(_bounded, send, redirect=False, retries=False))
        self._lock = threading.Lock()
        self._clock = (datetime.now(timezone.utc), time.monotonic())
        self._silence = Silence()
        self.requests = 0
        self.followed: dict[str, FollowedPods] = {}
        """Whoever knows a namespace's pods without a request, by namespace; see ``pod_watch``."""

    @property
    def host(self) -> str:
        """The API's URL."""
        return str(self._configuration.host)

    @property
    def is_away(self) -> bool:
        """Return whether the API does not answer at present, as its newest request told."""
        return self._silence.lasts

    def now(self) -> datetime:
        """Return the time by the API server's clock, as its newest answer had it: ours may be wrong, and objects have its times."""
        with self._lock:
            told, at = self._clock
        return told + timedelta(seconds=time.monotonic() - at)

    def _set_clock(self, headers: Mapping[str, str]) -> None:
        """Learn the API server's time from an answer's headers; whoever answered without it leaves us with what we know."""
        try:
            told = parsedate_to_datetime(headers.get("Date") or "")
        except ValueError:
            return
        if told.tzinfo is not None:
            with self._lock:
                self._clock = (told, time.monotonic())

    def get(self, kind: str, namespace: str, name: str, deadline: Deadline) -> Object:
        """One object. Raises NotFound and the other ClusterErrors."""
        return self._send("get", path_of_one(kind, namespace, name), deadline, f"get {named(kind, namespace, name)}")

    def list(self, kind: str, namespace: str, deadline: Deadline, *, labels: str = "", fields: str = "") -> Sequence[Object]:
        """The objects that match the selectors."""
        query = [("labelSelector", labels)] * bool(labels) + [("fieldSelector", fields)] * bool(fields)
        return self._list(kind, namespace, deadline, query)[0]

    def list_with_version(self, kind: str, namespace: str, deadline: Deadline) -> tuple[Sequence[Object], str]:
        """Return all objects, and the version from which on ``follow`` tells what becomes of them."""
        return self._list(kind, namespace, deadline, [])

    def _list(self, kind: str, namespace: str, deadline: Deadline, query: Sequence[tuple[str, str]]) -> tuple[Sequence[Object], str]:
        answer = self._send("get", path_of(kind, namespace), deadline, f"list {named(kind, namespace)}", query=query)
        return list(answer.get("items") or []), str((answer.get("metadata") or {}).get("resourceVersion", ""))

    def pods(self, namespace: str, deadline: Deadline) -> Sequence[Pod]:
        """The pods of a namespace. Where it is followed: as far as is known by now, and that is all that was so before any change of a
        pod that ``changes`` has told."""
        followed = self.followed.get(namespace)
        return [parse_pod(item) for item in self.list("Pod", namespace, deadline)] if followed is None else followed.present(deadline)

    def changes(self, pod: Pod, deadline: Deadline) -> Iterator[Change | None]:
        """Yield the changes of a pod, as ``watch`` does; without a request where its namespace is followed."""
        followed = self.followed.get(pod.namespace)
        if followed is None:
            return self.watch("Pod", pod.namespace, pod.name, pod.resource_version, deadline)
        return followed.changes(pod, deadline)

    def create(self, kind: str, namespace: str, body: Object, deadline: Deadline, *, dry_run: bool = False) -> Object:
        """Make an object. Raises AlreadyExists, QuotaExceeded, …

        Sent once only, but for reviews and where the server says that it did nothing: whether a request whose answer was lost has made the
        object, only the caller can tell. ``dry_run``: the server admits and answers as if, and keeps nothing.
        """
        query = [("dryRun", "All")] * dry_run
        tries = 0 if dry_run or kind in _REVIEWS else 1
        return self._send("post", path_of(kind, namespace), deadline, f"create {named(kind, namespace)}", query=query, body=body, tries=tries)

    def patch(self, kind: str, namespace: str, name: str, body: Object, deadline: Deadline, *, dry_run: bool = False) -> Object:
        """Change an object by a JSON merge patch. ``dry_run``: the server checks it and answers as if, and keeps nothing."""
        return self._send(
            "patch",
            path_of_one(kind, namespace, name),
            deadline,
            f"patch {named(kind, namespace, name)}",
            query=[("dryRun", "All")] * dry_run,
            body=body,
            content_type="application/merge-patch+json",
        )

    def replace(self, kind: str, namespace: str, name: str, body: Object, deadline: Deadline, *, dry_run: bool = False) -> Object:
        """Write an object as a whole, over the version that ``body`` has. Raises Conflict. ``dry_run``: as for ``patch``."""
        path, query = path_of_one(kind, namespace, name), [("dryRun", "All")] * dry_run
        return self._send("put", path, deadline, f"replace {named(kind, namespace, name)}", query=query, body=body)

    def delete(self, kind: str, namespace: str, name: str, uid: str, deadline: Deadline, *, version: str = "") -> Object:
        """Delete the object of that uid, where ``version`` is given only as it was then. Raises NotFound where it is gone, Conflict."""
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        return self._send("delete", path_of_one(kind, namespace, name), deadline, f"delete {named(kind, namespace, name)}", body=body)

    def logs(self, namespace: str, pod: str, lines: int, deadline: Deadline, container: str = "") -> str:
        """The last lines that a pod's container printed; its name is needed where there are several."""
        path = f"{path_of_one('Pod', namespace, pod)}/log"
        what = f"read the log of {namespace}/{pod}"
        query = [("tailLines", str(lines)), *([("container", container)] if container else [])]
        raw: bytes = self._request("get", path, deadline, query, None, None, what, 1, read)
        return raw.decode("utf-8", "replace")

    def log_lines(self, namespace: str, pod: str, container: str, most: int, deadline: Deadline) -> Iterator[bytes]:
        """Yield the last lines that a pod's container printed, as they come, without empty ones. Raises the ClusterErrors."""
        path, what = f"{path_of_one('Pod', namespace, pod)}/log", f"read the log of {namespace}/{pod}"
        query = [("tailLines", str(most)), ("container", container)]
        response = self._request("get", path, deadline, query, None, None, what, 1, lambda opened, _deadline: opened)
        try:
            yield from lines(response, deadline)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"The answer was cut when asked to {what}: {innermost_reason(error)}.", REACH_REMEDY) from error
        finally:
            response.close()

    def watch(self, kind: str, namespace: str, name: str, resource_version: str, deadline: Deadline) -> Iterator[Change | None]:
        """Changes of one object from ``resource_version`` on, until the deadline. Ends never by itself.

        None comes now and then, when nothing has happened: a caller can look at the clock.

        A watch that the server ends is opened again. Where the version is too old (410) the object's present state is
        told first: ADDED, or DELETED where it is gone.
        """
        require_name(kind, name)
        version = resource_version
        while True:
            try:
                for change in self._watch_once(kind, namespace, name, version, deadline):
                    version = change.object["metadata"].get("resourceVersion", version)
                    yield change
            except Gone:
                try:
                    present = self.get(kind, namespace, name, deadline)
                except NotFound:
                    yield Change("DELETED", {"metadata": {"name": name, "namespace": namespace}})
                    return
                version = present["metadata"]["resourceVersion"]
                yield Change("ADDED", present)
            yield None
            deadline.sleep(0.05)

    def _watch_once(self, kind: str, namespace: str, name: str, version: str, deadline: Deadline) -> Iterator[Change]:
        query, what = [("fieldSelector", f"metadata.name={name}")], f"watch {named(kind, namespace, name)}"
        return self._told(self._open_watch(kind, namespace, version, WATCH_SECONDS, deadline, query, what), deadline, what)

    def follow(self, kind: str, namespace: str, version: str, seconds: int, deadline: Deadline) -> Iterator[Change]:
        """Changes of all objects of a namespace from ``version`` on, as the server tells them in ``seconds``. Raises Gone and the other ClusterErrors."""
        what = f"watch {named(kind, namespace)}"
        response = self._open_watch(kind, namespace, version, seconds, deadline, [], what)
        return self._told(response, deadline.within(seconds + REQUEST_TIMEOUT, what), what)

    def _open_watch(
        self, kind: str, namespace: str, version: str, seconds: int, deadline: Deadline, query: Sequence[tuple[str, str]], what: str
    ) -> Any:
        seconds = max(1, min(seconds, int(deadline.left())))
        asked = [("watch", "true"), *query, ("resourceVersion", version), ("timeoutSeconds", str(seconds))]
        return self._request("get", path_of(kind, namespace), deadline, asked, None, None, what, 0, lambda opened, _deadline: opened)

    def _told(self, response: Any, deadline: Deadline, what: str) -> Iterator[Change]:
        try:
            for line in lines(response, deadline):
                change = _change(line)
                if change is None:
                    return  # cut, or no API's words: the caller opens the watch again where it was
                if change.type == "ERROR":
                    raise refused(change.object.get("code", 0), change.object, what, self.host, credentials=self._credentials)
                if change.type != "BOOKMARK":
                    yield change
        except (urllib3.exceptions.HTTPError, OSError):
            return  # as above
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        what: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Object | None = None,
        content_type: str | None = None,
        tries: int = 0,
    ) -> Object:
        return self._request(
            method, path, deadline, query, body, content_type, what, tries, lambda opened, limit: parse(read(opened, limit))
        )

    def _request(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        query: Sequence[tuple[str, str]],
        body: Object | None,
        content_type: str | None,
        what: str,
        tries: int,
        take: Callable[[Any, Deadline], T],
    ) -> T:
        """Send until an answer comes, of which ``take`` makes the result; ``tries`` 0 means as often as the deadline allows."""
        sent, asked = 0, time.monotonic()
        while True:
            with self._lock:
                self.requests += 1
            left, status, unsent = deadline.left(), 0, False
            try:
                response = self._dynamic.request(
                    method,
                    path,
                    body=body,
                    query_params=list(query),
                    serialize=False,
                    content_type=content_type,
                    _request_timeout=(min(_CONNECT_TIMEOUT, left), max(1.0, min(REQUEST_TIMEOUT, left))),
                )
                if not isinstance(response, urllib3.HTTPResponse):
                    raise ClusterError(f"The client library answered {type(response).__name__} when asked to {what}.")
                self._set_clock(response.headers)
                answer = take(response, deadline)
                self._silence.end(served=True)
                return answer
            except ApiException as error:
                if error.status in REDIRECTS:
                    raise redirected(error.status, (error.headers or {}).get("Location", ""), what, self.host) from error
                if error.status:
                    failure = refused(error.status, answer_body(error.body), what, self.host, retry_after(error.headers), self._credentials)
                else:  # the library's word for whatever fails in TLS: the certificate, or a connection that is cut
                    failure = no_answer(error.__context__ or error, what, self.host)
                status = error.status or 0
            except NoAnswer as error:
                failure = Unreachable(f"What {self.host} answered when asked to {what} is no API's answer: {error}.", REACH_REMEDY)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                failure = no_answer(error, what, self.host)
                unsent = isinstance(error, urllib3.exceptions.NewConnectionError)
            except ConfigException as error:
                raise ClusterError(f"There are no credentials any more to {what}: {error}", "Log in again.") from error
            except ValueError as error:  # its words may hold the token
                raise ClusterError(
                    f"The client library could not ask the API at {self.host} to {what} ({type(error).__name__})."
                ) from error
            sent += 1
            away = self._weigh(failure, status, asked)
            # Who has read what changed since reads it again; a creation has read nothing, and was not done.
            again = failure.passes and (method == "post" or not isinstance(failure, Conflict))
            untouched = unsent or status in _NOTHING_DONE
            if not again or (tries and sent >= tries and not untouched):
                raise failure
            pause = max(PAUSES[min(sent - 1, len(PAUSES) - 1)], failure.retry_after)
            if (sent > len(PAUSES) + 2 and not away) or pause >= deadline.left():
                raise failure
            deadline.sleep(pause)

    def _weigh(self, failure: ClusterError, status: int, asked: float) -> bool:
        """Return whether to wait for an API that is away; a refusal passes where it may be that of a server which is still starting.

        ``status`` is the answer's, 0 where there was none; ``asked`` is when it was asked at first. An API that was away for too long is asked for
        each thing once more, so that a run whose API does not come back ends soon.
        """
        if status in (0, *_AWAY):
            away = self._silence.keep(asked)
            failure.passes = failure.passes and not self._silence.too_long
            return away
        rejected = type(failure) in (Unauthorized, Forbidden)
        if self._silence.end(served=not rejected) and rejected:
            failure.passes = True
        return False

    def require_way_for_exec(self) -> None:
        """Raises InvalidOption where the configured proxy serves every other request, and cannot serve an exec."""
        proxy_options(self._configuration)

    def open_websocket(self, path: str, query: Sequence[tuple[str, str]], deadline: Deadline, what: str) -> socket.socket:
        """Open a websocket with the exec streams' protocol: its socket after the handshake."""
        with self._lock:
            self.requests += 1
        url = f"{self.host.rstrip('/')}{path}?{urlencode(query)}".replace("http", "ws", 1)
        configuration = self._configuration
        connection = websocket.WebSocket(sslopt=tls_options(configuration, url, certifi.where()))
        try:
            limit = min(REQUEST_TIMEOUT, deadline.left())
            with cut_after(limit, connection):
                connection.connect(
                    url,
                    header=headers(configuration, self._api_client.default_headers),
                    subprotocols=[PROTOCOL],
                    timeout=limit,
                    suppress_origin=True,
                    redirect_limit=0,
                    **proxy_options(configuration),
                )
            self._check_not_redirected(connection, what)
        except websocket.WebSocketBadStatusException as error:
            raw = getattr(error, "resp_body", b"") or b""
            told = retry_after(getattr(error, "resp_headers", None))
            failure = exec_refused(error.status_code, answer_body(raw), what, self.host, told, self._credentials)
            self._weigh(failure, error.status_code, time.monotonic())
            raise failure from error
        except websocket.WebSocketProxyException as error:
            raise proxy_refused(innermost_reason(error), what) from error
        except (websocket.WebSocketException, OSError) as error:
            self._check_not_redirected(connection, what)
            raise no_answer(error, what, self.host) from error
        except ValueError as error:  # as above
            raise ClusterError(f"The client library could not ask the API at {self.host} to {what} ({type(error).__name__}).") from error
        stream: socket.socket = connection.sock
        return stream

    def _check_not_redirected(self, connection: Any, what: str) -> None:
        """Raises Redirected. By the library's version, such an answer to a handshake is an error or none."""
        answer = connection.handshake_response
        if answer is not None and answer.status in REDIRECTS:
            connection.shutdown()
            raise redirected(answer.status, answer.headers.get("location", ""), what, self.host)


_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


def _bounded(send: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """Send a request by urllib3; answers with an error status are short: the library reads them to their end."""
    response = send(*arguments, **settings)
    if response.status < 300 or settings.get("preload_content", True):  # read already, for those who use the library beside us
        return response
    timeout = settings.get("timeout")  # those give none
    body = words(response, REQUEST_TIMEOUT if timeout is None else timeout.read_timeout)
    told = {name: value for name, value in response.headers.items() if name.lower() not in _OF_THE_BODY}
    return urllib3.HTTPResponse(body=io.BytesIO(body), headers=told, status=response.status, reason=response.reason)


def _change(line: bytes) -> Change | None:
    """The change in a line of a watch, or None where there is none in it."""
    try:
        message = parse(line)
    except NoAnswer:
        return None
    kind, changed = message.get("type"), message.get("object")
    whole = isinstance(kind, str) and isinstance(changed, dict) and (kind == "ERROR" or isinstance(changed.get("metadata"), dict))
    return Change(str(kind), changed) if whole and changed is not None else None
