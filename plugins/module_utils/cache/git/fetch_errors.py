# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of fetches from upstream: explained in words, and those told apart that the run itself can act on."""

from __future__ import annotations

import re

from ...errors import DeploymentError
from ...printable import printable
from ...shell import KILLED, Completed
from ..domain.model import BY_RSYNC
from ..domain.packs import Damaged
from ..domain.projects import redacted
from ..domain.space import MORE_SPACE
from .environment import MORE_MEMORY
from .stall import silent_for


class SnapshotGone(DeploymentError):
    """Upstream has no longer an object that the snapshot names: a new snapshot is to be taken."""


class OutOfReach(DeploymentError):
    """Upstream cannot be read from this place, but may be from the controller: no way there, no credentials, no trust."""


class OutOfMemory(DeploymentError):
    """git was killed, or could not have the memory that it asked for. Fewer at once may do."""


# git's own two messages (upload-pack.c), and only these, for an object that was forced or collected away.
_GONE = re.compile(r"upload-pack: not our ref [0-9a-f]{40}|Server does not allow request for unadvertised object [0-9a-f]{40}")

_ADVICE = ("please make sure you have the correct access rights", "and the repository exists.")
"""git's last words after an ssh that failed. What tells is before them, the ssh's own."""
_PROGRESS = re.compile(r"\d% \(|^remote: (Total|Enumerating|Counting|Compressing) ")
"""Progress lines. The remote's may stand between any two lines of the local git."""
_FSCK = re.compile(r"object [0-9a-f]{40}: (\w+):")
"""git's words for an object that `transfer.fsckObjects` refuses."""
# git's words where the new objects do not connect to what its refs said is there, or are not the same as there.
_NOT_WHOLE = re.compile(
    r"did not send all necessary objects|unresolved deltas|object [0-9a-f]{40} [^:]*is corrupt|sha1 collision found with"
)
_NOT_WHOLE_REMEDY = "Run again. If it happens again: Something is missing in upstream's own repository, run `git fsck` there."

_SILENT_REMEDY = (
    "Run again. If it happens again: a server tells how far it is while it counts objects, unless a proxy on the way keeps that back; "
    "then raise option `stall_timeout`."
)
_MORE_MEMORY_OR_RSYNC = f"{MORE_MEMORY} Or use {BY_RSYNC}."
SSH_REMEDY = "Check the ssh key and known_hosts of the user who runs the playbook."
_OUT_OF_REACH = (
    (r"could not resolve host", f"Check the host name. If the cluster has no way out to it, use {BY_RSYNC}."),
    (
        r"connection refused|failed to connect|couldn't connect|timed out|no route to host|network is unreachable",
        f"The cluster cannot reach upstream. Use {BY_RSYNC}, or open the network.",
    ),
    (
        r"could not read username|authentication failed|returned error: 40[13]",
        f"Upstream wants credentials, which never go into a pod. Use {BY_RSYNC}, which reads upstream on the controller.",
    ),
    (r"certificate", f"The image does not know upstream's certificate authority. Use an image that does, or {BY_RSYNC}."),
    (r"transport '.*' not allowed", f"A pod fetches by https, http and git only. Use {BY_RSYNC}."),
)
_MEANINGS = (
    (r"permission denied \(|host key verification failed", SSH_REMEDY),
    (r"returned error: 404|not found|does not exist", "Check the URL."),
    (r"no space left|disk quota exceeded", f"{MORE_SPACE} Where it is the seed pod's scratch: option `seed.size` or option `seed.claim`."),
)
_NO_MEMORY = "out of memory|cannot allocate|index-pack died"
_KILLED_CHILD = "died of signal 9"


def telling(stderr: str) -> str:
    """The lines of git's standard error that tell what was wrong, without progress and advice. Pure."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", stderr) if line.strip()]
    return " | ".join([line for line in lines if line.lower() not in _ADVICE and not _PROGRESS.search(line)][-3:]) or "git printed nothing"


def explained_fetch(url: str, where: str, completed: Completed) -> DeploymentError:
    """The error for a ``git fetch`` that ended with another code than 0. Pure."""
    shown = redacted(url)
    if _GONE.search(completed.stderr):
        return SnapshotGone(f"{shown} no longer has an object of the snapshot.", "Run again.")
    silent = silent_for(completed.stderr)
    if silent:
        return DeploymentError(f"Fetching {shown} in {where} was given up: upstream sent nothing for {silent} seconds.", _SILENT_REMEDY)
    said = telling(completed.stderr)
    if completed.returncode == 127:
        return DeploymentError(f"There is no git in {where}.", "Use an image with git (option `image`).")
    if completed.returncode == KILLED:
        return OutOfMemory(f"git was killed in {where}, probably for want of memory: {said}", _MORE_MEMORY_OR_RSYNC)
    other, remedy = no_repository(shown, completed.stderr)
    if other:  # in this place: a proxy may be in the way, or the controller may have the credentials
        return OutOfReach(f"{other}, as seen from {where}.", remedy)
    lowered = completed.stderr.lower()
    if _KILLED_CHILD in lowered:  # git says that upstream did not send all, as it could not look
        return OutOfMemory(f"git was killed in {where}, probably for want of memory: {said}", _MORE_MEMORY_OR_RSYNC)
    if _NOT_WHOLE.search(lowered):
        return Damaged(f"What {shown} sent is not whole with what is in {where}: {said}.", _NOT_WHOLE_REMEDY)
    text = f"Fetching {shown} in {where} failed: {said}."
    fault = _FSCK.search(completed.stderr)
    if fault is not None and "fsck error" in lowered:
        return DeploymentError(
            text,
            f"The repository has an old fault, and the git configuration there has transfer.fsckObjects (or fetch.fsckObjects) on. "
            f"Allow this one: git config --global fetch.fsck.{fault[1]} ignore",
        )
    for pattern, remedy in _OUT_OF_REACH:
        if re.search(pattern, lowered):
            return OutOfReach(text, remedy)
    for pattern, remedy in _MEANINGS:
        if re.search(pattern, lowered):
            return DeploymentError(text, remedy)
    return OutOfMemory(text, _MORE_MEMORY_OR_RSYNC) if re.search(_NO_MEMORY, lowered) else DeploymentError(text, _BY_HAND)


def no_repository(url: str, words: str, certain: bool = False) -> tuple[str, str]:
    """Return what answers at an http URL where git's words tell that it is no git server, and what to do; two empty texts where they do not.

    ``certain``: it is known to be none, and only what it is else is to be told. Pure.
    """
    if not url.startswith("http") or not (certain or _NO_GIT.search(words)):
        return "", ""
    redirected = _REDIRECTED.search(words)
    if redirected:
        return (
            f"{url} redirects to {redacted(printable(redirected[1]))}, where no git repository answers",
            "If that is a login page, upstream wants credentials: configure git's credential helper for the user who runs the playbook, and use "
            f"{BY_RSYNC}. Else the repository has moved: check the URL.",
        )
    return (
        f"At {url} something answers that is no git repository, such as a web page",
        "Check the URL in a browser: a login page, a proxy's own page, or a page about the repository may be there.",
    )


_NO_GIT = re.compile(
    r"info/refs not valid|bad line length character|unable to update url base from redirection|invalid server response|invalid content-type"
    r"|expected service, got"
)
_REDIRECTED = re.compile(r"redirect(?:ing to|:) +(\S+)")
_BY_HAND = "Try `git ls-remote` with this URL by hand in the same place."
