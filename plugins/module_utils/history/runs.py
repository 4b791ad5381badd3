# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of runs, as values and as the data of a ConfigMap. Pure.

Each key of the data is written whole by one run, and says what was so at one moment. So two runs that end together need not know of
each other: neither has a key of the other's to lose. Who reads it believes nothing: anybody with the right may have written there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ..annotation import parse_object
from ..cache.domain.projects import check_name
from ..errors import InvalidOption
from ..printable import in_one_line
from ..times import parse_time, time_text

RUNS = 20
"""Runs that are kept."""
_RUNS_MOST = 2 * RUNS
"""So many may be there before the oldest are removed: removal is a request of its own."""
_PROJECTS_MOST = 500
_NAMES = 20
"""Projects that are named in a run; fewer where they have much to tell."""
_WORDS = 500
"""Characters of a text; fewer as well."""
_RUN_BYTES = 8 * 1024
"""Bytes of a run: with the bounds above, all of it is less than the 1 MiB that a ConfigMap holds."""
_AHEAD = timedelta(minutes=5)
"""A time may lie so far in the future. What is later was not written by us, and would count as fresh for ever."""
_IN_KEY = "%Y%m%dT%H%M%SZ"
_RUN, _CHECKED, _CHANGED, _USED = "run.", "checked.", "changed.", "used."
_VOLUMES_MOST = 200
_SIZES_KEPT = timedelta(weeks=6)
"""A volume's size of each week is kept for so long: by these it is told how fast it grows."""


@dataclass(frozen=True)
class Run:
    """One run. ``changed``: project → volumes on which it was written or removed; ``failed``: project → what failed, why, and what to do.

    ``error`` says why nothing could be done, or why a sandbox's volume is not free. ``longest_hold`` is in seconds, of the sandbox's claim
    ``held``. ``left_out`` projects are neither in ``changed`` nor in ``failed`` for want of room.
    """

    id: str
    started: datetime
    by: str
    state: str
    projects: int
    volumes: int = 0
    seconds: float = 0.0
    changed: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    longest_hold: float = 0.0
    held: str = ""
    left_out: int = 0


@dataclass(frozen=True)
class SnapshotAt:
    """A project's snapshot, by its digest, at one moment."""

    time: datetime
    snapshot: str


@dataclass(frozen=True, order=True)
class UsedAt:
    """The bytes of all packs that were known on a volume at one moment. ``projects`` is equal where they were of the same projects."""

    time: datetime
    bytes: int
    projects: str


@dataclass(frozen=True)
class History:
    """The newest runs, the newest first, and by project the snapshot that upstream had when it was last checked, and the one that was
    last brought to a volume; by volume its sizes of the last weeks, the oldest first."""

    runs: tuple[Run, ...] = ()
    checked: Mapping[str, SnapshotAt] = field(default_factory=dict)
    changed: Mapping[str, SnapshotAt] = field(default_factory=dict)
    used: Mapping[str, tuple[UsedAt, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class HistoryUpdate:
    """The part of the history that one run writes. ``removed`` are projects that are on no volume any more."""

    run: Run
    checked: Mapping[str, SnapshotAt] = field(default_factory=dict)
    changed: Mapping[str, SnapshotAt] = field(default_factory=dict)
    removed: Sequence[str] = ()
    used: Mapping[str, UsedAt] = field(default_factory=dict)


def used_at(time: datetime, sizes: Mapping[str, int]) -> UsedAt:
    """Return what a volume has at one moment, of the sizes of its projects by their names."""
    return UsedAt(time, sum(sizes.values()), _hashed("\n".join(sorted(sizes))))


def run_facts(run: Run) -> dict[str, Any]:
    """Return a run as people and playbooks see it."""
    return {**asdict(run), "started": time_text(run.started)}


def bounded(run: Run) -> Run:
    """Return a run with no more names and words than it may have in a ConfigMap."""
    for most, words in ((_NAMES, _WORDS), (_NAMES // 4, _WORDS // 5)):
        changed = dict(sorted(run.changed.items())[:most])
        failed = {name: in_one_line(told)[:words] for name, told in sorted(run.failed.items())[:most]}
        left_out = run.left_out + len(run.changed) + len(run.failed) - len(changed) - len(failed)
        by, error = in_one_line(run.by)[:words], in_one_line(run.error)[:words]
        kept = replace(run, by=by, error=error, changed=changed, failed=failed, left_out=left_out)
        if len(_run_text(kept).encode()) <= _RUN_BYTES:
            break
    return kept


def render(update: HistoryUpdate) -> dict[str, str | None]:
    """Return the keys that a run writes; those that are None go."""
    run = bounded(update.run)
    data: dict[str, str | None] = {f"{_RUN}{run.started.strftime(_IN_KEY)}.{run.id}": _run_text(run)}
    for name in update.removed:
        data |= dict.fromkeys(_keys(name))
    for prefix, moments in ((_CHECKED, update.checked), (_CHANGED, update.changed)):
        for name, moment in sorted(moments.items())[:_PROJECTS_MOST]:
            data[f"{prefix}{_hashed(name)}"] = f"{name} {time_text(moment.time)} {moment.snapshot}"
    for volume, used in sorted(update.used.items())[:_VOLUMES_MOST]:
        data[_used_key(volume, used.time)] = f"{volume} {time_text(used.time)} {used.bytes} {used.projects}"
    return data


def parse(data: Mapping[str, Any], now: datetime) -> History:
    """Return what is there, without what cannot be understood. ``now`` is by the API server's clock."""
    newest = sorted(_runs(data, now).values(), key=lambda run: run.started, reverse=True)[:RUNS]
    return History(tuple(newest), _moments(data, _CHECKED, now), _moments(data, _CHANGED, now), _sizes(data, now))


def surplus(data: Mapping[str, Any], now: datetime) -> dict[str, None]:
    """Return the keys to be removed: of the oldest runs and projects, where there are many more than are kept. What is no run goes first."""
    present = [key for key in data if key.startswith(_RUN)]
    runs = _runs(data, now)
    kept = sorted(runs, key=lambda key: runs[key].started)[-RUNS:]
    old = [key for key in present if key not in kept] if len(present) > _RUNS_MOST else []
    checked = _moments(data, _CHECKED, now)
    for name in sorted(checked, key=lambda name: checked[name].time, reverse=True)[_PROJECTS_MOST:]:
        old += _keys(name)
    kept_sizes = {_used_key(volume, used.time) for volume, sizes in _sizes(data, now).items() for used in sizes}
    old += (key for key in data if key.startswith(_USED) and key not in kept_sizes)
    return dict.fromkeys(old)


def _runs(data: Mapping[str, Any], now: datetime) -> dict[str, Run]:
    """Return the runs that can be understood, by their keys."""
    return {key: run for key in data if key.startswith(_RUN) and (run := _run(data[key], now)) is not None}


def _keys(project: str) -> tuple[str, str]:
    return f"{_CHECKED}{_hashed(project)}", f"{_CHANGED}{_hashed(project)}"


def _used_key(volume: str, time: datetime) -> str:
    """Return one key for a volume and a week: the last run of a week has the last word."""
    return f"{_USED}{_hashed(volume)}.{time.strftime('%G%V')}"


def _hashed(name: str) -> str:
    """Return a hash of a name: a ConfigMap's key may not have all characters."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _run_text(run: Run) -> str:
    return json.dumps(run_facts(run), sort_keys=True, ensure_ascii=False)


def _run(text: Any, now: datetime) -> Run | None:
    """Return the run in a value, or None where there is none in it."""
    if not isinstance(text, str) or len(text) > _RUN_BYTES:
        return None
    found = parse_object(text)
    try:
        run = Run(
            id=_text(found["id"]),
            started=_parsed_time(found["started"], now),
            seconds=_number(found["seconds"]),
            by=_text(found["by"]),
            state=_text(found["state"]),
            volumes=int(_number(found["volumes"])),
            projects=int(_number(found["projects"])),
            changed={_name(name): int(_number(volumes)) for name, volumes in found["changed"].items()},
            failed={_name(name): _text(words) for name, words in found["failed"].items()},
            error=_text(found["error"]),
            longest_hold=_number(found["longest_hold"]),
            held=_text(found["held"]),
            left_out=int(_number(found["left_out"])),
        )
    except (KeyError, TypeError, AttributeError, ValueError, InvalidOption):
        return None
    return bounded(run)


def _moments(data: Mapping[str, Any], prefix: str, now: datetime) -> dict[str, SnapshotAt]:
    found: dict[str, SnapshotAt] = {}
    for key in sorted(key for key in data if key.startswith(prefix))[: 2 * _PROJECTS_MOST]:
        try:
            name, time, snapshot = _text(data[key]).split(" ")
            if key == f"{prefix}{_hashed(_name(name))}":
                found[name] = SnapshotAt(_parsed_time(time, now), snapshot)
        except (TypeError, ValueError, InvalidOption):
            continue
    return found


def _sizes(data: Mapping[str, Any], now: datetime) -> dict[str, tuple[UsedAt, ...]]:
    found: dict[str, list[UsedAt]] = {}
    for key in sorted(key for key in data if key.startswith(_USED))[: 10 * _VOLUMES_MOST]:
        try:
            volume, time, number, projects = _text(data[key]).split(" ")
            used = UsedAt(_parsed_time(time, now), int(_number(int(number))), projects)
        except (TypeError, ValueError):
            continue
        if key == _used_key(volume, used.time) and used.time > now - _SIZES_KEPT:
            found.setdefault(volume, []).append(used)
    return {volume: tuple(sorted(sizes)) for volume, sizes in found.items()}


def _text(value: Any) -> str:
    """Return a text in one line, bounded. Raises TypeError where it is none."""
    if not isinstance(value, str):
        raise TypeError("no text")
    return in_one_line(value)[: 2 * _WORDS]


def _number(value: Any) -> float:
    """Return a number that is not negative. Raises TypeError, ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no number")
    if not 0 <= value < 2**53:
        raise ValueError("too much, or no number")
    return value


def _name(value: Any) -> str:
    """Return a valid project name. Raises TypeError, InvalidOption."""
    name = _text(value)
    check_name(name)
    return name


def _parsed_time(text: Any, now: datetime) -> datetime:
    """Return a time that does not lie in the future. Raises TypeError, ValueError."""
    time = parse_time(_text(text))
    if time > now + _AHEAD:
        raise ValueError("in the future")
    return time
