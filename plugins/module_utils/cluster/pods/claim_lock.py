# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock on a claim: an annotation that says who works on its volume, by a filler pod or inside another's pod.

It is written with the resourceVersion that was read, so of two who want it one gets it, and has the claim as it is then. Whatever the holder
writes on the claim later is refused where somebody else has the lock by now: a run that was asleep learns of it.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from ...annotation import parse_object
from ...background import Background
from ...deadline import Deadline
from ...errors import DeploymentError
from ...heartbeat import BEAT_EVERY, HEARTBEAT_LIMIT
from ...progress import OnLine
from ...times import parse_time, time_text
from ..api.api_errors import ClusterError, Conflict, NotFound, PodLost
from ..api.claims import read_claim
from ..api.client import Client
from ..api.names import is_name
from ..api.objects import Claim, parse_claim, parse_pod
from ..exec.pod_shell import ContainerAddress
from .filler import SKEW
from .guest import end_visit

HOLDER = "packit.dev/holder"
"""The claim's annotation: JSON of a ``Holder``."""
_ID = re.compile("[0-9a-z-]{1,64}")
_CONFLICTS = 20
"""Most times in a row that somebody else may have changed the claim just before us."""

Edit = Callable[[Claim], Mapping[str, "str | None"]]
"""The annotations to set on a claim (None: to remove), from what the claim is now."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The run that works on a volume: ``by`` is run, user and host; ``id`` the hold's own.

    With a filler pod of ours the hold lasts as long as the pod of that ``uid``. Inside another's pod (``container`` is set) it lasts as long
    as ``beat``, the API server's time, is young; it is empty once somebody else has begun to end that work.
    """

    by: Mapping[str, str]
    namespace: str
    pod: str
    uid: str
    container: str = ""
    beat: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __str__(self) -> str:
        by = self.by
        return f"{by.get('user', 'somebody')} on {by.get('host', 'an unknown host')} (run {by.get('run', 'unknown')}), at work in pod {self.pod}"


class HoldLost(PodLost):
    """Somebody else has the volume by now."""

    def __init__(self, claim: Claim, other: Holder | None, mine: str) -> None:
        whose = f"{other} has it now" if other is not None and other.id != mine else "somebody else has had it since"
        super().__init__(
            f"Claim {claim.namespace}/{claim.name} is not this run's any more: {whose}. This run was stopped, or cut off, for too long.",
            "Run again.",
        )


def holder_of(claim: Claim) -> Holder | None:
    """Return who has the lock; None where nobody has, or what is written there cannot be understood. Pure."""
    data = parse_object(claim.annotations.get(HOLDER))
    try:
        words = {name: str(data[name]) for name in ("namespace", "pod", "uid", "container", "beat", "id")}
        by = {str(key): str(value) for key, value in data["by"].items()}
    except (LookupError, AttributeError):
        return None
    # Anybody may have written it, and these become parts of requests, and of a path.
    names = words["namespace"] == claim.namespace and is_name(words["pod"]) and (not words["container"] or is_name(words["container"]))
    return Holder(by=by, **words) if names and _ID.fullmatch(words["id"]) else None


def beats(holder: Holder, now: datetime) -> bool:
    """Return whether the run inside another's pod is alive, at ``now`` by the API server's clock. Pure.

    A beat in the future was told by a clock that was wrong, and would stay young for as long.
    """
    try:
        beat = parse_time(holder.beat)
    except ValueError:
        return False
    return -SKEW <= (now - beat).total_seconds() <= HEARTBEAT_LIMIT + SKEW


class ClaimLock:
    """The lock on one claim, for one hold. Safe for threads: the heartbeat is another one.

    Whoever works sets ``work_ended`` when nothing of the hold can run any more; until then the lock is not given back.
    """

    def __init__(self, client: Client, claim: Claim) -> None:
        self._client = client
        self._claim = claim
        self._mine: Holder | None = None
        self.work_ended = False
        self._lock = threading.Lock()

    @property
    def claim(self) -> Claim:
        """The claim as it was read last."""
        return self._claim

    @property
    def taken(self) -> bool:
        """Return whether we have it."""
        return self._mine is not None

    def follow(self, claim: Claim) -> None:
        """Go on with the claim that was put in the place of the one that there was, which we had not taken."""
        with self._lock:
            self._claim = claim

    def other(self, deadline: Deadline) -> Holder | None:
        """Read the claim: who is at work on the volume and alive."""
        with self._lock:
            self._read(deadline)
            return self._living(deadline, beside_filler=False)

    def take(self, mine: Holder, deadline: Deadline) -> None:
        """Take the lock, from one that is dead too, whose work is ended first: it would go on writing. The claim is read by that.

        Raises Busy where somebody living has it, and ClusterError where a dead one's work cannot be ended: then the lock stays his.
        """
        with self._lock:
            for _conflict in range(_CONFLICTS):
                busy = self._living(deadline, beside_filler=not mine.container)
                if busy is not None:
                    self._read(deadline)  # it may have gone since
                    busy = self._living(deadline, beside_filler=not mine.container)
                if busy is not None:
                    raise Busy(self._claim, busy)
                dead = holder_of(self._claim)
                try:
                    if dead is not None and dead.container:  # a filler's work has ended with its pod
                        self._end_work(dead, deadline)
                    self._patch({HOLDER: self._rendered(mine)}, deadline)
                except Conflict:
                    self._read(deadline)
                    if (now := holder_of(self._claim)) is None or now.id != mine.id:  # else our answer was lost
                        continue
                self._mine = mine
                return
        raise self._restless()

    def _end_work(self, dead: Holder, deadline: Deadline) -> None:
        """End what a dead run may have left running, so that it cannot begin anew: one that wakes up finds that it lost the lock."""
        if dead.beat:
            self._patch({HOLDER: _text(replace(dead, beat=""))}, deadline)
        try:
            end_visit(self._client, ContainerAddress(dead.namespace, dead.pod, dead.uid, dead.container), dead.id, deadline)
        except ClusterError as error:
            claim = self._claim
            raise ClusterError(
                f"Claim {claim.namespace}/{claim.name} was held by {dead}, whose run is dead, and what it left there could not be ended: "
                f"{error.message}",
                f"Run again, or restart pod {dead.pod}.",
            ) from error

    def write(self, edit: Edit, deadline: Deadline, last: bool = False) -> Claim:
        """Write annotations, made again from the claim as it is now as often as somebody else has changed it. ``last`` ends the hold with it.

        Where work may go on, the lock stays: whoever wants it next finds a pod that lives, or a beat that ages, and ends that work first.
        Without a hold it is written where nobody else has one. Raises HoldLost.
        """
        with self._lock:
            for _conflict in range(_CONFLICTS):
                present = holder_of(self._claim)
                given_back = last and self.work_ended and self._mine is not None
                wanted = {**edit(self._claim), **({HOLDER: None} if given_back else {})}
                changes = {key: value for key, value in wanted.items() if self._claim.annotations.get(key) != value}
                if changes and not self._is_mine(present):  # without changes: it is written, and its answer was lost
                    raise self._lost(present)
                try:
                    if changes:
                        self._patch(changes, deadline)
                except Conflict:
                    self._read(deadline)
                    continue
                if last:
                    self._mine = None
                return self._claim
        raise self._restless()

    def require(self, deadline: Deadline) -> None:
        """Read the claim. Raises HoldLost where the lock is not ours any more."""
        with self._lock:
            self._read(deadline)
            present = holder_of(self._claim)
            if self._mine is None or not self._is_mine(present):
                raise self._lost(present)

    @contextmanager
    def beating(self, tell: OnLine) -> Iterator[None]:
        """Keep the beat of a hold inside another's pod young as long as the context is open."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(BEAT_EVERY):
                try:
                    self.write(self._beat, Deadline(BEAT_EVERY, "the heartbeat of a hold", done))
                except HoldLost as error:
                    tell(error.message)
                    return
                except DeploymentError:
                    continue  # the API may be back at the next beat; where it is not, others take the volume over

        Background("The heartbeat of a hold", beat, lambda error: tell(str(error))).start()
        try:
            yield
        finally:
            done.set()  # not joined: the lock in `write` keeps a beat under way and the end apart

    def _is_mine(self, present: Holder | None) -> bool:
        mine = self._mine
        if present is None or mine is None:
            return present is mine
        return present.id == mine.id and (bool(present.beat) or not mine.container)

    def _lost(self, present: Holder | None) -> HoldLost:
        return HoldLost(self._claim, present, "" if self._mine is None else self._mine.id)

    def _beat(self, _claim: Claim) -> Mapping[str, str | None]:
        return {} if self._mine is None else {HOLDER: self._rendered(self._mine)}

    def _rendered(self, holder: Holder) -> str:
        return _text(replace(holder, beat=time_text(self._client.now()) if holder.container else ""))

    def _living(self, deadline: Deadline, beside_filler: bool) -> Holder | None:
        holder = holder_of(self._claim)
        if holder is None:
            return None
        if holder.container:
            return holder if beats(holder, self._client.now()) else None
        if beside_filler:  # fillers of a claim have one name, so no other one is there beside ours
            return None
        try:
            pod = parse_pod(self._client.get("Pod", holder.namespace, holder.pod, deadline))
        except NotFound:
            return None
        return holder if pod.uid == holder.uid and not pod.ended else None

    def _read(self, deadline: Deadline) -> None:
        claim = read_claim(self._client, self._claim.namespace, self._claim.name, deadline)
        if claim.uid != self._claim.uid:
            raise ClusterError(f"Claim {claim.namespace}/{claim.name} is another one than when this run began.", "Run again.")
        self._claim = claim

    def _patch(self, annotations: Mapping[str, str | None], deadline: Deadline) -> None:
        claim = self._claim
        meta = {"uid": claim.uid, "resourceVersion": claim.resource_version, "annotations": annotations}
        answer = self._client.patch("PersistentVolumeClaim", claim.namespace, claim.name, {"metadata": meta}, deadline)
        self._claim = parse_claim(answer)

    def _restless(self) -> ClusterError:
        claim = self._claim
        return ClusterError(
            f"Claim {claim.namespace}/{claim.name} was changed by somebody else {_CONFLICTS} times in a row, each time just before this run could.",
            "Look who changes it, and run again.",
        )


def _text(holder: Holder) -> str:
    return json.dumps({**asdict(holder), "by": dict(holder.by)}, sort_keys=True)


class Busy(ClusterError):
    """Another run that is alive works on the volume."""

    def __init__(self, claim: Claim, holder: Holder) -> None:
        super().__init__(f"Claim {claim.namespace}/{claim.name} is held by {holder}.", "Wait for that run to end.")
        self.holder = holder
