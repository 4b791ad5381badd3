# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A complete git repository on the controller, from which finished packs are made (method rsync).

It is the user's own: git runs in it with the user's configuration. Nothing is written into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...deadline import Deadline
from ...errors import InvalidOption
from ...shell import Shell, checked
from ..domain.model import Snapshot, make_snapshot
from ..domain.projects import Project, matches

ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1"}
"""git's environment in a repository of the user's own."""
_REMOTE_HEADS = "refs/remotes/origin/"


@dataclass(frozen=True)
class LocalClone:
    """A local clone, found complete by ``open_clone``, and its git directory. ``mirror`` tells that its branches are upstream's own names
    (a bare or mirror clone); else those are under ``refs/remotes/origin/``."""

    path: str
    git_dir: str
    mirror: bool


def open_clone(shell: Shell, project: Project, deadline: Deadline) -> LocalClone:
    """The clone at ``Project.path``. Raises InvalidOption where it is no complete git repository."""
    path = project.path
    if not Path(path).is_dir():
        raise InvalidOption(f"`path` of project `{project.name}` is no directory: {path}.")
    # The user has named it, so a bare one may be used whatever `safe.bareRepository` says; what lies around the directory may not.
    here = {**ENVIRONMENT, "GIT_CEILING_DIRECTORIES": str(Path(path).resolve().parent)}
    facts = ("--absolute-git-dir", "--is-shallow-repository", "--is-bare-repository")
    looked = shell.run(("git", "-C", path, "-c", "safe.bareRepository=all", "rev-parse", *facts), deadline=deadline, env=here)
    if looked.returncode:
        raise InvalidOption(
            f"`path` of project `{project.name}` is no git repository that git will read: {path}: {looked.stderr.strip()}",
            f"Make one: git clone --mirror -- {project.url} {path}",
        )
    git_dir, shallow, bare = looked.text().rsplit("\n", 2)
    if shallow == "true":
        raise InvalidOption(
            f"`path` of project `{project.name}` is a shallow clone, so its history is incomplete: {path}.",
            "Run `git fetch --unshallow` in it.",
        )
    promisor = shell.run(
        _git(git_dir, "config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$"), deadline=deadline, env=ENVIRONMENT
    )
    if promisor.returncode == 0:
        raise InvalidOption(
            f"`path` of project `{project.name}` is a partial clone (--filter), so objects are missing: {path}.",
            f"Clone it again without a filter: git clone --mirror -- {project.url} DIRECTORY",
        )
    object_format = shell.run(_git(git_dir, "rev-parse", "--show-object-format"), deadline=deadline, env=ENVIRONMENT).text()
    if object_format not in ("sha1", ""):
        raise InvalidOption(f"`path` of project `{project.name}` has object format {object_format}; only sha1 can be cached.")
    origin = shell.run(_git(git_dir, "for-each-ref", "--count=1", _REMOTE_HEADS), deadline=deadline, env=ENVIRONMENT)
    return LocalClone(path, git_dir, mirror=bare == "true" or not origin.stdout)


def read_clone(shell: Shell, project: Project, deadline: Deadline) -> Snapshot:
    """Return what the clone at ``Project.path`` has, under upstream's names. Raises InvalidOption where that is of no use, and CommandFailed."""
    clone = open_clone(shell, project, deadline)
    listed = checked(
        shell, shell.run(_git(clone.git_dir, "for-each-ref", "--format=%(objectname) %(refname)"), deadline=deadline, env=ENVIRONMENT)
    )
    refs: dict[str, str] = {}
    for line in listed.text().split("\n"):
        value, _space, name = line.partition(" ")
        upstream_name = _upstream_name(name, clone.mirror)
        if upstream_name and matches(project.refs, upstream_name):
            refs[upstream_name] = value
    head_ref = "HEAD" if clone.mirror else f"{_REMOTE_HEADS}HEAD"
    symbolic = shell.run(_git(clone.git_dir, "symbolic-ref", "--quiet", head_ref), deadline=deadline, env=ENVIRONMENT)
    head = _upstream_name(symbolic.text(), clone.mirror) if symbolic.returncode == 0 else ""
    if not refs:
        raise InvalidOption(f"`path` of project `{project.name}` has no ref that matches {', '.join(project.refs)}: {project.path}.")
    return make_snapshot(refs, head if head in refs else "")


def _upstream_name(name: str, mirror: bool) -> str:
    if mirror:
        return name
    if name.startswith(_REMOTE_HEADS) and name != f"{_REMOTE_HEADS}HEAD":
        return "refs/heads/" + name[len(_REMOTE_HEADS) :]
    return "" if name.startswith(("refs/heads/", "refs/remotes/")) else name


def _git(git_dir: str, *words: str) -> tuple[str, ...]:
    return ("git", f"--git-dir={git_dir}", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", *words)
