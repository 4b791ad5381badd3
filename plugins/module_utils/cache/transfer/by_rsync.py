# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method rsync: packs of a clone on the controller, which reads upstream with the user's keys."""

from __future__ import annotations

from ..domain.methods import Outlook
from ..domain.model import Volume
from ..domain.projects import Project, is_ssh
from ..domain.record import RecordedEntry
from .finished_packs import PackTransfer
from .protocol import Sources, Transfer, TransferMethod


def _fits(project: Project, _held: RecordedEntry | None, _outlook: Outlook) -> str:
    if project.path:
        return "as there is a local clone"
    if is_ssh(project.url):
        return "as only the controller has a key for that URL"
    return ""


def _make(sources: Sources, project: Project, _volume: Volume) -> Transfer:
    return PackTransfer(RSYNC, sources.clone(project), sources.clone_transport())


RSYNC = TransferMethod("rsync", in_cluster=False, on_volume=False, takes_path=True, by_seed=False, programs=("rsync",), fits=_fits, make=_make)
