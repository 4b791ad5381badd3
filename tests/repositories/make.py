# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bare repositories, made by `git fast-import`; deterministic, and quick."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..bounds import BOUND

ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "LC_ALL": "C",
}


def git(repository: Path, *words: str, stdin: bytes = b"") -> str:
    """git in a repository; its output."""
    argv = ["git", "-c", "safe.directory=*", "-c", "gc.auto=0", "-C", str(repository), *words]
    return subprocess.run(argv, input=stdin, check=True, capture_output=True, env=ENVIRONMENT, timeout=BOUND).stdout.decode().strip()


def make(path: Path, commits: int = 10, branches: Iterable[str] = ("feature",), tags: Iterable[str] = ("v1",), seed: int = 0) -> Path:
    """A bare repository with `main`, more branches off its middle, and annotated tags. uploadpack serves any ref's object."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    _import(path, _history("refs/heads/main", commits, seed))
    middle = git(path, "rev-parse", f"main~{commits // 2}")
    for number, branch in enumerate(branches):
        _import(path, _history(f"refs/heads/{branch}", 2, seed + 1000 + number, start=middle))
    for tag in tags:
        git(path, "tag", "-a", "-m", tag, tag, "main")
    return path


def commit(path: Path, branch: str = "main", number: int = 1, seed: int = 7) -> str:
    """More commits on a branch; the new tip."""
    _import(path, _history(f"refs/heads/{branch}", number, seed, start=git(path, "rev-parse", branch)))
    return git(path, "rev-parse", branch)


def force_push(path: Path, branch: str = "main", seed: int = 99) -> tuple[str, str]:
    """The branch's last commit becomes another one, where it is the only one as well; (old, new) tips."""
    old = git(path, "rev-parse", branch)
    parent = git(path, "rev-list", "--first-parent", "--skip=1", "--max-count=1", branch)
    _import(path, _history(f"refs/heads/{branch}", 1, seed, start=parent), force=True)
    return old, git(path, "rev-parse", branch)


def delete_branch(path: Path, branch: str) -> None:
    """A branch goes away."""
    git(path, "update-ref", "-d", f"refs/heads/{branch}")


def forget_unreachable(path: Path) -> None:
    """Remove what no ref reaches, as upstream's own gc does."""
    git(path, "reflog", "expire", "--expire=now", "--all")
    git(path, "gc", "--quiet", "--prune=now")


def many_refs(path: Path, number: int) -> None:
    """So many branches, each on one of the existing commits."""
    ids = git(path, "rev-list", "main").split()
    lines = "".join(f"create refs/heads/many/{index:05} {ids[index % len(ids)]}\n" for index in range(number))
    git(path, "update-ref", "--stdin", stdin=lines.encode())


def make_large(path: Path, megabytes: int, commits: int = 2000, seed: int = 1, texts: int = 400) -> Path:
    """A bare repository of about so many megabytes when packed: ``texts`` text files that change a little at a time (deltas), and
    files of random bytes that do not compress. One pack; passes `git rev-list --objects --all`."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    _import(path, _large_history(megabytes, commits, seed, texts))
    git(path, "repack", "-a", "-d", "--quiet")
    git(path, "tag", "-a", "-m", "v1", "v1", "main")
    return path


def _import(path: Path, stream: Iterator[bytes], force: bool = False) -> None:
    argv = ["git", "-c", "safe.directory=*", "-C", str(path), "fast-import", "--quiet", *(["--force"] if force else [])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdin is not None
        for part in stream:
            process.stdin.write(part)
        process.stdin.close()
        if process.wait(BOUND):
            raise RuntimeError("git fast-import failed")


def _commit_head(ref: str, number: int, message: str, start: str) -> bytes:
    head = f"commit {ref}\ncommitter A <a@example.org> {1700000000 + number} +0000\ndata {len(message)}\n{message}\n"
    return (head + (f"from {start}\n" if start else "")).encode()


def _file(name: str, data: bytes) -> bytes:
    return b"M 100644 inline %b\ndata %d\n%b\n" % (name.encode(), len(data), data)


def _history(ref: str, commits: int, seed: int, start: str = "") -> Iterator[bytes]:
    words = random.Random(seed)
    for number in range(commits):
        yield _commit_head(ref, seed * 1000 + number, f"change {seed}.{number}", start if number == 0 else "")
        yield _file(f"file-{words.randrange(20)}.txt", f"{seed} {number} {words.random()}\n".encode() * 20)
        yield _file(f"directory/{seed}-{number}.txt", f"new {number}\n".encode())


def _large_history(megabytes: int, commits: int, seed: int, texts: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    lines = {
        f"src/{index % 40}/module{index}.c": [f"line {index}.{line} {chance.random()}" for line in range(300)] for index in range(texts)
    }
    names = list(lines)
    incompressible = megabytes * 1_000_000 // commits
    for number in range(commits):
        yield _commit_head("refs/heads/main", number, f"change {number}", "")
        if number == 0:
            for name, text in lines.items():
                yield _file(name, "\n".join(text).encode())
        for _change in range(3):
            text = lines[name := chance.choice(names)]
            text[chance.randrange(len(text))] = f"changed {number} {chance.random()}"
            yield _file(name, "\n".join(text).encode())
        yield _file(f"assets/{number % 500}.bin", chance.randbytes(incompressible))


def refs(path: Path) -> Mapping[str, str]:
    """All refs of a repository."""
    lines = git(path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def shallow_copy(source: Path, path: Path, depth: int = 2) -> Path:
    """A bare clone that has all branches, and of each only the newest commits."""
    git(source.parent, "clone", "--quiet", "--bare", "--no-single-branch", f"--depth={depth}", f"file://{source}", str(path))
    return path


def empty(path: Path, *options: str) -> Path:
    """A bare repository with nothing in it."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", *options, ".")
    return path
