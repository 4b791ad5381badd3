# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What upstream has now: its refs, read with ``git ls-remote`` wherever a Shell runs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..deadline import Deadline
from ..errors import DeploymentError
from ..shell import Completed, Shell
from .git import ON_CONTROLLER
from .model import Project, Ref, Snapshot
from .projects import matches, redacted

_CONFIG = (
    "-c", "protocol.version=2",
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",
    "-c", "protocol.ssh.allow=always",
    "-c", "protocol.git.allow=always",
    "-c", "http.lowSpeedLimit=1000",
    "-c", "http.lowSpeedTime=30",
)  # fmt: skip


_ID = re.compile(r"[0-9a-f]{40,64}")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")
"""git checks a ref's name when it makes one, not when it prints a server's list."""


class UpstreamError(DeploymentError):
    """Upstream's refs could not be read."""


def read_snapshot(shell: Shell, project: Project, deadline: Deadline) -> Snapshot:
    """The refs of ``project`` at upstream that its patterns match, and HEAD. One request to upstream.

    On the controller the user's own git configuration applies (credential helpers, proxies, ssh). Raises UpstreamError.
    """
    argv = ("git", *_CONFIG, "ls-remote", "--symref", "--", project.url)
    completed = shell.run(argv, deadline=deadline, env=ON_CONTROLLER)
    if completed.returncode:
        raise _explained(project, shell.where, completed)
    snapshot = parse_ls_remote(completed.stdout.decode("utf-8", "surrogateescape"), project.refs)
    if not snapshot.refs:
        raise UpstreamError(
            f"{redacted(project.url)} has no ref that matches {', '.join(project.refs)}.",
            "An empty repository cannot be cached; for others, check `refs`.",
        )
    return snapshot


def parse_ls_remote(output: str, patterns: Iterable[str]) -> Snapshot:
    """The snapshot in what ``git ls-remote --symref`` printed (peeled tags, ``^{}``, are no refs).

    What is no id or no ref's name is left out: a server may put a newline into a name, and so a line into this list, and
    the ids go to ``git fetch --stdin`` (which takes refspecs) and ``git rev-list --stdin`` (which takes options).
    """
    wanted = tuple(patterns)
    refs: dict[str, str] = {}
    symbolic = ""
    detached = ""
    for line in output.splitlines():
        value, _tab, name = line.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            symbolic = value[len("ref: ") :]
        elif not _ID.fullmatch(value):
            continue
        elif name == "HEAD":
            detached = value
        elif not name.endswith("^{}") and _REF.fullmatch(name) and matches(wanted, name):
            refs[name] = value
    head = symbolic if symbolic in refs else detached
    if symbolic and symbolic not in refs:
        head = ""  # HEAD points to a ref that is not wanted (or does not exist): its objects are not asked for
    return Snapshot(tuple(sorted(Ref(name, value) for name, value in refs.items())), head)


def _explained(project: Project, where: str, completed: Completed) -> UpstreamError:
    url = redacted(project.url)
    words = completed.stderr.strip() or "git printed nothing"
    said = " | ".join(line.strip() for line in words.splitlines()[-2:])
    lowered = words.lower()
    if completed.returncode == 127 or ("not found" in lowered and "git:" in lowered):
        remedy = f"Install git in {where}."
    elif "could not read username" in lowered or "authentication failed" in lowered or "403" in lowered:
        remedy = "Upstream wants credentials: configure git's credential helper for the user who runs the playbook."
    elif "permission denied (publickey" in lowered or "host key verification failed" in lowered:
        remedy = "Check the ssh key and known_hosts of the user who runs the playbook."
    elif "could not resolve host" in lowered:
        remedy = "Check the host name, and whether a proxy is needed."
    elif "not found" in lowered or "does not appear to be a git repository" in lowered:
        remedy = "Check the URL."
    else:
        remedy = "Try `git ls-remote` with this URL by hand in the same place."
    return UpstreamError(f"The refs of {url} could not be read from {where}: {said}.", remedy)
