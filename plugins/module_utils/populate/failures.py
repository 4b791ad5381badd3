# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures in words: a paragraph a cause, with all places where it happened. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..cache.domain.model import Role, Volume
from ..cache.domain.plan import Action
from ..cache.domain.results import PairResult, ProjectResult, VolumeResult

_OUR_PODS = re.compile(r"packit-cache-[a-z]+-[0-9a-f-]+")
"""A pod's own name makes no cause of its own."""


@dataclass
class _Cause:
    """The words of the first place, the projects by place, and those by the places that are only blocked by it."""

    words: str
    places: dict[Volume, list[str]] = field(default_factory=dict)
    blocked: dict[Volume, list[str]] = field(default_factory=dict)

    @property
    def all_places(self) -> Mapping[Volume, list[str]]:
        """Return both."""
        return {**self.places, **{volume: [*self.places.get(volume, []), *names] for volume, names in self.blocked.items()}}


def failures(results: Sequence[PairResult]) -> list[str]:
    """A paragraph for each volume that nobody else can have, and for each cause, those with the most places first; nothing where nothing failed."""
    volumes = _volumes(results)
    causes: dict[tuple[str, str], _Cause] = {}
    for volume, row, cause in (found for result in results for found in _failed(result)):
        key = (_general(cause.error, cause.volume), _general(cause.remedy, cause.volume))
        found = causes.setdefault(key, _Cause(f"{cause.error} {cause.remedy}".rstrip()))
        (found.places if cause is row else found.blocked).setdefault(volume, []).append(row.project)
    ordered = sorted(causes.values(), key=lambda cause: -sum(map(len, cause.all_places.values())))
    held = [f"{volume.volume}: {volume.stuck}" for volume in volumes if volume.stuck and volume.volume.role is Role.SANDBOX]
    return [*held, *(f"{_where(cause, len(volumes))}: {cause.words}" for cause in ordered)]


def headline(results: Sequence[PairResult], paragraphs: Sequence[str]) -> str:
    """Return what failed in one line, whose causes are in ``paragraphs``; empty where nothing did."""
    if not paragraphs:
        return ""
    volumes = _volumes(results)
    failed = sum(volume.failed for volume in volumes)
    rows = [row for volume in volumes for row in volume.projects]
    bad = sum(row.failed for row in rows)
    if failed < len(volumes):
        count = f"{failed} of {len(volumes)} volumes are not as wanted; the others are, and a second run does only the rest."
    elif bad < len(rows):  # one dead upstream is on every volume, and is not all
        count = f"{bad} of {len(rows)} copies of projects are not as wanted; the others are, and a second run does only the rest."
    else:
        count = f"{failed} of {len(volumes)} volumes are not as wanted; what was there before is as it was."
    return f"{count} {paragraphs[0]}" if len(paragraphs) == 1 else f"{count} There are {len(paragraphs)} causes, see `failures`."


def _failed(result: PairResult) -> Iterator[tuple[Volume, ProjectResult, ProjectResult]]:
    """Yield each row that is not as wanted, with the one that is its cause: its partner's, where it is only blocked by that."""
    sides = result.volumes
    for side, partner in (sides, sides[::-1]):
        causes = {row.project: row for row in partner.projects if row.action is Action.FAILED}
        for row in side.projects:
            if row.failed:
                yield side.volume, row, (causes.get(row.project, row) if row.action is Action.BLOCKED else row)


def _general(words: str, volume: Volume) -> str:
    """The words without what is of their place alone."""
    words = _OUR_PODS.sub("", words)
    for own in filter(None, (volume.claim, volume.serves)):
        words = words.replace(own, "")
    return words


def _where(cause: _Cause, volumes: int) -> str:
    everywhere = cause.all_places
    if len(everywhere) == volumes > 1 and not cause.blocked and _alike(everywhere):
        return f"{', '.join(next(iter(everywhere.values())))}, on all {volumes} volumes"
    either = f" (so not on {', '.join(map(str, cause.blocked))} either)" if cause.blocked else ""
    if _alike(cause.places):
        return f"{', '.join(next(iter(cause.places.values())))}, on {', '.join(map(str, cause.places))}{either}"
    return "; ".join(f"{', '.join(names)} on {volume}" for volume, names in cause.places.items()) + either


def _alike(places: Mapping[Volume, list[str]]) -> bool:
    return len({tuple(names) for names in places.values()}) == 1


def _volumes(results: Iterable[PairResult]) -> list[VolumeResult]:
    return [volume for result in results for volume in result.volumes]
