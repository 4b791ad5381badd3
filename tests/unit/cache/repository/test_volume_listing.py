# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The use of a volume's space, on a directory with all kinds of things, adds up to what du says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.overlap import overlap, to_read
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.usage import Listing, Usage, usage
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.scripts import LEFT, USAGE, WORK
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.volume_listing import list_volume, parse_listing, read_starts
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make

PACKS = "one/objects/pack"


def looked(root: Path) -> Listing:
    return list_volume(LocalShell(), str(root), Deadline(BOUND, "the test"))


def holding(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def du(*paths: Path) -> int:
    return int(subprocess.run(["du", "-B1", "-s", "-c", *paths], capture_output=True, timeout=BOUND, check=True).stdout.split(b"\n")[-2].split()[0])


def test_all_that_is_there_is_of_one_kind_and_adds_up(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    make.make(root / "one", commits=3)
    make.git(root / "one", "repack", "-a", "-d", "-q")
    make.make(root / "by hand", commits=3)
    killed = holding(root / PACKS / "tmp_pack_x", 50_000)
    aside = holding(root / "one/left#x#1000.1.2/file", 20_000)
    holding(root / "foreign" / "deep" / "objects" / "pack" / "file", 30_000)
    holding(root / "file\nof a stranger", 10_000)
    (root / "dangling").symlink_to("nowhere")
    holding(root / WORK / "one/objects/pack/pack-1.pack", 40_000)
    holding(root / f"{LEFT}#one#1.2.3", 9000)
    listing = looked(root)
    assert set(listing.names) == {path.name for path in root.iterdir()}
    assert sum(listing.sizes.values()) + listing.set_aside == du(*root.iterdir())
    found = usage(listing, {"one"}, {"one", "by hand"}, (WORK, LEFT))
    assert found.used == du(*root.iterdir())
    assert found.leftovers == du(root / WORK, root / f"{LEFT}#one#1.2.3", aside.parent, killed)
    assert found.by_hand == du(root / "by hand")
    assert found.foreign == du(root / "foreign", root / "file\nof a stranger", root / "dangling")
    assert list(listing.packs) == [PACKS], "what is deeper is no entry's, and a run's work is its own"


def test_what_two_packs_share_is_what_git_itself_says(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    entry = make.make(root / "one", commits=30)
    make.git(entry, "repack", "-a", "-d", "-q")
    values = make.git(entry, "rev-list", "--objects", "main~20", "--no-object-names").splitlines()[:20]
    make.git(entry, "pack-objects", "-q", "--window=0", str(entry / "objects/pack/pack"), stdin="".join(f"{value}\n" for value in values).encode())
    (packs,) = looked(root).packs.values()
    starts = read_starts(LocalShell(), str(root), {PACKS: to_read(packs, "")}, Deadline(BOUND, "the test"))
    smaller = min(packs, key=lambda pack: pack.pack_bytes)
    assert overlap(packs, starts[PACKS], "").duplicates == smaller.pack_bytes - 12 - 20
    larger = max(packs, key=lambda pack: pack.pack_bytes)
    assert overlap(packs, starts[PACKS], larger.name).leaving == smaller.disk_bytes == du(*entry.glob(f"objects/pack/{smaller.name}.*"))


def test_an_index_that_shrinks_meanwhile_and_a_directory_that_is_led_away_are_not_told(tmp_path: Path) -> None:
    root = tmp_path / "volume"
    entry = make.make(root / "one", commits=3)
    make.git(entry, "repack", "-a", "-d", "-q")
    value = make.git(entry, "rev-parse", "main")
    make.git(entry, "pack-objects", "-q", str(entry / "objects/pack/pack"), stdin=f"{value}\n".encode())
    (packs,) = looked(root).packs.values()
    reads = {PACKS: to_read(packs, "")}
    index = min(entry.glob("objects/pack/*.idx"))
    index.chmod(0o644)
    index.write_bytes(index.read_bytes()[:500])
    assert read_starts(LocalShell(), str(root), reads, Deadline(BOUND, "the test")) == {}
    (entry / "objects/pack").rename(tmp_path / "elsewhere")
    (entry / "objects/pack").symlink_to(tmp_path / "elsewhere")
    assert read_starts(LocalShell(), str(root), reads, Deadline(BOUND, "the test")) == {}
    assert looked(root).packs == {}


def test_where_summing_up_takes_too_long_the_names_and_packs_are_told() -> None:
    late = parse_listing(b"free 5\0name one\x00100\t./one\x0020\t./tw\0late\0file 8 4000 one/objects/pack/tmp_x\0")
    assert late == Listing(5, ("one",), {}, 0, {"one": 4096}, {})
    assert usage(late, {"one"}, {"one"}, (WORK,)) == Usage()
    assert "timeout 10 du" in USAGE


def test_a_volume_without_anything(tmp_path: Path) -> None:
    listing = looked(tmp_path)
    assert (listing.names, listing.sizes, listing.free is not None) == ((), {}, True)
