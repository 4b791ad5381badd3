# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of our processes on this machine: the user's own, without what would lead git or rsync elsewhere.

A run may be started by a git hook or a CI step, where ``GIT_DIR`` and its like name a repository that is none of ours: with them
our plumbing would work there. So of git's variables only those stay that say how upstream is reached.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Mapping

_KEPT = re.compile(
    r"GIT_(CONFIG_(COUNT|KEY_\d+|VALUE_\d+|GLOBAL|SYSTEM|NOSYSTEM)|EXEC_PATH|ASKPASS|SSH|SSH_COMMAND|SSH_VARIANT"
    r"|ALLOW_PROTOCOL|PROXY_COMMAND|(PROXY_)?SSL_\w+|HTTP_\w+)"
)
"""The variables of git's that stay: the user's configuration (CI passes tokens that way), credentials, ssh, TLS and proxies."""
_FOREIGN = ("GIT_", "RSYNC_")
_SSH = "GIT_SSH_COMMAND"
_ASKING_SECONDS = 20.0


def local_environment(added: Mapping[str, str] | None) -> dict[str, str]:
    """The environment of a process on this machine, with the variables that are ``added``.

    An ssh for git that is added is for a user who has named none.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN) or _KEPT.fullmatch(name)}
    ours = dict(added or {})
    if _SSH in ours and _names_ssh(kept):
        del ours[_SSH]
    return {**kept, **ours}


def _names_ssh(environment: Mapping[str, str]) -> bool:
    """Return whether the user has an ssh of their own for git, by a variable or in git's configuration."""
    if environment.get(_SSH) or environment.get("GIT_SSH"):
        return True
    try:
        return _configures_ssh(tuple(environment.items()))
    except (OSError, subprocess.SubprocessError):  # which is not remembered
        return False


@functools.cache  # a run starts hundreds of processes, and its user's configuration is one
def _configures_ssh(environment: tuple[tuple[str, str], ...]) -> bool:
    argv = ("git", "--git-dir=/dev/null", "config", "--get", "core.sshCommand")
    asked = subprocess.run(  # pylint: disable=ansible-bad-function  # run_command has no deadline
        argv, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASKING_SECONDS, check=False
    )
    if asked.returncode > 1:  # 1: it is not configured
        raise subprocess.CalledProcessError(asked.returncode, argv)
    return asked.returncode == 0
