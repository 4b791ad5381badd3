# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The abilities of a transfer method, and the choice of `auto`. Pure. The methods themselves: ``cache.transfer.registry``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .model import AUTO
from .projects import Project
from .record import RecordedEntry


@dataclass(frozen=True)
class Outlook:
    """The outlook for a project before any volume is taken: how many volumes may need all of it, and its size in bytes as
    some claim's record has it (0: none does). ``seed_keeps``: what a seed fetches is kept for the next run."""

    volumes: int
    size: int = 0
    seed_keeps: bool = False


Fits = Callable[[Project, "RecordedEntry | None", Outlook], str]
"""Tells why `auto` brings a project by a method to a volume that has an entry of it (None: not), in half a sentence; empty where it does not."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way in which a snapshot reaches a volume: what the options, the plan and the rollout ask of it.

    ``in_cluster``: a pod reads upstream, which has no ssh key; else the controller does. ``on_volume``: upstream is read while the volume is held.
    ``takes_path``: it brings what the user names as the project's `path`; ``needs_path``: it works only with one. ``by_seed``: a seed pod serves the
    packs. ``programs`` are those that the controller has to have beside git. ``fits`` decides for `auto`.
    ``about`` is for the documentation, which has it after the method's name. ``auto_for`` tells there for what `auto` chooses it; empty: for nothing.
    """

    name: str
    in_cluster: bool
    on_volume: bool
    takes_path: bool = False
    needs_path: bool = False
    by_seed: bool = False
    programs: tuple[str, ...] = ()
    fits: Fits
    about: str
    auto_for: str


def choose_method(methods: Sequence[Method], project: Project, recorded: RecordedEntry | None, outlook: Outlook) -> tuple[Method, str]:
    """Return the method for a project on a volume that has ``recorded`` of it, and why, in half a sentence: the one asked for, or the first that fits."""
    if project.method != AUTO:
        return next(method for method in methods if method.name == project.method), f"{project.method} was asked for"
    return next((method, f"{method.name}, {why}") for method in methods if (why := method.fits(project, recorded, outlook)))


def by_difference(methods: Sequence[Method]) -> Method:
    """Return the method that needs nothing but the volume: its pod fetches what is lacking, and nothing where nothing is."""
    return next(method for method in methods if method.in_cluster and method.on_volume)
