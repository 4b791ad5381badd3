# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimate how much of the time that workers spend in clones the cache would save. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ..cache.domain.projects import check_name, check_url, name_from_path
from ..errors import InvalidOption
from .clone_log import Clone

SHARE_WITH_CACHE = 0.11
"""packit's clone with the cache ÷ without it, measured: 110 MB, upstream on the same machine (figure `clones` of `make benchmark`).
It is less where upstream is further away, or the repository larger."""


@dataclass(frozen=True)
class Candidate:
    """A repository that workers clone. ``seconds`` are those of its clones whose end was told, with and without the cache; ``saved_seconds`` is an
    estimate of what the cache would have saved of those without it."""

    url: str
    name: str
    clones: int
    cached: int
    seconds: float
    saved_seconds: float


@dataclass(frozen=True)
class Candidates:
    """The repositories, those of which most can be saved first. ``refused``: the clones of URLs that cannot be projects."""

    found: tuple[Candidate, ...]
    refused: int


def candidates(clones: Iterable[Clone]) -> Candidates:
    """Sum the clones up by URL. One with credentials, or in another form that a project cannot have, is only counted."""
    by_url: dict[str, list[Clone]] = defaultdict(list)
    for clone in clones:
        by_url[clone.url].append(clone)
    names = {url: _name(url) for url in by_url}
    found = [_candidate(url, name, by_url[url]) for url, name in names.items() if name]
    refused = sum(len(by_url[url]) for url, name in names.items() if not name)
    return Candidates(tuple(sorted(found, key=lambda item: (-item.saved_seconds, -item.seconds, item.url))), refused)


def _candidate(url: str, name: str, clones: list[Clone]) -> Candidate:
    uncached = sum(clone.seconds or 0.0 for clone in clones if not clone.cached)
    return Candidate(
        url=url,
        name=name,
        clones=len(clones),
        cached=sum(clone.cached for clone in clones),
        seconds=round(sum(clone.seconds or 0.0 for clone in clones), 1),
        saved_seconds=round(uncached * (1 - SHARE_WITH_CACHE), 1),
    )


def _name(url: str) -> str:
    """Return the name that the URL's project would have; empty where it cannot be a project's."""
    try:
        name = name_from_path(check_url(url))
        check_name(name, url)
    except InvalidOption:
        return ""
    return name
