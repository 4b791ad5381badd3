# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository with as many commits, objects and bytes as the kernel's: 1,000,000, about 9.9 millions, and 1.0 GB of pack and index.

A commit edits two files, each three directories deep, so it brings ten objects: itself, the files, and the directories above them; a few
less, as the two share some. It has no bitmap: a server that is asked for it counts all objects first. The same parameters make the same
objects.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from .make import _commit_head, _import, git
from .realistic import cached

_EDITS = 2
"""Files that a commit edits."""
_TOPIC = 30
"""One of so many commits is on a topic branch, which the next one merges."""
_RELEASE = 1_000
"""Each so many commits there is a tag."""


@dataclass(frozen=True)
class KernelShape:
    """The size of the repository. Files lie in ``top`` × ``middle`` × ``low`` directories, and have so many lines of 24 bytes."""

    commits: int = 1_000_000
    top: int = 20
    middle: int = 14
    low: int = 12
    files: int = 12
    lines: int = 30
    seed: int = 1

    @property
    def all_files(self) -> int:
        """Return the number of files in each commit."""
        return self.top * self.middle * self.low * self.files


def kernel(shape: KernelShape) -> Path:
    """Return the bare repository, from the cache, or make it now (five minutes for the whole one). Never change it; copy it."""
    digest = hashlib.sha256(repr(astuple(shape)).encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    return cached(f"benchmark-repository-kernel-{digest}", lambda path: make_kernel(path, shape))


def make_kernel(path: Path, shape: KernelShape) -> None:
    """Make it there: one pack, as `git fast-import` writes it."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    _import(path, _stream(shape))
    git(path, "pack-refs", "--all")


def _stream(shape: KernelShape) -> Iterator[bytes]:
    """First all versions of each file, one after the other, so that each is a delta of the one before; then the commits."""
    chance = random.Random(shape.seed)
    edited = array("I")  # the first commit has all files; the one after it edits the first ``_EDITS`` of these, and so on
    for _commit in range(shape.commits - 1):
        # Some files change all the time, most of them seldom.
        first, second = (int(shape.all_files * chance.random() ** 2.5) for _edit in range(_EDITS))
        edited.extend((first, second if second != first else (first + 1) % shape.all_files))
    marks = array("I", bytes(4 * len(edited)))
    yield from _blobs(shape, edited, marks)
    yield from _commits(shape, edited, marks)


def _blobs(shape: KernelShape, edited: array[int], marks: array[int]) -> Iterator[bytes]:
    """``marks`` gets the mark of what each edit makes of its file. The first version of file ``n`` has mark ``n + 1 + shape.commits``."""
    edits = sorted(range(len(edited)), key=edited.__getitem__)
    mark, position = shape.commits + shape.all_files, 0
    for file in range(shape.all_files):
        text = [b"file %08d line %08d\n" % (file, line) for line in range(shape.lines)]
        yield _blob(shape.commits + 1 + file, b"".join(text))
        while position < len(edits) and edited[edits[position]] == file:
            mark += 1
            line = position % (shape.lines - 1)
            text[line : line + 2] = [b"edit %08d of %08d\n" % (position, file), b"with what it needs %07d\n" % (position * 7919 % 9_999_991)]
            yield _blob(mark, b"".join(text))
            marks[edits[position]] = mark
            position += 1


def _blob(mark: int, data: bytes) -> bytes:
    return b"blob\nmark :%d\ndata %d\n%b\n" % (mark, len(data), data)


def _commits(shape: KernelShape, edited: array[int], marks: array[int]) -> Iterator[bytes]:
    """Commit ``n`` has mark ``n + 1``."""
    names = [_name(shape, file).encode() for file in range(shape.all_files)]
    main = topic = 0
    for number in range(shape.commits):
        is_topic = number % _TOPIC == _TOPIC - 2
        head = _commit_head(f"refs/heads/{'topic' if is_topic else 'main'}", 60 * number, _message(number), "")
        yield head.replace(b"\ncommitter", b"\nmark :%d\ncommitter" % (number + 1), 1)
        if is_topic:
            yield b"from :%d\n" % main
        changes = range(max(0, _EDITS * (number - 1)), _EDITS * number)
        if topic:
            yield b"merge :%d\n" % topic
            changes = range(_EDITS * (topic - 2), _EDITS * number)  # the merge has what the topic changed
        if number == 0:
            yield b"".join(b"M 100644 :%d %b\n" % (shape.commits + 1 + file, name) for file, name in enumerate(names))
        yield b"".join(b"M 100644 :%d %b\n" % (marks[change], names[edited[change]]) for change in changes)
        main, topic = (main, number + 1) if is_topic else (number + 1, 0)
        if number % _RELEASE == _RELEASE - 1:
            yield b"tag v%d\nfrom :%d\ntagger A <a@example.org> %d +0000\ndata 7\nrelease\n" % (
                number // _RELEASE,
                main,
                1700000000 + 60 * number,
            )


def _message(number: int) -> str:
    # Real messages are longer, and compress better.
    return f"change {number}\n\nIt edits {_EDITS} files.\n\nReason: {hashlib.sha256(str(number).encode()).hexdigest()}\n"


def _name(shape: KernelShape, file: int) -> str:
    directory, name = divmod(file, shape.files)
    directory, low = divmod(directory, shape.low)
    top, middle = divmod(directory, shape.middle)
    return f"top{top}/middle{middle}/low{low}/file{name}.c"
