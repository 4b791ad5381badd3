# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished packs: made of a complete repository outside of every lock, and copied to volumes as they are.

A full pack is for volumes that have nothing; a delta pack for those that have an earlier snapshot. Neither is thin, so
nothing is indexed on a volume.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import Shell, checked
from ..domain.model import Snapshot
from ..domain.packs import FinishedPack, files_of, parse_checks, parse_sums
from . import scripts

# $1 the git directory, $2 the directory for the packs, $3 threads, $4 what the repository's file `made-for` says where it may be taken as
# it is: its one pack is what these ids reach, and no more (empty: never).
# Revisions come by standard input. Made under another name and renamed, so that a directory that is there is complete.
# git writes a pack where its objects are, and renames it. So it has a store of its own beside the packs: the repository may be on another
# file system, and nothing is written there. The repository's own store is where the common directory of a linked worktree has it.
# Prints the packs: name, bytes of the pack, bytes of its index.
_MAKE = r"""
umask 022
if [ ! -d "$2" ]; then
    rm -rf -- "$2.making" && mkdir -p -- "$2.making" || exit 3
    if [ -n "$4" ] && [ "$(cat "$1/made-for" 2>/dev/null)" = "$4" ] &&
        [ "$(find "$1/objects" -type f ! -path '*/info/*' | sed 's/.*\.//' | sort | tr '\n' ' ')" = "idx pack " ]; then
        cat >/dev/null
        ln -- "$1"/objects/pack/pack-* "$2.making" 2>/dev/null || cp -- "$1"/objects/pack/pack-* "$2.making" || exit 4
    else
        store=$(git --git-dir="$1" rev-parse --path-format=absolute --git-path objects) && mkdir -p -- "$2.making/objects/info" &&
            printf '%s\n' "$store" >"$2.making/objects/info/alternates" || exit 3
        GIT_OBJECT_DIRECTORY="$2.making/objects" \
            git --git-dir="$1" -c core.fsmonitor=false -c gc.auto=0 pack-objects --revs --delta-base-offset --quiet --non-empty --threads="$3" \
            "$2.making/pack" >/dev/null || exit 5
        rm -rf -- "$2.making/objects"
    fi
    rm -f -- "$2.making"/*.rev "$2.making"/*.mtimes
    mv -T -- "$2.making" "$2" || exit 6
fi
cd -- "$2" || exit 7
for p in pack-*.pack; do
    [ -e "$p" ] || continue
    p=${p%.pack}
    sizes=$(stat -c %s "$p.pack" "$p.idx") || exit 8
    echo "$p" $sizes
done
"""


def made_for(snapshot: Snapshot) -> str:
    """Return which objects a repository has that was fetched for a snapshot alone: equal for equal ids."""
    return hashlib.sha256("\n".join(snapshot.ids).encode()).hexdigest()


@dataclass(frozen=True)
class FinishedPacks:
    """Packs with their indexes in a directory of the place where they were made.

    ``complete``: nothing is missing behind the snapshot's ids; else it is a delta to what the volume has.
    """

    directory: str
    packs: tuple[FinishedPack, ...]
    complete: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Their base names."""
        return tuple(pack.name for pack in self.packs)

    @property
    def bytes(self) -> int:
        """Their size together, indexes too."""
        return sum(pack.pack_bytes + pack.index_bytes for pack in self.packs)


class PackMaker:
    """Makes packs of a repository behind a shell, each kind once however many volumes want it. Safe for threads.

    ``whole`` tells that the repository is a ``Mirror``: it may be handed out as it is, where it is a single pack made for the snapshot.
    ``lock`` is the shell's, where others use that as well.
    """

    def __init__(
        self,
        shell: Shell,
        repository: str,
        scratch: str,
        environment: Mapping[str, str],
        *,
        whole: bool,
        threads: int = 0,
        lock: threading.Lock | None = None,
    ) -> None:
        self._shell = shell
        self._repository = repository
        self._scratch = scratch
        self._environment = environment
        self._whole = whole
        self._threads = threads
        self._making = lock if lock is not None else threading.Lock()
        self._made: dict[str, FinishedPacks] = {}

    def known(self, ids: Iterable[str], snapshot: Snapshot, deadline: Deadline) -> tuple[str, ...]:
        """Return those of ``ids`` that the repository has, the snapshot's among them. A base that it lacks would stop pack-objects."""
        there = set(snapshot.ids) & set(ids)
        wanted = sorted(set(ids) - there)
        if not wanted:
            return tuple(sorted(there))
        with deadline.holding(self._making):
            answer = checked(
                self._shell,
                self._shell.run(
                    ("git", f"--git-dir={self._repository}", "cat-file", "--batch-check=%(objectname)"),
                    deadline=deadline,
                    stdin="".join(f"{value}\n" for value in wanted).encode(),
                    env=self._environment,
                ),
            )
        return tuple(sorted(there.union(line for line in answer.text().splitlines() if not line.endswith(" missing"))))

    def make(self, snapshot: Snapshot, base: Iterable[str], deadline: Deadline) -> FinishedPacks:
        """Packs with all that ``snapshot`` needs and ``base`` (ids that the repository has) does not reach.

        Raises DeploymentError where the repository lacks an object, and BadPack where a pack is damaged here already.
        """
        negative = sorted(set(base))
        key = hashlib.sha256("\n".join([snapshot.digest, *negative]).encode()).hexdigest()[:24]
        with deadline.holding(self._making):
            if key not in self._made:
                self._made[key] = self._make(snapshot, negative, f"{self._scratch}/{key}", deadline)
            return self._made[key]

    def _make(self, snapshot: Snapshot, negative: list[str], directory: str, deadline: Deadline) -> FinishedPacks:
        revisions = [*sorted(set(snapshot.ids).difference(negative)), *(f"^{value}" for value in negative)]
        how = made_for(snapshot) if self._whole and not negative else ""
        made = self._shell.run(
            scripts.argv(_MAKE, self._repository, directory, str(self._threads), how),
            deadline=deadline,
            stdin="".join(f"{line}\n" for line in revisions).encode(),
            env=self._environment,
        )
        if made.returncode:
            raise DeploymentError(
                f"No pack could be made of {self._repository} in {self._shell.where}: {made.stderr.strip()[-300:] or 'git printed nothing'}.",
                f"Check it: git --git-dir={self._repository} fsck --connectivity-only",
            )
        sizes = {name: (int(pack), int(index)) for name, pack, index in (line.split() for line in made.text().splitlines())}
        return FinishedPacks(directory, self._summed(directory, sizes, deadline), not negative)

    def _summed(self, directory: str, sizes: Mapping[str, tuple[int, int]], deadline: Deadline) -> tuple[FinishedPack, ...]:
        """Return the packs with their sums. Each pack's own checksum is looked at here; on a volume the whole files' sums say the same, and faster."""
        if not sizes:
            return ()
        suspect = f"Nothing was sent. Suspect the disk of {self._shell.where}; the repository there is {self._repository}."
        parse_checks(self._script(scripts.CHECK_PACKS, (directory, "stored"), deadline), self._shell.where, remedy=suspect)
        sums = parse_sums(self._script(scripts.SUMS, (directory, *files_of(sizes)), deadline))
        return tuple(FinishedPack(name, pack, index, sums[f"{name}.pack"], sums[f"{name}.idx"]) for name, (pack, index) in sizes.items())

    def _script(self, text: str, arguments: tuple[str, ...], deadline: Deadline) -> str:
        return checked(self._shell, self._shell.run(scripts.argv(text, *arguments), deadline=deadline, env=self._environment)).text()
