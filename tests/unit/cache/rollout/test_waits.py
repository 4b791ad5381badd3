# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""While a volume is held, nothing waits without a limit for what another pair has done slowly."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Ref, Snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.packs import FinishedPack
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.fetch_errors import SnapshotGone
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mirror import Mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import FinishedPacks
from ansible_collections.packit.deployment.plugins.module_utils.cache.rollout.snapshots import Snapshots, SnapshotStale
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.via_controller import ControllerTransport
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeadlineExceeded, Interrupted
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND

from ..repository.driver import project_of

SNAPSHOT = Snapshot((Ref("refs/heads/main", "1" * 40),), "refs/heads/main")
PACKS = FinishedPacks("/served/one/abc", (FinishedPack(f"pack-{'2' * 40}", 1, 1, "", ""),), True)


class SlowShell:
    """A place where all takes until it is let go on."""

    where = "a slow place"

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        self.begun.set()
        assert self.go_on.wait(BOUND)
        return Completed(tuple(argv), 0, b"git version 2.39.5\n" if any("git version\n" in word for word in argv) else b"", "")

    def download(self, argv: Sequence[str], to: Path, **_: object) -> Completed:
        to.touch()
        return self.run(argv)


@contextmanager
def busy(shell: SlowShell, slow: Callable[[], object]) -> Iterator[None]:
    """Another pair's thread is in the middle of ``slow``."""
    thread = threading.Thread(target=slow)
    thread.start()
    assert shell.begun.wait(BOUND)
    try:
        yield
    finally:
        shell.go_on.set()
        thread.join()


def long() -> Deadline:
    return Deadline(BOUND, "the other pair")


@pytest.mark.parametrize("what", ["known", "make"])
@pytest.mark.parametrize("slow", ["fetch", "make"])
def test_a_held_volume_waits_for_a_busy_seed_no_longer_than_it_may(what: str, slow: str) -> None:
    shell = SlowShell()
    mirror = Mirror(shell, "/one.git", "/packs", "/config", Limits())  # type: ignore[arg-type]
    maker, other = mirror.maker(), mirror.maker()
    slowly = {
        "fetch": lambda: mirror.fetch(project_of("https://host/one"), SNAPSHOT, long()),
        "make": lambda: other.make(SNAPSHOT, (), long()),
    }
    quickly: dict[str, Callable[[Deadline], object]] = {
        "known": lambda limit: maker.known(["3" * 40], SNAPSHOT, limit),
        "make": lambda limit: maker.make(SNAPSHOT, ["3" * 40], limit),
    }
    with busy(shell, slowly[slow]), pytest.raises(DeadlineExceeded):
        quickly[what](Deadline(0.3, "the longest hold"))


def test_a_consumer_that_waits_for_the_volume_does_not_wait_for_another_pairs_copy(tmp_path: Path) -> None:
    shell, wanted = SlowShell(), threading.Event()
    wanted.set()
    transport = ControllerTransport(shell, None, tmp_path)  # type: ignore[arg-type]
    with busy(shell, lambda: transport.prepare(PACKS, long())), pytest.raises(Interrupted):
        transport.copy(PACKS, None, Deadline(BOUND, "a hold", wanted=wanted), None)  # type: ignore[arg-type]


def test_the_snapshot_is_told_at_once_while_another_projects_upstream_is_slow() -> None:
    reading, go_on = threading.Event(), threading.Event()

    def read(_project: Project) -> Snapshot:
        reading.set()
        assert go_on.wait(BOUND)
        return SNAPSHOT

    one, two = project_of("https://host/one"), Project("two", "https://host/two", ())
    old = Snapshot((), "")
    snapshots = Snapshots({"one": old, "two": old}, read)
    thread = threading.Thread(target=lambda: snapshots.renew(two, old))
    thread.start()
    try:
        assert reading.wait(BOUND)
        asked = threading.Thread(target=lambda: snapshots.current(one), daemon=True)
        asked.start()
        asked.join(BOUND)
        assert not asked.is_alive()
    finally:
        go_on.set()
        thread.join()
    assert snapshots.current(two) == SNAPSHOT


class Queue:
    """A lock that tells when two want it."""

    def __init__(self) -> None:
        self.two = threading.Event()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def __enter__(self) -> None:
        if next(self._numbers) == 2:
            self.two.set()
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def test_all_pairs_wait_for_the_one_that_reads_a_stale_snapshot_again() -> None:
    reading, go_on, reads = threading.Event(), threading.Event(), []

    def read(_project: Project) -> Snapshot:
        reads.append(1)
        reading.set()
        assert go_on.wait(BOUND)
        return SNAPSHOT

    def lost(_snapshot: Snapshot | None) -> None:
        raise SnapshotGone("not our ref")

    one, old = project_of("https://host/one"), Snapshot((), "")
    snapshots = Snapshots({"one": old}, read)
    with pytest.raises(SnapshotStale):
        snapshots.once_with_current(one, lost)
    assert snapshots.current(one) == old and not reads  # nobody has waited for upstream
    seen: list[Snapshot | None] = []
    snapshots._reading = queue = Queue()  # type: ignore[assignment]

    def renewed() -> None:
        snapshots.renew_if_stale(one)
        seen.append(snapshots.current(one))

    pairs = [threading.Thread(target=renewed) for _pair in range(2)]
    pairs[0].start()
    assert reading.wait(BOUND)
    pairs[1].start()
    assert queue.two.wait(BOUND)
    assert seen == []
    go_on.set()
    for pair in pairs:
        pair.join(BOUND)
    assert seen == [SNAPSHOT] * 2 and reads == [1]
