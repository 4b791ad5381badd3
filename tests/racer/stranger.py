# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stranger who acts on a volume in the middle of the work: something of his in the place of something there."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

WORK = ".packit-deployment#work"
OLD = 1_000_000
"""A time of change so long ago that what has it is nobody's any more."""

_ENTRY = (
    "", "HEAD", "config", "packed-refs", "refs", "refs/heads", "refs/tags", "objects", "objects/pack", "objects/info", "objects/aa", "info", ".git",
    "refs/heads/main", "packed-refs.lock", "objects/pack/*.pack", "objects/pack/*.idx",
)  # fmt: skip
_SLOT = (
    "", "objects", "objects/pack", "objects/info", "new", "new/objects", "new/objects/pack", "new/refs", "new/packed-refs", "new/HEAD", "new/config",
    "old", "repair", "repair/was", "HEAD", "locks", "lines", "wanted", "found", "loose", "objects/pack/*.pack", "objects/pack/*.idx",
)  # fmt: skip
_KINDS = (
    "link", "link", "link", "file link", "dangling", "fifo", "directory", "full", "sparse", "gone", "closed", "hard link", "flood", "device link", "empty",
    "text",
)  # fmt: skip


class Stranger:
    """Acts on the volume at ``root``; ``outside`` is what he would like changed: a tree as a volume's, and a heartbeat."""

    def __init__(self, root: Path, outside: Path, chance: random.Random, layout: str) -> None:
        self._root = root
        self._outside = outside
        entry = "one/.git" if layout == "non-bare" else "one"
        if chance.random() < 0.05:
            self._place = WORK
        elif chance.random() < 0.5:
            self._place = f"{entry}/{chance.choice(_ENTRY)}".rstrip("/")
        else:
            self._place = f"{WORK}/one/{chance.choice(_SLOT)}".rstrip("/")
        self._kind = chance.choice(_KINDS)
        self._back = self._root.parent / "away"
        self.does: list[str] = []

    @property
    def harmless(self) -> bool:
        """Return whether he touched nothing himself that consumers read."""
        return not self.does or self._place.startswith(WORK)

    def act(self, again: bool) -> None:
        """Put it there; ``again``: take it away, and put back what was there."""
        place = self._found()
        try:
            self._remove(place) if again else self._put_away(place)
            if again:
                if os.path.lexists(self._back):
                    self._back.rename(place)
            else:
                self._put(place)
            self.does.append(f"{'back' if again else self._kind}: {place.relative_to(self._root)}")
        except OSError as error:
            self.does.append(f"could not: {self._kind}: {place.relative_to(self._root)}: {error.strerror}")

    def _found(self) -> Path:
        directory, _slash, name = self._place.rpartition("/")
        if "*" in name:
            found = sorted((self._root / directory).glob(name)) if (self._root / directory).is_dir() else []
            name = found[0].name if found else f"pack-{'1' * 40}{name[1:]}"
        return self._root / directory / name

    def _put_away(self, place: Path) -> None:
        if os.path.lexists(place) and self._kind not in ("closed", "flood", "hard link"):
            place.rename(self._back)

    @staticmethod
    def _remove(place: Path) -> None:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def _put(self, place: Path) -> None:
        victim = self._outside / place.relative_to(self._root)
        if self._kind == "link":
            place.symlink_to(victim if victim.exists() else self._outside / "heartbeat")
        elif self._kind == "file link":
            place.symlink_to(self._outside / "heartbeat")
        elif self._kind == "dangling":
            place.symlink_to(self._outside / "nothing")
        elif self._kind == "device link":
            place.symlink_to("/dev/zero")
        elif self._kind == "fifo":
            os.mkfifo(place)
        elif self._kind == "directory":
            place.mkdir()
        elif self._kind == "full":
            (place / "x/y").mkdir(parents=True)
            (place / "x/z").write_text("z")
        elif self._kind == "sparse":
            place.touch()
            os.truncate(place, 2**40)
        elif self._kind == "closed":
            place.chmod(0)
        elif self._kind == "hard link":
            os.link(place, place.with_name("one-more"))
        elif self._kind == "flood":
            for number in range(2000):
                (place if place.is_dir() else place.parent).joinpath(f"pack-{number:040}.idx").touch()
        elif self._kind == "text":
            place.write_bytes(b"a[$(touch ran)]\n\x1b[31m" + b"f" * 40 + b" refs/heads/x\n")
        elif self._kind == "empty":
            place.touch()


def victims(outside: Path) -> None:
    """Make what must stay as it is: a tree of everything that we make, change or delete on a volume."""
    for top in ("one", "one/.git", f"{WORK}/one", f"{WORK}/one/new"):
        at = outside / top
        for directory in ("objects/pack", "objects/info", "objects/aa", "refs/heads", "refs/tags", "info", "old", "repair/was", "loose"):
            (at / directory).mkdir(parents=True, exist_ok=True)
        for name in (
            "HEAD", "config", "packed-refs", "packed-refs.lock", "packed-refs.new", "refs/heads/main", "refs/heads/x.lock", "lines", "wanted", "found", "locks",
            "objects/pack/tmp_pack_x", "objects/pack/x.rev", "objects/pack/multi-pack-index", "objects/info/commit-graph", "objects/aa/" + "b" * 38,
        ):  # fmt: skip
            (at / name).write_text("theirs\n")
            os.utime(at / name, (OLD, OLD))
    (outside / "heartbeat").write_text("12.5\n")
    for path in outside.rglob("*"):
        os.utime(path, (OLD, OLD))
