# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as its users have it: installed from a checkout, without Galaxy or a network, and called by its name."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.bounds import BOUND
from tests.tools.ansible_test import copy_files

from .harness import ROOT, Scene

GALAXY = str(Path(sys.executable).parent / "ansible-galaxy")


NO_NETWORK = ("unshare", "--user", "--map-root-user", "--net", "--")


def readme_arguments(part: str) -> list[str]:
    """Return the arguments of the README's only ansible command that contains this part."""
    (line,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("    ansible-") and part in line]
    return shlex.split(line, comments=True)[1:]


@pytest.mark.playbook
def test_the_collection_is_installed_offline_and_called_by_its_name(scene: Scene, tmp_path: Path) -> None:
    scene.deploy()
    scene.repository()
    checkout = tmp_path / "checkout"
    copy_files(checkout)
    subprocess.run([GALAXY, "collection", "build", "--output-path", str(tmp_path)], cwd=checkout, check=True, timeout=BOUND)
    (built,) = tmp_path.glob("packit-deployment-*.tar.gz")
    with tarfile.open(built) as archive:
        names = archive.getnames()
    assert [name for name in names if any(part.startswith(".") for part in name.split("/"))] == []
    assert {"meta/execution-environment.yml", "bindep.txt", "requirements.txt", "plugins/action/repository_cache.py"} <= set(names)
    assert {"docs/rbac.yml", "playbooks/schedule_cache.yml"} <= set(names)  # the role schedule reads the rules
    assert [name for name in names if name.startswith(("tests", "extensions", "requirements/", "Containerfile"))] == []
    place = tmp_path / "collections"
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(place), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    for command in ("install --no-deps .", "install --no-deps --force ."):  # the first time, and as an update
        argv = [*NO_NETWORK, GALAXY, *readme_arguments(command)]
        installed = subprocess.run(argv, check=True, timeout=BOUND, cwd=checkout, env=environment, capture_output=True, text=True)
        assert "packit.deployment:0.1.0 was installed successfully" in installed.stdout
    kubernetes = ROOT / ".build" / "collections" / "ansible_collections" / "kubernetes"
    (place / "ansible_collections" / "kubernetes").symlink_to(kubernetes)
    playbook, option, variables = readme_arguments("populate_cache")
    assert variables == "@vars.yml"
    run = scene.start_playbook(
        Path(playbook),
        *(option, scene.write_variables(scene.variables())),
        environment={"ANSIBLE_COLLECTIONS_PATH": str(place), "PYTHONPATH": None},
    )
    done = run.finish()
    assert done.code == 0, done.story
    assert f"{scene.sandbox_claim()}  one      add" in done.output
    scene.check()
