# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A script enters the directory that it names, and no other one, whatever a stranger has put there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts.places import CHANGED, PLACES
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND

SHELLS = [words for words in (("dash",), ("bash",), ("busybox", "sh")) if shutil.which(words[0])]


def entered(shell: tuple[str, ...], root: Path, path: str) -> Completed:
    """Return what the working directory is, once it was entered."""
    script = f'{PLACES}\nroot=$1\nat "$2"\npwd -P\n'
    return LocalShell().run((*shell, "-c", script, "at", str(root), path), deadline=Deadline(BOUND))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("to", ["two", "../outside", "two/objects"])
def test_a_link_is_not_entered_wherever_it_leads(shell: tuple[str, ...], tmp_path: Path, to: str) -> None:
    root = tmp_path / "root"
    for path in (root / "one/objects", root / "two/objects", tmp_path / "outside"):
        path.mkdir(parents=True)
    assert entered(shell, root, "one/objects").text().strip() == str(root / "one/objects")
    shutil.rmtree(root / "one")
    (root / "one").symlink_to(to)
    done = entered(shell, root, "one")
    assert done.returncode == CHANGED, done.stdout
    assert done.stderr == "error: somebody changed one in the middle of the work\n"


def test_a_quarantine_has_nothing_but_what_was_asked_for(tmp_path: Path) -> None:
    packs = tmp_path / f"{scripts.WORK}/one/objects/pack"
    packs.mkdir(parents=True)
    for name in ("pack-1.pack", "pack-2.pack", ".pack-1.pack.Ab3", ".x.idx", "..y"):
        (packs / name).write_text("")
    done = LocalShell().run(scripts.argv(scripts.QUARANTINE, str(tmp_path), "one", "pack-1"), deadline=Deadline(BOUND))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in packs.iterdir()] == ["pack-1.pack"]


def test_a_file_system_that_does_not_tell_its_size_can_be_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    silent = tmp_path / "bin/df"
    silent.write_text("#!/bin/sh\necho Size\necho -\n")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    packs = tmp_path / "packs"
    packs.mkdir()
    for suffix in (".pack", ".idx"):
        (packs / f"pack-1{suffix}").write_bytes(bytes(40))
    done = LocalShell().run(scripts.argv(scripts.CHECK_PACKS, str(packs), "trailers"), deadline=Deadline(BOUND))
    assert done.returncode == 0 and done.text().startswith("pack-1 40 "), done.stderr
