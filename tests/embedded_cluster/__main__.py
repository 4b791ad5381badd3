# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.embedded_cluster --dir DIR``: run the cluster in the foreground until it is ended; ``--check``: say whether it can run here.

The server runs in namespaces of its own: all of its pods and mounts end with it, and no root is needed where unprivileged
user namespaces are allowed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from ..bounds import BOUND

CANNOT = (
    "The embedded cluster needs unprivileged user namespaces, which are switched off here. Allow them "
    "(sysctl kernel.unprivileged_userns_clone=1 on Debian, sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, "
    "sysctl user.max_user_namespaces=10000 on RHEL; in a chroot nobody may make one), or run this as root."
)


_CANNOT_AS_ROOT = (
    "The embedded cluster needs namespaces of its own, which root may not make here, as in most containers, or this unshare cannot "
    "make. Allow it (docker run --privileged, say), install util-linux, or run this elsewhere."
)


def namespaces() -> list[str]:
    """The words that make the server's namespaces."""
    root = os.geteuid() == 0
    return ["unshare", *([] if root else ["--map-root-user"]), "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]


def possible() -> bool:
    """Return whether this machine allows namespaces of its own for each container."""
    try:
        return subprocess.run([*namespaces(), "true"], capture_output=True, timeout=BOUND, check=False).returncode == 0
    except FileNotFoundError:
        return False


def why_not() -> str:
    """Return why it cannot run where it is not ``possible``, and what to do."""
    return CANNOT if os.geteuid() else _CANNOT_AS_ROOT


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description="A small Kubernetes API whose pods are local processes.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--dir", type=Path, help="where everything is kept; made, and removed at the end")
    what.add_argument("--check", action="store_true", help="only say whether it can run on this machine")
    parser.add_argument("--nodes", type=int, default=2, help="how many nodes it has (2)")
    options = parser.parse_args()
    if not possible():
        print(why_not(), file=sys.stderr)
        return 1
    if options.check:
        return 0
    options.dir.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "EMBEDDED_CLUSTER_ROOT": "1" if os.geteuid() == 0 else "0"}
    argv = [*namespaces(), sys.executable, "-m", f"{__package__}.server", str(options.dir.resolve()), str(options.nodes)]
    process = subprocess.Popen(argv, env=environment, start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: process.kill())
    try:
        process.wait()
    finally:
        process.kill()
        shutil.rmtree(options.dir, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
