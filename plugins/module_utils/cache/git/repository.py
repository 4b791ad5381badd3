# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One project on one volume: looked at, received into a quarantine, checked. ``publication`` makes it visible.

All work is done through a Shell, with git's configuration ours (see ``git``). Every step may be cut off anywhere and be
repeated: objects are on disk before refs name them, and a new repository appears by one rename.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...deadline import Deadline
from ...errors import DeploymentError
from ...printable import in_one_line
from ...progress import OnLine
from ...shell import KILLED, CommandFailed, Completed, Shell, checked
from ..domain.model import Snapshot
from ..domain.packs import (
    RECEIVE_AGAIN,
    BadPack,
    Checksums,
    Contents,
    Damaged,
    FinishedPack,
    HeldPack,
    Pack,
    compare_sums,
    files_of,
    loose_words,
    parse_checks,
    parse_checksums,
    parse_contents,
    require_same,
)
from ..domain.refs import Expected, parse_ref, refs_of
from ..domain.rollout_options import LEFTOVERS_AGE
from ..domain.space import MORE_SPACE, check_free
from . import scripts
from .announced import Room
from .entry import Entry, NotUnderstood, Use, left_behind, parse_entry, too_many_refs
from .environment import DIED, MORE_MEMORY, Limits, configuration, environment
from .fetching import fetch
from .history import missing_behind_refs
from .lock_files import AGAIN, stopped_by_a_lock, wait_for_locks
from .scripts.selections import Ids, Sums
from .stall import STALL_TIMEOUT
from .steps import run_step

NO_GIT_DIR = "/dev/null"
"""A git directory that git takes for no repository, without looking for another one."""


class Incomplete(Damaged):
    """Objects of the snapshot are not there."""


class NotRemoved(DeploymentError):
    """Something that was to be removed is still there."""


@dataclass(frozen=True)
class Incoming:
    """Received packs, each with checksums that hold, and the quarantine's objects directory, empty where nothing came.

    ``connected``: whether it is proved that nothing is missing behind the snapshot's ids.
    """

    objects: str
    packs: tuple[Pack, ...]
    connected: bool
    warnings: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """The packs' size together."""
        return sum(pack.bytes for pack in self.packs)


NOTHING = Incoming("", (), connected=False)
"""An ``Incoming`` without packs: no quarantine was made."""


class Repository:
    """A project's directory on a volume.

    ``scratch`` is a directory on the same side, for our own files; not on the volume. ``tag`` keeps runs apart where no
    filler pod is the lock between them. ``leftovers_age`` is in seconds. ``guest`` and ``shared`` as in ``HeldVolume``.
    """

    def __init__(
        self,
        shell: Shell,
        root: str,
        name: str,
        scratch: str,
        limits: Limits,
        leftovers_age: float = LEFTOVERS_AGE,
        tag: str = "",
        guest: bool = False,
        shared: bool = True,
    ) -> None:
        self.shell = shell
        self.root = root
        self.name = name
        self.guest = guest
        self._shared = shared
        self.scratch = f"{scratch}/{name}"
        self.minutes = str(max(1, int(leftovers_age // 60)))
        self._slot = f"{name}{tag}"
        self._configuration = configuration(limits)
        self._memory = limits.memory_bytes
        self._free = 0  # bytes, once the quarantine was made, where the file system says
        self.environment = environment(f"{self.scratch}/gitconfig")
        self._empty_view = False
        self._slot_used = True  # by an earlier run
        self._bytes = 0  # of what is known to be there, or to come

    @property
    def path(self) -> str:
        """Return its place among the consumers' projects."""
        return f"{self.root}/{self.name}"

    @property
    def work(self) -> str:
        """Our directory for it on the volume, where no consumer looks."""
        return f"{self.root}/{scripts.WORK}/{self._slot}"

    @property
    def slot(self) -> str:
        """The same, below the root."""
        return f"{scripts.WORK}/{self._slot}"

    def below(self, entry: Entry) -> str:
        """An entry's git directory, below the root."""
        return entry.git_dir.removeprefix(f"{self.root}/")

    @property
    def pack_directory(self) -> str:
        """The quarantine's packs."""
        return f"{self.work}/objects/pack"

    @property
    def ids_file(self) -> str:
        """Return where ``list_ids`` leaves its list."""
        return f"{self.scratch}/ids"

    def take(self, deadline: Deadline, keep_received: bool = False, snapshot: Snapshot | None = None) -> tuple[Entry, tuple[str, ...]]:
        """Remove what failed runs left, and look at what is there: the entry, and the names of removed files.

        ``keep_received``: packs that an earlier try brought into the quarantine, whole or in part, stay for this one.
        ``snapshot``: whose refs are probably there, most of them; they are not brought here then.
        """
        try:
            entry, removed = self._take(deadline, keep_received)
        except NotUnderstood:  # something was moved away in the middle of the look
            entry, removed = self._take(deadline, keep_received)
        expected = {} if snapshot is None or entry.layout is None else refs_of(snapshot, entry.layout)
        return self._with_refs_proved(self._with_refs(entry, expected, deadline), deadline), removed

    def _take(self, deadline: Deadline, keep_received: bool) -> tuple[Entry, tuple[str, ...]]:
        how = "keep" if keep_received else "all"
        rest = self.script(scripts.TAKE, (*self._inspected(), self._slot, how, self._whose), deadline).stdout
        self._slot_used = keep_received
        removed = []
        while rest.startswith(b"removed "):
            line, _newline, rest = rest.partition(b"\n")
            removed.append(line[len(b"removed ") :].decode("utf-8", "replace"))
        return self._parsed(rest), tuple(removed)

    def clean(self, deadline: Deadline) -> None:
        """Remove our work directory, unless nothing was put there since the take."""
        if self._slot_used:
            self.script(scripts.CLEAN, (self.root, self.name, self.minutes, self._slot, "all", self._whose, self.scratch), deadline)

    def inspect(self, deadline: Deadline) -> Entry:
        """Return what is there, with its refs' objects looked for: a ref to an absent one breaks every clone."""
        return self._with_refs_proved(self.look(scripts.INSPECT, (), deadline), deadline)

    def glance(self, deadline: Deadline) -> Entry:
        """Return what is there; nothing is looked for behind its refs, and they are not brought here where they are many."""
        return parse_entry(self.script(scripts.INSPECT, self._inspected(), deadline).stdout, self.root, self.name)

    def look(
        self, text: str, more: Sequence[str], deadline: Deadline, stdin: bytes = b"", expected: Mapping[str, str] | None = None
    ) -> Entry:
        """The entry, by a script that takes INSPECT's arguments and ``more``; ``expected`` are refs that it should have.

        Raises CommandFailed.
        """
        completed = self.script(text, (*self._inspected(), *more), deadline, stdin)
        return self._with_refs(self._parsed(completed.stdout), expected or {}, deadline)

    def _parsed(self, output: bytes) -> Entry:
        entry = parse_entry(output, self.root, self.name)
        self._bytes = max(self._bytes, entry.bytes)
        return entry

    def _with_refs(self, entry: Entry, expected: Mapping[str, str], deadline: Deadline) -> Entry:
        """The entry with its refs, of which only those are brought here that are not as expected."""
        if not entry.usable or not entry.ref_sums:
            return entry
        known = Expected(expected, len(entry.ref_sums))
        differing = known.differing(entry.ref_sums)
        lines: list[bytes] = []
        if differing:
            names = [f"b{number:04}" for number in differing]
            lines = self.script(scripts.REF_BUCKETS, (self.scratch, *names), deadline).stdout.split(b"\n")
            if lines[0].startswith(b"many "):
                use, reason, remedy = too_many_refs(self.path)
                return replace(entry, use=use, reason=reason, remedy=remedy)
        received = (parse_ref(line) for line in lines if b" " in line)
        return replace(entry, refs=(*known.others(differing), *received), ref_sums=())

    @property
    def _whose(self) -> str:
        return "shared" if self._shared else "ours"

    def _inspected(self) -> tuple[str, ...]:
        return (self.root, self.name, self.minutes, self.scratch, self._configuration)

    def _with_refs_proved(self, entry: Entry, deadline: Deadline) -> Entry:
        if not entry.usable:
            return entry
        proved = self._proved(entry, deadline)
        return self.good_objects(proved, deadline) if proved.use is Use.MEND else proved

    def _proved(self, entry: Entry, deadline: Deadline) -> Entry:
        try:
            absent = set(self.script(scripts.ABSENT_REFS, (self.scratch,), deadline).text().split())
        except CommandFailed as error:
            if error.completed.returncode != DIED:
                raise
            return replace(entry, use=Use.REPLACE, reason=in_one_line(f"git cannot read it: {error.completed.stderr.strip()[-200:]}"))
        if "many" in absent:
            why = "more of its refs than can be mended name objects that are not there"
            return replace(entry, use=Use.REPLACE_UNSHARED, reason=why)
        if absent:
            broken = tuple(ref.name for ref in entry.refs if ref.id in absent)
            why = f"{len(broken)} of its refs name objects that are not there, so every clone fails"
            return replace(entry, use=Use.MEND, reason=entry.reason or why, broken_refs=broken)
        return entry

    def good_objects(self, entry: Entry, deadline: Deadline) -> Entry:
        """The same, with ``store`` where git reads its objects without its damaged packs and false loose objects."""
        view = f"{self.scratch}/view-good"
        false_loose = self.false_loose_file if entry.false_loose else ""
        self.script(scripts.GOOD_OBJECTS, (view, f"{entry.git_dir}/objects", false_loose, *entry.damaged), deadline)
        return replace(entry, store=f"{view}/objects")

    def held_ids(self, entry: Entry) -> tuple[str, ...]:
        """The ids of which the entry has all that is behind them, as its refs say."""
        return tuple(sorted({ref.id for ref in entry.refs})) if entry.whole else ()

    def lacks(self, entry: Entry, snapshot: Snapshot, deadline: Deadline) -> tuple[str, ...]:
        """Return those of the snapshot's ids that the entry does not have; all that no ref names, where something behind them is missing.

        A publication of several packs that was cut off leaves ids there without what is behind them.
        """
        if not entry.usable:
            return snapshot.ids
        new = self.new_ids(entry, snapshot)
        absent = self.absent(new, entry, None, deadline)
        if absent or not new:
            return absent
        return new if self._walk(entry, None, snapshot, deadline).returncode else ()

    def new_ids(self, entry: Entry, snapshot: Snapshot) -> tuple[str, ...]:
        """Return those of the snapshot's ids that no ref of the entry names; what its refs name is there, as it was looked for."""
        held = set(self.held_ids(entry))
        return tuple(value for value in snapshot.ids if value not in held)

    def expect(self, packs: Sequence[str], size: int, deadline: Deadline) -> None:
        """A quarantine on the volume for packs of these names and ``size`` bytes together; what is there of them stays.

        Raises NoSpace, with the figures, before anything is written that cannot be finished.
        """
        self._bytes = max(self._bytes, size)
        received = self._make_quarantine(packs, deadline)
        if self._free:
            check_free(self.name, self.shell.where, needs=max(0, size - received), free=self._free)

    def _make_quarantine(self, packs: Sequence[str], deadline: Deadline) -> int:
        """Make a quarantine in which only those packs stay; return their bytes."""
        answer = self.script(scripts.QUARANTINE, (self.root, self._slot, *packs), deadline)
        numbers = answer.text().split()
        if len(numbers) != 2 or not all(number == "-" or (number.isascii() and number.isdigit()) for number in numbers):
            raise NotUnderstood(self.name, answer.stdout)
        free, received = numbers
        self._free = 0 if free == "-" else int(free)  # some file systems do not say
        return int(received)

    def discard(self, pack: str, deadline: Deadline) -> None:
        """Remove a damaged pack from the quarantine."""
        self.script(scripts.DISCARD, (self.root, self.slot, *files_of((pack,))), deadline)

    def quarantined(self) -> tuple[str, ...]:
        """The beginning of an argv that writes into the quarantine's pack directory, which it finds at ``scripts.OPEN``."""
        return scripts.argv(scripts.QUARANTINED, self.root, self.scratch, self.slot)

    def fetch(
        self,
        url: str,
        ids: Sequence[str],
        entry: Entry,
        deadline: Deadline,
        progress: OnLine | None = None,
        stall_timeout: int = STALL_TIMEOUT,
    ) -> None:
        """Ask upstream for object ids, into the quarantine. Refs of the entry tell what is there; where it is not whole, all is asked for.

        Nothing is missing behind the ids then. Raises SnapshotGone, OutOfReach, ShallowUpstream, DeploymentError.
        """
        fetch(
            self.shell,
            self.view(entry, deadline),
            url,
            ids,
            deadline,
            env={**self.environment, **stores(f"{self.scratch}/incoming", entry)},
            stall_timeout=stall_timeout,
            room=Room(0 if self.guest else self._memory, self._free, MORE_SPACE),
            progress=progress,
            within=self.quarantined(),
        )

    def incoming(
        self, connected: bool, deadline: Deadline, just_indexed: bool = False, known: Sequence[Pack] = (), warnings: tuple[str, ...] = ()
    ) -> Incoming:
        """Return what is in the quarantine, its checksums checked. Raises BadPack.

        ``just_indexed``: git has made the indexes here a moment ago, and the packs' checksums, over the bytes as they came in; no stranger
        writes here, so nothing is read a second time. Else an index is made anew of each pack that is not ``known``.
        """
        arguments = (self.pack_directory, "trailers" if just_indexed else "anew", self.scratch, " ".join(pack.name for pack in known))
        checks = self.script(scripts.CHECK_PACKS, arguments, deadline).text()
        packs = parse_checks(checks, self.shell.where, received=True)
        require_same(packs, known, self.shell.where)
        return Incoming(f"{self.work}/objects", packs, connected, warnings)

    def arrived(self, packs: Sequence[FinishedPack], connected: bool, deadline: Deadline, warnings: tuple[str, ...] = ()) -> Incoming:
        """Finished packs in the quarantine, on disk, and as they were made. Raises BadPack."""
        names = files_of(pack.name for pack in packs)
        sums = self.script(scripts.SUMS, ("arrived", self.root, self.slot, *names), deadline).text()
        return Incoming(f"{self.work}/objects", compare_sums(sums, packs, self.shell.where), connected, warnings)

    def contents(self, entry: Entry, incoming: Incoming | None, deadline: Deadline) -> Contents:
        """Return what all objects of the entry and the quarantine lie in, unreachable ones too."""
        listed = self.script(scripts.INVENTORY, (self.scratch, *object_stores(entry, incoming)), deadline)
        return parse_contents(listed.text(), () if incoming is None else incoming.packs)

    def checksums(self, entry: Entry, known: Iterable[str], deadline: Deadline, which: Sums = Sums.KNOWN) -> Checksums:
        """Read packs of the entry and compute their checksums.

        With STORED the ids of loose objects that are not what their names say are in ``false_loose_file`` then.
        """
        if not entry.usable:
            return Checksums()
        lying = f"{entry.git_dir}/objects"  # not the view of what is good: a pack that is not in that one would not be looked at
        arguments = (lying, self.scratch, which.value)
        return parse_checksums(self.script(scripts.CHECKSUMS, arguments, deadline, _lines(known)).text())

    def list_ids(
        self, entry: Entry, incoming: Incoming | None, deadline: Deadline, which: Ids = Ids.ALL, packs: Iterable[str] = ()
    ) -> int:
        """Write object ids of the entry and the quarantine, sorted, to ``ids_file``; how many there are. Reads indexes."""
        listed = self.script(scripts.IDS, (self.ids_file, which.value, *object_stores(entry, incoming)), deadline, _lines(packs))
        return int(listed.text())

    def prove(self, entry: Entry, incoming: Incoming, snapshot: Snapshot, deadline: Deadline) -> None:
        """Every id of the snapshot is there, and what is new is connected, before anything is published. Raises Incomplete."""
        if incoming.connected:
            return
        absent = self.absent(self.new_ids(entry, snapshot), entry, incoming, deadline)
        if absent:
            raise Incomplete(
                f"{len(absent)} object ids of the snapshot of {self.name} are not in {self.shell.where}, {absent[0]} among them.",
                "Run again. If it happens again, check the local clone (git fsck --connectivity-only).",
            )
        if not incoming.packs and entry.whole:
            return
        walked = self._walk(entry, incoming, snapshot, deadline)
        if walked.returncode:
            raise Incomplete(
                f"What was received of {self.name} in {self.shell.where} is not whole: {walked.stderr.strip()[-300:]}", "Run again."
            )

    def _walk(self, entry: Entry, incoming: Incoming | None, snapshot: Snapshot, deadline: Deadline) -> Completed:
        """Look for every object between what the entry's refs reach and the snapshot; exit code 0 where none is missing."""
        alternate = stores(incoming.objects, entry) if incoming is not None and incoming.objects else {}
        return run_step(
            self.shell,
            ("git", "rev-list", "--objects", "--quiet", "--stdin", "--not", "--all"),
            deadline,
            self._bytes,
            stdin="".join(f"{value}\n" for value in self.new_ids(entry, snapshot)).encode(),
            env={**self.environment, "GIT_DIR": self.view(entry, deadline), **alternate},
        )

    def verify_whole(self, entry: Entry, deadline: Deadline, packs: bool = True) -> None:
        """Check everything: all packs' checksums and loose objects (unless not ``packs``), and the whole history of all refs. Raises BadPack and Incomplete.

        Takes about 4 seconds and 400 MB of memory for a repository of 470 MB.
        """
        found = self.checksums(entry, (), deadline, Sums.STORED) if packs else Checksums()
        if found.damaged:
            raise BadPack(found.damaged[0].name, f"In {self.shell.where} {found.damaged[0].words}.", RECEIVE_AGAIN)
        if found.false_loose:
            raise Damaged(f"In {self.path} in {self.shell.where} {loose_words(found.false_loose)}.", RECEIVE_AGAIN)
        walked = self.walk_all(entry, deadline)
        if walked.returncode:
            raise Incomplete(
                f"{self.path} in {self.shell.where} is not whole: {walked.stderr.strip()[-300:] or f'git ended with code {walked.returncode}'}",
                "Run again: it is looked at in whole then, and mended." if walked.returncode != KILLED else MORE_MEMORY,
            )

    def walk_all(self, entry: Entry, deadline: Deadline) -> Completed:
        """Look for every object behind the refs that can be believed; exit code 0 where none is missing."""
        return run_step(
            self.shell,
            ("git", "rev-list", "--objects", "--all", "--quiet"),
            deadline,
            self._bytes,
            env={**self.environment, "GIT_DIR": self.view(entry, deadline)},
        )

    def gap(self, entry: Entry, deadline: Deadline) -> str:
        """Return what is missing of the history behind the refs that can be believed; see ``missing_behind_refs``."""
        return missing_behind_refs(self.shell, self.view(entry, deadline), deadline, self._bytes, env=self.environment)

    @property
    def false_loose_file(self) -> str:
        """Return where ``checksums`` leaves the ids of loose objects that are not what their names say."""
        return f"{self.scratch}/false-loose"

    @property
    def lost_file(self) -> str:
        """Return where ``salvage`` leaves the ids of objects that are lost."""
        return f"{self.scratch}/lost"

    def remove(self, deadline: Deadline) -> bool:
        """Take the project off the volume; whether it was there. Raises NotRemoved where it, or some of it, is still there."""
        first, *rest = self.script(scripts.REMOVE, (self.root, self.name, self._slot), deadline).text().splitlines()
        word, _space, owner = first.partition(" ")
        if word == "kept":
            uid, _space, mode = owner.partition(" ")
            raise NotRemoved(
                f"{self.path} in {self.shell.where} could not be removed: it belongs to uid {uid} with mode {mode}.",
                f"Delete it on the volume as uid {uid} or root.",
            )
        if rest:
            gone = "is out of the consumers' sight" if word == "removed" else "is not there"
            told = [left_behind(line.partition(" ")[2], self.root) for line in rest]
            words, remedies = (dict.fromkeys(texts) for texts in zip(*told, strict=True))
            raise NotRemoved(f"{self.path} in {self.shell.where} {gone}, but {'; '.join(words)}.", " ".join(remedies))
        return word == "removed"

    def pack_single(self, stores: Sequence[str], deadline: Deadline) -> HeldPack:
        """A pack, made beside the quarantine, of the objects whose ids HOLDING has left: of those object directories, or, where these are
        `loose` and one, of its loose objects. Raises CommandFailed.
        """
        directory = f"{self.work}/single"
        completed = self.script(scripts.PACK_SINGLE, (self.root, self.slot, self.scratch, *stores), deadline)
        name = f"pack-{completed.text()}"
        files = tuple(f"{directory}/{file}" for file in files_of((name,)))
        sizes = checked(self.shell, self.shell.run(("stat", "-c", "%s", "--", *files), deadline=deadline)).text().split()
        return HeldPack(name, f"{directory}/{name}", int(sizes[0]), int(sizes[1]))

    def index(self, pack: str, deadline: Deadline) -> bool:
        """Index a pack of the quarantine that came without; whether it is one, and the one that its name says. Else it is gone."""
        try:
            self.script(scripts.INDEX, (self.root, self.slot, pack, self.scratch), deadline)
        except CommandFailed as error:
            if error.completed.returncode not in (DIED, KILLED):
                raise
            self.discard(pack, deadline)
            return False
        return True

    def quarantine(self, deadline: Deadline) -> None:
        """Make an empty quarantine on the volume."""
        self._make_quarantine((), deadline)

    def require_quarantine(self, incoming: Incoming, deadline: Deadline) -> None:
        """Make one where nothing came until now. What an earlier try has left in it goes."""
        if not incoming.objects:
            self.quarantine(deadline)

    def absent(self, ids: Iterable[str], entry: Entry, incoming: Incoming | None, deadline: Deadline) -> tuple[str, ...]:
        """Return those of ``ids`` that are neither in the entry nor in the quarantine. Raises Incomplete where git cannot read what is there."""
        wanted = sorted(set(ids))
        if not wanted:
            return ()
        alternate = stores(incoming.objects, entry) if incoming is not None and incoming.objects else {}
        answer = run_step(
            self.shell,
            ("git", "cat-file", "--batch-check=%(objectname)"),
            deadline,
            self._bytes,
            stdin="".join(f"{value}\n" for value in wanted).encode(),
            env={**self.environment, "GIT_DIR": self.view(entry, deadline), **alternate},
        )
        if answer.returncode == DIED:
            raise Incomplete(f"git cannot read {self.path} in {self.shell.where}: {answer.stderr.strip()[-300:]}", RECEIVE_AGAIN)
        checked(self.shell, answer)
        return tuple(line.split()[0] for line in answer.text().splitlines() if line.endswith(" missing"))

    def view(self, entry: Entry, deadline: Deadline) -> str:
        """Our own git directory over what can be believed of the entry, or over nothing."""
        if entry.store:
            return entry.store.rpartition("/")[0]
        if entry.usable:
            return self.whole_view
        view = f"{self.scratch}/view-none"
        if not self._empty_view:
            self.script(scripts.VIEW, (view,), deadline)
            self._empty_view = True
        return view

    @property
    def whole_view(self) -> str:
        """Our own git directory over all of an entry: its objects and its refs. Made when it was looked at."""
        return f"{self.scratch}/view"

    def script(self, text: str, arguments: Sequence[str], deadline: Deadline, stdin: bytes = b"") -> Completed:
        """Run one of ``scripts`` here. Raises CommandFailed."""
        # git looks for a repository where it is run, which may be one that a stranger has made. A script says which it means.
        settings = {**self.environment, "GIT_DIR": NO_GIT_DIR}
        self._slot_used = self._slot_used or not {self._slot, self.slot}.isdisjoint(arguments)
        completed = run_step(self.shell, scripts.argv(text, *arguments), deadline, self._bytes, stdin=stdin, env=settings)
        return checked(self.shell, completed, self._remedy(completed, deadline) if completed.returncode else "")

    def _remedy(self, completed: Completed, deadline: Deadline) -> str:
        """Return what to do about a process that failed on the volume, where its words tell."""
        words = completed.stderr.lower()
        if stopped_by_a_lock(completed):
            return wait_for_locks(self.shell, self.path, completed, int(self.minutes), deadline) if self._shared else AGAIN
        if "no space left" in words or "disk quota exceeded" in words:
            return "Grow the volume, or take projects off it (option `state: absent`)."
        if "permission denied" in words or "read-only file system" in words:
            return "Check who owns the files on the volume, and option `filler.pod_security_context`."
        if completed.returncode == scripts.CHANGED:
            return "Run again. If it happens again, somebody works against this on that volume: run while no sandbox has it mounted."
        if completed.returncode in (126, 127) or "not found" in words:
            return "Use an image with sh, coreutils, findutils, grep, sed and git (option `image`)."
        return ""


def _lines(values: Iterable[str]) -> bytes:
    return "".join(f"{value}\n" for value in sorted(values)).encode()


def stores(objects: str, entry: Entry) -> Mapping[str, str]:
    """Return git's environment in which it writes to ``objects`` and reads the entry's as well."""
    return {"GIT_OBJECT_DIRECTORY": objects, "GIT_ALTERNATE_OBJECT_DIRECTORIES": entry.objects}


def object_stores(entry: Entry, incoming: Incoming | None) -> tuple[str, ...]:
    """The object directories of an entry and its quarantine."""
    return tuple(store for store in (entry.objects, incoming.objects if incoming is not None else "") if store)
