# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream that does something before it sends a pack: a program in place of git's pack-objects, which goes on with that at its end.

So a repository of a few objects is counted for as long as one of ten millions, by the real upload-pack.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_PAUSE = 0.2
_STALLED = 'while [ ! -e "${0%/*}/go-on" ]; do sleep 0.1; done'


def counting(directory: Path, seconds: float, dead: str = "") -> Path:
    """A program that counts for so long, and tells how far it is, as pack-objects does; in the repository ``dead`` it is like ``stalled``."""
    line = "printf 'Counting objects: %s\\r' \"$n\" >&2"
    count = f'n=0\nwhile [ "$n" -lt {seconds / _PAUSE:.0f} ]; do n=$((n + 1)); {line}; sleep {_PAUSE}; done'
    return _program(directory / "counting", f"case $PWD in */{dead}) {_STALLED} ;; esac\n{count}" if dead else count)


def silent(directory: Path, seconds: float) -> Path:
    """A program that says nothing for so long. upload-pack gives a sign of life, unless ``settings`` has none."""
    return _program(directory / "silent", f"sleep {seconds}")


def stalled(directory: Path) -> Path:
    """A program that says nothing until the file ``go-on`` is beside it."""
    return _program(directory / "stalled", _STALLED)


def ready_made(directory: Path) -> Path:
    """A program that sends the repository's only pack to whoever has nothing of it, and counts nothing."""
    everything = '[ "$(sed "1,/^--not/d" "$asked" | grep -c .)" = 0 ]'
    send = 'rm "$asked"\ncat objects/pack/pack-*.pack\nexit'
    return _program(directory / "ready-made", f'asked=$(mktemp)\ncat >"$asked"\nexec <"$asked"\nif {everything}; then\n{send}\nfi\nrm "$asked"')


def settings(program: Path, keep_alive: int = 5) -> Mapping[str, str]:
    """The environment in which git's upload-pack runs that program; ``keep_alive`` in seconds, 0 for never."""
    values = {"safe.directory": "*", "uploadpack.packObjectsHook": str(program), "uploadpack.keepAlive": str(keep_alive)}
    return {
        "GIT_CONFIG_COUNT": str(len(values)),
        **{f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(values)},
        **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(values.values())},
    }


def _program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\n{script}\nexec "$@"\n')
    path.chmod(0o755)
    return path
