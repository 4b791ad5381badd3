# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of a sandbox's volume in which a stranger's command may leave it: one for each seed, of one to four changes."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from ..repositories import make
from . import poison

OLD = 1_000_000
"""A time of change at which nothing lives any more."""
WORK = ".packit-deployment#work"

_WITH_GIT = ("do_replace_ref", "do_swapped_offsets", "do_false_loose_object", "do_pack_with_false_index", "do_planted")


class Hostile:
    """A volume's root, with an entry `one` that is whole, and what a stranger does there. ``outside`` is theirs to lead us to; what
    runs makes ``marker``."""

    def __init__(self, root: Path, outside: Path, marker: Path, seed: int) -> None:
        self.root = root
        self.outside = outside
        self.marker = marker
        self.chance = random.Random(seed)
        self._blobs = poison.blobs(self.entry)

    def act(self) -> list[str]:
        """Change the volume; the names of what was done. What the changes before made impossible is not done."""
        changes: list[Callable[[], None]] = [getattr(self, name) for name in sorted(vars(Hostile)) if name.startswith("do_")]
        chosen = self.chance.sample(changes, self.chance.randint(1, 4))
        done = []
        for change in sorted(
            chosen, key=lambda change: change.__name__ not in _WITH_GIT
        ):  # git might wait for ever in what the others leave
            try:
                change()
            except (OSError, ValueError, IndexError, StopIteration):
                continue
            done.append(change.__name__[3:])
        return done

    @property
    def entry(self) -> Path:
        return self.root / "one"

    @property
    def objects(self) -> Path:
        return self.entry / "objects"

    def _pick(self, *choices: str) -> str:
        return self.chance.choice(choices)

    def _something(self, path: Path, *kinds: str) -> None:
        """Put something of another kind in a place."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = self._pick(*(kinds or ("file", "empty", "directory", "full", "fifo", "link", "dangling", "device")))
        if kind == "directory":
            path.mkdir()
        elif kind == "full":
            (path / "x/y").mkdir(parents=True)
            (path / "x/z").write_text("z")
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to(self.outside)
        elif kind == "dangling":
            path.symlink_to(self.outside / "nothing")
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            path.write_bytes(b"" if kind == "empty" else b"\x1b[31mforged\nref: x\n")

    # Wrong kinds of files, where git or we look

    def do_entry(self) -> None:
        self._something(self.entry)

    def do_part_of_the_entry(self) -> None:
        part = self._pick(
            "HEAD", "config", "packed-refs", "refs", "refs/heads", "refs/tags", "objects", "objects/info", "objects/pack", "info"
        )
        self._something(self.entry / part)

    def do_part_that_should_not_be(self) -> None:
        names = ("shallow", "info/grafts", "commondir", "objects/info/alternates", "objects/info/http-alternates", ".git", "gitdir", "logs")
        self._something(self.entry / self._pick(*names))

    def do_part_missing(self) -> None:
        path = self.entry / self._pick("HEAD", "config", "refs", "packed-refs", "objects/pack", "objects")
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def do_lock(self) -> None:
        lock = self._pick(
            "packed-refs.lock", "config.lock", "HEAD.lock", "packed-refs.new", "refs/heads/main.lock", "shallow.lock", "index.lock"
        )
        self._something(self.entry / lock)
        if self.chance.random() < 0.7 and not (self.entry / lock).is_symlink():
            os.utime(self.entry / lock, (OLD, OLD))

    def do_ref_in_the_way(self) -> None:
        main = self.entry / "refs/heads/main"
        main.unlink(missing_ok=True)
        self._something(main / self._pick(".hidden", "x", "a b", "x.lock", "x\ny"), "file", "empty", "full")

    def do_bad_ref(self) -> None:
        content = self._pick("nonsense", "0" * 40, "1" * 40, "ref: refs/heads/bad", "ref: ../../../etc/passwd", "$(touch x)")
        (self.entry / "refs/heads/bad").write_text(content + "\n")

    def do_bad_packed_refs(self) -> None:
        with (self.entry / "packed-refs").open("ab") as file:
            file.write(self._pick("nonsense\n", "^\n", f"{'1' * 40} refs/heads/x\n", "\x00\x00", f"{'a' * 40} ../../x\n").encode())

    def do_bad_head(self) -> None:
        (self.entry / "HEAD").write_text(self._pick("", "nonsense", "ref: refs/heads/../../../x", "1" * 40, "ref: " + "x" * 5000))

    def do_replace_ref(self) -> None:
        one, two = self._blobs[:2]
        make.git(self.entry, "update-ref", f"refs/replace/{one}", two)

    # Configuration

    def do_config_line(self) -> None:
        lines = (
            "[gc]\n\tauto = 1\n\tauto = 2\n", "[core\n", "[core]\n\trepositoryformatversion = 99\n", "[extensions]\n\tobjectformat = sha256\n",
            "[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n", "[extensions]\n\tnonsense = \x1b[31m\n",
            "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tnonsense = 1\n", "[extensions]\n\tpartialclone = x\n",
            "[core]\n\tworktree = /\n", "\x00\x00", "[gc]\n\tauto\n", "[core]\n\trepositoryformatversion = -1\n", "[include]\n\tpath = /dev/zero\n",
        )  # fmt: skip
        with (self.entry / "config").open("a") as file:
            file.write(self._pick(*lines))

    def do_config_that_runs(self) -> None:
        touch = f"touch {self.marker}"
        with (self.entry / "config").open("a") as file:
            file.write(
                f"[core]\n\tfsmonitor = {touch}\n\tsshCommand = {touch}\n\thooksPath = {self.entry}/hooks\n\talternateRefsCommand = {touch}\n"
                f'\tpager = {touch}\n\teditor = {touch}\n[url "ext::sh -c {touch}"]\n\tinsteadOf = http\n[include]\n\tpath = {self.outside}/config\n'
                f"[uploadpack]\n\tpackObjectsHook = {touch}\n[credential]\n\thelper = !{touch}\n[gpg]\n\tprogram = {touch}\n[alias]\n\tcat-file = !{touch}\n"
            )

    def do_hooks(self) -> None:
        for name in ("post-checkout", "reference-transaction", "pre-auto-gc", "update", "post-update", "pre-receive"):
            hook = self.entry / "hooks" / name
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(f"#!/bin/sh\ntouch {self.marker}\n")
            hook.chmod(0o755)

    # Objects

    def do_swapped_offsets(self) -> None:
        index = next((self.objects / "pack").glob("*.idx"))
        poison.swap_offsets(index, *self.chance.sample(self._blobs, 2))

    def do_false_loose_object(self) -> None:
        value = self.chance.choice(self._blobs)
        if self.chance.random() < 0.5:
            poison.loosen(self.entry)
        poison.write_loose(self.entry, value, b"an attacker's")

    def do_pack_with_false_index(self) -> None:
        poison.pack_with_false_index(self.entry, self.chance.choice(self._blobs), b"an attacker's")

    def do_pack_changed(self) -> None:
        file = next((self.objects / "pack").glob(self._pick("*.pack", "*.idx")))
        data = bytearray(file.read_bytes())
        file.chmod(0o644)
        at = self.chance.randrange(12, len(data) - 60)
        data[at] ^= 1 << self.chance.randrange(8)
        file.write_bytes(data[: self.chance.choice((len(data), len(data), len(data) // 2, 0))])

    def do_pack_renamed(self) -> None:
        pack = next((self.objects / "pack").glob("*.pack"))
        name = self._pick("by-hand", ".hidden", "pack-x\nloose " + "1" * 40, "pack-" + "0" * 40, "-rf", "$(touch x)")
        for suffix in (".pack", ".idx"):
            pack.with_suffix(suffix).rename(pack.with_name(name + suffix))

    def do_directory_for_a_pack(self) -> None:
        file = next((self.objects / "pack").glob(self._pick("*.pack", "*.idx")))
        self._something(file, "directory", "full", "link")

    def do_garbage(self) -> None:
        name = self._pick("x", "0" * 38, "x\ny", "a\x1b[31m", "tmp_obj_x", "-delete")
        self._something(self.objects / self._pick("aa", "0f", "zz") / name)

    def do_planted(self) -> None:
        if self.chance.random() < 0.5:
            make.git(self.entry, "commit-graph", "write", "--reachable")
            make.git(self.entry, "multi-pack-index", "write")
        name = self._pick("info/commit-graph", "pack/multi-pack-index", "info/commit-graphs", f"pack/pack-{'1' * 40}.bitmap", "pack/x.rev")
        self._something(self.objects / name)

    def do_promisor(self) -> None:
        (next((self.objects / "pack").glob("*.pack")).with_suffix(".promisor")).write_text("")

    def do_many_directories(self) -> None:
        (self.objects / Path(*("d" * 50 for _level in range(15)))).mkdir(parents=True)
        for number in range(300):
            (self.objects / f"{number % 256:02x}").mkdir(exist_ok=True)

    # Our own directory, and modes

    def do_work_directory(self) -> None:
        self._something(self.root / WORK)

    def do_in_the_work_directory(self) -> None:
        place = self._pick(
            "one", "one/objects", "one/objects/pack", "one/new", "one/old", "one/view", "one/locks", "one/repair", "left#one#1"
        )
        self._something(self.root / WORK / place)

    def do_left(self) -> None:
        self._something(self.root / f".packit-deployment#left#{self._pick('one', 'x', '-rf')}#1")

    def do_modes(self) -> None:
        found = [path for path in self.root.rglob("*") if not path.is_symlink()]
        for path in self.chance.sample(sorted(found), min(len(found), self.chance.randint(1, 5))):
            path.chmod(self.chance.choice((0, 0o555, 0o444, 0o111)))

    def do_closed_directory(self) -> None:
        (self.objects / "aa").mkdir(exist_ok=True)
        (self.objects / "aa/x").write_text("x")
        (self.objects / "aa").chmod(0)

    def do_root_mode(self) -> None:
        self.root.chmod(0o555)

    def do_other_layout(self) -> None:
        (self.entry / ".git").mkdir()
        self._something(self.entry / ".git" / self._pick("objects", "HEAD", "config"))
