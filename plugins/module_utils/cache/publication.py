# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was received of a project becomes visible to consumers: into the entry that is there, or as a new one by one rename."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..deadline import Deadline
from ..errors import DeploymentError
from . import scripts
from .entry import Entry, Use
from .git import KEPT_SETTINGS
from .model import Layout, Snapshot, encoded
from .refs import OURS, refs_of
from .repository import Incoming, Incomplete, Repository

Patterns = Callable[[str], bool]
"""Tells which of the refs are ours to change."""


class Unusable(DeploymentError):
    """What lies under the project's name cannot be built on, and must not be replaced now."""


def publish(
    repository: Repository, entry: Entry, incoming: Incoming, snapshot: Snapshot, patterns: Patterns, shared: bool, deadline: Deadline
) -> Entry:
    """Make the snapshot visible to consumers; returns the entry as it is then, its refs compared with the snapshot's.

    ``shared`` that another pod has the volume mounted. Raises Unusable where what is there must stay, and Incomplete.
    """
    if entry.usable:
        refs = _publish_into(repository, entry, incoming, snapshot, patterns, deadline)
        repository.clean(deadline)
        published = repository.look(scripts.INSPECT, (), deadline, expected=refs)
    else:
        check_usable(repository, entry, shared)
        how = "replace" if entry.occupied else "new"
        lines = "".join(f"{ref.id} {ref.name}\n" for ref in snapshot.refs)
        arguments = (repository.work, repository.path, how, _head_line(snapshot), _kept_configuration())
        expected = refs_of(snapshot, Layout.BARE)
        published = repository.look(scripts.PUBLISH_NEW, arguments, deadline, encoded(lines), expected)
    if not published.usable:
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
    """Whether the entry's refs are the snapshot's already, with nothing missing behind them as far as that was looked at."""
    return entry.usable and not entry.gap and _present(entry, patterns) == refs_of(snapshot, entry.layout or Layout.BARE)


def bridge(repository: Repository, entry: Entry, layout: Layout, deadline: Deadline) -> Entry:
    """Give the entry's objects the path of the other layout too, as the worker's checkouts name it. Raises Unusable."""
    if entry.layout is layout or entry.bridged or entry.layout is None:
        return entry
    if entry.layout is Layout.NON_BARE and entry.objects_taken:
        raise Unusable(
            f"{repository.path} in {repository.shell.where} is non-bare and has a file or directory `objects` of its own, and the worker's "
            "entry is bare.",
            "Remove the project from the sandbox's volume or from both (repository_cache_state: absent), and run again.",
        )
    repository.script(scripts.BRIDGE, (repository.path, entry.layout.value), deadline)
    return replace(entry, bridged=True)


def _publish_into(
    repository: Repository, entry: Entry, incoming: Incoming, snapshot: Snapshot, patterns: Patterns, deadline: Deadline
) -> dict[str, str]:
    """Returns the refs that the entry should have then, those included that are not ours."""
    if incoming.packs:
        names = [pack.name for pack in incoming.packs]
        repository.script(scripts.MOVE_PACKS, (repository.pack_directory, f"{entry.objects}/pack", *names), deadline)
    if not entry.keeps_all:
        settings = [word for pair in KEPT_SETTINGS.items() for word in pair]
        _locking(repository, scripts.argv(scripts.SETTINGS, entry.git_dir, *settings), deadline)
    wanted, present = refs_of(snapshot, entry.layout or Layout.BARE), _present(entry, patterns)
    obsolete = [name for name in present if name not in wanted]
    changed = {name: value for name, value in wanted.items() if present.get(name) != value}
    if obsolete or changed:
        view = repository.view(entry, deadline, ours_only=entry.layout is Layout.NON_BARE)
        if obsolete:  # in a transaction of their own: `dev` must be gone before `dev/x` can be made
            _update_refs(repository, "".join(f"delete {name}\n" for name in obsolete), view, deadline)
        if changed:
            _update_refs(repository, "".join(f"update {name} {value}\n" for name, value in changed.items()), view, deadline)
    if entry.layout is Layout.BARE and entry.head != _head_line(snapshot):
        repository.script(scripts.HEAD, (entry.git_dir, _head_line(snapshot), f"{repository.work}/HEAD"), deadline)
    if obsolete or changed:
        _locking(repository, scripts.argv(scripts.SETTLE_REFS, entry.git_dir, view), deadline)
    return {**{ref.name: ref.id for ref in entry.refs if ref.name not in present}, **wanted}


def _update_refs(repository: Repository, commands: str, git_dir: str, deadline: Deadline) -> None:
    argv = ("env", f"GIT_DIR={git_dir}", "git", "update-ref", "--no-deref", "--stdin")
    _locking(repository, argv, deadline, encoded(commands))


def _locking(repository: Repository, argv: Sequence[str], deadline: Deadline, stdin: bytes = b"") -> None:
    """A process that takes git's locks on the entry."""
    repository.script(scripts.LOCKING, (repository.work, *argv), deadline, stdin)


def _present(entry: Entry, patterns: Patterns) -> dict[str, str]:
    """Those of the entry's refs that are ours to change."""
    non_bare = entry.layout is Layout.NON_BARE
    return {ref.name: ref.id for ref in entry.refs if (ref.name.startswith(OURS) if non_bare else patterns(ref.name))}


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
