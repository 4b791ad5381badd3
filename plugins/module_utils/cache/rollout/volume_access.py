# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface to the place where volumes are: hold a volume for a while, and record what is on it.

The Kubernetes side implements this in ``populate``; ``rollout`` knows only these.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Protocol

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import Shell
from ..domain.model import Volume
from ..domain.record import Change, Record, unchanged
from ..domain.results import HoldTimes


class VolumeSkipped(DeploymentError):
    """The volume is in use, and the user wants such volumes left alone."""


class HeldVolume(Protocol):
    """A volume while it is held."""

    @property
    def shell(self) -> Shell:
        """Runs processes where the volume is mounted."""

    @property
    def root(self) -> str:
        """Return where the volume is mounted there."""

    @property
    def scratch(self) -> str:
        """A directory there for our own files; not on the volume."""

    @property
    def tag(self) -> str:
        """Return what keeps two runs apart on the volume, where no filler pod is the lock between them; else empty."""

    @property
    def guest(self) -> bool:
        """Return whether this is a container that somebody else made, in which others run programs too: nothing secret may come there."""

    @property
    def memory_bytes(self) -> int:
        """Memory that processes there may use together."""

    @property
    def cpus(self) -> float:
        """Processors that they may use."""

    @property
    def shared(self) -> bool:
        """Return whether another pod has it mounted too, whose checkouts may borrow from its entries."""

    @property
    def wanted(self) -> threading.Event | None:
        """Set when a consumer's pod waits for the volume and cannot have it meanwhile; None where nobody looks."""

    @property
    def held_seconds(self) -> float:
        """Seconds since it was taken."""

    @property
    def lock(self) -> HoldTimes:
        """Return how long it was held; complete after the release."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what the user should know of how it was held; complete after the release."""


class VolumeAccess(Protocol):
    """Holds volumes and keeps their records. Safe for threads."""

    def prepare(self, volume: Volume, deadline: Deadline) -> None:
        """Do what can be done before a volume is taken, as far as that is known; ``hold`` does what is missing. Raises DeploymentError."""

    def hold(self, volume: Volume, deadline: Deadline, news: Change = unchanged) -> AbstractContextManager[HeldVolume]:
        """Take a volume and read its record again; released, whatever happens, when the context ends. Raises VolumeSkipped or DeploymentError.

        ``news`` is asked when the volume is free again, and written down where no other run has taken the volume since.
        """

    def capacity(self, volume: Volume) -> int:
        """The volume's size in bytes, 0 where it is not known."""

    def recorded(self, volume: Volume) -> Record | None:
        """Return what is known of a volume, as it was read last."""

    def read_again(self, volume: Volume, deadline: Deadline) -> None:
        """Read the record of a volume that is not held. Nothing is known of one at which another run works, or was killed."""

    def record(self, volume: Volume, change: Change, deadline: Deadline) -> None:
        """Write down a change to what a volume holds. Raises PlaceLost where another run has the volume."""
