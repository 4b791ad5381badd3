# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``repository_cache_info``: what every volume holds, and how old that is."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..cache.domain.model import Volume
from ..cache.domain.record import Record
from ..cache.domain.space import about_free
from ..cluster.api.access import CHANGE_RIGHTS, READ_RIGHTS, require
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..cluster.api.objects import Claim
from ..cluster.pods.pod_watch import following
from ..deadline import Deadline
from ..errors import DeploymentError, InvalidOption
from ..history.config_map import read_or_warn
from ..history.growth import full_soon
from ..history.runs import run_facts
from ..local_shell import LocalShell
from ..signals import stopping_on_signals
from ..times import time_text
from ..volumes.discovery import READ_TIMEOUT, Observed, observe, openshift_namespaces
from ..volumes.holding import access_to, known
from ..volumes.owner import run_owner
from ..volumes.pairs import describe, query
from ..volumes.place import VOLUMES_SPEC, Place, parse_place
from .copies import Known, copies, copy_facts, free_space, summary, too_old, upstreams_of
from .look_inside import look_inside
from .space_table import space_summary
from .upstream_now import read_upstreams

ARGUMENT_SPEC: dict[str, Any] = {
    **VOLUMES_SPEC,
    "query": {"type": "str", "default": ""},
    "look_inside": {"type": "bool", "default": False, "aliases": ["inside"]},
    "upstream": {"type": "bool", "default": False},
    "max_age": {"type": "int", "default": 0},
    "concurrency": {"type": "int", "default": 8},
    "timeout": {"type": "int", "default": 600},
}


def info(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    place = parse_place(params)
    client = connect(module)
    with stopping_on_signals() as stop:
        reading = Deadline(READ_TIMEOUT, "reading the cluster's state", stop)
        looking = params["look_inside"] and not module.check_mode
        rights = CHANGE_RIGHTS if looking else READ_RIGHTS
        observed = observe(client, place, rights, reading)
        if observed.absent:
            names = ", ".join(str(volume) for volume in observed.absent)
            raise InvalidOption(f"These claims, which `volumes` lists, do not exist: {names}.", "Check names and namespaces.")
        if looking:
            require(client, observed.namespaces, rights, reading)
        records = {volume: known(claim) for volume, claim in observed.claims.items()}
        history = read_or_warn(client, place.home, reading, module.warn)
        inside = _inside(client, observed, place, params, stop) if looking else {}
        asking = Deadline(params["timeout"], "reading upstream's refs", stop)
        upstreams = read_upstreams(LocalShell(), upstreams_of(records), asking) if params["upstream"] else {}
    now = client.now()
    found = copies(Known(records, inside, history, upstreams, now))
    free = {volume: free_space(claim.capacity, records[volume], inside.get(volume, {})) for volume, claim in observed.claims.items()}
    answer: dict[str, Any] = {
        "time": time_text(now),
        "volumes": [_facts(volume, claim, records[volume], inside.get(volume)) for volume, claim in sorted(observed.claims.items())],
        "copies": [copy_facts(copy) for copy in found],
        "runs": [run_facts(run) for run in history.runs],
        "summary": summary(found, free),
        **({"space_summary": space_summary(inside)} if looking else {}),
        "pairs": [describe(pair) for pair in observed.found.pairs],
        "incomplete": [describe(pair) for pair in observed.found.unpaired_workers],
        "orphans": [f"{volume}" for volume in observed.found.orphans],
    }
    for (name, _url, _patterns), upstream in upstreams.items():
        if isinstance(upstream, DeploymentError):
            module.warn(f"Whether {name} is behind is not known: {upstream}")
    for words in full_soon(history, {str(volume): room for volume, room in _free(observed, records, inside).items()}):
        module.warn(words)
    if params["query"]:
        answer["result"] = query(params["query"], answer)
    unpaired = [pair.worker for pair in observed.found.unpaired_workers]
    old = too_old(found, params["max_age"], history, place.home, unpaired) if params["max_age"] else ""
    if old:
        module.fail_json(msg=old, requests=client.requests, **answer)
    module.exit_json(changed=False, requests=client.requests, **answer)


def _free(observed: Observed, records: Mapping[Volume, Record | None], inside: Mapping[Volume, Mapping[str, Any]]) -> dict[Volume, int]:
    """Return what is free on each volume: as it was seen, or about, by what is known to be there."""
    found = {}
    for volume, claim in observed.claims.items():
        record = records[volume]
        if "free_bytes" in inside.get(volume, {}):
            found[volume] = inside[volume]["free_bytes"]
        elif record is not None and claim.capacity:
            found[volume] = about_free(claim.capacity, sum(entry.bytes for entry in record.projects.values()))
    return found


def _inside(client: Client, observed: Observed, place: Place, params: dict[str, Any], stop: threading.Event) -> dict[Volume, dict[str, Any]]:
    access = access_to(
        client,
        observed,
        place,
        lambda _progress: None,
        owner=run_owner(),
        openshift=openshift_namespaces(client, observed, Deadline(READ_TIMEOUT, "reading namespaces", stop)),
        timeout=params["timeout"],
        concurrency=params["concurrency"],
        node_concurrency=params["concurrency"],
    )
    with following(client, observed.namespaces):
        return look_inside(access, list(observed.claims), params["timeout"], params["concurrency"], stop)


def _facts(volume: Volume, claim: Claim, record: Record | None, inside: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "namespace": volume.namespace,
        "claim": volume.claim,
        "role": volume.role.value,
        "serves": volume.serves,
        "capacity": claim.capacity,
        "known": record is not None,
        "projects": {} if record is None else {name: asdict(held) for name, held in record.projects.items()},
        "absent": [] if record is None else list(record.absent),
        **({} if inside is None else {"inside": inside}),
    }
