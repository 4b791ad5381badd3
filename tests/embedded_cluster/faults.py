# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults that the cluster has been told to have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KINDS = ("drop_connection", "deny", "expire_watch", "unschedulable", "image_pull_error")


@dataclass
class Fault:
    """One fault. Empty fields match everything; ``times`` is how often it happens (0: always)."""

    kind: str
    namespace: str = ""
    name: str = ""
    verb: str = ""
    resource: str = ""
    after_bytes: int = 0
    times: int = 0
    code: int = 403
    message: str = "a fault was asked for"


class Faults:
    """All faults that are on."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        if fault.kind not in KINDS:
            raise ValueError(f"unknown fault {fault.kind}")
        self._faults.append(fault)

    def left(self) -> int:
        """Return how many faults are still on: those with a number of times end when they have happened so often."""
        return len(self._faults)

    def clear(self) -> None:
        """Switch all faults off."""
        self._faults.clear()

    def message(self, kind: str, pod: dict[str, Any], *names: str) -> str:
        """The message of a fault for a pod (or something of it), or empty."""
        meta = pod["metadata"]
        fault = self.take(kind, meta["namespace"], "", "", meta["name"], *names, spend=False)
        return fault.message if fault is not None else ""

    def take(self, kind: str, namespace: str, verb: str, resource: str, *names: str, spend: bool = True) -> Fault | None:
        """The first fault that matches, used up by one."""
        for fault in self._faults:
            if (
                fault.kind != kind
                or fault.namespace not in ("", namespace)
                or fault.verb not in ("", verb)
                or fault.resource not in ("", resource)
            ):
                continue
            if fault.name and not any(fault.name in name for name in names):
                continue
            if spend and fault.times:
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
            return fault
        return None
