# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave a run's news where people and machines look. Whatever fails here is a warning: the run itself has done its work."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from ..cluster.api.access import RBAC
from ..cluster.api.client import Client
from ..cluster.api.errors import ClusterError, Forbidden
from ..deadline import Deadline
from ..errors import DeadlineExceeded, DeploymentError
from ..history.config_map import NAME, write
from ..history.line import run_line
from ..history.runs import History, News, Run, bounded, run_facts
from ..redaction import SECRETS
from .options import PopulateOptions
from .outgoing import send

_SECONDS = 20.0
"""For the ConfigMap. A run that was asked to stop writes it, too."""


def leave(client: Client, options: PopulateOptions, news: News, warn: Callable[[str], None]) -> None:
    """Write the news to the ConfigMap of the workers' namespace, and send them where the user wants them."""
    failed = {name: SECRETS.text(words) for name, words in news.run.failed.items()}
    run = bounded(replace(news.run, failed=failed, error=SECRETS.text(news.run.error)))
    namespace = options.place.home
    _write(client, namespace, replace(news, run=run), warn)
    if options.notify:
        _notify(options.notify, namespace, run, warn)


def _write(client: Client, namespace: str, news: News, warn: Callable[[str], None]) -> History | None:
    """Return all that is in the ConfigMap then, None where it could not be written."""
    try:
        return write(client, namespace, news, Deadline(_SECONDS, f"writing ConfigMap {namespace}/{NAME}"))
    except (ClusterError, DeadlineExceeded) as error:
        remedy = f"{RBAC} has the rule for it." if isinstance(error, Forbidden) else error.remedy
        warn(f"What this run did could not be written to ConfigMap {namespace}/{NAME}: {error.message.rstrip('.')}. {remedy}".rstrip())
        return None


def _notify(url: str, namespace: str, run: Run, warn: Callable[[str], None]) -> None:
    body = {"summary": run_line(run, namespace), "namespace": namespace, "run": run_facts(run)}
    try:
        send(url, "POST", {"Content-Type": "application/json"}, json.dumps(body).encode())
    except DeploymentError as error:
        warn(f"The notification of this run was not sent: {error}")
