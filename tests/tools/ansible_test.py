# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test on a copy of the files that git knows, in the place and under the HOME that it wants.

ansible-test would fetch pip's bootstrap script from a host of its own; one that takes the pip of this environment is put where it
keeps the fetched one. The environments that it makes for its sanity tests are kept in .build: it names each by its packages, so a change
of packages makes a new one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLLECTIONS = ROOT / ".build" / "collections" / "ansible_collections"

BOUND_SECONDS = 4500
"""Seconds after which ansible-test is ended. A busy machine may take half an hour for the units, of which one that hangs ends by itself."""

KEPT = ROOT / ".build" / "sanity-environments"

BOOTSTRAP = f"""
import pathlib, sysconfig
packages = pathlib.Path(sysconfig.get_path("purelib"))
(packages / "pip").symlink_to({str(distribution("pip").locate_file("pip"))!r})
information = packages / "pip-0.dist-info"
information.mkdir()
(information / "METADATA").write_text("Metadata-Version: 2.1\\nName: pip\\nVersion: 0\\n")
(information / "RECORD").write_text("pip,,\\npip-0.dist-info/METADATA,,\\npip-0.dist-info/RECORD,,\\n")
"""
"""Links this environment's pip. The RECORD lists the link alone: ansible-test uninstalls pip in the end, which removes the link and not our pip."""


def main(words: list[str]) -> int:
    """Run `ansible-test WORDS`."""
    with tempfile.TemporaryDirectory(prefix="ansible-test-") as directory:
        home, base = Path(directory) / "home", Path(directory) / "ansible_collections"
        copy = base / "packit" / "deployment"
        copy_files(copy)
        (base / "kubernetes").mkdir()
        (base / "kubernetes" / "core").symlink_to(COLLECTIONS / "kubernetes" / "core")
        cache = home / ".ansible" / "test" / "cache"
        cache.mkdir(parents=True)
        for version in bootstrap_versions():
            (cache / f"get_pip_{version}.py").write_text(BOOTSTRAP)
        KEPT.mkdir(parents=True, exist_ok=True)
        (home / ".ansible" / "test" / "venv").symlink_to(KEPT, target_is_directory=True)
        environment = {
            **os.environ,
            "HOME": str(home),
            "ANSIBLE_COLLECTIONS_PATH": directory,
        }
        for name in ("PYTHONPATH", "VIRTUAL_ENV"):
            environment.pop(name, None)
        git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", "init", "--quiet", "."], cwd=copy, check=True)
        subprocess.run([*git, "add", "--all"], cwd=copy, check=True)
        argv = [
            str(Path(sys.executable).parent / "ansible-test"),
            *words,
            "--local",
            "--color",
            "no",
            "--python",
            f"{sys.version_info[0]}.{sys.version_info[1]}",
        ]
        return subprocess.run(argv, cwd=copy, env=environment, stdin=subprocess.DEVNULL, check=False, timeout=BOUND_SECONDS).returncode


def copy_files(to: Path) -> None:
    """Copy the files that git knows, or would take, as they are now."""
    argv = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    files = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name, follow_symlinks=False)


def bootstrap_versions() -> set[str]:
    """The versions of pip whose bootstrap this ansible-test may look for."""
    package = Path(str(distribution("ansible-core").locate_file("ansible_test")))  # an import would find this file
    requirements = package / "_util" / "target" / "setup" / "requirements.py"
    internal = package / "_internal" / "python_requirements.py"
    found = {"24_2", "24_3_1", "25_0"}
    for source in (requirements, internal):
        if source.exists():
            found |= {version.replace(".", "_") for version in re.findall(r"['\"](\d{2}\.\d(?:\.\d)?)['\"]", source.read_text())}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
