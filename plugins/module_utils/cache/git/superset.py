# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule that the sandbox's objects include the worker's, made true before anything is published.

*All* objects count, unreachable ones too: a fetch or a commit in a checkout stores no object that the cache behind it has
already, under a ref or not.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from ...deadline import Deadline
from ...shell import CommandFailed, checked
from ..domain.compaction import JoinedPack
from ..domain.packs import Contents, Damaged, HeldPack, Pack
from ..domain.record import Inventory, RecordedEntry, key
from . import scripts
from .entry import Entry
from .repository import Incoming, Repository, object_stores
from .scripts.selections import Holding, Ids

_SHORTER = 10
"""The worker's list of ids goes to the sandbox only where it is this many times shorter: comparing on the worker's side locks nobody out."""


@dataclass(frozen=True)
class StagedEntry:
    """One volume's repository with what it has received, and what all its objects lie in.

    ``counted``: those of its packs whose own checksums are known, computed in this run or since when nobody has changed the files.
    ``joined``: the one of the received packs that was made of others that are there.
    """

    repository: Repository
    entry: Entry
    incoming: Incoming
    contents: Contents
    counted: frozenset[str] = frozenset()
    joined: JoinedPack | None = None

    @property
    def fetched(self) -> tuple[Pack, ...]:
        """Return the packs that came from elsewhere."""
        return tuple(pack for pack in self.incoming.packs if self.joined is None or pack != self.joined.pack)

    @property
    def proof(self) -> Contents:
        """Return the contents without what a stranger could have written."""
        return Contents(self.counted, frozenset())

    def inventory(self, after: Entry) -> Inventory:
        """Return what the entry holds ``after`` it was published, for the record."""
        return replace(self.contents.inventory, stamp=after.stamp if self.contents.packs <= self.counted else "")


def bring_missing(worker: StagedEntry, sandbox: StagedEntry, recorded: RecordedEntry | None, scratch: Path, deadline: Deadline) -> StagedEntry:
    """Copy into the sandbox's quarantine the worker's objects that the sandbox is not proved to have.

    Returns the sandbox as it is then, with a warning where something was copied. What lies there is anybody's, so its objects count only in
    packs whose own checksums are known: what was received, what the worker has as well and was read here, and what the claim's
    record has, where no file was changed since. Where these are not all of the worker's packs, the ids in them are compared. Of a pack
    that holds little of what is missing, that alone comes, in a pack of its own; else it comes whole, as that takes less time, and both have
    the same pack then. Lists and packs go through files in ``scratch`` on the controller. Raises Damaged where objects are still missing.
    """
    sandbox = replace(sandbox, counted=_counted(worker.contents, sandbox, recorded, deadline))
    if sandbox.proof.includes(worker.contents) or _known_to_include(worker, sandbox, recorded):
        return sandbox
    local = scratch / uuid.uuid4().hex
    local.mkdir(parents=True)
    try:
        if _missing(worker, sandbox, local, deadline) == 0:
            return sandbox
        whole, single = _copy_packs(worker, sandbox, local, deadline)
        number = len(whole) + (1 if single else 0)
        came = "1 pack was" if number == 1 else f"{number} packs were"
        words = f"{came} copied from the worker's volume, with objects that the sandbox's was not proved to have"
        known, warnings = (*sandbox.incoming.packs, *whole), (*sandbox.incoming.warnings, words)
        incoming = sandbox.repository.incoming(sandbox.incoming.connected, deadline, known=known, warnings=warnings)
        contents = sandbox.repository.contents(sandbox.entry, incoming, deadline)
        brought = replace(sandbox, incoming=incoming, contents=contents, counted=sandbox.counted | contents.received)
        left = 0 if brought.proof.includes(worker.contents) else _still_missing(worker, sandbox, brought, local, deadline)
        if left:
            raise Damaged(
                f"{left} objects of {worker.repository.path} in {worker.repository.shell.where} could not be brought to its sandbox.",
                "Run again. If it happens again, look at the worker's entry (git fsck), or remove the project from both.",
            )
        return brought
    finally:
        for file in local.iterdir():
            file.unlink()
        local.rmdir()


def _counted(worker: Contents, sandbox: StagedEntry, recorded: RecordedEntry | None, deadline: Deadline) -> frozenset[str]:
    """The packs on the sandbox that count, by their checksums."""
    contents = sandbox.contents
    here = contents.packs - contents.received
    if here <= sandbox.counted or _unchanged(sandbox, recorded):
        return contents.packs
    if recorded is not None and recorded.inventory.stamp and contents.before.sha256 == recorded.inventory.sha256:
        # The checksums on record, but files were written or moved since: read them.
        return contents.received | sandbox.repository.checksums(sandbox.entry, here, deadline).holds
    return contents.received | sandbox.repository.checksums(sandbox.entry, here & worker.packs, deadline).holds


def _unchanged(sandbox: StagedEntry, recorded: RecordedEntry | None) -> bool:
    """Return whether what is listed is what the record has, and the files are those that it was proved of: both, as what was listed may be gone again."""
    if recorded is None or not recorded.inventory.stamp:
        return False
    return (recorded.inventory.sha256, recorded.inventory.stamp) == (sandbox.contents.before.sha256, sandbox.contents.stamp)


def _known_to_include(worker: StagedEntry, sandbox: StagedEntry, recorded: RecordedEntry | None) -> bool:
    """Return whether the claim proves that the sandbox includes the worker's entry.

    Both must be unchanged since, and the sandbox must have all that the worker received in this run.
    """
    if recorded is None or not _unchanged(sandbox, recorded) or worker.contents.doubtful or worker.entry.layout is None:
        return False
    there = key(worker.entry.layout.value, worker.contents.before)
    return recorded.proves(there) and worker.contents.received <= sandbox.counted


def fetch_file(repository: Repository, path: str, to: Path, deadline: Deadline, most: int | None = None) -> None:
    """Bring a plain file, or its first ``most`` bytes, from where a repository is to this machine. Raises CommandFailed, PlaceLost."""
    argv = scripts.argv(scripts.SEND, path, "" if most is None else str(most))
    checked(repository.shell, repository.shell.download(argv, to, deadline=deadline))


def send_file(repository: Repository, source: Path, to: str, deadline: Deadline) -> None:
    """Bring a file from this machine to where a repository is. Raises CommandFailed, PlaceLost."""
    shell = repository.shell
    checked(shell, shell.upload(("sh", "-c", 'cat >"$1"', "upload", to), source, deadline=deadline), "Check the volume's free space.")


def receive_file(repository: Repository, source: Path, name: str, deadline: Deadline) -> None:
    """Bring a file from this machine into a repository's quarantine. Raises CommandFailed, PlaceLost."""
    shell = repository.shell
    argv = scripts.argv(scripts.RECEIVE, repository.root, repository.slot, name)
    checked(shell, shell.upload(argv, source, deadline=deadline), "Check the volume's free space.")


def _missing(worker: StagedEntry, sandbox: StagedEntry, local: Path, deadline: Deadline) -> int:
    """Return how many of the worker's objects the sandbox is not proved to have; their ids are then in ``missing`` in the worker's scratch.

    The sandbox's list travels to the worker's side, because comparing there keeps no sandbox's volume held. The worker's list travels only
    where it is many times shorter.
    """
    ours, theirs = sandbox.repository, worker.repository
    number = theirs.list_ids(worker.entry, worker.incoming, deadline, Ids.OTHERS, sandbox.counted)
    if number * _SHORTER > ours.list_ids(sandbox.entry, sandbox.incoming, deadline, Ids.THESE, sandbox.counted):
        return _compare_at_worker(worker, sandbox, theirs.ids_file, "missing", local, deadline)
    listed = local / "listed"
    fetch_file(theirs, theirs.ids_file, listed, deadline)
    send_file(ours, listed, f"{ours.scratch}/worker-ids", deadline)
    counted = ours.script(scripts.MISSING, (f"{ours.scratch}/worker-ids", ours.ids_file, f"{ours.scratch}/missing"), deadline)
    if int(counted.text()):
        fetch_file(ours, f"{ours.scratch}/missing", listed, deadline)
        send_file(theirs, listed, f"{theirs.scratch}/missing", deadline)
    return int(counted.text())


def _still_missing(worker: StagedEntry, before: StagedEntry, sandbox: StagedEntry, local: Path, deadline: Deadline) -> int:
    """Return how many of the ``missing`` objects have not come since ``before``."""
    sandbox.repository.list_ids(sandbox.entry, sandbox.incoming, deadline, Ids.THESE, sandbox.counted - before.counted)
    return _compare_at_worker(worker, sandbox, f"{worker.repository.scratch}/missing", "left", local, deadline)


def _compare_at_worker(worker: StagedEntry, sandbox: StagedEntry, ids: str, to: str, local: Path, deadline: Deadline) -> int:
    """Compare lists on the worker's side: return how many of ``ids`` the sandbox's list lacks; these are in the file ``to`` in its scratch."""
    ours, theirs = sandbox.repository, worker.repository
    fetch_file(ours, ours.ids_file, local / "listed", deadline)
    send_file(theirs, local / "listed", f"{theirs.scratch}/sandbox-ids", deadline)
    return int(theirs.script(scripts.MISSING, (ids, f"{theirs.scratch}/sandbox-ids", f"{theirs.scratch}/{to}"), deadline).text())


def _copy_packs(worker: StagedEntry, sandbox: StagedEntry, local: Path, deadline: Deadline) -> tuple[list[Pack], bool]:
    """Copy what is ``missing``. Returns the packs that came whole, and whether one of single objects came, which is indexed where it came."""
    ours, theirs = sandbox.repository, worker.repository
    ours.require_quarantine(sandbox.incoming, deadline)
    packs, single = _held(worker, Holding.MANY, deadline)
    try:
        made = theirs.pack_single(object_stores(worker.entry, worker.incoming), deadline) if single else None
    except CommandFailed:  # one of them cannot be read, or there is no room for a pack of them: whole packs say which is damaged
        packs, single = _held(worker, Holding.ANY, deadline)
        made = theirs.pack_single(("loose", worker.entry.objects), deadline) if single else None
    found = {pack.name: pack for pack in packs}
    present, size = [pack.name for pack in sandbox.incoming.packs], sandbox.incoming.bytes
    copied = []
    for pack in (*found.values(), *(() if made is None else (made,))):
        present.append(pack.name)
        size += pack.pack_bytes + pack.index_bytes
        ours.expect(present, size, deadline)
        index_sum = copy_pack(theirs, ours, pack, local, deadline, indexed=pack is not made)
        if pack is not made:
            copied.append(Pack(pack.name, pack.pack_bytes, index_sum))
    indexed = made is not None and ours.index(made.name, deadline)
    return copied, indexed


def packs_holding(source: StagedEntry, wanted: Path, deadline: Deadline, which: Holding) -> tuple[list[HeldPack], bool]:
    """The source's packs that say they hold objects whose ids are in the file ``wanted``, see HOLDING; whether others of these are there."""
    send_file(source.repository, wanted, f"{source.repository.scratch}/missing", deadline)
    return _held(source, which, deadline)


def _held(source: StagedEntry, which: Holding, deadline: Deadline) -> tuple[list[HeldPack], bool]:
    theirs = source.repository
    arguments = (f"{theirs.scratch}/missing", theirs.scratch, which.value, *object_stores(source.entry, source.incoming))
    *packs, single = (line.split() for line in theirs.script(scripts.HOLDING, arguments, deadline).text().splitlines())
    # By their checksums: made by hand, they may have any name there.
    found = [
        HeldPack(f"pack-{checksum}", f"{theirs.scratch}/held/{number}", int(pack), int(index))
        for _word, checksum, pack, index, number in packs
    ]
    return found, single != ["single", "0"]


def copy_pack(source: Repository, target: Repository, pack: HeldPack, local: Path, deadline: Deadline, indexed: bool = True) -> str:
    """Copy a pack into the target's quarantine by way of ``local``, with its index where that is ``indexed``; the SHA-1 of what came last."""
    for suffix, size in ((".pack", pack.pack_bytes), (".idx", pack.index_bytes))[: 2 if indexed else 1]:
        file = local / f"{pack.name}{suffix}"
        fetch_file(source, f"{pack.path}{suffix}", file, deadline, most=size)
        receive_file(target, file, file.name, deadline)
        sent = _sha1(file)
        file.unlink()
    return sent


def _sha1(file: Path) -> str:
    found = hashlib.sha1(usedforsecurity=False)
    with file.open("rb") as opened:
        while piece := opened.read(1024 * 1024):
            found.update(piece)
    return found.hexdigest()
