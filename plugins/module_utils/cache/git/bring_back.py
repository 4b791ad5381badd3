# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that are damaged on a worker's volume, in packs or loose, brought back from its sandbox. Nothing that lies there is believed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ...deadline import Deadline
from ...shell import CommandFailed
from ..domain.packs import HeldPack
from ..domain.space import NoSpace
from . import scripts
from .environment import DIED
from .scripts.selections import Holding
from .superset import StagedEntry, copy_pack, fetch_file, packs_holding, send_file


def bring_back(sandbox: StagedEntry, worker: StagedEntry, scratch: Path, deadline: Deadline) -> tuple[StagedEntry, int]:
    """Copy into the worker's quarantine the sandbox's packs that hold objects which are damaged on the worker's volume.

    Returns the worker as it is then, with warnings, and how many objects are nowhere any more. An entry of the sandbox that is to be replaced
    may have them too. What a sandbox's index says is not believed: the packs are indexed anew, and what is none is left out.
    """
    sandbox = replace(sandbox, entry=sandbox.entry.as_it_lies)
    ours, theirs = sandbox.repository, worker.repository
    local = scratch / uuid.uuid4().hex
    local.mkdir(parents=True)
    try:
        fetch_file(theirs, theirs.lost_file, local / "lost", deadline)
        send_file(ours, local / "lost", f"{ours.scratch}/lost", deadline)
        ours.list_ids(sandbox.entry, sandbox.incoming, deadline)
        ours.script(scripts.COMMON, (f"{ours.scratch}/lost", ours.ids_file, f"{ours.scratch}/missing"), deadline)
        fetch_file(ours, f"{ours.scratch}/missing", local / "missing", deadline)
        warnings = _copy(sandbox, worker, local, deadline)
        known, warned = worker.incoming.packs, (*worker.incoming.warnings, *warnings)
        incoming = theirs.incoming(worker.incoming.connected, deadline, known=known, warnings=warned)
        brought = replace(worker, incoming=incoming, contents=theirs.contents(worker.entry, incoming, deadline))
        theirs.list_ids(brought.entry, incoming, deadline)
        left = theirs.script(scripts.MISSING, (theirs.lost_file, theirs.ids_file, f"{theirs.scratch}/missing"), deadline)
        return brought, int(left.text())
    finally:
        for file in local.iterdir():
            file.unlink()
        local.rmdir()


def _copy(sandbox: StagedEntry, worker: StagedEntry, local: Path, deadline: Deadline) -> tuple[str, ...]:
    """Copy what the sandbox has of the objects whose ids are in ``missing`` in ``local``; the words about that."""
    ours, theirs = worker.repository, sandbox.repository
    ours.require_quarantine(worker.incoming, deadline)
    packs, loose = packs_holding(sandbox, local / "missing", deadline, Holding.ANY)
    came, size = [pack.name for pack in worker.incoming.packs], worker.incoming.bytes
    before = len(came)
    false = large = 0
    for pack in _candidates(sandbox, packs, loose, deadline):
        if pack.name in came:  # several may say that they are the same
            continue
        try:
            ours.expect([*came, pack.name], size + pack.pack_bytes, deadline)
        except NoSpace:
            large += 1
            continue
        copy_pack(theirs, ours, pack, local, deadline, indexed=False)
        if ours.index(pack.name, deadline):
            came.append(pack.name)
            size += pack.pack_bytes
        else:
            false += 1
    words = {
        f"{len(came) - before} packs with objects that were damaged were copied from the sandbox's volume": len(came) - before,
        f"{false} packs of the sandbox's volume that say they have such objects are no packs, or others, and were left out": false,
        f"{large} packs of the sandbox's volume that say they have such objects are larger than the room that is left, and were left out": large,
    }
    return tuple(text for text, number in words.items() if number)


def _candidates(sandbox: StagedEntry, packs: list[HeldPack], loose: bool, deadline: Deadline) -> Iterable[HeldPack]:
    """The packs, and last one of the loose objects, where git can make it."""
    yield from packs
    if loose:
        try:
            yield sandbox.repository.pack_single(("loose", sandbox.entry.objects), deadline)
        except CommandFailed as error:
            if error.completed.returncode != DIED:
                raise
