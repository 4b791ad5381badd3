# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A full quota is waited for, and tells the whole run to hold fewer volumes at once; one that is too small is named."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...deadline import Deadline
from .objects import exact_quantity


def never_fits(message: str) -> tuple[str, str, str] | None:
    """(resource, requested, limited) where a pod asks for more than a quota allows in all, so that waiting will not help. Pure.

    The API's words (k8s.io/apiserver, resourcequota/controller.go): ``exceeded quota: NAME, requested: A=1,B=2, used: …,
    limited: A=3,B=4``.
    """
    parts = {word: _amounts(text) for word, text in re.findall(r"(requested|limited): ([^ ]+?)(?:, |$)", message)}
    for resource, requested in parts.get("requested", {}).items():
        limited = parts.get("limited", {}).get(resource)
        try:
            if limited is not None and exact_quantity(requested) > exact_quantity(limited):
                return resource, requested, limited
        except ValueError:
            continue
    return None


def _amounts(text: str) -> dict[str, str]:
    return dict(item.split("=", 1) for item in text.split(",") if "=" in item)


class ConcurrencyLimit:
    """A limit of how many are at work at once: fillers in one namespace or on one node, or fetches in one pod. Safe for threads.

    Starts at ``most``; each refusal by the quota lowers it to what fits beside one consumer's pod.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._changed = threading.Condition()

    @contextmanager
    def place(self, deadline: Deadline) -> Iterator[bool]:
        """Wait for a place, and have it. Yields whether others may have one at the same time."""
        with self._changed:
            while self._inside >= self._most:
                self._changed.wait(min(0.5, deadline.left()))
            self._inside += 1
            several = self._most > 1
        try:
            yield several
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify()

    def refused(self) -> None:
        """The quota refused a filler: the others that are there now, less one, are all that may be."""
        with self._changed:
            self._most = max(1, min(self._most, self._inside - 1) - 1)

    def one_by_one(self) -> None:
        """Allow only one at a time from now on: several were too much."""
        with self._changed:
            self._most = 1
