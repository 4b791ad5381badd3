# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's repository has the shape that it says, also where it is a small one; and one that was not made whole is not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.packit.deployment.tests.repositories import realistic
from ansible_collections.packit.deployment.tests.repositories.kernel import KernelShape, make_kernel
from ansible_collections.packit.deployment.tests.repositories.make import git

SHAPE = KernelShape(commits=1_000, top=4, middle=3, low=2, files=3, lines=6)


def test_a_small_one_is_whole_and_has_the_shape_of_the_large_one(tmp_path: Path) -> None:
    made = tmp_path / "made.git"
    make_kernel(made, SHAPE)
    assert git(made, "fsck", "--full", "--strict") == ""  # nothing dangles either: all of it is sent to whoever clones
    assert int(git(made, "rev-list", "--all", "--count")) == SHAPE.commits
    assert int(git(made, "rev-list", "--all", "--merges", "--count")) == SHAPE.commits // 30
    assert git(made, "tag") == "v0"
    files = git(made, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert len(files) == SHAPE.all_files == 72 and {name.count("/") for name in files} == {3}
    counted = dict(line.split(": ") for line in git(made, "count-objects", "-v").splitlines())
    assert (counted["packs"], counted["count"], counted["garbage"]) == ("1", "0", "0")
    # A commit, two files, and seven directories, of which the two files share some: more of them where there are fewer.
    assert 8 < int(counted["in-pack"]) / SHAPE.commits < 10


def test_what_was_not_made_to_its_end_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realistic, "CACHE", tmp_path)

    def cut_off(path: Path) -> None:
        path.mkdir()
        (path / "half").write_text("")
        raise KeyboardInterrupt

    def whole(path: Path) -> None:
        path.mkdir()
        (path / "whole").write_text("")

    with pytest.raises(KeyboardInterrupt):
        realistic.cached("one", cut_off)
    assert not (tmp_path / "one").exists()
    assert [path.name for path in realistic.cached("one", whole).iterdir()] == ["whole"]
    assert realistic.cached("one", cut_off) == tmp_path / "one"
