# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One project on one volume: looked at, received into a quarantine, checked, published.

All work is done through a Shell, with git's configuration ours (see ``git``). Every step may be cut off anywhere and be
repeated: objects are on disk before refs name them, and a new repository appears by one rename.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..deadline import Deadline
from ..errors import DeploymentError
from ..shell import CommandFailed, Completed, Progress, Shell, checked
from . import scripts
from .entry import Entry, Use, parse_entry
from .git import KEPT_SETTINGS, Limits, configuration, environment
from .model import Layout, Ref, Snapshot
from .packs import Pack, parse_checks
from .record import Objects

_OURS = "refs/packit-cache/"
_IDENTIFIER = re.compile(r"[0-9a-f]{40}")


class Unusable(DeploymentError):
    """What lies under the project's name cannot be built on, and must not be replaced now."""


class Incomplete(DeploymentError):
    """Objects of the snapshot are not there."""


@dataclass(frozen=True)
class Incoming:
    """A quarantine: its objects directory and its packs, each with checksums that hold.

    ``connected``: whether it is proved that nothing is missing behind the snapshot's ids.
    """

    objects: str
    packs: tuple[Pack, ...]
    connected: bool

    @property
    def bytes(self) -> int:
        """Their size together."""
        return sum(pack.bytes for pack in self.packs)


class Repository:
    """A project's directory on a volume.

    ``scratch`` is a directory on the same side, for our own files; not on the volume. ``tag`` keeps runs apart where no
    filler pod is the lock between them. ``leftovers_age`` is in seconds.
    """

    def __init__(
        self, shell: Shell, root: str, name: str, scratch: str, limits: Limits, leftovers_age: float = 3600.0, tag: str = ""
    ) -> None:
        self.shell = shell
        self.root = root
        self.name = name
        self.scratch = f"{scratch}/{name}"
        self._slot = f"{name}{tag}"
        self._minutes = str(max(1, int(leftovers_age // 60)))
        self._configuration = configuration(limits)
        self._environment = environment(f"{self.scratch}/gitconfig")
        self._views: set[str] = set()
        self._quarantined = False

    @property
    def path(self) -> str:
        """Its place among the consumers' projects."""
        return f"{self.root}/{self.name}"

    @property
    def work(self) -> str:
        """Our directory for it on the volume, where no consumer looks."""
        return f"{self.root}/{scripts.WORK}/{self._slot}"

    @property
    def _pack_directory(self) -> str:
        return f"{self.work}/objects/pack"

    def clean(self, deadline: Deadline) -> tuple[str, ...]:
        """Remove what failed runs left: our work directory, and old temporary files and locks. Returns the latter's names."""
        self._quarantined = False
        completed = self._script(scripts.CLEAN, (self.root, self.name, self._minutes, self._slot), deadline)
        return tuple(completed.text().splitlines())

    def inspect(self, deadline: Deadline) -> Entry:
        """What is there, with its refs looked at: one that names an absent object breaks every clone."""
        entry = self.glance(deadline)
        if not entry.usable:
            return entry
        try:
            absent = self._absent({ref.id for ref in self.refs(entry, deadline)}, entry, None, deadline)
        except CommandFailed as error:
            return replace(entry, use=Use.REPLACE, reason=f"git cannot read it: {error.completed.stderr.strip()[-200:]}")
        if absent:
            return replace(
                entry, use=Use.REPLACE, reason=f"{len(absent)} of its refs name objects that are not there, so every clone fails"
            )
        return entry

    def glance(self, deadline: Deadline) -> Entry:
        """What is there, without its refs."""
        arguments = (self.root, self.name, self._minutes, self.scratch, self._configuration)
        completed = self._script(scripts.INSPECT, arguments, deadline)
        return parse_entry(completed.stdout, self.root, self.name)

    def refs(self, entry: Entry, deadline: Deadline) -> tuple[Ref, ...]:
        """All refs of an entry."""
        listed = self._git(("for-each-ref", "--format=%(objectname) %(refname)"), self._view(entry, deadline), deadline)
        pairs = (line.partition(" ") for line in listed.text().splitlines())
        return tuple(Ref(name, value) for value, _space, name in pairs if _IDENTIFIER.fullmatch(value))

    def held_ids(self, entry: Entry, deadline: Deadline) -> tuple[str, ...]:
        """The ids that the entry's refs name."""
        return tuple(sorted({ref.id for ref in self.refs(entry, deadline)})) if entry.usable else ()

    def lacks(self, entry: Entry, snapshot: Snapshot, deadline: Deadline) -> tuple[str, ...]:
        """Those of the snapshot's ids that the entry does not have."""
        return self._absent(snapshot.ids, entry, None, deadline) if entry.usable else snapshot.ids

    def quarantine(self, deadline: Deadline) -> str:
        """An objects directory on the volume for what is received; kept within a run."""
        if not self._quarantined:
            self._script(scripts.QUARANTINE, (self.root, self._slot), deadline)
            self._quarantined = True
        return f"{self.work}/objects"

    def fetch(self, url: str, ids: Sequence[str], entry: Entry, deadline: Deadline, progress: Progress | None) -> Completed:
        """Ask upstream for object ids, into the quarantine; whatever its exit code. Refs of the entry tell what is there.

        git itself proves that nothing is missing behind the ids before it ends with code 0.
        """
        quarantine = self.quarantine(deadline)
        argv = (
            "fetch", "--stdin", "--no-write-fetch-head", "--no-tags", "--no-auto-maintenance", "--no-recurse-submodules",
            "--refmap=", "--progress", "--", url,
        )  # fmt: skip
        return self.shell.run(
            ("git", *argv),
            deadline=deadline,
            stdin="".join(f"{value}\n" for value in ids).encode(),
            env={**self._environment, "GIT_DIR": self._view(entry, deadline), **_stores(quarantine, entry)},
            progress=progress,
        )

    def incoming(self, connected: bool, deadline: Deadline, just_indexed: bool = False) -> Incoming:
        """What is in the quarantine, its checksums checked. Raises BadPack.

        ``just_indexed``: git itself has computed the packs' checksums over the bytes as they came in, a moment ago; they are
        not read a second time. It is a seventh of the lock of a first fill.
        """
        return Incoming(f"{self.work}/objects", self._check(self._pack_directory, deadline, just_indexed), connected)

    def objects(self, entry: Entry, incoming: Incoming | None, deadline: Deadline) -> Objects:
        """Every object of the entry and the quarantine, unreachable ones too. The list is kept in ``ids_file``."""
        stores = [store for store in (entry.objects, incoming.objects if incoming is not None else "") if store]
        count, digest = self._script(scripts.IDS, (self.ids_file, *stores), deadline).text().split()
        return Objects(int(count), digest)

    @property
    def ids_file(self) -> str:
        """Where ``objects`` leaves its list."""
        return f"{self.scratch}/ids"

    def prove(self, entry: Entry, incoming: Incoming, snapshot: Snapshot, deadline: Deadline) -> None:
        """Every id of the snapshot is there, and what is new is connected, before anything is published. Raises Incomplete."""
        if incoming.connected:
            return
        absent = self._absent(snapshot.ids, entry, incoming, deadline)
        if absent:
            raise Incomplete(
                f"{len(absent)} object ids of the snapshot of {self.name} are not in {self.shell.where}, {absent[0]} among them.",
                "Run again. If it happens again, check the local clone (git fsck --connectivity-only).",
            )
        old = self.held_ids(entry, deadline)
        lines = [*snapshot.ids, *(f"^{value}" for value in old)]
        environment_ = {**self._environment, "GIT_DIR": self._view(entry, deadline), **_stores(incoming.objects, entry)}
        walked = self.shell.run(
            ("git", "rev-list", "--objects", "--quiet", "--stdin"),
            deadline=deadline,
            stdin="".join(f"{line}\n" for line in lines).encode(),
            env=environment_,
        )
        if walked.returncode:
            raise Incomplete(
                f"What was received of {self.name} in {self.shell.where} is not whole: {walked.stderr.strip()[-300:]}", "Run again."
            )

    def publish(
        self, entry: Entry, incoming: Incoming, snapshot: Snapshot, patterns: Callable[[str], bool], shared: bool, deadline: Deadline
    ) -> Entry:
        """Make the snapshot visible to consumers; returns the entry as it is then.

        ``patterns`` tells which refs are ours to change; ``shared`` that another pod has the volume mounted. Raises
        Unusable where what is there must stay.
        """
        if entry.usable:
            self._publish_into(entry, incoming, snapshot, patterns, deadline)
        else:
            self._refuse(entry, shared)
            self._publish_new(entry, incoming, snapshot, deadline)
        published = self.glance(deadline)
        self._compare(published, snapshot, patterns, deadline)
        return published

    def _refuse(self, entry: Entry, shared: bool) -> None:
        if entry.use is Use.BLOCKED or (entry.use is Use.REPLACE_UNSHARED and shared):
            why = "" if entry.use is Use.BLOCKED else " It is not replaced while another pod has the volume mounted."
            raise Unusable(f"{self.path} in {self.shell.where} cannot be used: {entry.reason}.{why}", entry.remedy)

    def check_usable(self, entry: Entry, shared: bool) -> None:
        """Raises Unusable where nothing can be published, before anything is received."""
        if not entry.usable and entry.use is not Use.ABSENT:
            self._refuse(entry, shared)

    def _publish_into(
        self, entry: Entry, incoming: Incoming, snapshot: Snapshot, patterns: Callable[[str], bool], deadline: Deadline
    ) -> None:
        if incoming.packs:
            names = [pack.name for pack in incoming.packs]
            self._script(scripts.MOVE_PACKS, (self._pack_directory, f"{entry.objects}/pack", *names), deadline)
        if not entry.keeps_all:
            settings = [word for pair in KEPT_SETTINGS.items() for word in pair]
            self._script(scripts.SETTINGS, (entry.git_dir, *settings), deadline)
        wanted = self._wanted(entry, snapshot)
        present = {ref.name: ref.id for ref in self.refs(entry, deadline) if self._ours(entry, ref.name, patterns)}
        obsolete = [name for name in present if name not in wanted]
        changed = {name: value for name, value in wanted.items() if present.get(name) != value}
        view = self._view(entry, deadline, "all" if entry.layout is Layout.BARE else "ours")
        if obsolete:  # in a transaction of their own: `dev` must be gone before `dev/x` can be made
            self._update_refs("".join(f"delete {name}\n" for name in obsolete), view, deadline)
        if changed:
            self._update_refs("".join(f"update {name} {value}\n" for name, value in changed.items()), view, deadline)
        if entry.layout is Layout.BARE and entry.head != _head_line(snapshot):
            self._script(scripts.HEAD, (entry.git_dir, _head_line(snapshot), f"{self._made_work(deadline)}/HEAD"), deadline)
        if obsolete or changed:
            self._script(scripts.SETTLE_REFS, (entry.git_dir, view), deadline)

    def _publish_new(self, entry: Entry, incoming: Incoming, snapshot: Snapshot, deadline: Deadline) -> None:
        new = f"{self._made_work(deadline)}/new"
        names = [pack.name for pack in incoming.packs]
        self._script(scripts.SKELETON, (new, _head_line(snapshot), _kept_configuration()), deadline)
        self._script(scripts.MOVE_PACKS, (self._pack_directory, f"{new}/objects/pack", *names), deadline)
        self._update_refs("".join(f"create {ref.name} {ref.id}\n" for ref in snapshot.refs), new, deadline)
        old = f"{self.work}/old" if entry.occupied else ""
        self._script(scripts.RENAME, (new, self.path, old), deadline)

    def _compare(self, entry: Entry, snapshot: Snapshot, patterns: Callable[[str], bool], deadline: Deadline) -> None:
        if not entry.usable:
            raise Incomplete(f"{self.path} in {self.shell.where} cannot be used after it was published: {entry.reason}.", "Run again.")
        present = {ref.name: ref.id for ref in self.refs(entry, deadline) if self._ours(entry, ref.name, patterns)}
        if present != self._wanted(entry, snapshot):
            raise Incomplete(f"The refs of {self.path} in {self.shell.where} are not the snapshot's after they were written.", "Run again.")

    def is_current(self, entry: Entry, snapshot: Snapshot, patterns: Callable[[str], bool], deadline: Deadline) -> bool:
        """Whether the entry's refs are the snapshot's already."""
        if not entry.usable:
            return False
        present = {ref.name: ref.id for ref in self.refs(entry, deadline) if self._ours(entry, ref.name, patterns)}
        return present == self._wanted(entry, snapshot)

    def verify_whole(self, entry: Entry, deadline: Deadline) -> None:
        """Check everything: all packs' checksums, and the whole history of all refs. Raises BadPack and Incomplete.

        Takes about 4 seconds and 400 MB of memory for a repository of 470 MB.
        """
        self._check(f"{entry.objects}/pack", deadline)
        walked = self.shell.run(
            ("git", "rev-list", "--objects", "--all", "--quiet"),
            deadline=deadline,
            env={**self._environment, "GIT_DIR": self._view(entry, deadline)},
        )
        if walked.returncode:
            raise Incomplete(
                f"{self.path} in {self.shell.where} is not whole: {walked.stderr.strip()[-300:] or f'git ended with code {walked.returncode}'}",
                "Remove it (repository_cache_state: absent) and run again."
                if walked.returncode != 137
                else "Raise the filler's memory limit.",
            )

    def bridge(self, entry: Entry, layout: Layout, deadline: Deadline) -> Entry:
        """Give the entry's objects the path of the other layout too, as the worker's checkouts name it. Raises Unusable."""
        if entry.layout is layout or entry.bridged or entry.layout is None:
            return entry
        if entry.layout is Layout.NON_BARE and entry.objects_taken:
            raise Unusable(
                f"{self.path} in {self.shell.where} is non-bare and has a file or directory `objects` of its own, and the worker's entry is bare.",
                "Remove the project from the sandbox's volume or from both (repository_cache_state: absent), and run again.",
            )
        self._script(scripts.BRIDGE, (self.path, entry.layout.value), deadline)
        return replace(entry, bridged=True)

    def remove(self, deadline: Deadline) -> bool:
        """Take the project off the volume; whether it was there."""
        return self._script(scripts.REMOVE, (self.root, self.name, self._slot), deadline).text().startswith("removed")

    def script(self, text: str, arguments: Sequence[str], deadline: Deadline) -> Completed:
        """Run one of ``scripts`` here. Raises CommandFailed."""
        return self._script(text, arguments, deadline)

    def pack_loose(self, entry: Entry, ids_file: str, deadline: Deadline) -> tuple[str, str]:
        """A pack of the objects listed in ``ids_file``: its directory (beside the quarantine, as git renames into it), its name."""
        objects, directory = self.quarantine(deadline), f"{self.work}/loose"
        completed = self.shell.run(
            ("sh", "-c", scripts.PACK_LOOSE, "packit-cache", ids_file, directory),
            deadline=deadline,
            env={**self._environment, "GIT_DIR": self._view(entry, deadline), **_stores(objects, entry)},
        )
        return directory, f"pack-{checked(self.shell, completed).text()}"

    @property
    def pack_directory(self) -> str:
        """The quarantine's packs."""
        return self._pack_directory

    def _made_work(self, deadline: Deadline) -> str:
        self.quarantine(deadline)
        return self.work

    def _wanted(self, entry: Entry, snapshot: Snapshot) -> dict[str, str]:
        """The refs that the entry should have for the snapshot, under its own names."""
        if entry.layout is not Layout.NON_BARE:
            return {ref.name: ref.id for ref in snapshot.refs}
        refs = {_OURS + ref.name[len("refs/") :]: ref.id for ref in snapshot.refs}
        return {**refs, f"{_OURS}HEAD": snapshot.head} if snapshot.detached else refs

    def _ours(self, entry: Entry, name: str, patterns: Callable[[str], bool]) -> bool:
        return name.startswith(_OURS) if entry.layout is Layout.NON_BARE else patterns(name)

    def _view(self, entry: Entry, deadline: Deadline, refs: str = "all") -> str:
        """Our own git directory over the entry; made once."""
        kind = entry.layout.value if entry.usable and entry.layout is not None else "none"
        view = f"{self.scratch}/view-{kind}-{refs}"
        if view not in self._views:
            self._script(scripts.VIEW, (view, entry.git_dir if entry.usable else "", refs), deadline)
            self._views.add(view)
        return view

    def _absent(self, ids: Iterable[str], entry: Entry, incoming: Incoming | None, deadline: Deadline) -> tuple[str, ...]:
        wanted = sorted(set(ids))
        if not wanted:
            return ()
        stores = {} if incoming is None else _stores(incoming.objects, entry)
        answer = checked(
            self.shell,
            self.shell.run(
                ("git", "cat-file", "--batch-check=%(objectname)"),
                deadline=deadline,
                stdin="".join(f"{value}\n" for value in wanted).encode(),
                env={**self._environment, "GIT_DIR": self._view(entry, deadline), **stores},
            ),
        )
        return tuple(line.split()[0] for line in answer.text().splitlines() if line.endswith(" missing"))

    def _check(self, directory: str, deadline: Deadline, just_indexed: bool = False) -> tuple[Pack, ...]:
        how = "trailers" if just_indexed else "whole"
        return parse_checks(self._script(scripts.CHECK_PACKS, (directory, how), deadline).text(), self.shell.where)

    def _update_refs(self, commands: str, git_dir: str, deadline: Deadline) -> None:
        self._git(("update-ref", "--no-deref", "--stdin"), git_dir, deadline, commands.encode("utf-8", "surrogateescape"))

    def _git(self, words: Sequence[str], git_dir: str, deadline: Deadline, stdin: bytes = b"") -> Completed:
        environment_: Mapping[str, str] = {**self._environment, "GIT_DIR": git_dir}
        completed = self.shell.run(("git", *words), deadline=deadline, stdin=stdin, env=environment_)
        remedy = ""
        if ".lock" in completed.stderr and "File exists" in completed.stderr:
            remedy = f"Another git works there, or left the lock file behind; it is removed when it is {self._minutes} minutes old."
        return checked(self.shell, completed, remedy)

    def _script(self, text: str, arguments: Sequence[str], deadline: Deadline) -> Completed:
        completed = self.shell.run(("sh", "-c", text, "packit-cache", *arguments), deadline=deadline, env=self._environment)
        return checked(self.shell, completed, _remedy(completed))


def _stores(objects: str, entry: Entry) -> dict[str, str]:
    """git writes to ``objects`` and reads the entry's as well."""
    return {"GIT_OBJECT_DIRECTORY": objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES": entry.objects}


def _head_line(snapshot: Snapshot) -> str:
    if snapshot.detached:
        return snapshot.head
    if snapshot.head:
        return f"ref: {snapshot.head}"
    first = next((ref.name for ref in snapshot.refs if ref.name.startswith("refs/heads/")), "refs/heads/main")
    return f"ref: {first}"


def _kept_configuration() -> str:
    """A new repository's own configuration."""
    kept: dict[str, list[str]] = {"core": ["repositoryformatversion = 0", "filemode = true", "bare = true"]}
    for key, value in KEPT_SETTINGS.items():
        section, _dot, name = key.partition(".")
        kept.setdefault(section, []).append(f"{name} = {value}")
    return "".join(f"[{section}]\n" + "".join(f"\t{line}\n" for line in lines) for section, lines in kept.items())


def _remedy(completed: Completed) -> str:
    words = completed.stderr.lower()
    if "no space left" in words or "disk quota exceeded" in words:
        return "Grow the volume, or take projects off it (repository_cache_state: absent)."
    if "permission denied" in words or "read-only file system" in words:
        return "Check who owns the files on the volume, and repository_cache_filler.pod_security_context."
    if completed.returncode in (126, 127) or "not found" in words:
        return "Use an image with sh, coreutils, findutils, sed and git (repository_cache_image)."
    return ""
