# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse a fetch when upstream announces more objects than the place can hold, before minutes are spent on receiving them.

Upstream tells how many objects it sends, and not how many bytes. What is certain is refused, what is likely is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...deadline import Deadline
from ...errors import DeploymentError
from ..domain.model import BY_RSYNC
from ..domain.packs import INDEX_BYTES
from ..domain.space import size
from .environment import MEBI, MORE_MEMORY

_BASE_MEMORY = 48 * MEBI
"""Bytes of memory for git's caches, however few objects there are."""
LEAST_MEMORY = 90
"""Bytes of memory for each object that is received and proved. With git 2.39 index-pack takes 76 and the proof 64, not counting what is mapped of the
pack, of which some must stay in memory. 1,099,000 objects were received and proved within 160 MiB; within 128 MiB git was killed."""
GOOD_MEMORY = 190
"""The same where git need not read from the disk again and again: half as long a proof as with 160 MiB."""
LEAST_PACKED = 12
"""An object's bytes in a pack, at least: its header, the offset of its base, and what zlib makes of nothing."""
MUCH_PACKED = 600
"""An object's bytes in a pack where they are many: as in git's own repository (470 MB of 752,000 objects)."""
LITTLE_PACKED = 75
"""An object's bytes in a pack where they are few: as in a repository of a million small commits."""

# `Receiving objects:  42% (126/300), 12.30 MiB | 5.00 MiB/s`
# git's own lines alone: what it hands on of upstream's words begins with `remote: `.
_RECEIVING = re.compile(
    r"Receiving objects:\s+\d{1,3}% \((?P<done>\d{1,12})/(?P<all>\d{1,12})\)(?:, (?P<number>\d{1,9}(?:\.\d{1,6})?) (?P<unit>bytes|[KMG]iB))?"
)
_ALL_HERE = re.compile(r"Resolving deltas: 100% .*done")
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

PROVING = "proves that nothing is missing"
"""The line in place of git's last one: git says nothing while it proves what it has received."""


class TooLarge(DeploymentError):
    """Upstream has more objects than can be received where it was tried."""


@dataclass(frozen=True)
class Room:
    """The room for a fetch: bytes of memory, and of disk with what to do for more of it. 0: that is not known."""

    memory: int = 0
    disk: int = 0
    more_disk: str = ""


UNKNOWN = Room()
"""Nobody knows what there is: nothing is refused."""


class Announcement:
    """Reads the progress of one fetch. ``refusal`` says why it cannot end well, where that is so."""

    def __init__(self, url: str, where: str, room: Room) -> None:
        self._url = url
        self._where = where
        self._room = room
        self._objects = 0
        self._proving = False
        self.refusal: TooLarge | None = None

    def read(self, line: str) -> tuple[str, ...]:
        """Take git's newest line; return the lines to show in its place."""
        self._proving = self._proving or _ALL_HERE.match(line) is not None
        if self._proving:
            return (PROVING,)
        found = _RECEIVING.match(line)
        if found is None:
            return (line,)
        objects = int(found["all"])
        received = float(found["number"]) * _UNITS[found["unit"]] if found["number"] else 0.0
        self._refuse(objects, int(found["done"]), received)
        if self._objects:
            return (line,)
        self._objects = objects
        return (*self._warning(objects), line)

    def _refuse(self, objects: int, done: int, received: float) -> None:
        room = self._room
        announced = f"{self._url} has {objects} objects to send"
        least_memory = _BASE_MEMORY + objects * LEAST_MEMORY
        if room.memory and least_memory > room.memory:
            enough = -(-objects * GOOD_MEMORY // (256 * MEBI)) * 256
            self._stop(
                f"{announced}, for which git needs at least {size(least_memory)} of memory, and {self._where} has {size(room.memory)}.",
                f"{enough}Mi are enough. {MORE_MEMORY} Or use {BY_RSYNC}, for which the controller's memory counts.",
            )
        elif room.disk and objects * (LEAST_PACKED + INDEX_BYTES) > room.disk:
            needs = size(objects * (LEAST_PACKED + INDEX_BYTES))
            self._stop(f"{announced}, which take at least {needs}, and there is room for {size(room.disk)} in {self._where}.", room.more_disk)
        elif room.disk and received + objects * INDEX_BYTES > room.disk:
            self._stop(
                f"{announced}. The first {done} of them and the index take {size(received + objects * INDEX_BYTES)}, and there is room for "
                f"{size(room.disk)} in {self._where}.",
                room.more_disk,
            )

    def _stop(self, message: str, remedy: str) -> None:
        if self.refusal is None:
            self.refusal = TooLarge(f"{message} The fetch was ended.", remedy)

    def _warning(self, objects: int) -> tuple[str, ...]:
        most = objects * (MUCH_PACKED + INDEX_BYTES)
        if not self._room.disk or most <= self._room.disk or self.refusal is not None:
            return ()
        least = objects * (LITTLE_PACKED + INDEX_BYTES)
        return (f"{objects} objects are to come, which take {size(least)} to {size(most)}; there is room for {size(self._room.disk)}",)


class UntilRefused(Deadline):
    """The caller's deadline for a fetch, which also ends where what upstream announces is refused."""

    def __init__(self, caller: Deadline, announced: Announcement) -> None:
        super().__init__(caller.seconds, caller.what, caller.stop, caller.clock)
        self._caller = caller
        self._announced = announced

    def left(self) -> float:
        """See ``Deadline``. Raises TooLarge, too."""
        if self._announced.refusal is not None:
            raise self._announced.refusal
        return self._caller.left()
