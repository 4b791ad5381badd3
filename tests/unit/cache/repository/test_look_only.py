# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project that is there already is looked at, and nothing is made on its volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.plan import Action
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed

from .beginnings import a_dozen
from .driver import LocalVolumeAccess, fill

WRITING = {
    "QUARANTINE": scripts.QUARANTINE,
    "CHECK_PACKS": scripts.CHECK_PACKS,
    "CLEAN": scripts.CLEAN,
    "LOCKING": scripts.LOCKING,
}


class Noting(LocalShell):
    """Notes which of the scripts that belong to a publication run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        self.ran += [name for name, text in WRITING.items() if text in argv]
        return super().run(argv, **more)


@pytest.mark.parametrize(("method", "ran"), [("git", []), ("rsync", ["CLEAN"])])
def test_where_nothing_is_lacking_no_quarantine_is_made(tmp_path: Path, method: str, ran: list[str]) -> None:
    """By rsync the worker's volume may have kept packs of an earlier try, which are removed."""
    access = LocalVolumeAccess(tmp_path, shell := Noting())
    with a_dozen(tmp_path) as server:
        fill(tmp_path, server.url("one.git"), method=method, access=access)
        assert shell.ran, "a first fill makes one"
        shell.ran, access.records = [], {}  # so that both volumes are looked at again
        result = fill(tmp_path, server.url("one.git"), method=method, access=access)
    assert [project.action for project in (*result.sandbox.projects, *result.worker.projects)] == [Action.NOTHING] * 2
    assert shell.ran == ran


def test_a_quarantine_that_a_failed_run_has_left_is_removed_though_nothing_comes(tmp_path: Path) -> None:
    access = LocalVolumeAccess(tmp_path)
    with a_dozen(tmp_path) as server:
        fill(tmp_path, server.url("one.git"), method="rsync", access=access)
        access.records = {}
        for role in ("worker", "sandbox"):
            left = tmp_path / role / scripts.WORK / "one/objects/pack"
            left.mkdir(parents=True)
            (left / f"pack-{40 * 'a'}.pack").write_bytes(b"half of a pack")
        result = fill(tmp_path, server.url("one.git"), method="rsync", access=access)
    assert [project.action for project in (*result.sandbox.projects, *result.worker.projects)] == [Action.NOTHING] * 2
    assert not list(tmp_path.glob(f"*/{scripts.WORK}"))
