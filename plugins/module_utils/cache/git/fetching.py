# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fetch of pinned ids from upstream, after which nothing is missing behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...deadline import Deadline
from ...errors import DeploymentError
from ...progress import OnLine
from ...shell import Shell
from ..domain.projects import redacted
from . import scripts
from .announced import PROVING, UNKNOWN, Announcement, Room, UntilRefused
from .fetch_errors import explained_fetch
from .retries import ask_again
from .stall import STALL_TIMEOUT, WATCH, http_limit, limited_by_git

_FETCH = (
    "fetch", "--stdin", "--no-write-fetch-head", "--no-tags", "--no-auto-maintenance", "--no-recurse-submodules", "--refmap=",
    "--update-shallow", "--progress", "--",
)  # fmt: skip

# $1 our git directory, $2 seconds without a byte from upstream after which git is ended (0: git does that itself), then git's words.
# Prints a commit behind which upstream has nothing, and how many such there are.
# A shallow upstream names them. Without --update-shallow git leaves what is behind them out of its proof, says only that it was "rejected", and
# ends with 0. With it they are in a file; where there is no such file, git's own proof, made before it ends with 0, is of the whole history.
_SCRIPT = (
    WATCH
    + r"""
d=$1 seconds=$2 watching=
shift 2
rm -f -- "$d/shallow" || exit 3
[ "$seconds" -eq 0 ] || { watch "$seconds" </dev/null >/dev/null & watching=$!; }
git --git-dir="$d" "$@"
code=$?
[ -z "$watching" ] || kill "$watching" 2>/dev/null
[ "$code" -eq 0 ] || exit "$code"
[ ! -s "$d/shallow" ] || { sort -u -- "$d/shallow" | sed -n '1p;$=' && rm -f -- "$d/shallow"; }
"""
)


class ShallowUpstream(DeploymentError):
    """Upstream has only the newest part of the history."""


def phase_of(what: str, line: str) -> tuple[str, str]:
    """Return the phase of a fetch of ``what``, and the detail, that a line of its progress tells. Pure."""
    return (f"proves {what}", "") if line == PROVING else (f"fetches {what}", line)


def fetch(
    shell: Shell,
    git_dir: str,
    url: str,
    ids: Sequence[str],
    deadline: Deadline,
    *,
    env: Mapping[str, str],
    settings: Sequence[str] = (),
    stall_timeout: int = STALL_TIMEOUT,
    room: Room = UNKNOWN,
    progress: OnLine | None = None,
    within: Sequence[str] = (),
) -> None:
    """Bring ``ids``, and all that is behind them, to the repository at ``git_dir``, whose refs tell what is there already.

    ``settings``: options of git itself; ``stall_timeout``: seconds without a byte from upstream after which it is given up; ``within``: the
    beginning of the argv. ``progress`` is told PROVING in the end. Raises SnapshotGone, OutOfReach, ShallowUpstream, TooLarge, DeploymentError.
    """
    watched = 0 if limited_by_git(url) else stall_timeout
    argv = (*within, *scripts.argv(_SCRIPT, git_dir, str(watched), *settings, *http_limit(stall_timeout), *_FETCH, url))
    wanted = "".join(f"{value}\n" for value in ids).encode()
    announced = Announcement(redacted(url), shell.where, room)

    def told(line: str) -> None:
        for words in announced.read(line):
            if progress is not None:
                progress(words)

    until = UntilRefused(deadline, announced)
    completed = ask_again(lambda _trace: shell.run(argv, deadline=until, stdin=wanted, env=env, progress=told), until, way=False)
    if completed.returncode:
        raise explained_fetch(url, shell.where, completed)
    if completed.stdout:
        commit, number = completed.text().split()
        more = f" and {int(number) - 1} more" if int(number) > 1 else ""
        raise ShallowUpstream(
            f"{redacted(url)} is a shallow repository: its history ends at commit {commit}{more}, and a cache of it would break packit's clones.",
            "Have upstream made whole (`git fetch --unshallow` in it), or use the URL of a whole repository. Nothing was published.",
        )
