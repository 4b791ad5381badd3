# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished packs from a seed over a real rsync daemon, and from this machine: what is cut goes on, what is damaged is copied again."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.packs import BadPack
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mirror import Mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import FinishedPacks, PackMaker
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer import finished_packs as transfer_packs
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer import over_network
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_seed import SEED
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.finished_packs import PackTransfer, Transport
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_exec import ExecTransport
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_network import (
    Key,
    NetworkTransport,
    Route,
    SeedLost,
    probe,
    serve,
)
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError, PlaceLost
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.progress import OnLine
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed, RsyncPeer
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.once import copied
from ansible_collections.packit.deployment.tests.ports import own_port
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.repository.driver import project_of
from ansible_collections.packit.deployment.tests.upstream.server import GitServer
from ansible_collections.packit.deployment.tests.waiting import until

ADDRESS = "127.77.0.1"
KEY, OTHER = Key("filler-0", "the secret"), Key("filler-1", "another secret")


class Place:
    """A seed and a volume, both directories of this machine."""

    def __init__(self, directory: Path, url: str, port: int) -> None:
        self.shell = LocalShell()
        self.directory = directory
        self.project = project_of(url)
        self.snapshot = read_snapshot(self.shell, self.project, self.deadline())
        served = directory / "seed" / "packs"
        self.route = Route(ADDRESS, str(served), port)
        self.daemon = directory / "rsyncd"
        self.mirror = Mirror(self.shell, str(directory / "seed/one.git"), str(served / "one"), str(directory / "seed/config"), Limits())
        self.root = directory / "volume"
        self.root.mkdir()
        self.repository = Repository(self.shell, str(self.root), "one", str(directory / "scratch"), Limits())

    def deadline(self) -> Deadline:
        return Deadline(BOUND, "this test")

    def ready(self, snapshot: Snapshot, deadline: Deadline) -> PackMaker:
        self.mirror.fetch(self.project, snapshot, deadline)
        return self.mirror.maker()

    def maker(self, snapshot: Snapshot) -> PackMaker:
        return self.mirror.maker()

    def lost(self) -> None:
        return

    def serve(self) -> None:
        serve(self.shell, str(self.daemon), self.route.served, self.route, (KEY, OTHER), self.deadline())
        until(self._listens, "the seed's daemon to listen")

    def _listens(self) -> bool:
        with socket.socket() as visitor:
            return visitor.connect_ex((self.route.address, self.route.port)) == 0

    def stop(self) -> None:
        file = self.daemon / "rsyncd.pid"
        if file.exists():
            os.kill(int(file.read_text()), signal.SIGTERM)

    def received(self) -> int:
        """Bytes that the daemon has sent of packs, by its log, the file lists apart."""
        log = self.daemon / "rsyncd.log"
        return until(lambda: sum(map(int, re.findall(r"sent (\d+) bytes", log.read_text()))), "the daemon's words of what it sent")

    def bring(self, transport: Transport) -> tuple[str, ...]:
        """Receive the snapshot; the warnings."""
        transfer = PackTransfer(SEED, self, transport)
        transfer.prepare(self.snapshot, self.deadline(), first=True)
        entry, _removed = self.repository.take(self.deadline(), keep_received=True)
        return transfer.receive(self.repository, entry, self.snapshot, self.deadline()).warnings


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    copied("two-megabytes", lambda path: make.make_large(path, 2, commits=40, texts=20), tmp_path / "upstream" / "one.git")
    with GitServer(tmp_path / "upstream") as server, own_port(ADDRESS) as port:
        found = Place(tmp_path, server.url("one.git"), port)
        try:
            yield found
        finally:
            found.stop()


class MappedRoot(LocalShell):
    """Root in a user namespace of one user, as in a pod with one, where nobody may set groups."""

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        return super().run(("unshare", "--user", "--map-root-user", *argv), **more)


def test_a_daemon_of_a_root_that_may_set_no_groups_serves(place: Place) -> None:
    packs = finished(place)
    place.shell = MappedRoot()
    place.serve()
    assert probe(LocalShell(), str(place.directory / "probing"), place.route, KEY, place.deadline()) == ""
    assert place.bring(NetworkTransport(place.route, KEY)) == ()
    assert {path.name for path in (place.root / ".packit-deployment#work/one/objects/pack").glob("*.pack")} == {f"{name}.pack" for name in packs.names}


def finished(place: Place) -> FinishedPacks:
    place.ready(place.snapshot, place.deadline())
    return place.maker(place.snapshot).make(place.snapshot, (), place.deadline())


def partial(place: Place, packs: FinishedPacks, share: float, flip: bool = False) -> None:
    """Return what a transfer that was cut off has left of the pack."""
    place.repository.quarantine(place.deadline())
    data = bytearray((Path(packs.directory) / f"{packs.names[0]}.pack").read_bytes())
    if flip:
        data[5000] ^= 1
    (Path(place.repository.pack_directory) / f"{packs.names[0]}.pack").write_bytes(data[: int(len(data) * share)])


def test_a_fresh_clone_is_handed_out_as_the_pack_that_it_is(place: Place) -> None:
    packs = finished(place)
    assert packs.complete
    assert [f"{name}.pack" for name in packs.names] == [
        path.name for path in (place.directory / "seed/one.git/objects/pack").glob("*.pack")
    ]


def test_a_kept_repository_that_is_damaged_is_fetched_anew(place: Place) -> None:
    packs = finished(place)
    kept = next((place.directory / "seed/one.git/objects/pack").glob("*.pack"))
    data = bytearray(kept.read_bytes())
    data[5000] ^= 1
    kept.unlink()
    kept.write_bytes(data)
    place.mirror = Mirror(place.shell, str(place.directory / "seed/one.git"), str(place.directory / "seed/packs/one"), "", None)
    again = finished(place)
    assert (again.names, again.bytes) == (packs.names, packs.bytes)
    assert place.bring(ExecTransport(place.shell)) == ()


def test_locks_that_a_killed_run_has_left_in_a_kept_repository_stop_nobody(place: Place) -> None:
    finished(place)
    kept = place.directory / "seed/one.git"
    for name in ("packed-refs.lock", "packed-refs.new", "config.lock", "refs/heads/main.lock"):
        (kept / name).write_text("")
    make.commit(place.directory / "upstream/one.git", "main", 1)
    place.snapshot = read_snapshot(place.shell, place.project, place.deadline())
    place.mirror = Mirror(place.shell, str(kept), str(place.directory / "seed/packs/one"), "", None)
    assert finished(place).names
    assert not list(kept.rglob("*.lock"))


def test_a_kept_repository_whose_making_was_killed_is_made_again(place: Place) -> None:
    kept = place.directory / "seed/one.git"
    (kept / "refs").mkdir(parents=True)
    (kept / "HEAD").write_text("ref: refs/heads/main\n")  # what `git init` has made by then
    assert finished(place).complete


def test_packs_arrive_over_the_network_and_through_an_exec(place: Place) -> None:
    place.serve()
    assert place.bring(NetworkTransport(place.route, KEY)) == ()
    names = {path.name for path in Path(place.repository.pack_directory).iterdir()}
    assert len(names) == 2
    place.repository.clean(place.deadline())
    assert place.bring(ExecTransport(place.shell)) == ()
    assert {path.name for path in Path(place.repository.pack_directory).iterdir()} == names


def test_a_copy_that_was_cut_at_a_half_copies_no_more_than_the_rest(place: Place) -> None:
    packs = finished(place)
    partial(place, packs, 0.5)
    place.serve()
    place.bring(NetworkTransport(place.route, KEY))
    assert 0 < place.received() <= 0.6 * packs.bytes


def test_a_bit_that_flipped_is_found_named_and_repaired_by_a_new_copy_of_that_pack(place: Place) -> None:
    packs = finished(place)
    partial(place, packs, 0.7, flip=True)
    place.serve()
    assert place.bring(NetworkTransport(place.route, KEY)) == (f"pack {packs.names[0]} of one arrived damaged and was copied again",)


class Flipping:
    """A transport on whose way a bit flips, each time."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.copies = 0

    def prepare(self, packs: FinishedPacks, deadline: Deadline) -> None:
        self._transport.prepare(packs, deadline)

    def copy(self, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        self._transport.copy(packs, repository, deadline, progress)
        self.copies += 1
        file = Path(repository.pack_directory) / f"{packs.names[0]}.pack"
        file.chmod(0o644)
        data = bytearray(file.read_bytes())
        data[5000] ^= 1
        file.write_bytes(data)


def test_a_pack_that_arrives_damaged_each_time_is_an_error_after_three_copies(place: Place) -> None:
    (name,) = finished(place).names
    place.serve()
    transport = Flipping(NetworkTransport(place.route, KEY))
    with pytest.raises(BadPack, match=rf"Pack {name} in this machine is damaged: its SHA-1 is \w+, and \w+ where it was made\.") as caught:
        place.bring(transport)
    assert transport.copies == 3
    assert "suspect the volume or the network" in caught.value.remedy


def test_a_pack_that_is_damaged_where_it_is_made_is_not_sent(place: Place) -> None:
    packs = finished(place)
    file = Path(packs.directory) / f"{packs.names[0]}.pack"
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    file.unlink()  # the repository of the seed has the same file by another link
    file.write_bytes(data)
    with pytest.raises(BadPack, match=f"Pack {packs.names[0]} in this machine is damaged: its checksum is") as caught:
        place.maker(place.snapshot).make(place.snapshot, (), place.deadline())
    assert caught.value.remedy.startswith("Nothing was sent. Suspect the disk of this machine")


@pytest.mark.parametrize("planted", ["another pack", "an index that hides objects"])
def test_what_lies_in_the_quarantine_is_believed_by_its_checksum_only(place: Place, planted: str) -> None:
    """As large as what is to come, so that rsync would go on after its end, and whole by its own checksums."""
    packs = finished(place)
    true = Path(packs.directory) / packs.names[0]
    index = bytearray(true.with_suffix(".idx").read_bytes())
    place.repository.quarantine(place.deadline())
    there = Path(place.repository.pack_directory) / packs.names[0]
    if planted == "another pack":
        other = make.make_large(place.directory / "other.git", 3, commits=60, seed=5, texts=20)
        found = next((other / "objects/pack").glob("*.pack"))
        assert found.stat().st_size >= true.with_suffix(".pack").stat().st_size
        for suffix in (".pack", ".idx"):
            there.with_suffix(suffix).write_bytes(found.with_suffix(suffix).read_bytes())
    else:
        index[8 + 1024 + 19] ^= 1
        index[-20:] = hashlib.sha1(index[:-20]).digest()
        there.with_suffix(".pack").write_bytes(true.with_suffix(".pack").read_bytes())
        there.with_suffix(".idx").write_bytes(index)
    place.serve()
    place.bring(NetworkTransport(place.route, KEY))
    for suffix in (".pack", ".idx"):
        assert there.with_suffix(suffix).read_bytes() == true.with_suffix(suffix).read_bytes()


def test_packs_of_another_snapshot_in_the_quarantine_are_not_kept(place: Place) -> None:
    place.repository.quarantine(place.deadline())
    stranger = Path(place.repository.pack_directory) / f"pack-{'a' * 40}.pack"
    stranger.write_bytes(b"x")
    place.serve()
    place.bring(NetworkTransport(place.route, KEY))
    assert not stranger.exists()


def test_a_wrong_secret_is_refused_and_the_right_one_leaves_no_file(place: Place) -> None:
    place.serve()
    scratch = str(place.directory / "scratch")
    assert probe(place.shell, scratch, place.route, KEY, place.deadline()) == ""
    assert not (place.directory / "scratch/secret").exists()
    refused = probe(place.shell, scratch, place.route, replace(KEY, secret="another"), place.deadline())
    assert "auth failed on module packs" in refused
    assert "another" not in refused
    assert "the secret" not in repr(KEY)


def test_nothing_but_what_is_served_can_be_read(place: Place) -> None:
    place.serve()
    listed = place.shell.run(("rsync", f"rsync://{ADDRESS}:{place.route.port}/"), deadline=place.deadline())
    assert (listed.returncode, listed.stdout) == (0, b"")
    script = 'umask 077; echo "the secret" >"$1"; rsync --password-file="$1" "$3" "$2"'
    stolen = place.directory / "stolen"
    argv = ("sh", "-c", script, "x", str(place.directory / "pw"), str(stolen), place.route.url(KEY.user, "../../rsyncd/secret"))
    done = place.shell.run(argv, deadline=place.deadline())
    assert done.returncode != 0 and not stolen.exists()


def test_a_seed_that_is_gone_is_lost_not_failed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_network, "_PAUSE", 0.01)
    with pytest.raises(PlaceLost, match="Connection refused"):
        place.bring(NetworkTransport(place.route, KEY))


class Losing:
    """A transport that loses the other side each time."""

    def __init__(self) -> None:
        self.tries = 0

    def prepare(self, packs: FinishedPacks, deadline: Deadline) -> None:
        self.tries += 1
        raise PlaceLost(f"cut for the {self.tries}th time")

    def copy(self, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        raise AssertionError("nothing was prepared")


def test_packs_that_are_lost_on_their_way_each_time_are_not_made_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_packs, "_PAUSE", 0.01)
    transport = Losing()
    with pytest.raises(PlaceLost, match="cut for the 4th time"):
        place.bring(transport)


# What it leaves has its streams until its end can be seen: rsync looks for its exit code when they end.
KILLED = (
    'exec 3<&0; killed=$$; while read -r pid name state rest <"/proc/$killed/stat" && [ "$state" != Z ]; do sleep 0.02; done & exit 137'
)


class Killed(LocalShell):
    """A pod whose rsync is killed; ``gone``: as the pod ends."""

    def __init__(self, gone: bool) -> None:
        super().__init__()
        self._gone = gone

    @property
    def where(self) -> str:
        return "pod sand/filler"

    @contextmanager
    def rsync_peer(self, deadline: Deadline, within: Sequence[str] = ()) -> Iterator[RsyncPeer]:
        yield RsyncPeer(("sh", "-c", KILLED, "x"), "pod:", {})

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        if self._gone and argv == ("true",):
            raise PlaceLost("pod sand/filler is gone")
        return super().run(argv, **options)


@pytest.mark.parametrize(
    ("gone", "words", "remedy"),
    [(True, "is gone", ""), (False, "ended with code 137 (rsync was killed", "Raise the memory limit of the container")],
)
def test_an_rsync_that_was_killed_is_the_pods_end_or_a_want_of_memory(place: Place, gone: bool, words: str, remedy: str) -> None:
    packs = finished(place)
    place.repository.quarantine(place.deadline())
    there = Repository(Killed(gone), str(place.root), "one", str(place.directory / "scratch"), Limits())
    with pytest.raises(DeploymentError) as caught:
        ExecTransport(place.shell).copy(packs, there, place.deadline(), None)
    assert isinstance(caught.value, PlaceLost) is gone
    assert words in caught.value.message and remedy in caught.value.remedy


# An rsync that is slow, and whose receiver is killed as soon as there is one; $1 the real one, then its arguments.
KILLING = r"""
rsync=$1
shift
case " $* " in *" --files-from="*) ;; *) exec "$rsync" "$@" ;; esac
"$rsync" --bwlimit=1 "$@" &
main=$!
until [ -n "$receiver" ] || ! kill -0 $main; do sleep 0.02; read -r receiver <"/proc/$main/task/$main/children"; done
kill -9 $receiver
wait $main
"""


@pytest.mark.parametrize("gone", [True, False])
def test_a_receiver_that_is_killed_on_the_volume_is_not_the_seeds_fault(place: Place, monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    packs = finished(place)
    place.serve()
    place.repository.quarantine(place.deadline())
    script = place.directory / "bin" / "rsync"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\nexec sh -c '{KILLING}' rsync {shutil.which('rsync')} \"$@\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    there = Repository(Killed(gone), str(place.root), "one", str(place.directory / "scratch"), Limits())
    with pytest.raises(DeploymentError) as caught:
        NetworkTransport(place.route, KEY).copy(packs, there, place.deadline(), None)
    if gone:
        assert isinstance(caught.value, PlaceLost) and not isinstance(caught.value, SeedLost)
        assert caught.value.message == "pod sand/filler is gone"
    else:
        assert not isinstance(caught.value, PlaceLost)
        assert "rsync from the seed at 127.77.0.1 to pod sand/filler ended with code 12 (rsync was killed" in caught.value.message
        assert caught.value.remedy.startswith("Raise the memory limit of the container")


def test_a_seed_that_ends_before_it_greets_is_lost(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_network, "_PAUSE", 0.01)
    finished(place)
    greeted = 0
    with socket.create_server((ADDRESS, place.route.port)) as listener:
        listener.settimeout(BOUND)

        def hang_up() -> None:
            nonlocal greeted
            for _connection in range(over_network._TRIES):
                with listener.accept()[0] as connection:
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1024):  # what is closed with words that nobody has read is reset, and not ended
                        pass
                greeted += 1

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(PlaceLost, match="did not see server greeting"):
            place.bring(NetworkTransport(place.route, KEY))
        thread.join()
    assert greeted == over_network._TRIES


def test_a_seed_whose_packs_are_gone_is_lost(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_network, "_PAUSE", 0.01)
    packs = finished(place)
    place.serve()
    place.repository.quarantine(place.deadline())
    shutil.rmtree(packs.directory)
    with pytest.raises(PlaceLost, match="No such file"):
        NetworkTransport(place.route, KEY).copy(packs, place.repository, place.deadline(), None)


def test_a_volume_without_room_is_refused_before_a_byte_is_copied(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.serve()
    script = place.directory / "bin" / "df"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nprintf 'Avail\\n1000000\\n'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    with pytest.raises(DeploymentError, match=r"one needs 2 MB more on the volume, which has 1 MB free \(seen in this machine\)"):
        place.bring(NetworkTransport(place.route, KEY))
    assert list(Path(place.repository.pack_directory).iterdir()) == []


def test_a_delta_is_made_against_what_the_volume_has(place: Place) -> None:
    place.serve()
    place.bring(NetworkTransport(place.route, KEY))
    upstream = place.directory / "upstream/one.git"
    old = place.snapshot
    make.commit(upstream, "main", 2)
    place.snapshot = read_snapshot(place.shell, place.project, place.deadline())
    place.ready(place.snapshot, place.deadline())
    maker = place.maker(place.snapshot)
    unknown = "f" * 40
    base = maker.known([*old.ids, unknown], old, place.deadline())
    assert set(base) == set(old.ids)  # an id that the seed lacks would stop git
    delta = maker.make(place.snapshot, base, place.deadline())
    assert not delta.complete and 0 < delta.bytes < 100_000
    assert maker.make(place.snapshot, place.snapshot.ids, place.deadline()).names == ()
