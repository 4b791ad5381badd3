# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Works as packit's worker and its sandbox do: what the processes of a fork server do, which has imported packit.

Both need the volume at /repository-cache. So each job is in mount namespaces of its own, over a root file system in which
that directory exists; no root is needed where unprivileged user namespaces are allowed.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packit.utils.repo import RepositoryCache

from tests.bounds import BOUND

from .namespaces import enter

_LOG_FORMAT = "[%(asctime)s: %(levelname)s/%(processName)s] task.run_copr_build_handler[f0d1] %(message)s"
_CHECKS = r"""
set -e
cd "$1"
git fsck --connectivity-only
git status --short
git log --oneline --all >/dev/null
echo change >change.txt
git add change.txt
git -c user.name=a -c user.email=a@example.org commit --quiet -m change
git fetch --quiet --tags
git fsck --connectivity-only
"""


def work(job: Mapping[str, Any]) -> int:
    """Clone a job's ``url``, of which the cache has ``name``, or without one work in what was cloned.

    A clone is logged as the service's workers do it (packit_service/worker/tasks.py, ``setup_loggers``).
    """
    safe = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    os.environ.update(safe, HOME=job["directory"])
    enter(Path(job["volume"]), Path(job["directory"]) / "root")
    if "url" not in job:
        return subprocess.run(["sh", "-c", _CHECKS, "checks", job["checkout"]], check=False, timeout=BOUND).returncode
    logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format=_LOG_FORMAT)
    cache = RepositoryCache("/repository-cache")
    cache.get_repo(job["url"], job["checkout"])
    assert ",".join(cache.projects_cloned_using_cache) == job["name"], f"packit did not use the cache for {job['url']}"
    return 0
