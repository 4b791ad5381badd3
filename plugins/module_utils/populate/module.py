# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``repository_cache``: validate, compute, act, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..cache.domain.model import Volume
from ..cache.domain.plan import Action
from ..cluster.api.access import user
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..deadline import Deadline
from ..errors import DeploymentError
from ..given_values import State
from ..history.line import run_line
from ..history.runs import HistoryUpdate, Run, bounded, run_facts
from ..progress import Progress
from ..redaction import SECRETS
from ..signals import stopping_on_signals
from ..volumes.owner import run_owner
from . import report
from .failures import failures, headline
from .history_update import failed_run, history_update, planned_run
from .options import ARGUMENT_SPEC, PopulateOptions, parse_options
from .progress_lines import writer
from .recording import record_run
from .run import Outcome, Populate

_ASKING_SECONDS = 60.0
_TRACEBACKS = 3
"""From -vvv on they are shown."""


def populate(module: Any) -> None:
    """Run the job with a module's parameters and exit it."""
    options = parse_options(module.params)
    run_and_exit(module, connect(module), options)


def run_and_exit(module: Any, client: Client, options: PopulateOptions) -> None:
    """Run the job, write down what it did, and exit the module with that."""
    client.require_way_for_exec()
    report_progress = writer(options.progress_file)
    with stopping_on_signals() as stop:
        owner = run_owner()
        begun = Run(owner["run"], client.now(), f"{owner['user']} on {owner['host']}", options.state.value, len(options.projects))
        try:
            who = user(client, Deadline(_ASKING_SECONDS, "asking the API who we are", stop))
            report_progress(Progress("", f"works on {client.host} as {who}"))
            begun = replace(begun, started=client.now(), by=f"{who} ({begun.by})")
            outcome = Populate(options, client, stop, report_progress, owner).run(module.check_mode)
        except DeploymentError as error:
            if not module.check_mode:
                record_run(client, options, HistoryUpdate(_redacted(failed_run(begun, client.now(), str(error)))), None, module.warn)
            raise
        if module.check_mode:
            update = HistoryUpdate(_redacted(planned_run(outcome, begun, client.now())))
        else:
            update = history_update(outcome, begun, client.now(), all_pairs=not options.place.select and not options.place.listed)
            update = replace(update, run=_redacted(update.run))
            record_run(client, options, update, outcome, module.warn)
    for words in (
        *outcome.notes,
        *filter(None, [report.unlisted(outcome.plan, outcome.results, outcome.unread)]),
        *report.warnings(outcome.results),
    ):
        module.warn(words)
    answer = {
        **_answer(outcome, client, module.check_mode, options.state),
        "summary_line": run_line(update.run, options.place.home, planned=module.check_mode),
        "run": run_facts(bounded(update.run)),
    }
    causes = failures(outcome.results)
    failed = headline(outcome.results, causes)
    faults = [result.fault for result in outcome.results if result.fault]
    if failed and faults and module._verbosity >= _TRACEBACKS:
        module.fail_json(msg=failed, failures=causes, exception="\n".join(faults), **answer)
    if failed:
        module.fail_json(msg=failed, failures=causes, **answer)
    module.exit_json(**answer)


def _redacted(run: Run) -> Run:
    """Return a run without secrets: before its texts are shortened, as half of one would not be found."""
    return replace(run, failed={name: SECRETS.text(words) for name, words in run.failed.items()}, error=SECRETS.text(run.error))


def _answer(outcome: Outcome, client: Client, check_mode: bool, state: State) -> dict[str, Any]:
    volumes = [volume for result in outcome.results for volume in result.volumes]
    return {
        "changed": outcome.plan.changes if check_mode else any(volume.changed for volume in volumes),
        "volumes": [report.volume_facts(volume) for volume in volumes],
        "summary": report.planned_summary(outcome.plan, outcome.results) if check_mode else report.summary(outcome.results, state),
        "plan": report.plan_facts(outcome.plan),
        "unread": sorted(outcome.unread),
        "requests": client.requests,
        "diff": report.diff(outcome.before, _after(outcome, check_mode)),
    }


def _after(outcome: Outcome, check_mode: bool) -> Mapping[Volume, Mapping[str, str]]:
    """Return for each volume the text of each project that changes; empty for one that goes."""
    after: dict[Volume, dict[str, str]] = {}
    if not check_mode:
        for result in outcome.results:
            for volume in result.volumes:
                for project in volume.projects:
                    if project.changed:
                        text = "" if project.there is None else report.snapshot_text(project.there.snapshot, project.there.refs)
                        after.setdefault(volume.volume, {})[project.project] = text
        return after
    for pair in outcome.plan.pairs:
        there = outcome.before.get(pair.pair.worker)
        for step in pair.steps:
            name = step.project.name
            snapshot = outcome.snapshots.get(name)
            recorded = None if step.listed or there is None else there.projects.get(name)
            if step.action is Action.NOTHING or (not step.listed and recorded is None):
                continue
            text = "" if snapshot is None else report.snapshot_text(snapshot.digest, len(snapshot.refs))
            after.setdefault(step.volume, {})[name] = text if recorded is None else report.snapshot_text(recorded.snapshot, recorded.refs)
    return after


__all__ = ["ARGUMENT_SPEC", "populate"]
