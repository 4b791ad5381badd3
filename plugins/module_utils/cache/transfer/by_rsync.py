# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method rsync: packs of a clone on the controller, which reads upstream with the user's keys."""

from __future__ import annotations

from ...deadline import Deadline
from ...shell import Shell
from ..domain.methods import Outlook
from ..domain.model import Snapshot, Volume
from ..domain.projects import Project, is_ssh
from ..domain.record import RecordedEntry
from ..git.local_clone import read_clone
from ..git.upstream import read_snapshot
from .finished_packs import PackTransfer
from .given_clone import GivenClone
from .protocol import Sources, Transfer, TransferMethod


def _fits(project: Project, _recorded: RecordedEntry | None, _outlook: Outlook) -> str:
    if project.path:
        return "as there is a local clone"
    if is_ssh(project.url):
        return "as only the controller has a key for that URL"
    return ""


def _read(shell: Shell, project: Project, deadline: Deadline) -> Snapshot:
    return read_clone(shell, project, deadline) if project.path else read_snapshot(shell, project, deadline)


def _make(sources: Sources, project: Project, _volume: Volume) -> Transfer:
    source = sources.given(project, lambda shell, scratch: GivenClone(shell, project, scratch)) if project.path else sources.clone(project)
    return PackTransfer(RSYNC, source, sources.clone_transport())


RSYNC = TransferMethod(
    name="rsync",
    in_cluster=False,
    on_volume=False,
    takes_path=True,
    programs=("rsync",),
    fits=_fits,
    make=_make,
    read=_read,
    about="makes finished packs of a clone on the controller, a complete one (O(projects[].path)) or one that it keeps, and copies them through the "
    "API server, for what only the controller can reach.",
    auto_for="for projects with a O(projects[].path) or an ssh URL",
)
