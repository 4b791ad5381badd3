# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attaches each block volume to one node at a time, and takes as long for it as the storage was ordered to."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

_GIVEN_UP_AFTER = 15.0
"""Seconds after which an attach that hangs is given up, told, and asked for again: the attacher's `--timeout` (real_cluster/cluster.sh)."""


class Refused(Exception):
    """The storage refuses what it is asked for; with its words, or Kubernetes' own."""


@dataclass
class _Attachment:
    """A volume on a node, or on its way there, or away from there. ``users`` are the pods that want it there, by uid."""

    node: str
    since: float
    users: dict[str, str] = field(default_factory=dict)
    there: bool = False
    leaving: bool = False


class Attachments:
    """The attachments of all block volumes, by claim. ``orders`` is the directory of the storage's orders (tests/clusters/base.py)."""

    def __init__(self, orders: Path) -> None:
        self._orders = orders
        self._of: dict[tuple[str, str], _Attachment] = {}

    def attach(self, claim: tuple[str, str], volume: str, node: str, pod: tuple[str, str]) -> bool:
        """Return whether a pod, given by uid and name, has the volume on its node; ask again until it has. Raises Refused."""
        found = self._of.get(claim)
        if found is not None and found.leaving and self._detached(claim, found):
            found = None
        if found is None:
            found = self._of[claim] = _Attachment(node, time.monotonic())
        if found.node != node:
            if found.users:
                raise Refused(f'Multi-Attach error for volume "{volume}" Volume is already used by pod(s) {", ".join(found.users.values())}')
            words = f"rpc error: code = FailedPrecondition desc = volume {volume} is detaching on node {found.node}"
            raise Refused(f'AttachVolume.Attach failed for volume "{volume}" : {words}')
        if found.leaving:
            return False
        found.users[pod[0]] = pod[1]
        try:
            found.there = found.there or self._passed(claim, "attach", found.since)
        except Refused as error:
            del self._of[claim]
            raise Refused(f'AttachVolume.Attach failed for volume "{volume}" : rpc error: code = Internal desc = {error}') from error
        if not found.there and time.monotonic() - found.since >= _GIVEN_UP_AFTER:
            words = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
            raise Refused(f'AttachVolume.Attach failed for volume "{volume}" : {words}')
        return found.there

    def release(self, uid: str) -> None:
        """Detach the volumes that only this pod wants; it has ended."""
        for found in self._of.values():
            if found.users.pop(uid, None) and not found.users:
                found.leaving, found.since = True, time.monotonic()

    def has(self, claim: tuple[str, str]) -> bool:
        """Return whether a pod has the volume now."""
        found = self._of.get(claim)
        return found is not None and found.there and not found.leaving

    def require_expansion(self, claim: tuple[str, str]) -> None:
        """Raise Refused where the storage was ordered to refuse the expansion."""
        self._passed(claim, "expand", 0.0)

    def require_clone(self, claim: tuple[str, str]) -> None:
        """Raises Refused, in the provisioner's words, where the storage is not to make this claim's volume as a clone."""
        try:
            self._passed(claim, "clone", 0.0)
        except Refused as error:
            raise Refused(f"rpc error: code = Internal desc = {error}") from error

    def drop(self, claim: tuple[str, str]) -> None:
        """Forget a volume that was deleted."""
        self._of.pop(claim, None)

    def _detached(self, claim: tuple[str, str], found: _Attachment) -> bool:
        try:
            return self._passed(claim, "detach", found.since)
        except Refused:
            return False

    def _passed(self, claim: tuple[str, str], operation: str, since: float) -> bool:
        """Return whether the seconds are over that an operation was ordered to take. Raises Refused where it was ordered to fail."""
        try:
            words = (self._orders / f"{'.'.join(claim)}.{operation}").read_text()
        except FileNotFoundError:
            return True
        try:
            seconds = math.inf if words == "never" else float(words)
        except ValueError as error:
            raise Refused(words) from error
        return time.monotonic() - since >= seconds
