# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish what was received of a project: into the entry that is there, or as a new one by one rename."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import CommandFailed, Completed
from ..domain.model import Layout, Ref, Snapshot, encoded
from ..domain.refs import OURS, refs_of
from . import scripts
from .entry import Entry, Use
from .environment import KEPT_SETTINGS
from .lock_files import stopped_by_a_lock
from .repository import Incoming, Incomplete, Repository

Patterns = Callable[[str], bool]
"""Tells which of the refs are ours to change."""


class Unusable(DeploymentError):
    """An entry cannot be built on, and must not be replaced now."""


def publish(
    repository: Repository, entry: Entry, incoming: Incoming, snapshot: Snapshot, patterns: Patterns, shared: bool, deadline: Deadline
) -> Entry:
    """Make the snapshot visible to consumers; returns the entry as it is then, its refs compared with the snapshot's.

    ``shared`` that another pod has the volume mounted. Raises Unusable where what is there must stay, and Incomplete.
    """
    if entry.usable:
        _publish_objects(repository, entry, incoming, deadline)
        refs = _publish_refs(repository, entry, snapshot, patterns, deadline)
        if entry.damaged:
            came = {pack.name for pack in incoming.packs}
            dropped = [name for name in entry.damaged if name not in came]
            repository.script(scripts.DROP_PACKS, (repository.root, repository.below(entry), *dropped), deadline)
        if entry.false_loose:
            drop = (repository.root, repository.below(entry), repository.false_loose_file)
            repository.script(scripts.DROP_LOOSE, drop, deadline)
        repository.clean(deadline)
        published = repository.look(scripts.INSPECT, (), deadline, expected=refs)
    else:
        check_usable(repository, entry, shared)
        how = "replace" if entry.occupied else "new"
        lines = f"{_head_line(snapshot)}\n" + "".join(f"{ref.id} {ref.name}\n" for ref in snapshot.refs)
        repository.require_quarantine(incoming, deadline)
        packs = [f"{pack.name}.{pack.index_sum}.{pack.pack_sum}" for pack in incoming.packs]
        arguments = (repository.slot, how, _kept_configuration(), repository.scratch, *packs)
        expected = refs_of(snapshot, Layout.BARE)
        published = repository.look(scripts.PUBLISH_NEW, arguments, deadline, encoded(lines), expected)
    if not published.whole:
        raise Incomplete(
            f"{repository.path} in {repository.shell.where} cannot be used after it was published: {published.reason}.", "Run again."
        )
    if not is_current(published, snapshot, patterns):
        raise Incomplete(
            f"The refs of {repository.path} in {repository.shell.where} are not the snapshot's after they were written.", "Run again."
        )
    return published


def check_usable(repository: Repository, entry: Entry, shared: bool) -> None:
    """Raises Unusable where nothing can be published, before anything is received."""
    if entry.use is Use.BLOCKED or (entry.use is Use.REPLACE_UNSHARED and shared):
        why = "" if entry.use is Use.BLOCKED else " It is not replaced while another pod has the volume mounted."
        raise Unusable(f"{repository.path} in {repository.shell.where} cannot be used: {entry.reason}.{why}", entry.remedy)


def is_current(entry: Entry, snapshot: Snapshot, patterns: Patterns) -> bool:
    """Return whether the entry's refs are the snapshot's already, and can be believed."""
    return entry.whole and _present(entry, patterns) == refs_of(snapshot, entry.layout or Layout.BARE)


def bridge(repository: Repository, entry: Entry, layout: Layout, deadline: Deadline) -> Entry:
    """Give the entry's objects the path of the other layout too, as the worker's checkouts name it. Raises CommandFailed."""
    if entry.layout is layout or entry.bridged or entry.layout is None:
        return entry
    _locking(repository, scripts.argv(scripts.BRIDGE, repository.root, repository.name, entry.layout.value, repository.scratch), deadline)
    repository.clean(deadline)
    return replace(entry, bridged=True)


def own_snapshot(entry: Entry, elsewhere: bool = False) -> Snapshot:
    """Return what an entry that nobody lists has, without refs that name nothing: published into it, it leaves it as it is.

    ``elsewhere``: for a new entry on another volume, so all refs that a clone of it would see.
    """
    good = [ref for ref in entry.refs if ref.name not in entry.broken_refs]
    if entry.layout is Layout.NON_BARE and not elsewhere:
        good = [Ref("refs/" + ref.name[len(OURS) :], ref.id) for ref in good if ref.name.startswith(OURS)]
    head = entry.head[len("ref: ") :] if entry.head.startswith("ref: ") else "" if elsewhere else entry.head
    return Snapshot(tuple(sorted(good, key=lambda ref: encoded(ref.name))), head)


def _publish_objects(repository: Repository, entry: Entry, incoming: Incoming, deadline: Deadline) -> None:
    if incoming.packs:
        packs = [f"{pack.name}.{pack.index_sum}.{pack.pack_sum}" for pack in incoming.packs]
        arguments = (repository.root, repository.scratch, repository.slot, repository.below(entry), *packs)
        repository.script(scripts.MOVE_PACKS, arguments, deadline)


def _publish_refs(repository: Repository, entry: Entry, snapshot: Snapshot, patterns: Patterns, deadline: Deadline) -> dict[str, str]:
    """Returns the refs that the entry should have then, those included that are not ours."""
    if not entry.keeps_all and "config" not in entry.remade:
        settings = [word for pair in KEPT_SETTINGS.items() for word in pair]
        _locking(
            repository, scripts.argv(scripts.SETTINGS, repository.root, repository.scratch, repository.below(entry), *settings), deadline
        )
    wanted, present = refs_of(snapshot, entry.layout or Layout.BARE), _present(entry, patterns)
    in_the_way = _in_the_way(entry, wanted)
    if entry.layout is Layout.BARE:
        present.update(in_the_way)
    gone = {*present, *in_the_way, *entry.broken_refs}
    refs = {**{ref.name: ref.id for ref in entry.refs if ref.name not in gone}, **wanted}
    if entry.use is Use.MEND:
        _remake(repository, entry, snapshot, refs, deadline)
    else:
        try:
            _change_refs(repository, entry, wanted, present, deadline)
        except CommandFailed as error:
            if not _blocked_by_a_file(error.completed):
                raise
            _remake(repository, entry, snapshot, refs, deadline)
    if entry.layout is Layout.BARE and entry.head != _head_line(snapshot) and "HEAD" not in entry.remade:
        arguments = (repository.root, repository.scratch, repository.below(entry))
        _locking(repository, scripts.argv(scripts.HEAD, *arguments), deadline, encoded(f"{_head_line(snapshot)}\n"))
    return refs


def _change_refs(repository: Repository, entry: Entry, wanted: Mapping[str, str], present: Mapping[str, str], deadline: Deadline) -> None:
    obsolete = [name for name in present if name not in wanted]
    changed = {name: value for name, value in wanted.items() if present.get(name) != value}
    if not obsolete and not changed:
        return
    commands = [f"delete {name}\n" for name in obsolete] + [f"update {name} {value}\n" for name, value in changed.items()]
    loose = OURS.removeprefix("refs/").rstrip("/") if entry.layout is Layout.NON_BARE else ""
    arguments = (repository.root, repository.scratch, repository.below(entry), repository.slot, loose)
    _locking(repository, scripts.argv(scripts.CHANGE_REFS, *arguments), deadline, encoded("".join(commands)))


def _blocked_by_a_file(completed: Completed) -> bool:
    """Return whether git gave up because of what lies in a ref's place: not for want of room, nor by another git's lock, nor killed."""
    words = completed.stderr.lower()
    full = "no space left" in words or "quota exceeded" in words
    return completed.returncode in (1, 128) and not stopped_by_a_lock(completed) and not full


def _remake(repository: Repository, entry: Entry, snapshot: Snapshot, refs: Mapping[str, str], deadline: Deadline) -> None:
    """Make anew all that stands beside the objects: all refs, and what else is broken."""
    head = _head_line(snapshot) if "HEAD" in entry.remade else ""
    lines = encoded(f"{head}\n" + "".join(f"{refs[name]} {name}\n" for name in sorted(refs, key=encoded)))
    settings = _kept_configuration(entry.layout) if "config" in entry.remade else ""
    arguments = (repository.root, repository.scratch, repository.below(entry), repository.slot, repository.whole_view, settings)
    _locking(repository, scripts.argv(scripts.REPAIR, *arguments), deadline, lines)


def _locking(repository: Repository, argv: Sequence[str], deadline: Deadline, stdin: bytes = b"") -> None:
    """A process that takes git's locks on the entry."""
    repository.script(scripts.LOCKING, (repository.root, repository.slot, *argv), deadline, stdin)


def _present(entry: Entry, patterns: Patterns) -> dict[str, str]:
    """Return those of the entry's refs that are ours to change."""
    non_bare = entry.layout is Layout.NON_BARE
    return {ref.name: ref.id for ref in entry.refs if (ref.name.startswith(OURS) if non_bare else patterns(ref.name))}


def _in_the_way(entry: Entry, wanted: Collection[str]) -> dict[str, str]:
    """The refs of an entry that cannot be there beside the wanted ones: `dev` and `dev/x` are a file and a directory."""
    directories = {name[:at] for name in wanted for at, letter in enumerate(name) if letter == "/"}
    names = {ref.name: ref.id for ref in entry.refs}
    below = {name for name in names if any(name[:at] in wanted for at, letter in enumerate(name) if letter == "/")}
    return {name: value for name, value in names.items() if name in directories or name in below}


def _head_line(snapshot: Snapshot) -> str:
    if snapshot.detached:
        return snapshot.head
    if snapshot.head:
        return f"ref: {snapshot.head}"
    first = next((ref.name for ref in snapshot.refs if ref.name.startswith("refs/heads/")), "refs/heads/main")
    return f"ref: {first}"


def _kept_configuration(layout: Layout | None = Layout.BARE) -> str:
    """A new repository's own configuration."""
    bare = "false" if layout is Layout.NON_BARE else "true"
    kept: dict[str, list[str]] = {"core": ["repositoryformatversion = 0", "filemode = true", f"bare = {bare}"]}
    for key, value in KEPT_SETTINGS.items():
        section, _dot, name = key.partition(".")
        kept.setdefault(section, []).append(f"{name} = {value}")
    return "".join(f"[{section}]\n" + "".join(f"\t{line}\n" for line in lines) for section, lines in kept.items())
