# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fetch of more than there is room for ends when upstream has announced how much, with the figures; else its proof is a phase."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import announced, mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.announced import PROVING, Announcement, Room, TooLarge
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetch_errors import OutOfMemory, explained_fetch
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetching import phase_of
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mirror import Mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream import server as upstream_server
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

GIB = 2**30
KERNEL = 9_906_037
AT_FIRST = f"Receiving objects:   0% (1/{KERNEL})"


def reader(**room: int) -> Announcement:
    return Announcement("https://h/linux.git", "pod w/seed", Room(more_disk="Raise it.", **room))


def test_a_repository_like_the_kernel_fits_into_the_memory_that_a_seed_has_by_default() -> None:
    found = reader(memory=3 * GIB, disk=4 * GIB)
    found.read(AT_FIRST)
    assert found.refusal is None


@pytest.mark.parametrize(
    "line",
    [
        "remote: Receiving objects: 1% (1/2), 1.2.3 MiB",
        f"remote: Receiving objects: 0% (1/{'9' * 350})",
        f"Receiving objects: 0% (1/{'9' * 5000})",
        "Receiving objects: 1% (1/2), 1.2.3 MiB | 1 MiB/s",
        "remote: Resolving deltas: 100% (1/1), done",
    ],
)
def test_what_upstream_says_for_itself_is_shown_and_nothing_else(line: str) -> None:
    found = reader(memory=768 * 2**20)
    assert found.read(line)[-1] == line
    found.read(AT_FIRST)
    assert found.refusal is not None  # and the proof was not taken for begun


def test_too_little_memory_is_told_with_the_figures_when_the_first_object_comes() -> None:
    found = reader(memory=768 * 2**20)
    found.read(AT_FIRST)
    assert str(found.refusal) == (
        "https://h/linux.git has 9906037 objects to send, for which git needs at least 942 MB of memory, and pod w/seed has 805 MB. The fetch was "
        "ended. 2048Mi are enough. Raise the memory limit of the container (a filler's: option `filler.resources.limits.memory`; a seed pod's: option "
        "`seed.resources.limits.memory`). Or use option `method: rsync`, for which the controller's memory counts."
    )


def test_more_objects_than_fit_at_their_smallest_are_refused_at_once() -> None:
    found = reader(disk=300_000_000)
    found.read(AT_FIRST)
    assert str(found.refusal) == (
        "https://h/linux.git has 9906037 objects to send, which take at least 396 MB, and there is room for 300 MB in pod w/seed. The fetch was ended. "
        "Raise it."
    )


def test_the_fetch_ends_before_the_place_is_full() -> None:
    found = reader(disk=4 * GIB)
    found.read(f"Receiving objects:  70% (6934226/{KERNEL}), 3.70 GiB | 40.00 MiB/s")
    assert found.refusal is None
    found.read(f"Receiving objects:  71% (7033287/{KERNEL}), 3.75 GiB | 40.00 MiB/s")
    assert str(found.refusal) == (
        "https://h/linux.git has 9906037 objects to send. The first 7033287 of them and the index take 4.3 GB, and there is room for 4.3 GB in pod "
        "w/seed. The fetch was ended. Raise it."
    )


def test_what_may_not_fit_is_told_once() -> None:
    found = reader(disk=4 * GIB)
    assert found.read(AT_FIRST) == ("9906037 objects are to come, which take 1.0 GB to 6.2 GB; there is room for 4.3 GB", AT_FIRST)
    assert found.read(AT_FIRST) == (AT_FIRST,)


def test_what_is_not_known_refuses_nothing() -> None:
    found = reader()
    assert found.read(f"Receiving objects:  71% (7033287/{KERNEL}), 999.00 GiB | 40.00 MiB/s") and found.refusal is None


def test_the_proof_is_a_phase_from_the_last_delta_on() -> None:
    found = reader()
    shown = [found.read(line) for line in ("Resolving deltas:  99% (99/100)", "Resolving deltas: 100% (100/100), done.", "From https://h/linux")]
    assert shown == [("Resolving deltas:  99% (99/100)",), (PROVING,), (PROVING,)]
    assert phase_of("linux", PROVING) == ("proves linux", "")
    assert phase_of("linux", AT_FIRST) == ("fetches linux", AT_FIRST)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    make.make(tmp_path / "upstream" / "one.git", commits=200)
    with GitServer(tmp_path / "upstream") as started:
        yield started


def fetched(server: GitServer, place: Path, limits: Limits | None, most_bytes: int = 0) -> list[str]:
    """Fetch as a seed does; the lines that were shown."""
    project, deadline, lines = Project("one", server.url("one.git")), Deadline(BOUND, "this test"), list[str]()
    there = Mirror(LocalShell(), str(place / "one.git"), str(place / "packs"), str(place / "config"), limits)
    there.fetch(project, read_snapshot(LocalShell(), project, deadline), deadline, lines.append, most_bytes)
    return lines


def slowly(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes come as slowly as gigabytes."""
    server.rate = 10_000
    monkeypatch.setattr(upstream_server, "_CHUNK", 200)


def test_git_is_ended_where_its_announcement_is_too_large(server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slowly(server, monkeypatch)
    monkeypatch.setattr(announced, "LEAST_MEMORY", 2**21)
    with pytest.raises(TooLarge, match=r"has \d+ objects to send, for which git needs at least [\d.]+ GB of memory, and this machine has 268 MB"):
        fetched(server, tmp_path, Limits())
    assert list((tmp_path / "one.git/objects/pack").glob("*.pack")) == []


def test_on_the_controller_what_is_free_counts_and_no_limit_of_memory(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(server, monkeypatch)
    monkeypatch.setattr(announced, "LEAST_MEMORY", 2**60)
    monkeypatch.setattr(announced, "LEAST_PACKED", 2**60)
    with pytest.raises(TooLarge, match=r"which take at least .* there is room for [\d.]+ GB in this machine.*option `clones`"):
        fetched(server, tmp_path, None)


def test_df_of_any_kind_is_understood() -> None:
    posix = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 263174212 30000000 66000000 32% /tmp/a 7% b\n"
    found = mirror._FREE.search(posix)
    assert found is not None and found[1] == "66000000"


def test_a_proof_that_was_killed_is_no_fault_of_upstreams() -> None:
    words = "error: rev-list died of signal 9\nerror: https://h/x.git did not send all necessary objects\n"
    found = explained_fetch("https://h/x.git", "pod w/seed", Completed(("git",), 1, b"", words))
    assert isinstance(found, OutOfMemory)
    assert re.match(r"git was killed in pod w/seed, probably for want of memory: error: rev-list died of signal 9", found.message)
