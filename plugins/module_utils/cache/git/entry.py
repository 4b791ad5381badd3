# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry: the directory under a project's name on a volume, and its use. Everything there is untrusted input."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from ...errors import DeploymentError
from ...printable import printable
from ..domain.model import Layout, Ref
from ..domain.refs import BUCKETS
from ..domain.repository_format import is_partial, to_remake
from .environment import KEPT_SETTINGS, NEWER_GIT, unfit
from .scripts import LEFT, WORK

_RUNS_PROGRAMS = re.compile(
    r"^(core\.(fsmonitor|sshcommand|hookspath|gitproxy|editor|pager|askpass|alternaterefscommand|worktree)"
    r"|include\.path|includeif\..*\.path|url\..*\.(insteadof|pushinsteadof)"
    r"|remote\..*\.(uploadpack|receivepack|proxy|vcs)|credential\..*|filter\..*|diff\..*\.(command|textconv)|merge\..*\.driver"
    r"|uploadpack\.packobjectshook|gpg\..*program|protocol\..*|http\..*|alias\..*)$",
    re.IGNORECASE,
)
"""Settings that run programs, read other files or lead elsewhere when git runs with an entry's own configuration."""


class Use(str, Enum):
    """A use of an entry."""

    ABSENT = "absent"
    BUILD_ON = "build on"
    MEND = "mend: its objects stay, and all else is made anew"
    REPLACE = "replace"
    REPLACE_UNSHARED = "replace while nobody else has the volume mounted"
    BLOCKED = "blocked"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry: the directory under a project's name. ``layout`` is None where there is no repository; ``git_dir`` is an absolute path.

    ``keeps_all``: its configuration already says that nothing is ever collected. ``reason`` and ``remedy`` are words for
    what is not to be built on as it is. ``bytes`` is the size of its objects. ``ref_sums`` has the sums of its refs' buckets, where they
    are too many to be listed at once (see ``refs``); ``refs`` is empty then. ``stamp`` is equal where no pack's file was changed.

    Of what is to be mended: ``damaged`` are names of packs that are not what their checksums say, ``false_loose`` is the number of loose
    objects that are not what their names say, ``broken_refs`` name objects that are not there, ``store`` is where its good objects are read.
    ``remade``: those of HEAD and config that are made anew.
    """

    use: Use
    layout: Layout | None = None
    git_dir: str = ""
    reason: str = ""
    remedy: str = ""
    occupied: bool = False
    bytes: int = 0
    packs: int = 0
    loose: int = 0
    owner: int = 0
    head: str = ""
    bridged: bool = False
    keeps_all: bool = False
    objects_taken: bool = False
    refs: tuple[Ref, ...] = ()
    ref_sums: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    false_loose: int = 0
    broken_refs: tuple[str, ...] = ()
    remade: tuple[str, ...] = ()
    store: str = ""
    stamp: str = ""

    @property
    def usable(self) -> bool:
        """Return whether its objects stay, and new ones are added to them."""
        return self.use in (Use.BUILD_ON, Use.MEND)

    @property
    def whole(self) -> bool:
        """Return whether its refs can be believed to have all that is behind them."""
        return self.use is Use.BUILD_ON

    @property
    def as_it_lies(self) -> Entry:
        """The same, its objects read whatever is wrong with it: for those of them that are judged one by one, elsewhere."""
        return replace(self, use=Use.MEND, store="") if self.use is Use.REPLACE and self.git_dir else self

    @property
    def objects(self) -> str:
        """The object directory that is read; empty where there is none to be used."""
        return (self.store or f"{self.git_dir}/objects") if self.usable else ""


class NotUnderstood(DeploymentError):
    """A script on a volume printed something that it does not print."""

    def __init__(self, name: str, output: bytes) -> None:
        super().__init__(
            f"What was printed of {name} cannot be understood: {output[:200].decode('utf-8', 'replace')}",
            "Run again. If it happens again, use another image (option `image`): this one's programs may be others than are needed.",
        )


def parse_entry(output: bytes, root: str, name: str) -> Entry:
    """The entry from what ``scripts.INSPECT`` printed. Raises NotUnderstood."""
    try:
        return _parse_entry(output, root, name)
    except (LookupError, ValueError) as error:
        raise NotUnderstood(name, output) from error


def _parse_entry(output: bytes, root: str, name: str) -> Entry:
    head, _newline, settings = output.partition(b"\nkind repository\n")
    facts: dict[str, str] = {}
    refs, sums = [], []
    broken: list[str] = []
    left: list[str] = []
    for line in head.decode("utf-8", "surrogateescape").split("\n"):
        word, _space, value = line.partition(" ")
        if word == "ref":
            refs.append(Ref(value[41:], value[:40]))
        elif word == "refs_sum":
            sums.append(value)
        elif word == "broken":
            broken.append(value)
        elif word == "left":
            left.append(value)
        else:
            facts[word] = value
    config = _settings(settings)
    kind = facts.get("kind", "repository" if _newline else "")
    path = f"{root}/{name}"
    volume = tuple(dict.fromkeys(". ".join(left_behind(value, root)) for value in left))
    if kind == "noroot":
        return Entry(use=Use.BLOCKED, reason=f"{root} is not there", remedy="Check option `path`.")
    why = unfit(facts["git"])
    if why:
        return Entry(use=Use.BLOCKED, reason=f"nothing can be done where it is mounted: {why}", remedy=NEWER_GIT)
    if "root_read_only" in facts:
        return Entry(
            use=Use.BLOCKED,
            reason="the volume can only be read",
            remedy="A claim or pod may ask for that, and a file system with faults turns so: see the events of the node, and what the storage says.",
        )
    if "root_unwritable" in facts:
        owner, mode, me = facts["root_unwritable"].split()
        return Entry(
            use=Use.BLOCKED,
            reason=f"the volume's root belongs to uid {owner} with mode {mode}, and uid {me} cannot write there",
            remedy="Set option `filler.pod_security_context: {fsGroup: …}` to the group that may write.",
        )
    if "work_taken" in facts:
        owner, mode, me = facts["work_taken"].split()
        return Entry(
            use=Use.BLOCKED,
            reason=f"{root}/{WORK} belongs to uid {owner} with mode {mode}, and uid {me} can neither work in it nor move it away",
            remedy=f"Delete {root}/{WORK} on the volume as uid {owner} or root; a run that was killed has left it.",
        )
    if kind == "absent":
        return Entry(use=Use.ABSENT, warnings=volume)
    if kind == "empty":
        return Entry(use=Use.ABSENT, reason="an empty directory, on which every clone fails", warnings=volume)
    if kind != "repository":
        use, reason = _KINDS[kind]
        reason = reason.format(owner=facts.get("owner", "?"), mode=facts.get("mode", "?"), me=facts.get("me", "?"))
        return Entry(use=use, reason=reason, remedy=_BY_HAND.format(path=path), occupied=True, warnings=volume)
    if len(sums) not in (0, *BUCKETS):
        raise ValueError("as many sums of refs as there are none of")
    layout = Layout(facts["layout"])
    git_dir = f"{path}/.git" if layout is Layout.NON_BARE else path
    use, reason, remedy = _repository(facts, config, path)
    if "refs_many" in facts and use in (Use.BUILD_ON, Use.MEND):
        use, reason, remedy = too_many_refs(path)
    remade: tuple[str, ...] = ()
    if use in (Use.BUILD_ON, Use.MEND):
        why, remade = to_remake(broken, facts, config)
        if why:
            use, reason, remedy = Use.MEND, reason or why, ""
        if is_partial(facts, config):
            remade = tuple(sorted({*remade, "config"}))
    return Entry(
        use=use,
        layout=layout,
        git_dir=git_dir,
        reason=reason,
        remedy=remedy,
        occupied=True,
        bytes=int(facts.get("bytes", 0)),
        packs=int(facts.get("packs", 0)),
        loose=int(facts.get("loose", 0)),
        owner=int(facts.get("owner", 0)),
        head=facts.get("head", ""),
        bridged="bridge" in facts,
        keeps_all=all(config.get(key.lower()) == value for key, value in KEPT_SETTINGS.items()),
        objects_taken="objects_taken" in facts,
        refs=tuple(refs),
        ref_sums=tuple(sums),
        warnings=(*_warnings(facts, config, refs, name), *volume),
        remade=remade,
        stamp=facts.get("stamp", ""),
    )


def too_many_refs(path: str) -> tuple[Use, str, str]:
    """Return what is to be done with an entry whose refs are more than are read, why, and the remedy."""
    return Use.REPLACE_UNSHARED, "it has more refs than are read", _BY_HAND.format(path=path)


_BY_HAND = "Look at {path} on the volume, and move it away or remove it by hand (option `state: absent` does that too)."
_KINDS: dict[str, tuple[Use, str]] = {
    "symlink": (Use.REPLACE_UNSHARED, "it is, or has where git looks, a symbolic link or a special file, which could lead anywhere"),
    "file": (Use.REPLACE_UNSHARED, "it is no directory"),
    "gitfile": (Use.REPLACE_UNSHARED, "its .git is a file that leads to a repository elsewhere"),
    "halfmade": (Use.REPLACE, "it is no whole git repository, so every clone fails"),
    "unreadable": (Use.BLOCKED, "it belongs to uid {owner} with mode {mode}, and uid {me} cannot read it; nor can consumers"),
}


def _repository(facts: dict[str, str], config: dict[str, str], path: str) -> tuple[Use, str, str]:
    by_hand = _BY_HAND.format(path=path)
    if config.get("extensions.objectformat", "sha1") != "sha1":
        return Use.REPLACE, f"its object format is {_quoted(config['extensions.objectformat'])}, not sha1", by_hand
    if facts.get("alternates"):
        return Use.REPLACE_UNSHARED, "it borrows objects from elsewhere (objects/info/alternates)", by_hand
    if facts.get("grafts"):
        return Use.REPLACE_UNSHARED, "it has grafts (info/grafts), so its history is not what its objects say", by_hand
    if facts.get("commondir"):
        return Use.REPLACE_UNSHARED, "it is a linked work tree, whose objects are elsewhere", by_hand
    if int(facts.get("unreadable", 0)):
        return Use.BLOCKED, f"{facts['unreadable']} of its files cannot be read by uid {facts.get('me', '?')}", by_hand
    if "unwritable" in facts:
        owner, mode = facts["unwritable"].split()
        return (
            Use.BLOCKED,
            f"its packs or refs belong to uid {owner} with mode {mode}, and uid {facts.get('me', '?')} cannot write there",
            by_hand,
        )
    room = facts.get("room", "0")  # some file systems do not say, and df prints `-`
    if room.isdecimal() and int(facts.get("bytes", 0)) > int(room):
        return Use.REPLACE_UNSHARED, "its files say that they have more bytes than the volume, so reading them would take for ever", by_hand
    if facts.get("shallow"):
        return Use.MEND, "it is a shallow clone, which git refuses as a reference", by_hand
    if is_partial(facts, config):
        return Use.MEND, "it is a partial clone (--filter), so objects are missing", by_hand
    return Use.BUILD_ON, "", ""


def left_behind(owner_and_mode: str, root: str) -> tuple[str, str]:
    """Return what to tell of something that was in our way and could only be moved, and what to do about it."""
    owner, _space, mode = owner_and_mode.partition(" ")
    return (
        f"something of uid {owner} with mode {mode} could not be deleted, and takes space: {root}/{LEFT}#* or {root}/{WORK}/left#*",
        f"Delete it as uid {owner} or root.",
    )


def speaks_for_objects(path: str) -> bool:
    """Return whether a removed file is one that git reads instead of objects or packs' indexes; else a failed run has left it.

    A ``.git`` itself is removed only from a bare entry, in whose place consumers' git would read it.
    """
    return re.search(r"/objects/(info(/commit-graph.*)?|pack(/multi-pack-index.*|/.*\.(bitmap|rev))?)$|^\./\.git$", path) is not None


def _warnings(facts: dict[str, str], config: dict[str, str], refs: list[Ref], name: str) -> tuple[str, ...]:
    found = []
    replaced = sum(ref.name.startswith("refs/replace/") for ref in refs)
    if replaced:
        found.append(f"{name} has {replaced} replace refs (refs/replace): git there shows other objects; they were not used")
    if int(facts.get("hooks", 0)):
        found.append(f"{name} has {facts['hooks']} hooks; they were not run")
    dangerous = sorted(key for key in config if _RUNS_PROGRAMS.match(key))
    if dangerous:
        shown = ", ".join(_quoted(key) for key in dangerous[:5])
        found.append(f"{name} sets {shown} in its configuration; this was not used")
    if int(facts.get("young_locks", 0)):
        found.append(f"{name} has {facts['young_locks']} fresh lock files: another git may be at work there")
    return tuple(found)


def _settings(data: bytes) -> dict[str, str]:
    """Return what ``git config --null --list`` printed: keys in lower case, but for the middle part of three."""
    settings = {}
    for item in data.split(b"\0"):
        key, _newline, value = item.decode("utf-8", "surrogateescape").partition("\n")
        if "." in key:
            settings[key.lower()] = value
    return settings


def _quoted(text: str) -> str:
    """Return what stands on the volume, short enough for a sentence."""
    return printable(text[:80])
