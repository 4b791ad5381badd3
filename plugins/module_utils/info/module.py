# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``repository_cache_info``: what every volume holds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from ..cache.domain.model import Volume
from ..cache.domain.record import ANNOTATION, parse
from ..cache.git.entry import Entry
from ..cache.rollout.staged_project import repository_on
from ..cluster.api.access import CHANGE_RIGHTS, READ_RIGHTS, require
from ..cluster.api.connect import connect
from ..cluster.api.objects import Claim
from ..cluster.pods.pod_watch import following
from ..deadline import Deadline
from ..errors import DeploymentError, InvalidOption
from ..printable import printable
from ..signals import stopping_on_signals
from ..volumes.discovery import observe, openshift_namespaces
from ..volumes.holding import ClusterVolumeAccess, Settings
from ..volumes.owner import run_owner
from ..volumes.pairs import describe, query
from ..volumes.place import VOLUMES_SPEC, InUse, parse_place

ARGUMENT_SPEC: dict[str, Any] = {
    **VOLUMES_SPEC,
    "query": {"type": "str", "default": ""},
    "look_inside": {"type": "bool", "default": False},
    "concurrency": {"type": "int", "default": 8},
    "timeout": {"type": "int", "default": 600},
}
_MOST = 1000
"""Directories of a volume that are looked into: what is more was not made by us."""
_LIST = f"""cd -- "$1" || exit 0
n=0
for f in * .[!.]*; do
    if [ ! -e "$f" ] || [ "$f" = lost+found ]; then continue; fi
    printf '%s\\0' "$f"
    n=$((n + 1))
    [ "$n" -le {_MOST} ] || exit 0
done
exit 0"""


def info(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    place = parse_place(params)
    client = connect(module)
    with stopping_on_signals() as stop:
        reading = Deadline(120.0, "reading the cluster's state", stop)
        look_inside = params["look_inside"] and not module.check_mode
        rights = CHANGE_RIGHTS if look_inside else READ_RIGHTS
        observed = observe(client, place, rights, reading)
        if observed.absent:
            names = ", ".join(str(volume) for volume in observed.absent)
            raise InvalidOption(f"These claims, which `volumes` lists, do not exist: {names}.", "Check names and namespaces.")
        if look_inside:
            require(client, observed.namespaces, rights, reading)
        inside: dict[Volume, Any] = {}
        if look_inside:
            settings = Settings(
                path=place.path,
                image=params["image"],
                overrides=place.overrides,
                in_use=InUse(params["in_use"]),
                timeout=params["timeout"],
                concurrency=params["concurrency"],
                node_concurrency=params["concurrency"],
                owner=run_owner(),
                openshift=openshift_namespaces(client, observed, reading),
                partners={pair.sandbox: pair.worker for pair in observed.found.pairs},
                pods=observed.pods,
            )
            access = ClusterVolumeAccess(client, observed.claims, settings, lambda _progress: None)
            with following(client, observed.namespaces):
                inside = _look(access, list(observed.claims), params, stop)
    volumes = [_facts(volume, claim, inside.get(volume)) for volume, claim in sorted(observed.claims.items())]
    answer: dict[str, Any] = {
        "volumes": volumes,
        "pairs": [describe(pair) for pair in observed.found.pairs],
        "incomplete": [describe(pair) for pair in observed.found.unpaired_workers],
        "orphans": [f"{volume}" for volume in observed.found.orphans],
    }
    if params["query"]:
        answer["result"] = query(params["query"], answer)
    module.exit_json(changed=False, requests=client.requests, **answer)


def _look(access: ClusterVolumeAccess, volumes: list[Volume], params: dict[str, Any], stop: threading.Event) -> dict[Volume, Any]:
    def one(volume: Volume) -> Any:
        deadline = Deadline(params["timeout"], f"looking into {volume}", stop)
        try:
            with access.hold(volume, deadline) as held:
                listed = held.shell.run(("sh", "-c", _LIST, "list", held.root), deadline=deadline).stdout
                names = [raw for raw in listed.split(b"\0") if raw]
                more = f"It has more than {_MOST} directories; the first ones were looked into." if len(names) > _MOST else ""
                entries = {}
                for raw in names[:_MOST]:
                    name = raw.decode("utf-8", "surrogateescape")
                    entries[printable(name)] = _entry_facts(repository_on(held, name, 3600.0).glance(deadline))
                return {"entries": entries, "error": more, "held_seconds": round(held.held_seconds, 3)}
        except DeploymentError as error:
            return {"entries": {}, "error": str(error), "held_seconds": 0.0}

    with ThreadPoolExecutor(max(1, params["concurrency"])) as executor:
        return dict(zip(volumes, executor.map(one, volumes), strict=True))


def _entry_facts(entry: Entry) -> dict[str, Any]:
    return {
        "usable": entry.usable,
        "layout": entry.layout.value if entry.layout is not None else "",
        "reason": entry.reason,
        "remedy": entry.remedy,
        "bytes": entry.bytes,
        "packs": entry.packs,
        "loose_objects": entry.loose,
        "owner": entry.owner,
        "warnings": list(entry.warnings),
    }


def _facts(volume: Volume, claim: Claim, inside: Any) -> dict[str, Any]:
    record = parse(claim.annotations.get(ANNOTATION), claim.uid, claim.volume_name)
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
