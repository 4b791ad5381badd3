# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packs that arrived are those that were made: whole files' sums, by whichever program is there."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.packs import (
    BadPack,
    FinishedPack,
    Pack,
    compare_sums,
    files_of,
    parse_sums,
)
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND

NAME = f"pack-{'1' * 40}"
CONTENT = {f"{NAME}.pack": b"a pack", f"{NAME}.idx": b"an index"}
SUMS = {name: hashlib.sha1(data).hexdigest() for name, data in CONTENT.items()}
MADE = FinishedPack(NAME, 6, 8, SUMS[f"{NAME}.pack"], SUMS[f"{NAME}.idx"])


def summed(directory: Path, path: str) -> Completed:
    """The script for a quarantine below ``directory``, with these programs to be found."""
    packs = directory / "slot/objects/pack"
    packs.mkdir(parents=True)
    for name, data in CONTENT.items():
        (packs / name).write_bytes(data)
    argv = ("sh", "-c", scripts.SUMS, "test", "arrived", str(directory), "slot", *files_of([NAME]))
    return LocalShell().run(argv, deadline=Deadline(BOUND), env={"PATH": path})


def programs(directory: Path, *names: str) -> str:
    """A PATH with these programs of this machine's only."""
    directory.mkdir()
    for name in ("sh", *names):
        (directory / name).symlink_to(str(shutil.which(name)))
    return str(directory)


@pytest.mark.parametrize("names", [("sync", "sha1sum"), ("sync", "sha1sum", "openssl")])
def test_sums_are_the_same_with_and_without_openssl(tmp_path: Path, names: tuple[str, ...]) -> None:
    if not all(map(shutil.which, names)):
        pytest.skip("no openssl here")
    done = summed(tmp_path, programs(tmp_path / "bin", *names))
    assert done.returncode == 0, done.stderr
    assert parse_sums(done.text()) == SUMS
    assert compare_sums(done.text(), [MADE], "there") == (Pack(NAME, 6, MADE.index_sum),)


def test_an_openssl_that_refuses_is_done_without(tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", "sync", "sha1sum")
    refusing = tmp_path / "bin/openssl"
    refusing.write_text(f"#!/bin/sh\n: >{tmp_path}/asked\necho 'Error setting digest' >&2\nexit 1\n")
    refusing.chmod(0o755)
    assert parse_sums(summed(tmp_path, f"{path}:{os.environ['PATH']}").text()) == SUMS
    assert (tmp_path / "asked").exists()


def test_a_disk_that_fails_while_it_is_synced_is_an_error_though_the_sums_are_right(tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", "sha1sum")
    failing = tmp_path / "bin/sync"
    failing.write_text("#!/bin/sh\necho 'sync: error syncing: Input/output error' >&2\nexit 1\n")
    failing.chmod(0o755)
    done = summed(tmp_path, f"{path}:{os.environ['PATH']}")
    assert done.returncode == 5
    assert "Input/output error" in done.stderr
    assert parse_sums(done.text()) == SUMS


@pytest.mark.parametrize(("suffix", "words"), [(".pack", "Pack"), (".idx", "The index of pack")])
def test_a_file_that_is_not_as_it_was_made_is_named_with_both_sums(suffix: str, words: str) -> None:
    other = hashlib.sha1(b"flipped").hexdigest()
    output = "\n".join(f"{other if name.endswith(suffix) else value} *{name}" for name, value in SUMS.items())
    with pytest.raises(BadPack) as caught:
        compare_sums(output, [MADE], "pod a/b")
    assert caught.value.pack == NAME
    assert (
        caught.value.message
        == f"{words} {NAME} in pod a/b is damaged: its SHA-1 is {other}, and {SUMS[f'{NAME}{suffix}']} where it was made."
    )


@pytest.mark.parametrize("gone", [".pack", ".idx"])
def test_a_file_that_is_not_there_any_more_is_a_pack_to_copy_again(tmp_path: Path, gone: str) -> None:
    for name, data in CONTENT.items():
        if not name.endswith(gone):
            (tmp_path / name).write_bytes(data)
    argv = ("sh", "-c", scripts.SUMS, "test", str(tmp_path), "arrived", *files_of([NAME]))
    done = LocalShell().run(argv, deadline=Deadline(BOUND))
    assert done.returncode == 0, done.stderr
    with pytest.raises(BadPack, match=f"ack {NAME} is not in pod a/b any more") as caught:
        compare_sums(done.text(), [MADE], "pod a/b")
    assert caught.value.pack == NAME
