# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an upstream's refs with ``git ls-remote``, wherever a Shell runs."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping

from ...deadline import Deadline
from ...errors import DeploymentError
from ...shell import KILLED, Completed, Shell
from ..domain.model import Snapshot, make_snapshot
from ..domain.projects import Project, matches, redacted
from ..domain.ref_names import left_out, refused
from . import scripts
from .environment import MEBI, ON_CONTROLLER
from .fetch_errors import SSH_REMEDY, no_repository, telling
from .retries import ask_again, passes
from .stall import http_limit

_CONFIG = (
    "--git-dir=/dev/null",  # no repository in which the run happens to be started has a say
    "-c", "protocol.version=2",
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",
    "-c", "protocol.ssh.allow=always",
    "-c", "protocol.git.allow=always",
    *http_limit(30),  # nothing is counted for a list, and it may be asked for again
)  # fmt: skip

READ_SECONDS = 120.0
"""The time for the refs of one project; all of them together have that of who reads them."""
READS_AT_ONCE = 8

MOST_BYTES = 64 * MEBI
"""Bytes of a list of refs: some 900,000 of them."""
MOST_REFS = 500_000
"""Refs that one project may want."""
MOST_MEMORY = 512 * MEBI
"""Bytes of memory for git, which keeps the whole list before it prints the first line."""

# $1 KiB of memory that git and what it starts may have each, $2 bytes that are printed at most, then the argv. The limit is on data: of address
# space a credential helper may reserve any amount. Where a system knows no such limit, only the second one holds.
_BOUNDED = r"""
ulimit -d "$1" 2>/dev/null
most=$2
shift 2
exec 3>&1
code=$({ { "$@" 3>&- 4>&-; echo "$?" >&4; } | head -c "$most" >&3; } 4>&1)
exit "$code"
"""

_ID = re.compile(rb"[0-9a-f]{40}")
_SHA256 = re.compile(rb"^[0-9a-f]{64}\t", re.MULTILINE)


class UpstreamError(DeploymentError):
    """Upstream's refs could not be read."""


def read_snapshot(shell: Shell, project: Project, deadline: Deadline) -> Snapshot:
    """The refs of ``project`` at upstream that its patterns match, and HEAD. One request to upstream, and more after errors that may pass.

    On the controller the user's own git configuration applies (credential helpers, proxies, ssh). Raises UpstreamError.
    """
    completed = ask_again(lambda env: _listed(shell, project, deadline, env), deadline)
    url = redacted(project.url)
    if len(completed.stdout) >= MOST_BYTES:
        raise _endless(url, f"more than {MOST_BYTES // MEBI} MiB of them")
    if completed.returncode:
        raise _explained(project, shell.where, completed)
    if not completed.stdout:
        raise _nothing_listed(shell, project, completed, deadline)
    if _SHA256.search(completed.stdout):
        raise UpstreamError(
            f"{url} is a repository with object format sha256; only sha1 can be cached, as packit's clones are.",
            "Leave it out of the list.",
        )
    snapshot = parse_ls_remote(completed.stdout, project.refs)
    if len(snapshot.refs) > MOST_REFS:
        raise _endless(url, f"more than {MOST_REFS} that are wanted")
    if not snapshot.refs:
        others = f" {left_out(project.name, snapshot.left_out)}" if snapshot.left_out else ""
        raise UpstreamError(f"{url} has refs, but none that matches {', '.join(project.refs)}.{others}", "Check `refs`.")
    return snapshot


def parse_ls_remote(output: bytes, patterns: Iterable[str]) -> Snapshot:
    """The snapshot in what ``git ls-remote --symref`` printed (peeled tags, ``^{}``, are no refs).

    git prints a ref's name as the server sent it. What is no id or no ref's name is left out: a server may put a newline into a name, and so a
    line into this list, and the ids go to ``git fetch --stdin`` (which takes refspecs) and ``git rev-list --stdin`` (which takes options).
    """
    wanted = tuple(patterns)
    refs: dict[str, str] = {}
    foreign: set[str] = set()
    symbolic = ""
    detached = ""
    for line in io.BytesIO(output):  # a line ends in b"\n", and in nothing else; one at a time, as there may be many
        value, _tab, raw = line.rstrip(b"\n").partition(b"\t")
        if raw == b"HEAD" and value.startswith(b"ref: "):
            symbolic = value[len(b"ref: ") :].decode("utf-8", "surrogateescape")
            continue
        if not _ID.fullmatch(value) or raw.endswith(b"^{}"):
            continue
        name = raw.decode("utf-8", "surrogateescape")
        if raw == b"HEAD":
            detached = value.decode("ascii")
        elif matches(wanted, name):
            refs[name] = value.decode("ascii")
        elif not name.startswith("refs/"):
            foreign.add(name)
    unfit = refused(refs.keys())
    for name in unfit:
        del refs[name]
    head = detached
    if symbolic:  # to a ref that is not wanted (or does not exist): its objects are not asked for
        head = symbolic if symbolic in refs else ""
    return make_snapshot(refs, head, tuple(sorted(unfit | foreign)))


def _listed(shell: Shell, project: Project, deadline: Deadline, env: Mapping[str, str]) -> Completed:
    argv = ("git", *_CONFIG, "ls-remote", "--symref", "--", project.url)
    bounds = (str(MOST_MEMORY // 1024), str(MOST_BYTES))
    return shell.run(scripts.argv(_BOUNDED, *bounds, *argv), deadline=deadline, env={**ON_CONTROLLER, **env})


def _nothing_listed(shell: Shell, project: Project, completed: Completed, deadline: Deadline) -> UpstreamError:
    """Return why git ended well and listed nothing: it takes what it does not understand for a repository without refs that is served as files.

    What a server sends is asked for once more, with a trace of git's protocol.
    """
    url = redacted(project.url)
    if project.url.startswith("http"):
        traced = _listed(shell, project, deadline, {"GIT_TRACE_PACKET": "1"})
        if traced.returncode:
            return _explained(project, shell.where, traced)
        if "packet:" not in traced.stderr:
            words, remedy = no_repository(url, completed.stderr, certain=True)
            return UpstreamError(f"{words}, as seen from {shell.where}.", remedy)
    return UpstreamError(f"{url} is an empty repository: it has no ref at all.", "Push something to it, or leave it out of the list.")


def _endless(url: str, what: str) -> UpstreamError:
    return UpstreamError(
        f"{url} advertises too many refs, or without end: {what}. Reading was stopped.",
        "Check the URL. For a repository that has so many, give a local clone with fewer as `path`.",
    )


def _explained(project: Project, where: str, completed: Completed) -> UpstreamError:
    url = redacted(project.url)
    words = completed.stderr.strip() or "git printed nothing"
    said = telling(words)
    lowered = words.lower()
    if re.search("^fatal: out of memory", lowered, re.MULTILINE) or completed.returncode == KILLED:
        return _endless(url, f"git ran out of memory in {where} ({MOST_MEMORY // MEBI} MiB at the most): {said}")
    other, remedy = no_repository(url, words)
    if other:
        return UpstreamError(f"{other}, as seen from {where}.", remedy)
    if completed.returncode == 127 or ("not found" in lowered and "git:" in lowered):
        remedy = f"Install git in {where}."
    elif "could not read username" in lowered or "authentication failed" in lowered or "returned error: 403" in lowered:
        remedy = "Upstream wants credentials: configure git's credential helper for the user who runs the playbook."
    elif "permission denied (" in lowered or "host key verification failed" in lowered:
        remedy = SSH_REMEDY
    elif "could not resolve host" in lowered:
        remedy = "Check the host name, and whether a proxy is needed."
    elif passes(completed):
        remedy = "It was tried several times. Run again later."
    elif "not found" in lowered or "does not appear to be a git repository" in lowered:
        remedy = "Check the URL."
    else:
        remedy = "Try `git ls-remote` with this URL by hand in the same place."
    return UpstreamError(f"The refs of {url} could not be read from {where}: {said}.", remedy)
