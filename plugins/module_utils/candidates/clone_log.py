# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clones that a worker's log tells of. Pure.

packit clones by GitPython, which writes two lines at level DEBUG (git/cmd.py, git/repo/base.py of GitPython 3.1)::

    [2026-11-28 09:13:00,123: DEBUG/ForkPoolWorker-1] task.… Popen(['git', 'clone', '-v', '--tags', …, '--', URL, DIRECTORY], cwd=…, …)
    [2026-11-28 09:14:15,456: DEBUG/ForkPoolWorker-1] task.… Cmd(['git', 'clone', …])'s unused stdout:

The first is written when git is started, the second when it has ended well. What is before them is the service's own format
(``setup_loggers`` in packit_service/worker/tasks.py). A log is foreign text: whatever it says, nothing but a clone is taken from it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

_TIME = re.compile(r"\[?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[.,](\d{3})\b")
_CLONE = "['git', 'clone', "
_STARTED = (f" Popen({_CLONE}", "], cwd=")
_ENDED = (f" Cmd({_CLONE}", "])'s unused stdout:")
_LONGEST_LINE = 8192
"""Characters. A longer line tells of no clone."""
_MOST_AT_ONCE = 1000
"""Clones that have started and not ended. Of more, the oldest were killed."""
_REFERENCE = "--reference="


@dataclass(frozen=True)
class Clone:
    """One clone. ``seconds`` is None where the log does not tell its end; ``cached``: it had a repository of the cache as its reference."""

    url: str
    cached: bool
    seconds: float | None


def read_clones(lines: Iterable[str]) -> Iterator[Clone]:
    """Yield the clones in a worker's log: as they end, and then those whose end it does not tell."""
    started: dict[str, tuple[datetime, Clone]] = {}
    for line in lines:
        if _CLONE not in line or len(line) > _LONGEST_LINE or (time := _time(line)) is None:
            continue
        if words := _between(line, *_STARTED):
            if (clone := _clone(words)) is not None:
                started[words] = (time, clone)
            if len(started) > _MOST_AT_ONCE:
                yield started.pop(next(iter(started), words))[1]
        elif (words := _between(line, *_ENDED)) in started:
            begun, clone = started.pop(words)
            yield replace(clone, seconds=(time - begun).total_seconds() if time >= begun else None)
    yield from (clone for _begun, clone in started.values())


def _time(line: str) -> datetime | None:
    """Return the time with which a line begins, None where it begins with something else."""
    found = _TIME.match(line)
    try:
        return None if found is None else datetime.strptime(f"{found[1]}.{found[2]}", "%Y-%m-%d %H:%M:%S.%f")
    except ValueError:
        return None


def _between(line: str, before: str, after: str) -> str:
    """Return the list of words that stands between two texts in a line; empty where they are not there."""
    _head, _found, rest = line.partition(before)
    words, found, _tail = rest.partition(after)
    return f"{_CLONE}{words}]" if found else ""


def _clone(words: str) -> Clone | None:
    """Return the clone that a command line asks for, as Python writes a list of words; None where it is none."""
    try:
        command = ast.literal_eval(words)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command) or command[-3:-2] != ["--"]:
        return None
    return Clone(url=command[-2], cached=any(word.startswith(_REFERENCE) for word in command[:-3]), seconds=None)
