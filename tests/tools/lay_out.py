# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay out a collections path in .build/collections: this checkout by a link, and kubernetes.core.

kubernetes.core is taken out of the `ansible` package, which carries it: a package registry is enough, no Galaxy needed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLLECTIONS = ROOT / ".build" / "collections" / "ansible_collections"
PACKAGE = "ansible==12.3.0"
INSIDE = "ansible_collections/kubernetes/core/"


def main() -> None:
    """Do what is not done yet."""
    link = COLLECTIONS / "packit" / "deployment"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(Path("../../../.."), target_is_directory=True)
    if (COLLECTIONS / "kubernetes" / "core" / "MANIFEST.json").exists():
        return
    print(f"fetches kubernetes.core out of {PACKAGE}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        # The package wants a newer Python than some that are supported here; the collection in it does not.
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--python-version",
                "3.12",
                "--dest",
                directory,
                PACKAGE,
            ],
            check=True,
            timeout=600,
        )
        with zipfile.ZipFile(next(Path(directory).glob("*.whl"))) as archive:
            members = [name for name in archive.namelist() if name.startswith(INSIDE)]
            archive.extractall(COLLECTIONS.parent, members)


if __name__ == "__main__":
    main()
