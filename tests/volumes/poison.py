# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make git read an attacker's content under the id of another: in packs' indexes, loose objects, and files derived from both."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

from ..repositories import make

_FANOUT = 8 + 256 * 4


def writable(directory: Path) -> None:
    """Everything in it can be changed."""
    for file in directory.rglob("*"):
        if not file.is_symlink():
            file.chmod(0o755 if file.is_dir() else 0o644)


def blobs(git_dir: Path) -> list[str]:
    """The ids of its blobs, sorted."""
    listed = make.git(git_dir, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)").splitlines()
    return sorted(line.split()[1] for line in listed if line.startswith("blob "))


def swap_offsets(index: Path, one: str, two: str) -> None:
    """Each of the two ids leads to the other's object; the index's own checksum is right."""
    data = bytearray(index.read_bytes())
    count = struct.unpack(">I", data[_FANOUT - 4 : _FANOUT])[0]
    ids = [data[_FANOUT + 20 * at : _FANOUT + 20 * at + 20].hex() for at in range(count)]
    offsets = _FANOUT + 24 * count
    first, second = (offsets + 4 * ids.index(value) for value in (one, two))
    data[first : first + 4], data[second : second + 4] = data[second : second + 4], data[first : first + 4]
    data[-20:] = hashlib.sha1(data[:-20]).digest()
    index.chmod(0o644)
    index.write_bytes(data)


def loosen(git_dir: Path) -> None:
    """All packs become loose objects."""
    writable(git_dir / "objects")
    for pack in list((git_dir / "objects/pack").glob("*.pack")):
        data = pack.read_bytes()
        for file in pack.parent.glob(f"{pack.stem}.*"):
            file.unlink()
        make.git(git_dir, "unpack-objects", "-q", stdin=data)
    writable(git_dir / "objects")


def write_loose(git_dir: Path, value: str, content: bytes, kind: str = "blob") -> Path:
    """Write a loose object of this content under any id."""
    file = git_dir / "objects" / value[:2] / value[2:]
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    file.write_bytes(zlib.compress(b"%b %d\0%b" % (kind.encode(), len(content), content)))
    return file


def pack_with_false_index(git_dir: Path, value: str, content: bytes) -> Path:
    """One more pack, in which the blob ``value`` has another content; its checksums are right. The newest pack is read first."""
    evil = make.git(git_dir, "hash-object", "-w", "--stdin", stdin=content)
    name = make.git(git_dir, "pack-objects", "--quiet", str(git_dir / "objects/pack/pack"), stdin=f"{evil}\n".encode())
    (git_dir / "objects" / evil[:2] / evil[2:]).unlink()
    index = git_dir / f"objects/pack/pack-{name}.idx"
    data = bytearray(index.read_bytes())
    first = int(value[:2], 16)
    data[8:_FANOUT] = b"".join(struct.pack(">I", int(at >= first)) for at in range(256))
    data[_FANOUT : _FANOUT + 20] = bytes.fromhex(value)
    data[-20:] = hashlib.sha1(data[:-20]).digest()
    index.chmod(0o644)
    index.write_bytes(data)
    return index
