# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that all parts of a run's seed share."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ...cache.git.stall import STALL_TIMEOUT
from ...cluster.api.client import Client
from ...cluster.api.ours import SCRATCH
from ...cluster.pods.manifest import FillerSpec
from ...progress import Tell
from .seed_options import SeedOptions

KEPT = "/packit-seed"
"""The mount path of a claim that keeps the scratch between runs."""


@dataclass(frozen=True)
class SeedContext:
    """The cluster, the first seed pod's ``spec``, the user's options, the run's end, who is told, and ``stall_timeout`` as for ``fetch``."""

    client: Client
    spec: FillerSpec
    options: SeedOptions
    stop: threading.Event
    tell: Tell
    stall_timeout: int = STALL_TIMEOUT

    @property
    def directory(self) -> str:
        """Return the directory in the first seed pod that has its repositories and packs."""
        return KEPT if self.options.claim else f"{SCRATCH}/seed"
