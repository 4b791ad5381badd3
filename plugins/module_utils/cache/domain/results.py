# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of a run: per volume and project, and the locks of each volume."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .model import Pair, Role, Volume
from .plan import Action
from .record import Record, RecordedEntry


@dataclass(frozen=True)
class HoldTimes:
    """The seconds for which a volume was held: from the filler's creation until it was gone.

    ``attach`` is until work could start, ``release`` from its end until the filler was gone. A block volume is detached after that, which only
    who may read the cluster's VolumeAttachments sees. All 0 where the work was done inside the pod that holds the volume.
    """

    attach: float = 0.0
    work: float = 0.0
    release: float = 0.0

    @property
    def seconds(self) -> float:
        """The whole lock."""
        return self.attach + self.work + self.release


@dataclass(frozen=True)
class ConsumerWait:
    """A consumer's pod that waited for a volume while it was held, and the seconds from its creation until it had it; None where it has it not yet."""

    pod: str
    seconds: float | None


@dataclass(frozen=True)
class ProjectResult:
    """One project on one volume. ``there`` is what the volume has of it now, None where it has nothing or that is not known; ``bytes`` were received;
    ``error``, ``remedy`` and ``notes`` on what was done are words."""

    volume: Volume
    project: str
    action: Action
    there: RecordedEntry | None = None
    seconds: float = 0.0
    bytes: int = 0
    warnings: tuple[str, ...] = ()
    error: str = ""
    remedy: str = ""
    notes: tuple[str, ...] = ()

    def with_record(self, record: Record | None) -> ProjectResult:
        """Return the same with what the volume's record says is there, where nothing was done; bytes are those received, and stay 0."""
        if record is None or self.action is not Action.NOTHING or self.there is not None:
            return self
        return replace(self, there=record.projects.get(self.project))

    @property
    def method(self) -> str:
        """Return how what is there came, empty where nothing is known to be."""
        return "" if self.there is None else self.there.method

    @property
    def changed(self) -> bool:
        """Return whether something was written."""
        return self.action in (Action.ADD, Action.UPDATE, Action.REPLACE, Action.REPAIR, Action.COMPACT, Action.REMOVE)

    @property
    def failed(self) -> bool:
        """Return whether the project is not as wanted (a skipped volume is as the user wants it)."""
        return self.action in (Action.FAILED, Action.BLOCKED)


@dataclass(frozen=True)
class VolumeResult:
    """One volume: its projects, and each time it was held. ``stuck``: why it is held still, empty where it is free; ``waits``: whom it kept waiting."""

    volume: Volume
    projects: tuple[ProjectResult, ...]
    locks: tuple[HoldTimes, ...] = ()
    warnings: tuple[str, ...] = ()
    stuck: str = ""
    waits: tuple[ConsumerWait, ...] = ()

    @property
    def changed(self) -> bool:
        """Return whether something was written on it."""
        return any(project.changed for project in self.projects)

    @property
    def failed(self) -> bool:
        """Return whether something on it is not as wanted, or it is a sandbox's whose pods cannot have it."""
        return any(project.failed for project in self.projects) or (bool(self.stuck) and self.volume.role is Role.SANDBOX)


@dataclass(frozen=True)
class PairResult:
    """Both volumes of a pair; ``unlisted`` names what lies there and stays, though nobody lists it. ``fault`` is the traceback of an error
    that nobody expected, empty where there was none."""

    pair: Pair
    sandbox: VolumeResult
    worker: VolumeResult
    unlisted: tuple[str, ...] = ()
    fault: str = ""

    @property
    def volumes(self) -> tuple[VolumeResult, VolumeResult]:
        """The sandbox's and the worker's."""
        return self.sandbox, self.worker
