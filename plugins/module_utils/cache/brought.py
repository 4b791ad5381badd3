# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs that workers' volumes have received, on this machine, on their way to the sandboxes' volumes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..deadline import Deadline
from .model import Volume
from .packs import files_of


@dataclass
class _Slot:
    """One pack: for which volumes it is here, and the seconds that it took to bring it."""

    users: set[Volume] = field(default_factory=set)
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class BroughtPacks:
    """Each pack once, and as long as a volume needs it. Safe for threads.

    Upstream's server often sends all workers the very same pack. Its name is its checksum, which is looked at again on every volume
    that it is copied to, so it does not matter whose it was.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}

    def bring(self, user: Volume, name: str, fetch: Callable[[str, Path], None], deadline: Deadline) -> float:
        """Have a pack and its index in ``directory`` for a volume; ``fetch`` brings one file. The seconds that this took, or had taken."""
        with self._lock:
            slot = self._slots.setdefault(name, _Slot())
            slot.users.add(user)
        with deadline.holding(slot.lock):
            for file in files_of([name]):
                if not (self.directory / file).exists():
                    self._bring(file, slot, fetch)
            return slot.seconds

    def release(self, user: Volume) -> None:
        """A volume needs nothing more: what no other one needs is removed, as the copies of many pairs would fill this machine."""
        with self._lock:
            for name, slot in [*self._slots.items()]:
                slot.users.discard(user)
                if not slot.users:
                    del self._slots[name]
                    for file in files_of([name]):
                        (self.directory / file).unlink(missing_ok=True)

    def _bring(self, file: str, slot: _Slot, fetch: Callable[[str, Path], None]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        started, coming = time.monotonic(), self.directory / f"{file}.coming"
        fetch(file, coming)
        coming.rename(self.directory / file)
        slot.seconds += time.monotonic() - started
