# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule that the sandbox's objects include the worker's, made true before anything is published.

*All* objects count, unreachable ones too: a fetch or a commit in a checkout stores no object that the cache behind it has
already, under a ref or not.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..deadline import Deadline
from ..errors import DeploymentError
from ..shell import checked
from . import scripts
from .entry import Entry
from .packs import PACK_NAME
from .record import Objects
from .repository import Incoming, Repository


@dataclass(frozen=True)
class Side:
    """One volume's repository with what it has received, and all its objects counted."""

    repository: Repository
    entry: Entry
    incoming: Incoming
    objects: Objects

    @property
    def stores(self) -> tuple[str, ...]:
        """Its object directories."""
        return tuple(store for store in (self.entry.objects, self.incoming.objects) if store)


def bring_missing(worker: Side, sandbox: Side, scratch: Path, deadline: Deadline) -> tuple[Side, int]:
    """Copy into the sandbox's quarantine the worker's packs that hold objects which the sandbox lacks.

    Returns the sandbox as it is then, and the number of packs copied. Whole packs: packing anew costs more than copying.
    Lists and packs go through files in ``scratch`` on the controller. Raises DeploymentError where objects are still missing.
    """
    if worker.objects == sandbox.objects or worker.objects.count == 0:
        return sandbox, 0
    local = scratch / uuid.uuid4().hex
    local.mkdir(parents=True)
    try:
        if _count_missing(worker, sandbox, local, deadline) == 0:
            return sandbox, 0
        copied = _copy_packs(worker, sandbox, local, deadline)
        incoming = sandbox.repository.incoming(sandbox.incoming.connected, deadline)
        objects = sandbox.repository.objects(sandbox.entry, incoming, deadline)
        brought = Side(sandbox.repository, sandbox.entry, incoming, objects)
        left = 0 if objects == worker.objects else _count_missing(worker, brought, local, deadline)
        if left:
            raise DeploymentError(
                f"{left} objects of {worker.repository.path} in {worker.repository.shell.where} could not be brought to its sandbox.",
                "Run again. If it happens again, look at the worker's entry (git fsck), or remove the project from both.",
            )
        return brought, copied
    finally:
        for file in local.iterdir():
            file.unlink()
        local.rmdir()


def _count_missing(worker: Side, sandbox: Side, local: Path, deadline: Deadline) -> int:
    """How many of the worker's objects the sandbox lacks; their ids are then in ``missing`` in the sandbox's scratch."""
    ours, theirs = sandbox.repository, worker.repository
    listed = local / "worker-ids"
    checked(theirs.shell, theirs.shell.download(("cat", "--", theirs.ids_file), listed, deadline=deadline))
    _upload(ours, listed, f"{ours.scratch}/worker-ids", deadline)
    counted = ours.script(scripts.MISSING, (f"{ours.scratch}/worker-ids", ours.ids_file, f"{ours.scratch}/missing"), deadline)
    return int(counted.text())


def _copy_packs(worker: Side, sandbox: Side, local: Path, deadline: Deadline) -> int:
    ours, theirs = sandbox.repository, worker.repository
    missing = local / "missing"
    checked(ours.shell, ours.shell.download(("cat", "--", f"{ours.scratch}/missing"), missing, deadline=deadline))
    _upload(theirs, missing, f"{theirs.scratch}/missing", deadline)
    directories = [f"{store}/pack" for store in worker.stores]
    found = theirs.script(scripts.HOLDING, (f"{theirs.scratch}/missing", theirs.scratch, *directories), deadline).text().splitlines()
    packs = [tuple(line.split(" ", 1)[1].rsplit(" ", 1)) for line in found if line.startswith("pack ")]
    if int(found[-1].split()[1]):
        packs.append(theirs.pack_loose(worker.entry, f"{theirs.scratch}/loose-ids", deadline))
    ours.quarantine(deadline)
    names: Sequence[tuple[str, ...]] = [pack for pack in packs if PACK_NAME.fullmatch(pack[-1])]
    for directory, name in dict.fromkeys((pack[0], pack[-1]) for pack in names):
        for suffix in (".pack", ".idx"):
            file = local / f"{name}{suffix}"
            checked(theirs.shell, theirs.shell.download(("cat", "--", f"{directory}/{name}{suffix}"), file, deadline=deadline))
            _upload(ours, file, f"{ours.pack_directory}/{name}{suffix}", deadline)
            file.unlink()
    return len(names)


def _upload(repository: Repository, source: Path, to: str, deadline: Deadline) -> None:
    shell = repository.shell
    checked(shell, shell.upload(("sh", "-c", 'cat >"$1"', "upload", to), source, deadline=deadline), "Check the volume's free space.")
