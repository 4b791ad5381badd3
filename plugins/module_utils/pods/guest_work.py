# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work as a guest in a pod that the user names, for the modules pod_git and pod_rsync."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from ..cluster.api.api_errors import ClusterError, Forbidden, NotFound
from ..cluster.api.claims import read_claim
from ..cluster.api.client import Client
from ..cluster.api.objects import Pod, parse_pod
from ..cluster.pods.claim_lock import Busy, ClaimLock, Holder, HoldLost
from ..cluster.pods.diagnosis import explain
from ..deadline import AWAY_SECONDS, Deadline
from ..errors import DeploymentError, InvalidOption
from ..progress import OnLine
from ..volumes.guest_hold import MountedVolume, guest_hold, mounts_of, wait_for
from ..volumes.owner import run_owner


@contextmanager
def guest_work(
    client: Client, namespace: str, name: str, container: str, path: PurePosixPath, changes: bool, deadline: Deadline
) -> Iterator[MountedVolume]:
    """Work beside ``path`` in a container of a running pod (the first one, if ``container`` is empty). Raises ClusterError, InvalidOption.

    Where something ``changes``, the claim on whose volume the path is is locked meanwhile, and another run that is at work there waited for.
    """
    pod = running_pod(client, namespace, name, deadline)
    names = [item.name for item in pod.containers]
    if container and container not in names:
        raise InvalidOption(f"Pod {namespace}/{name} has no container `{container}`.", f"It has {', '.join(names)}.")
    mine = Holder(by=run_owner(), namespace=namespace, pod=name, uid=pod.uid, container=container or names[0])
    told: list[str] = []
    lock = _taken(client, pod, mine, path, told.append, deadline) if changes else None
    held: MountedVolume | None = None
    try:
        with guest_hold(client, pod, str(path.parent), mine, lock, told.append, deadline) as held:
            yield held
    finally:
        if lock is not None:
            _give_back(lock, told.append)
        if held is not None:
            held.warnings += tuple(dict.fromkeys(told))


def _taken(
    client: Client, pod: Pod, mine: Holder, path: PurePosixPath, tell: OnLine, deadline: Deadline
) -> ClaimLock | None:
    """Take the lock on the claim that is mounted at a path; None where none is, or we have no right to. Raises Busy where the time is over."""
    mounts = mounts_of(pod, mine.container)
    above = next((str(place) for place in (path, *path.parents) if str(place).rstrip("/") in mounts), None)
    claim = None if above is None else pod.claims.get(mounts[above.rstrip("/")])
    if claim is None:
        return None
    try:
        lock = ClaimLock(client, read_claim(client, pod.namespace, claim, deadline))
        while True:
            try:
                lock.take(mine, deadline)
                return lock
            except Busy as error:
                wait_for(error.holder, lock, lambda words: tell(f"The task {words}."), deadline)
    except Forbidden as error:
        tell(f"Nothing keeps another run from working on claim {claim} at the same time, as it could not be locked: {error}")
        return None


def _give_back(lock: ClaimLock, tell: OnLine) -> None:
    try:
        lock.write(lambda _claim: {}, Deadline(AWAY_SECONDS, f"unlocking claim {lock.claim.name}"), last=True)
    except HoldLost as error:
        tell(error.message)
    except DeploymentError as error:
        tell(f"The claim's lock could not be given back; it ends by itself soon: {error.message}")


def running_pod(client: Client, namespace: str, name: str, deadline: Deadline) -> Pod:
    """A pod that runs. Raises ClusterError that explains why it does not."""
    try:
        pod = parse_pod(client.get("Pod", namespace, name, deadline))
    except NotFound as error:
        raise ClusterError(f"There is no pod {namespace}/{name}.", "Check the name and the namespace.") from error
    if pod.phase != "Running" or pod.deleting:
        found = explain(client, pod, deadline)
        raise ClusterError(f"Pod {namespace}/{name} does not run. {found.sentence}", found.remedy)
    return pod
