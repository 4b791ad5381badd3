# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node has each block volume: one at a time, and an attach or a detach takes as long as the storage was ordered to take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

_GIVEN_UP_AFTER = 15.0
"""Seconds after which an attach that hangs is given up, told, and asked for again: the attacher's `--timeout` (real_cluster/cluster.sh)."""


class Refused(Exception):
    """The volume cannot be attached now; in Kubernetes' words."""


@dataclass
class _Attachment:
    """A volume on a node, or on its way there, or away from there. ``users`` are the pods that want it there, by uid."""

    node: str
    since: float
    users: dict[str, str] = field(default_factory=dict)
    there: bool = False
    leaving: bool = False


class Attachments:
    """All of them, by the volume's claim. ``orders`` is the directory of the storage's orders (tests/clusters/base.py)."""

    def __init__(self, orders: Path) -> None:
        self._orders = orders
        self._of: dict[tuple[str, str], _Attachment] = {}

    def attach(self, claim: tuple[str, str], volume: str, node: str, pod: tuple[str, str]) -> bool:
        """Return whether a pod, by uid and name, has the volume on its node; it asks again until it has. Raises Refused."""
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
        """A pod has ended. A volume that no other one wants on that node is detached from it."""
        for found in self._of.values():
            if found.users.pop(uid, None) and not found.users:
                found.leaving, found.since = True, time.monotonic()

    def has(self, claim: tuple[str, str]) -> bool:
        """Return whether a pod has the volume now."""
        found = self._of.get(claim)
        return found is not None and found.there and not found.leaving

    def require_expansion(self, claim: tuple[str, str]) -> None:
        """Raises Refused where the storage is to refuse it."""
        self._passed(claim, "expand", 0.0)

    def drop(self, claim: tuple[str, str]) -> None:
        """A volume is no more."""
        self._of.pop(claim, None)

    def _detached(self, claim: tuple[str, str], found: _Attachment) -> bool:
        try:
            return self._passed(claim, "detach", found.since)
        except Refused:
            return False

    def _passed(self, claim: tuple[str, str], operation: str, since: float) -> bool:
        """Return whether the time has passed that an operation takes. Raises Refused where it is to fail."""
        try:
            words = (self._orders / f"{'.'.join(claim)}.{operation}").read_text()
        except FileNotFoundError:
            return True
        try:
            seconds = math.inf if words == "never" else float(words)
        except ValueError as error:
            raise Refused(words) from error
        return time.monotonic() - since >= seconds
