# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems that refuse what others do, such as shares of which a directory cannot be flushed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Entry, Use, parse_entry
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import NEWER_GIT
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

from . import driver
from .programs import put_in_place

REFUSED = """#!/bin/sh
for word; do
    case $word in --) continue ;; esac
    if [ -d "$word" ]; then echo "sync: error syncing '$word': {words}" >&2; code=1; fi
done
exit ${{code:-0}}
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    make.make(tmp_path / "upstream" / "one.git", commits=5, branches=("dev",))
    with GitServer(tmp_path / "upstream") as server:
        yield server.url("one.git")


@pytest.mark.parametrize(
    ("method", "words"), [("git", "Invalid argument"), ("rsync", "Operation not permitted"), ("rsync", "Operation not supported")]
)
def test_a_share_that_refuses_to_flush_directories_and_to_change_modes_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, method: str, words: str
) -> None:
    refused = "#!/bin/sh\necho \"chmod: changing permissions of '.': Operation not permitted\" >&2\nexit 1\n"
    put_in_place(tmp_path, monkeypatch, sync=REFUSED.format(words=words), chmod=refused)
    volumes = tmp_path / "volumes"
    volumes.mkdir()
    for _run in ("the first", "an update"):
        result = driver.fill(volumes, url, method=method)
        assert not result.worker.failed and not result.sandbox.failed, result
        make.commit(tmp_path / "upstream" / "one.git", "main", 1)


def inspected(volume: Path, scratch: Path, within: tuple[str, ...] = ()) -> Entry:
    """The entry `one` of a volume, as the script sees it."""
    argv = (*within, *scripts.argv(scripts.INSPECT, str(volume), "one", "60", str(scratch), ""))
    return parse_entry(subprocess.run(argv, check=True, capture_output=True).stdout, str(volume), "one")


def test_a_volume_that_can_only_be_read_is_told_as_that(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    mounted = "mount --bind -- \"$1\" \"$1\" && mount -o remount,bind,ro -- \"$1\" && shift && exec \"$@\""
    within = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh", str(volume))
    entry = inspected(volume, tmp_path / "scratch", within)
    assert (entry.use, entry.reason) == (Use.BLOCKED, "the volume can only be read")
    assert "a file system with faults turns so" in entry.remedy and "fsGroup" not in entry.remedy


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("echo git version 2.31.8", "its git is 2.31.8, and the oldest of use is 2.32"),
        ("echo git version 1.8.3.1", "its git is 1.8.3.1, and the oldest of use is 2.32"),
        ("exit 127", "there is no git"),
    ],
)
def test_a_git_that_would_not_heed_our_configuration_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, words: str
) -> None:
    put_in_place(tmp_path, monkeypatch, git=f"#!/bin/sh\n{answer}\n")
    volume = tmp_path / "volume"
    volume.mkdir()
    entry = inspected(volume, tmp_path / "scratch")
    assert (entry.use, entry.reason) == (Use.BLOCKED, f"nothing can be done where it is mounted: {words}")
    assert entry.remedy == NEWER_GIT


def test_a_disk_that_fails_is_no_share_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    put_in_place(tmp_path, monkeypatch, sync=REFUSED.format(words="Input/output error"))
    volumes = tmp_path / "volumes"
    volumes.mkdir()
    result = driver.fill(volumes, url, method="git")
    assert result.sandbox.failed and "Input/output error" in str(result), result
    assert not (volumes / "sandbox" / "one").exists()
