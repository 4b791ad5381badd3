# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of a run beside those of its plan: projects that could not be read, workers without a sandbox's claim, what stayed behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..background import unexpected
from ..cache.domain.model import Pair, Volume
from ..cache.domain.plan import Action, Plan
from ..cache.domain.projects import Project
from ..cache.domain.results import ConsumerWait, PairResult, ProjectResult, VolumeResult
from ..errors import DeploymentError


def tidied(*works: Callable[[], None]) -> tuple[str, ...]:
    """Do all of ``works``; in words what could not be done, so that the run's results are told all the same."""
    left = []
    for work in works:
        try:
            work()
        except Exception as error:  # noqa: BLE001  (whatever it is, the results are worth more)
            left.append(str(unexpected("Tidying up at the end", error)))
    return tuple(left)


def still_held(results: Sequence[PairResult], why: Callable[[Volume], str]) -> tuple[PairResult, ...]:
    """The results, with what is known of volumes that could not be released."""

    def known(side: VolumeResult) -> VolumeResult:
        return replace(side, stuck=why(side.volume))

    return tuple(replace(result, sandbox=known(result.sandbox), worker=known(result.worker)) for result in results)


def with_waits(results: Sequence[PairResult], waits: Mapping[Volume, tuple[ConsumerWait, ...]]) -> tuple[PairResult, ...]:
    """The results, with who waited for their volumes."""

    def known(side: VolumeResult) -> VolumeResult:
        return replace(side, waits=waits.get(side.volume, ()))

    return tuple(replace(result, sandbox=known(result.sandbox), worker=known(result.worker)) for result in results)


def unread(failed: Mapping[str, DeploymentError], plan: Plan, results: Sequence[PairResult]) -> tuple[PairResult, ...]:
    """The plan's results with a failed row on each volume for each project that could not be read; ``results`` is empty in check mode."""
    if not failed:
        return tuple(results)
    done = {result.pair: result for result in results}
    return tuple(_with_unread(failed, done.get(pair.pair) or _nothing(pair.pair)) for pair in plan.pairs)


def _nothing(pair: Pair) -> PairResult:
    return PairResult(pair, VolumeResult(pair.sandbox, ()), VolumeResult(pair.worker, ()))


def _with_unread(failed: Mapping[str, DeploymentError], result: PairResult) -> PairResult:
    def completed(side: VolumeResult) -> VolumeResult:
        # What was done of it all the same, as it lies there, keeps its own row.
        own = {row.project for row in side.projects if row.failed}
        rows = tuple(_failed(side.volume, name, error) for name, error in failed.items() if name not in own)
        return replace(side, projects=(*side.projects, *rows))

    return replace(
        result,
        sandbox=completed(result.sandbox),
        worker=completed(result.worker),
        unlisted=tuple(name for name in result.unlisted if name not in failed),
    )


def _failed(volume: Volume, name: str, error: DeploymentError) -> ProjectResult:
    return ProjectResult(volume, name, Action.FAILED, error=error.message, remedy=error.remedy)


def unpaired(pair: Pair, projects: tuple[Project, ...], unread: Mapping[str, DeploymentError]) -> PairResult:
    """A worker's claim without its sandbox's: that pair fails, the rest goes on. ``unread``: what could not be read, which says why itself."""
    error = f"The claim {pair.sandbox} for the sandboxes of {pair.name} does not exist."
    remedy = "Create it, or leave this pair out (option `select`)."

    def row(volume: Volume, name: str, action: Action, words: str) -> ProjectResult:
        return _failed(volume, name, unread[name]) if name in unread else ProjectResult(volume, name, action, error=words, remedy=remedy)

    sandbox = tuple(row(pair.sandbox, project.name, Action.FAILED, error) for project in projects)
    worker = tuple(row(pair.worker, project.name, Action.BLOCKED, "Its sandbox has no volume.") for project in projects)
    return PairResult(pair, VolumeResult(pair.sandbox, sandbox), VolumeResult(pair.worker, worker))
