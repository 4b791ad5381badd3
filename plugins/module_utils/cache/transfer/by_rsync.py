# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method rsync: packs of a clone on the controller, which reads upstream with the user's keys."""

from __future__ import annotations

from ..domain.methods import Outlook
from ..domain.model import Volume
from ..domain.projects import Project, is_ssh
from ..domain.record import RecordedEntry
from ..git.local_clone import read_clone
from .finished_packs import PackTransfer
from .given_clone import GivenClone
from .protocol import Sources, Transfer, TransferMethod


def _fits(project: Project, _held: RecordedEntry | None, _outlook: Outlook) -> str:
    if project.path:
        return "as there is a local clone"
    if is_ssh(project.url):
        return "as only the controller has a key for that URL"
    return ""


def _make(sources: Sources, project: Project, _volume: Volume) -> Transfer:
    source = sources.given(project, lambda shell, scratch: GivenClone(shell, project, scratch)) if project.path else sources.clone(project)
    return PackTransfer(RSYNC, source, sources.clone_transport())


RSYNC = TransferMethod(
    "rsync",
    in_cluster=False,
    on_volume=False,
    by_seed=False,
    programs=("rsync",),
    fits=_fits,
    make=_make,
    read_path=read_clone,
    about="makes finished packs of a clone on the controller and copies them through the API server, for what only the controller can reach.",
    auto_for="for projects with a O(projects[].path) or an ssh URL",
)
