# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method seed: one pod reads upstream for the whole run, and serves finished packs to all volumes."""

from __future__ import annotations

from ..domain.methods import Outlook
from ..domain.model import VOLUMES_OF_A_PAIR, Volume
from ..domain.projects import Project
from ..domain.record import RecordedEntry
from .finished_packs import PackTransfer
from .protocol import Sources, Transfer, TransferMethod


def _fits(_project: Project, recorded: RecordedEntry | None, outlook: Outlook) -> str:
    if recorded is not None:
        return "which kept the earlier snapshot" if outlook.seed_keeps else ""
    if outlook.volumes <= VOLUMES_OF_A_PAIR:
        return "so that nothing is indexed while a volume is held"
    return f"so that upstream is read once for {outlook.volumes} volumes"


def _make(sources: Sources, project: Project, volume: Volume) -> Transfer:
    return PackTransfer(SEED, sources.seed(project), sources.seed_transport(volume))


SEED = TransferMethod(
    name="seed",
    in_cluster=True,
    on_volume=False,
    by_seed=True,
    fits=_fits,
    make=_make,
    about="has one pod without cache volumes read upstream once and make finished packs, which the filler pods copy over the pod network.",
    auto_for="for all else",
)
