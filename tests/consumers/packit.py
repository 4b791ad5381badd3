# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""packit's own RepositoryCache on a worker's volume, and the checkout moved to where the sandbox's volume stands.

Both need the volume at /repository-cache. So each runs in mount namespaces of its own, over a root file system in which
that directory exists; no root is needed where unprivileged user namespaces are allowed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.bounds import BOUND

_INSIDE = r"""
set -e
volume=$1 root=$2
shift 2
mount -t tmpfs none "$root"
for d in /*; do
    case $d in /proc|/repository-cache) continue ;; esac
    if [ -L "$d" ]; then cp -P "$d" "$root$d"
    elif [ -d "$d" ]; then mkdir "$root$d"; mount --rbind "$d" "$root$d"; fi
done
mkdir "$root/proc" "$root/repository-cache"
mount --rbind /proc "$root/proc"
mount --bind "$volume" "$root/repository-cache"
exec chroot "$root" "$@"
"""
_CLONE = """
import sys
from packit.utils.repo import RepositoryCache
cache = RepositoryCache("/repository-cache")
cache.get_repo(sys.argv[1], sys.argv[2])
print(",".join(cache.projects_cloned_using_cache))
"""
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


def inside(volume: Path, argv: list[str], scratch: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with ``volume`` at /repository-cache."""
    root = scratch / "root"
    root.mkdir(exist_ok=True)
    namespaces = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]
    environment = {
        **os.environ,
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",  # chroot is there, and not on every user's path
        "HOME": str(scratch),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    return subprocess.run(
        [*namespaces, "sh", "-c", _INSIDE, "inside", str(volume), str(root), *argv],
        check=False, text=True, capture_output=True, env=environment, timeout=BOUND,
    )  # fmt: skip


def clone_as_packit(worker_volume: Path, url: str, checkout: Path) -> None:
    """Clone with packit's own code from the worker's volume; it must have used the cache."""
    done = inside(worker_volume, [sys.executable, "-c", _CLONE, url, str(checkout)], checkout.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    name = url.rsplit("/", 1)[1].removesuffix(".git")
    assert done.stdout.strip() == name, f"packit did not use the cache for {url}"
    alternates = (checkout / ".git/objects/info/alternates").read_text().strip()
    assert alternates.startswith(f"/repository-cache/{name}/"), alternates


def check_in_sandbox(sandbox_volume: Path, checkout: Path) -> None:
    """The checkout is whole, and can be worked in, with the sandbox's volume behind it."""
    done = inside(sandbox_volume, ["sh", "-c", _CHECKS, "checks", str(checkout)], checkout.parent)
    assert done.returncode == 0, f"{done.stdout[-1000:]}{done.stderr[-2000:]}"
