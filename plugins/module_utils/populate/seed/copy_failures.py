# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of failed copies from a seed: a network that lets a probe through may still cut every pack."""

from __future__ import annotations

import threading

_TOO_MANY = 2


class CopyFailures:
    """Copies from one living seed that failed in a row, for each namespace to which they went. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: dict[str, list[str]] = {}

    def add(self, namespace: str, why: str) -> None:
        """One more failed."""
        with self._lock:
            self._failed.setdefault(namespace, []).append(why)

    def end(self, namespace: str) -> None:
        """One went well, which ends the row."""
        with self._lock:
            self._failed.pop(namespace, None)

    def too_many(self) -> dict[str, str]:
        """The namespaces to which the network is not to be used any more, and why."""
        with self._lock:
            return {
                namespace: f"{len(why)} copies from the seed pod in a row failed, the last one so: {why[-1]}"
                for namespace, why in self._failed.items()
                if len(why) >= _TOO_MANY
            }
