# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ConfigMap in the workers' namespace in which each run leaves what it did. One request a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..cluster.api.access import RBAC
from ..cluster.api.api_errors import AlreadyExists, ClusterError, Forbidden, NotFound
from ..cluster.api.client import Client
from ..deadline import Deadline
from ..errors import DeadlineExceeded, DeploymentError, Interrupted
from .runs import History, HistoryUpdate, parse, render, surplus

NAME = "packit-repository-cache"
_KIND = "ConfigMap"


def write(client: Client, namespace: str, update: HistoryUpdate, deadline: Deadline) -> History:
    """Add what one run has done. Return all that is there then. Raises ClusterError."""
    found = _merge(client, namespace, render(update), deadline)
    too_old = surplus(found, client.now())
    if too_old:
        found = _merge(client, namespace, too_old, deadline)
    return parse(found, client.now())


def read(client: Client, namespace: str, deadline: Deadline) -> History:
    """Return what runs have left; nothing where none has. Raises ClusterError."""
    try:
        return parse(_data(client.get(_KIND, namespace, NAME, deadline)), client.now())
    except NotFound:
        return History()


def read_or_warn(client: Client, namespace: str, deadline: Deadline, warn: Callable[[str], None]) -> History:
    """Return what runs have left; nothing, with a warning, where it cannot be read. Raises Interrupted."""
    try:
        return read(client, namespace, deadline)
    except Interrupted:
        raise
    except (ClusterError, DeadlineExceeded) as error:
        warn(f"ConfigMap {namespace}/{NAME} could not be read, so what is told of runs and checks is less than there may be: {why_not(error)}")
        return History()


def why_not(error: DeploymentError) -> str:
    """Return why the ConfigMap could not be written or read, and what to do about it."""
    remedy = f"{RBAC} has the rule for it." if isinstance(error, Forbidden) else error.remedy
    return f"{error.message.rstrip('.')}. {remedy}".rstrip()


def _merge(client: Client, namespace: str, data: Mapping[str, str | None], deadline: Deadline) -> dict[str, Any]:
    """Set some keys and leave the others, which are other runs', as the server has them at that moment."""
    try:
        return _data(client.patch(_KIND, namespace, NAME, {"data": data}, deadline))
    except NotFound:
        pass
    body = {"apiVersion": "v1", "kind": _KIND, "metadata": {"name": NAME}, "data": {key: value for key, value in data.items() if value is not None}}
    try:
        return _data(client.create(_KIND, namespace, body, deadline))
    except AlreadyExists:  # another run made it meanwhile
        return _data(client.patch(_KIND, namespace, NAME, {"data": data}, deadline))


def _data(found: Mapping[str, Any]) -> dict[str, Any]:
    return dict(found.get("data") or {})
