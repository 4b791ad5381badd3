# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever answers in a seed's place can send what they like: only what was asked for and proved is published."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.git.pack_maker import FinishedPacks
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.publication import publish
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.by_seed import SEED
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.finished_packs import PackTransfer, Transport
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_exec import ExecTransport
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.over_network import NetworkTransport, probe
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.progress import OnLine
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.transfer import test_packs
from ansible_collections.packit.deployment.tests.unit.cache.transfer.test_packs import KEY, OTHER, Place, finished

place = test_packs.place
TRANSPORTS: list[Callable[[Place], Transport]] = [lambda place: NetworkTransport(place.route, KEY), lambda place: ExecTransport(place.shell)]


def false_pack(place: Place) -> Path:
    """A pack with its index, whole and with right checksums, that nobody asked for; without suffix."""
    other = make.make_large(place.directory / "false.git", 1, commits=5, seed=9, texts=2)
    return next((other / "objects/pack").glob("*.pack")).with_suffix("")


def plant(directory: Path, false: Path, name: str) -> None:
    for suffix in (".pack", ".idx"):
        shutil.copy(false.with_suffix(suffix), directory / f"{name}{suffix}")


class Adding:
    """A transport on whose way somebody adds to what is sent, as rsync before 3.2.5 let a daemon do."""

    def __init__(self, transport: Transport, false: Path) -> None:
        self._transport = transport
        self._false = false

    def prepare(self, packs: FinishedPacks, deadline: Deadline) -> None:
        self._transport.prepare(packs, deadline)

    def copy(self, packs: FinishedPacks, repository: Repository, deadline: Deadline, progress: OnLine | None) -> None:
        self._transport.copy(packs, repository, deadline, progress)
        there = Path(repository.pack_directory)
        for name in (self._false.name, "pack-false", ".hidden", f"{packs.names[0]}.pack {self._false.name}"):
            plant(there, self._false, name)
        for name in ("multi-pack-index", f"{packs.names[0]}.keep", f"{packs.names[0]}.bitmap", f"{packs.names[0]}.promisor"):
            (there / name).write_text("false")
        (there / "directory/deep").mkdir(parents=True)


def published(place: Place, transport: Transport) -> set[str]:
    """Receive the snapshot and publish it; the files among its packs then."""
    transfer = PackTransfer(SEED, place, transport)
    transfer.prepare(place.snapshot, place.deadline(), first=True)
    entry, _removed = place.repository.take(place.deadline(), keep_received=True)
    incoming = transfer.receive(place.repository, entry, place.snapshot, place.deadline())
    counted = place.repository.contents(entry, incoming, place.deadline())
    assert len(counted.packs) == len(incoming.packs) + (len(list((place.root / "one").rglob("*.pack"))))
    publish(place.repository, entry, incoming, place.snapshot, lambda _name: True, False, place.deadline())
    return {path.name for path in (place.root / "one/objects/pack").iterdir()}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_only_what_was_asked_for_is_sent(place: Place, transport: Callable[[Place], Transport]) -> None:
    packs = finished(place)
    plant(Path(packs.directory), false_pack(place), "pack-" + "f" * 40)
    place.serve()
    place.repository.quarantine(place.deadline())
    transport(place).copy(packs, place.repository, place.deadline(), None)
    assert {path.name for path in Path(place.repository.pack_directory).iterdir()} == {
        f"{packs.names[0]}.pack",
        f"{packs.names[0]}.idx",
    }


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_only_what_was_proved_is_published(place: Place, transport: Callable[[Place], Transport]) -> None:
    place.serve()
    adding = Adding(transport(place), false_pack(place))
    first = finished(place).names[0]
    wanted = {f"{first}.pack", f"{first}.idx"}
    assert published(place, adding) == wanted
    make.commit(place.directory / "upstream/one.git", "main", 2)
    place.snapshot = read_snapshot(place.shell, place.project, place.deadline())
    after = published(place, adding)
    assert len(after) == 4 and wanted < after and not any("false" in name for name in after)
    held = make.git(place.root / "one", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    true = make.git(place.directory / "upstream/one.git", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert set(held) <= set(true)


def test_a_publication_takes_no_pack_that_lies_beside_the_proved(place: Place) -> None:
    """Whoever put it there, after what arrived was proved."""
    place.serve()
    transfer = PackTransfer(SEED, place, NetworkTransport(place.route, KEY))
    transfer.prepare(place.snapshot, place.deadline(), first=True)
    entry, _removed = place.repository.take(place.deadline(), keep_received=True)
    incoming = transfer.receive(place.repository, entry, place.snapshot, place.deadline())
    false = false_pack(place)
    plant(Path(place.repository.pack_directory), false, false.name)
    publish(place.repository, entry, incoming, place.snapshot, lambda _name: True, False, place.deadline())
    assert {path.stem for path in (place.root / "one/objects/pack").iterdir()} == {pack.name for pack in incoming.packs}


def test_each_key_opens_and_only_as_its_own_user(place: Place) -> None:
    place.serve()
    scratch = str(place.directory / "scratch")
    for key in (KEY, OTHER):
        assert probe(place.shell, scratch, place.route, key, place.deadline()) == ""
    swapped = type(KEY)(KEY.user, OTHER.secret)
    assert "auth failed on module packs" in probe(place.shell, scratch, place.route, swapped, place.deadline())
    assert not list(Path(scratch).glob("secret*")) and not list(Path(scratch).glob("names*"))
