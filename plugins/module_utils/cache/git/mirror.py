# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare repository of our own into which one upstream's snapshots are fetched: in the seed pod, or on the controller.

No consumer ever sees it. It is the place from which finished packs are made.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

from ...deadline import Deadline
from ...errors import DeploymentError
from ...progress import OnLine
from ...shell import Completed, Shell, checked
from ..domain.model import BY_RSYNC, Snapshot, encoded
from ..domain.packs import BadPack, parse_checks
from ..domain.projects import Project
from . import scripts
from .announced import Room
from .environment import NEWER_GIT, ON_CONTROLLER, Limits, configuration, environment, unfit
from .fetching import fetch
from .history import missing_behind_refs
from .pack_maker import PackMaker, made_for
from .stall import STALL_TIMEOUT

# $1 the repository, $2 our configuration of git (empty: the user's own counts), $3 the file for it.
_OPEN = r"""
umask 022
git version
[ -z "$3" ] || { mkdir -p -- "${3%/*}" && printf '%s' "$2" >"$3"; } || exit 3
# The last that `git init` makes: where it is absent, there is nothing yet, or an init was killed in the middle. An older version
# of this made what the user's configuration said, which may be another kind of repository.
[ -d "$1/objects/info" ] && [ "$(git --git-dir="$1" rev-parse --show-object-format)" = sha1 ] ||
    { rm -rf -- "$1" && mkdir -p -- "$1" && git init --quiet --bare --template= "$1"; } || exit 4
rm -f -- "$1"/objects/pack/tmp_* "$1"/objects/pack/.tmp-* "$1"/*.lock "$1"/packed-refs.new "$1/shallow"
find "$1/refs" -name '*.lock' -type f -exec rm -f -- {} +
"""

# $1 the repository: its refs become those that come by standard input, as packed-refs has them. $2 goes into `made-for` where it has
# had none before: what a kept one has of other refs, listed before, is not to be handed out with these. git writes a file a ref, each
# flushed to disk: 20,000 took 36 seconds.
_REFS = r"""
export GIT_DIR="$1"
[ -n "$(git for-each-ref --count=1)" ] || printf '%s' "$2" >"$1/made-for" || exit 3
cd -- "$1" && { echo '# pack-refs with: sorted'; cat; } >packed-refs.new && sync packed-refs.new && mv -f packed-refs.new packed-refs &&
    find refs -mindepth 1 -delete && mkdir refs/heads refs/tags
"""


class Mirror:
    """The repository at ``path`` behind a shell that nobody else uses, or several may use; finished packs go below the directory ``packs``.

    What an earlier run has left there is checked before it is built on, its packs and its history: a damaged one is discarded,
    and fetched anew.

    With ``limits`` git runs in a pod, with our configuration alone, kept in ``configuration_file``; without, on the
    controller, where the user's credential helpers, keys and proxies count. ``stall_timeout`` as for ``fetch``.
    """

    def __init__(
        self, shell: Shell, path: str, packs: str, configuration_file: str, limits: Limits | None, stall_timeout: int = STALL_TIMEOUT
    ) -> None:
        self._shell = shell
        self._path = path
        self._packs = packs
        self._configuration_file = configuration_file
        self._limits = limits
        self._stall_timeout = stall_timeout
        self._shells = threading.Lock()
        self._opened = False

    @property
    def environment(self) -> Mapping[str, str]:
        """git's environment here."""
        return ON_CONTROLLER if self._limits is None else environment(self._configuration_file)

    def fetch(
        self, project: Project, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None = None, most_bytes: int = 0
    ) -> None:
        """Bring the snapshot here; only what is missing is asked of upstream. Nothing is missing behind its ids then.

        ``most_bytes`` of disk that it may take; 0: as many as are free. ``progress`` as for ``fetching.fetch``.
        Raises SnapshotGone, OutOfReach, ShallowUpstream, TooLarge, DeploymentError.
        """
        with deadline.holding(self._shells):
            self._fetch(project, snapshot, deadline, progress, most_bytes)

    def _fetch(self, project: Project, snapshot: Snapshot, deadline: Deadline, progress: OnLine | None, most_bytes: int) -> None:
        limits = self._limits
        settings = ("", "") if limits is None else (configuration(limits), self._configuration_file)
        if not self._opened:
            self._open(settings, deadline)
            self._opened = True
        fetch(
            self._shell,
            self._path,
            project.url,
            snapshot.ids,
            deadline,
            env=self.environment,
            settings=() if limits is not None else _WRITING,
            stall_timeout=self._stall_timeout,
            room=self._room(most_bytes, deadline),
            progress=progress,
        )
        refs = "".join(f"{ref.id} {ref.name}\n" for ref in snapshot.refs)
        self._script(_REFS, (self._path, made_for(snapshot)), deadline, encoded(refs))

    def size(self, deadline: Deadline) -> int:
        """The bytes of disk that the repository takes; finished packs that are links to its own cost nothing more."""
        with deadline.holding(self._shells):
            measured = self._shell.run(("du", "-sB1", "--", self._path), deadline=deadline)
            return int(checked(self._shell, measured).text().split()[0])

    def _room(self, most_bytes: int, deadline: Deadline) -> Room:
        answer = checked(self._shell, self._shell.run(("df", "-Pk", "--", self._path), deadline=deadline)).text()
        found = _FREE.search(answer)
        disk = min(filter(None, (most_bytes, 1024 * int(found[1]) if found else 0)), default=0)
        return Room(0, disk, _MORE_DISK_HERE) if self._limits is None else Room(self._limits.memory_bytes, disk, _MORE_SCRATCH)

    def _open(self, settings: tuple[str, str], deadline: Deadline) -> None:
        why = unfit(self._script(_OPEN, (self._path, *settings), deadline).text())
        if why:
            raise DeploymentError(f"Nothing can be fetched in {self._shell.where}: {why}.", NEWER_GIT)
        checks = self._script(scripts.CHECK_PACKS, (f"{self._path}/objects/pack", "stored"), deadline).text()
        try:
            size = sum(pack.bytes for pack in parse_checks(checks, self._shell.where))
            damaged = bool(missing_behind_refs(self._shell, self._path, deadline, size, env=self.environment))
        except BadPack:
            damaged = True
        if damaged:
            checked(self._shell, self._shell.run(("rm", "-rf", "--", self._path, self._packs), deadline=deadline))
            self._script(_OPEN, (self._path, *settings), deadline)

    def maker(self) -> PackMaker:
        """Makes packs of it."""
        threads = self._limits.threads if self._limits is not None else 0
        return PackMaker(self._shell, self._path, self._packs, self.environment, whole=True, threads=threads, lock=self._shells)

    def _script(self, text: str, arguments: tuple[str, ...], deadline: Deadline, stdin: bytes = b"") -> Completed:
        argv = scripts.argv(text, *arguments)
        return checked(self._shell, self._shell.run(argv, deadline=deadline, stdin=stdin, env=self.environment))


# A line of `df -Pk`: … AVAILABLE PERCENT% MOUNT.
_FREE = re.compile(r"\s(\d+)\s+\d+%\s")
_MORE_SCRATCH = f"Raise option `seed.size`, name a claim that is large enough (option `seed.claim`), or use {BY_RSYNC}."
_MORE_DISK_HERE = "Free some space there, or keep the clones elsewhere (option `clones`)."
_WRITING = (
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "fetch.unpackLimit=1",
    "-c", "transfer.unpackLimit=1",
    "-c", "fetch.writeCommitGraph=false",
    "-c", "pack.writeReverseIndex=false",
    "-c", "protocol.version=2",
    "-c", "core.hooksPath=/dev/null",
)  # fmt: skip
