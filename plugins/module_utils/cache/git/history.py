# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connectivity of a repository's history, down to its roots."""

from __future__ import annotations

from collections.abc import Mapping

from ...deadline import Deadline
from ...shell import KILLED, Shell, checked
from .environment import DIED, MORE_MEMORY
from .steps import run_step

_SHOWN = 200


def missing_behind_refs(shell: Shell, git_dir: str, deadline: Deadline, size: int, *, env: Mapping[str, str]) -> str:
    """Return what is missing of the history behind the refs of ``git_dir``, of ``size`` bytes, in git's words; empty where nothing is.

    Commits only: 1 s and 50 MB for 100,000. That finds what a shallow upstream has cut off. Raises CommandFailed, StoodStill.
    """
    argv = ("git", f"--git-dir={git_dir}", "-c", "core.commitGraph=false", "rev-list", "--quiet", "--all")
    walked = run_step(shell, argv, deadline, size, env=env)
    if walked.returncode == DIED:
        return walked.stderr.strip()[-_SHOWN:] or "git did not say what"
    checked(shell, walked, MORE_MEMORY if walked.returncode == KILLED else "")
    return ""
