# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An entry that is not whole: what of it can be believed, and what can be saved. ``publication`` makes it whole where it lies."""

from __future__ import annotations

from dataclasses import replace

from ...deadline import Deadline
from ...printable import in_one_line
from ...shell import KILLED, CommandFailed
from ..domain.packs import Checksums, loose_words
from . import scripts
from .entry import Entry, Use
from .environment import DIED, MORE_MEMORY
from .repository import Incoming, Repository
from .scripts.selections import Sums


def doubted(repository: Repository, entry: Entry, deadline: Deadline, walk: bool = False, found: Checksums | None = None) -> Entry:
    """The entry with its packs' checksums and its loose objects looked at, and nothing believed of what its refs have behind them.

    With ``walk`` that is looked at as well, as ``verify_whole`` does, and where all is well the entry is as it was. ``found``: what
    reading them has shown already.
    """
    if not entry.usable:
        return entry
    if found is None:
        found = repository.checksums(entry, (), deadline, Sums.STORED)
    damaged = found.damaged
    if any(pack.name == "-" for pack in damaged):  # no name that a script of ours could be given
        return replace(entry, use=Use.REPLACE, reason=f"it is damaged: {damaged[0].words}")
    if damaged or found.false_loose:
        reason = entry.reason or f"it is damaged: {damaged[0].words if damaged else loose_words(found.false_loose)}"
        names = tuple(pack.name for pack in damaged)
        entry = replace(entry, use=Use.MEND, reason=reason, damaged=names, false_loose=found.false_loose)
    elif entry.whole and walk:
        walked = repository.walk_all(entry, deadline)
        if walked.returncode == 0:
            return entry
        if walked.returncode not in (DIED, 1):
            raise CommandFailed(repository.shell.where, walked, MORE_MEMORY if walked.returncode == KILLED else "")
        entry = replace(entry, use=Use.MEND, reason=_missing(walked.stderr.strip()[-200:]))
    elif entry.whole:
        entry = replace(entry, use=Use.MEND, reason="objects behind its refs are missing")
    return repository.good_objects(entry, deadline)


def with_history_walked(repository: Repository, entry: Entry, deadline: Deadline) -> Entry:
    """The entry, to be mended where its history has a gap: earlier versions took what a shallow upstream sent for whole. Reads all commits."""
    if not entry.whole:
        return entry
    gap = repository.gap(entry, deadline)
    return doubted(repository, replace(entry, use=Use.MEND, reason=_missing(gap)), deadline) if gap else entry


def salvage(repository: Repository, entry: Entry, incoming: Incoming, deadline: Deadline) -> tuple[Incoming, int]:
    """Bring what is good in damaged packs, and nowhere else, into the quarantine; how many objects are lost, false loose ones included,
    whose ids are in ``lost_file`` then."""
    came = {pack.name for pack in incoming.packs}
    packs = [f"{entry.git_dir}/objects/pack/{name}" for name in entry.damaged if name not in came]
    if not packs and not entry.false_loose:
        return incoming, 0
    repository.script('rm -f -- "$1"', (repository.lost_file,), deadline)
    repository.list_ids(entry, incoming, deadline)
    if packs:
        repository.require_quarantine(incoming, deadline)
    for pack in packs:
        repository.script(scripts.SALVAGE, (repository.root, repository.slot, repository.scratch, pack), deadline)
    if packs:
        incoming = repository.incoming(incoming.connected, deadline, known=incoming.packs, warnings=incoming.warnings)
    if entry.false_loose:
        repository.list_ids(entry, incoming, deadline)
        repository.script(scripts.LOST, (repository.false_loose_file, repository.ids_file, repository.lost_file), deadline)
    found = repository.script(
        '[ ! -s "$1" ] || { sort -u "$1" >"$1.sorted" && mv "$1.sorted" "$1" && wc -l <"$1"; }', (repository.lost_file,), deadline
    )
    return incoming, int(found.text() or 0)


def _missing(words: str) -> str:
    return f"objects behind its refs are missing ({in_one_line(words)})"
