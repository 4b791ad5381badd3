# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List what lies on a volume with its sizes, and read the beginnings of its packs' indexes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ...deadline import Deadline
from ...errors import DeadlineExceeded, Interrupted
from ...shell import Shell, checked
from ..domain.overlap import PackFiles, Read
from ..domain.usage import Listing
from . import scripts

_SECONDS = 60.0
"""Seconds for one look, which takes far fewer: what is slow in it ends by itself."""
_STARTS_SECONDS = 20.0
_STARTS_MOST = 8_000_000
"""Bytes of the indexes of one volume: less than ``shell.OUTPUT_LIMIT``."""
_NAMES_A_LINE = 500
_PACK = re.compile(r"(?P<directory>[^/]+(?:/\.git)?/objects/pack)/(?P<name>pack-[0-9a-f]{40})\.(?P<suffix>[a-z]+)")
_BLOCK = 512


def list_volume(shell: Shell, root: str, deadline: Deadline) -> Listing:
    """Return what lies on a volume. Raises DeploymentError."""
    completed = shell.run(scripts.argv(scripts.USAGE, root), deadline=deadline.within(_SECONDS, "a look at what a volume's space goes to"))
    return parse_listing(checked(shell, completed).stdout)


def parse_listing(output: bytes) -> Listing:
    """Return what ``scripts.USAGE`` printed."""
    free, late, set_aside = None, False, 0
    names = []
    sizes: dict[str, int] = {}
    left: dict[str, int] = {}
    files: list[tuple[int, int, str]] = []
    for record in output.decode("utf-8", "surrogateescape").split("\0")[:-1]:  # of what was ended in the middle, the last one may be cut
        word, _space, value = record.partition(" ")
        number, _tab, path = record.partition("\t")
        if word == "free" and value.isdecimal():
            free = int(value)
        elif word == "name":
            names.append(value)
        elif word == "file":
            blocks, size, path = value.split(" ", 2)
            files.append((int(blocks) * _BLOCK, int(size), path))
        elif word == "late":
            late = True
        elif number.isdecimal() and path.startswith("./"):
            if "/" in path[2:]:
                set_aside += int(number)
            else:
                sizes[path[2:]] = int(number)
    for disk, _size, path in files:
        if not _PACK.fullmatch(path):
            top = path.partition("/")[0]
            left[top] = left.get(top, 0) + disk
    return Listing(free, tuple(names), {} if late else sizes, 0 if late else set_aside, left, _packs(files))


def _packs(files: Iterable[tuple[int, int, str]]) -> dict[str, tuple[PackFiles, ...]]:
    found: dict[str, dict[str, dict[str, tuple[int, int]]]] = {}
    for disk, size, path in files:
        match = _PACK.fullmatch(path)
        if match:
            found.setdefault(match["directory"], {}).setdefault(match["name"], {})[match["suffix"]] = (disk, size)
    nothing = (0, 0)
    return {
        directory: tuple(
            PackFiles(name, parts.get("pack", nothing)[1], parts.get("idx", nothing)[1], sum(disk for disk, _size in parts.values()))
            for name, parts in sorted(packs.items())
        )
        for directory, packs in found.items()
    }


def read_starts(shell: Shell, root: str, wanted: Mapping[str, Sequence[Read]], deadline: Deadline) -> dict[str, dict[str, bytes]]:
    """Return the beginnings of indexes, by directory and pack, of so many directories as one answer has room for.

    Nothing where one was changed meanwhile, or reading them stood still. Raises DeploymentError.
    """
    lines, expected, total = [], [], 0
    for directory, reads in wanted.items():
        needs = sum(read.length(pack) for read in reads for pack in read.packs)
        if total + needs > _STARTS_MOST or directory.split() != [directory]:
            continue
        total += needs
        for read in reads:
            for first in range(0, len(read.packs), _NAMES_A_LINE):
                packs = read.packs[first : first + _NAMES_A_LINE]
                lines.append(f"{read.most} {directory} {' '.join(f'{pack.name}.idx' for pack in packs)}\n")
                expected += [(directory, pack.name, read.length(pack)) for pack in packs]
    if not expected:
        return {}
    argv, asked = scripts.argv(scripts.INDEX_STARTS, root), "".join(lines).encode("utf-8", "surrogateescape")
    try:
        output = shell.run(argv, deadline=deadline.within(_STARTS_SECONDS, "reading the indexes of packs"), stdin=asked).stdout
    except Interrupted:
        raise
    except DeadlineExceeded:  # one may have become a pipe
        deadline.left()
        return {}
    if len(output) != total:
        return {}
    found: dict[str, dict[str, bytes]] = {}
    at = 0
    for directory, name, length in expected:
        found.setdefault(directory, {})[name] = output[at : at + length]
        at += length
    return found
