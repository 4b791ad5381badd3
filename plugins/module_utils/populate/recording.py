# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record what a run did where people and machines look. Whatever fails here is a warning: the run itself has done its work."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from ..cache.domain.space import about_free
from ..cluster.api.api_errors import ClusterError
from ..cluster.api.client import Client
from ..deadline import AWAY_SECONDS, Deadline
from ..errors import DeadlineExceeded, DeploymentError
from ..history.config_map import NAME, why_not, write
from ..history.growth import full_soon
from ..history.line import run_line
from ..history.runs import History, HistoryUpdate, bounded, run_facts
from .metrics import metrics_of
from .options import PopulateOptions
from .outgoing import send
from .prometheus import push, write_file
from .run import Outcome


def record_run(client: Client, options: PopulateOptions, update: HistoryUpdate, outcome: Outcome | None, warn: Callable[[str], None]) -> None:
    """Write the update to the ConfigMap of the workers' namespace, and send it where the user wants it. ``outcome``: see ``metrics_of``."""
    run, namespace = update.run, options.place.home
    history = _write(client, namespace, update, warn) or History((run,), update.checked, update.changed)
    if outcome is not None:
        for words in full_soon(history, _free(update, outcome)):
            warn(words)
    if options.notify:
        body = {"summary": run_line(run, namespace), "namespace": namespace, "run": run_facts(bounded(run))}
        sending = partial(send, options.notify, "POST", {"Content-Type": "application/json"}, json.dumps(body).encode())
        _try("The notification of this run was not sent", sending, warn)
    if options.pushgateway or options.metrics_file:
        metrics = metrics_of((project.name for project in options.projects), update, history, outcome)
        if options.pushgateway:
            _try("The metrics of this run were not sent", partial(push, options.pushgateway, namespace, metrics), warn)
        if options.metrics_file:
            _try("The metrics of this run were not written", partial(write_file, options.metrics_file, namespace, metrics), warn)


def _free(update: HistoryUpdate, outcome: Outcome) -> dict[str, int]:
    """Return about what is free on each volume of which that is known."""
    capacities = {str(volume): capacity for volume, capacity in outcome.capacities.items() if capacity}
    return {volume: about_free(capacities[volume], used.bytes) for volume, used in update.used.items() if volume in capacities}


def _write(client: Client, namespace: str, update: HistoryUpdate, warn: Callable[[str], None]) -> History | None:
    """Return all that is in the ConfigMap then, None where it could not be written."""
    try:
        # A deadline of its own: a run that was asked to stop writes it, too.
        return write(client, namespace, update, Deadline(AWAY_SECONDS, f"writing ConfigMap {namespace}/{NAME}"))
    except (ClusterError, DeadlineExceeded) as error:
        warn(f"What this run did could not be written to ConfigMap {namespace}/{NAME}: {why_not(error)}")
        return None


def _try(failed: str, work: Callable[[], None], warn: Callable[[str], None]) -> None:
    try:
        work()
    except DeploymentError as error:
        warn(f"{failed}: {error}")
