# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository as large projects have them: thousands of files in directories, small edits, topic branches merged, many tags.

The same parameters make the same objects. Made once, and kept outside of the tree.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from .make import _commit_head, _import, git

CACHE = Path.home() / ".cache" / "packit-deployment"
_WORDS = ("the", "if", "return", "const", "struct", "static", "value", "=", "(", ")", "size", "int", "char", "*buffer", "->next", "&&")


@dataclass(frozen=True)
class Shape:
    """The size of the repository. A commit edits ``edits`` files, ``lines`` lines of each; a file has 200 to 600 lines of about 45 bytes."""

    commits: int = 60_000
    files: int = 3_000
    edits: int = 2
    lines: int = 104
    seed: int = 1


def realistic(shape: Shape) -> Path:
    """The bare repository, from the cache, or made now (a few minutes). Never change it; copy it."""
    digest = hashlib.sha256(repr(astuple(shape)).encode() + Path(__file__).read_bytes()).hexdigest()[:12]
    return cached(f"benchmark-repository-{digest}", lambda path: _make(path, shape))


def cached(name: str, make: Callable[[Path], object]) -> Path:
    """A directory below the cache; made under another name first, so that one that is there is complete."""
    final, making = CACHE / name, CACHE / f"{name}.making"
    if not final.exists():
        print(f"   makes {final}", flush=True)
        shutil.rmtree(making, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        make(making)
        making.rename(final)
    return final


def a_day(path: Path, commits: int = 200, seed: int = 5, begins: int = 10_000_000) -> None:
    """Add what a busy day brings: commits on main, each with small edits of two of the files.

    It ``begins`` so many seconds after the first commit of all, which is after the last one: where commits are older than those before
    them upload-pack does not see what both sides have, and git offers it all that there is.
    """
    _import(path, _day(path, commits, seed, begins))


def _make(path: Path, shape: Shape) -> None:
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    _import(path, _stream(shape))
    # One pack with a bitmap, as a server has it: it answers a clone without a walk.
    git(path, "-c", "pack.threads=2", "repack", "-a", "-d", "--quiet", "--write-bitmap-index")


def _stream(shape: Shape) -> Iterator[bytes]:
    """First all versions of each file, one after the other, so that each is a delta of the one before; then the commits."""
    chance = random.Random(shape.seed)
    texts = _Texts(chance)
    changes: list[list[int]] = [[] for _file in range(shape.files)]  # the commits that edit each file
    for number in range(shape.commits):
        for _edit in range(shape.edits):
            # Some files change all the time, most of them seldom.
            changes[int(shape.files * chance.random() ** 2.5)].append(number)
    mark = shape.commits
    edited: list[list[tuple[str, int]]] = [[] for _commit in range(shape.commits)]
    for file, numbers in enumerate(changes):
        text = texts.new()
        for number in sorted({0, *numbers}):
            mark += 1
            yield b"blob\nmark :%d\ndata %d\n%b\n" % (mark, len(data := "".join(text).encode()), data)
            edited[number].append((_name(file), mark))
            text = texts.edited(text, shape.lines)
    yield from _commits(edited, texts)


def _commits(edited: list[list[tuple[str, int]]], texts: _Texts) -> Iterator[bytes]:
    """Commit ``n`` has mark ``n + 1``. One of ten is on a topic branch of its own, merged by the one after it."""
    main, topic = 0, 0
    for number, files in enumerate(edited):
        is_topic = number % 10 == 8
        ref = "refs/heads/topic" if is_topic else "refs/heads/main"
        yield _commit_head(ref, 60 * number, texts.message(number), "").replace(b"\ncommitter", b"\nmark :%d\ncommitter" % (number + 1), 1)
        if main:
            yield b"from :%d\n" % main
        if topic:
            yield b"merge :%d\n" % topic
            files = [*edited[topic - 1], *files]  # noqa: PLW2901  (the merge has what the topic changed)
        yield b"".join(b"M 100644 :%d %b\n" % (mark, name.encode()) for name, mark in files)
        main, topic = (main, number + 1) if is_topic else (number + 1, 0)
        if number % 100 == 99:
            yield b"tag v%d\nfrom :%d\ntagger A <a@example.org> %d +0000\ndata 7\nrelease\n" % (
                number // 100,
                main,
                1700000000 + 60 * number,
            )


def _day(path: Path, commits: int, seed: int, begins: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    texts = _Texts(chance)
    names = git(path, "ls-tree", "-r", "--name-only", "main").splitlines()
    start = git(path, "rev-parse", "main")
    known: dict[str, list[str]] = {}
    for number in range(commits):
        yield _commit_head("refs/heads/main", begins + 60 * number, texts.message(number), "" if number else start)
        for name in chance.sample(names, 2):
            text = known.get(name) or [f"{line}\n" for line in git(path, "cat-file", "blob", f"{start}:{name}").split("\n")]
            known[name] = texts.edited(text, 12)
            data = "".join(known[name]).encode()
            yield b"M 100644 inline %b\ndata %d\n%b\n" % (name.encode(), len(data), data)


class _Texts:
    """Lines that look like source code: most words are common ones, some are not."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._lines = [self._line() for _line in range(40_000)]

    def _line(self) -> str:
        words = [*self._chance.choices(_WORDS, k=5), f"name_{self._chance.randrange(100_000)}", f"{self._chance.randrange(10_000)}"]
        self._chance.shuffle(words)
        return f"{' ' * (4 * self._chance.randrange(4))}{' '.join(words)};\n"

    def new(self) -> list[str]:
        """A new file."""
        return self._chance.choices(self._lines, k=self._chance.randrange(200, 600))

    def edited(self, text: list[str], lines: int) -> list[str]:
        """A file after an edit: a few lines in one place, replaced."""
        start = self._chance.randrange(len(text))
        return [*text[:start], *self._chance.choices(self._lines, k=lines), *text[start + lines :]]

    def message(self, number: int) -> str:
        """A commit's message."""
        return f"change {number}\n\n{''.join(self._chance.choices(self._lines, k=6))}"


def _name(file: int) -> str:
    return f"{('src', 'lib', 'docs', 'tests', 'tools')[file % 5]}/part{file // 5 % 12}/unit{file // 60 % 6}/file{file}.c"
