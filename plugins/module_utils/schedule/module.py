# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``schedule``: compare, write and remove the objects of a schedule."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..cluster.api.access import RBAC_SCHEDULE, Right, require_each
from ..cluster.api.api_errors import NotFound
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..cluster.api.names import require_name
from ..cluster.api.objects import Object
from ..cluster.pods.overrides import OVERRIDES, parse_overrides
from ..deadline import Deadline
from ..errors import InvalidOption
from ..given_values import STATE, State
from ..signals import stopping_on_signals
from .cron_job import GRACE, LABEL, Schedule, names, objects

ARGUMENT_SPEC: dict[str, Any] = {
    "state": STATE,
    "name": {"type": "str", "default": "repository-cache-schedule"},
    "namespace": {"type": "str", "required": True},
    "sandbox_namespace": {"type": "str", "required": True},
    "cron": {"type": "str", "default": "17 3 * * *"},
    "time_zone": {"type": "str", "default": ""},
    "suspend": {"type": "bool", "default": False},
    "image": {"type": "str", "default": ""},
    "variables": {"type": "dict", "default": {}},
    "rules": {"type": "list", "elements": "dict", "default": []},
    "pod": {"type": "dict", "default": {}},
    "upstream_secret": {"type": "str", "default": "", "no_log": False},
    "trusted_ca": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 14400},
}
POD_KEYS = tuple(key for key in OVERRIDES if key not in ("service_account", "active_deadline", "start_timeout", "heartbeat"))
"""The settings for fillers that the job's pod has, too."""

_TIMEOUT = 120.0
"""Seconds for all requests."""
_PAUSE = 1.0
_SECRET = "_notify"
"""The end of the name of the variable with a chat's hook."""
_CREDENTIALS = re.compile(r"[a-z]+://[^/\s]*@", re.IGNORECASE)
"""The beginning of a URL with a password, as a Pushgateway's may have one."""
_LONGEST_NAME = 52
"""The API's, of a CronJob: its jobs' names are 11 characters longer."""
_SET_BY_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
"""The parts of an object's metadata that the server writes."""
_RESOURCES = {
    "ServiceAccount": ("serviceaccounts", ""),
    "Role": ("roles", "rbac.authorization.k8s.io"),
    "RoleBinding": ("rolebindings", "rbac.authorization.k8s.io"),
    "ConfigMap": ("configmaps", ""),
    "CronJob": ("cronjobs", "batch"),
}


@dataclass(frozen=True)
class Difference:
    """An object as it was and as it is now; None where there is none."""

    item: Object
    before: Object | None
    after: Object | None

    @property
    def action(self) -> str:
        """Return what was done, or in check mode would be."""
        if self.before == self.after:
            return "unchanged"
        return "create" if self.before is None else "delete" if self.after is None else "update"

    def __str__(self) -> str:
        return _words(self.item)


def schedule(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    present = State(params["state"]) is State.PRESENT
    require_name("CronJob", params["name"])
    if len(params["name"]) > _LONGEST_NAME:
        raise InvalidOption(f"`name` has {len(params['name'])} characters, and a CronJob's name {_LONGEST_NAME} at most.")
    wanted = objects(parse_schedule(params)) if present else names(params["name"], params["namespace"], params["sandbox_namespace"])[::-1]
    client = connect(module)
    with stopping_on_signals() as stop:
        deadline = Deadline(_TIMEOUT, f"the schedule {params['name']}", stop)
        _require_rights(client, wanted, ("get", "create", "update") if present else ("get", "delete"), deadline)
        found = [(item, _read(client, item, deadline)) for item in wanted]  # all, before anything is written
        if present:
            done = [_write(client, item, before, module.check_mode, deadline) for item, before in found]
        else:
            removing = Deadline(GRACE + _TIMEOUT, f"the removal of the schedule {params['name']}", stop)
            done = [_remove(client, item, before, module.check_mode, removing) for item, before in found]
    changes = [item for item in done if item.action != "unchanged"]
    module.exit_json(
        changed=bool(changes),
        objects=[{"kind": item.item["kind"], **_place(item.item), "action": item.action} for item in done],
        summary=[f"{item}: {item.action}" for item in changes] or [f"Nothing to do: {_state(params)}."],
        requests=client.requests,
        diff=[
            {"before_header": str(item), "after_header": str(item), "before": _shown(item.before), "after": _shown(item.after)} for item in changes
        ],
    )


def parse_schedule(params: Mapping[str, Any]) -> Schedule:
    """Return what the user wants. Raises InvalidOption, naming the value."""
    if not params["image"].strip():
        raise InvalidOption(
            "`image` is empty.", "Name an image that has this collection: an execution environment (execution-environment.yml), or one of the Containerfile."
        )
    unknown = sorted(set(params["pod"]) - set(POD_KEYS))
    if unknown:
        raise InvalidOption(f"Unknown key `pod.{unknown[0]}`.", f"Known keys: {', '.join(sorted(POD_KEYS))}.")
    if not params["rules"]:
        raise InvalidOption("`rules` is empty, so that the job could do nothing.", "Give the rules of docs/rbac.yml of this collection.")
    secret = [name for name, value in params["variables"].items() if value and (str(name).endswith(_SECRET) or _CREDENTIALS.match(str(value)))]
    if secret:
        raise InvalidOption(
            f"`variables` has {secret[0]}, which is a secret, and whoever may read ConfigMaps could read it.",
            "Put it into the Secret of option `upstream_secret`, in the key variables.yml.",
        )
    for kind, option in (("Secret", "upstream_secret"), ("ConfigMap", "trusted_ca")):
        if params[option]:
            require_name(kind, params[option])
    return Schedule(
        pod=parse_overrides(params["pod"], "pod"),
        **{name: params[name] for name in ARGUMENT_SPEC if name not in ("state", "pod")},
    )


def _require_rights(client: Client, wanted: Sequence[Object], verbs: Sequence[str], deadline: Deadline) -> None:
    """Require the rights on the schedule's objects. Raises Forbidden. The API itself checks whether the job's rights may be given on."""
    rights: dict[str, list[Right]] = {}
    for item in wanted:
        resource, group = _RESOURCES[item["kind"]]
        needed = rights.setdefault(item["metadata"]["namespace"], [])
        needed += [Right(resource, verb, group) for verb in verbs]
        if "delete" in verbs and item["kind"] == "CronJob":
            needed.append(Right("pods", "list"))
    require_each(client, rights, deadline, RBAC_SCHEDULE)


def _read(client: Client, item: Object, deadline: Deadline) -> Object | None:
    """Return the object as it is, None where there is none. Raises InvalidOption where it is another's."""
    meta = item["metadata"]
    try:
        found = client.get(item["kind"], meta["namespace"], meta["name"], deadline)
    except NotFound:
        return None
    if (found["metadata"].get("labels") or {}).get(LABEL) != meta["name"]:
        raise InvalidOption(
            f"{_words(item)} is no schedule's: it has no label {LABEL}={meta['name']}. Nothing was changed.",
            "Choose another name (option `name`), or remove it if nobody needs it.",
        )
    return found


def _write(client: Client, item: Object, before: Object | None, check_mode: bool, deadline: Deadline) -> Difference:
    """Make the object, or replace it where the server would have it otherwise than it is. In check mode the server is only asked."""
    kind, meta = item["kind"], item["metadata"]
    if before is None:
        if not (check_mode and kind == "RoleBinding"):  # its Role need not be there yet
            client.create(kind, meta["namespace"], item, deadline, dry_run=check_mode)
        return Difference(item, None, _own(item))
    body = {**before, **item, "metadata": {**before["metadata"], "labels": {**before["metadata"].get("labels", {}), **meta["labels"]}}}
    after = client.replace(kind, meta["namespace"], meta["name"], body, deadline, dry_run=True)
    found = Difference(item, _own(before), _own(after))
    if found.action != "unchanged" and not check_mode:
        client.replace(kind, meta["namespace"], meta["name"], body, deadline)
    return found


def _remove(client: Client, item: Object, before: Object | None, check_mode: bool, deadline: Deadline) -> Difference:
    """Delete the object; with the CronJob, its jobs. Their pods give back what they hold before their rights go."""
    kind, meta = item["kind"], item["metadata"]
    if before is not None and not check_mode:
        with suppress(NotFound):
            client.delete(kind, meta["namespace"], meta["name"], before["metadata"]["uid"], deadline)
    while kind == "CronJob" and not check_mode and client.list("Pod", meta["namespace"], deadline, labels=f"{LABEL}={meta['name']}"):
        deadline.sleep(_PAUSE)
    return Difference(item, None if before is None else _own(before), None)


def _own(item: Object) -> Object:
    """Return the object without the fields that the server sets."""
    meta = {key: value for key, value in item["metadata"].items() if key not in _SET_BY_SERVER}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": meta}


def _shown(item: Object | None) -> str:
    """Return an object for the diff; a ConfigMap's texts line by line, as of JSON with JSON in it nobody sees what is different."""
    if item is None:
        return ""
    data = {key: text.splitlines() for key, text in (item.get("data") or {}).items()}
    return json.dumps({**item, "data": data} if data else item, indent=2, sort_keys=True) + "\n"


def _place(item: Object) -> dict[str, str]:
    return {"namespace": item["metadata"]["namespace"], "name": item["metadata"]["name"]}


def _words(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}"


def _state(params: Mapping[str, Any]) -> str:
    return f"the schedule {params['name']} is {'as it should be' if State(params['state']) is State.PRESENT else 'not there'}"
