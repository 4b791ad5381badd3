# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``filler_pod``: one filler pod, made or gone."""

from __future__ import annotations

from typing import Any

from ..cluster.api.api_errors import FillerExists, NotFound
from ..cluster.api.claims import read_claim
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..cluster.api.given_paths import target
from ..cluster.api.objects import Pod, parse_pod
from ..cluster.pods.consumers import consumers, identity, image, mounted_at, placement
from ..cluster.pods.filler import Filler, describe_owner, is_left_behind, owner
from ..cluster.pods.manifest import (
    DEFAULT_IMAGE,
    FillerSpec,
    Mount,
    Placement,
    copied_labels,
    filler_name,
)
from ..cluster.pods.overrides import IF_NOT_PRESENT, OVERRIDES, PULL_POLICIES, START_TIMEOUT, parse_overrides
from ..cluster.pods.pod_removal import remove_pod
from ..deadline import Deadline
from ..errors import InvalidOption
from ..given_values import STATE, State
from ..heartbeat import HEARTBEAT_LIMIT
from ..signals import stopping_on_signals
from ..volumes.owner import run_owner

_RUN = "filler_pod"
"""The run id of this module's pods. It is always the same, so a later task finds them."""

ARGUMENT_SPEC: dict[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "claim": {"type": "str", "required": True},
    "path": {"type": "str"},
    "state": STATE,
    "image": {"type": "str", "default": ""},
    "pull_policy": {"type": "str", "choices": [*PULL_POLICIES], "default": IF_NOT_PRESENT},
    "image_pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "labels": {"type": "dict", "default": {}},
    "annotations": {"type": "dict", "default": {}},
    "resources": {"type": "dict", "default": {}},
    "pod_security_context": {"type": "dict", "default": {}},
    "security_context": {"type": "dict", "default": {}},
    "tolerations": {"type": "list", "elements": "dict", "default": []},
    "node_selector": {"type": "dict", "default": {}},
    "node": {"type": "str", "default": ""},
    "service_account": {"type": "str", "default": ""},
    "priority_class": {"type": "str", "default": ""},
    "proxy": {"type": "dict", "default": {}},
    "active_deadline": {"type": "int", "default": 3600},
    "heartbeat": {"type": "int", "default": HEARTBEAT_LIMIT},
    "start_timeout": {"type": "int", "default": START_TIMEOUT},
    "timeout": {"type": "int", "default": 600},
}


def filler_pod(module: Any) -> None:
    """Make or remove the filler pod that the module's options ask for, and end the module."""
    params = module.params
    overrides = parse_overrides({key: params[key] for key in OVERRIDES})
    path = target("path", params["path"]) if State(params["state"]) is State.PRESENT else ""
    client = connect(module)
    client.require_way_for_exec()
    with stopping_on_signals() as stop:
        deadline = Deadline(params["timeout"], f"filler pod in {params['namespace']}", stop)
        claim = read_claim(client, params["namespace"], params["claim"], deadline, "Check the name and the namespace.")
        name = filler_name(claim.uid)
        present = _present(client, params["namespace"], name, deadline)
        if State(params["state"]) is State.ABSENT:
            _absent(module, client, present, deadline)
        pods = [parse_pod(item) for item in client.list("Pod", params["namespace"], deadline)]
        used = consumers(pods, claim.name)
        at = placement(used)
        spec = FillerSpec(
            namespace=params["namespace"],
            name=name,
            mount=Mount(claim.name, str(path)),
            image=params["image"] or image(used.any, claim.name) or DEFAULT_IMAGE,
            owner={**run_owner(), "run": _RUN},
            overrides=overrides,
            identity=identity(used.any, claim.name, any("openshift.io/scc" in pod.annotations for pod in pods)),
            placement=Placement(params["node"], at.tolerations) if params["node"] else at,
            labels=copied_labels(claim),
        )
        living = present if present is not None and not is_left_behind(present, client.now()) and not present.deleting else None
        if living is not None and owner(living).get("run") != _RUN:
            raise FillerExists(f"Another filler holds the volume: pod {name} of {describe_owner(living)}.", "Wait for that run to end.")
        if living is not None and (at_path := mounted_at(living, claim.name)[1]) != str(path):
            raise InvalidOption(
                f"Pod {name} is there already, and has the claim at {at_path}, not at {path}.",
                f"Use that path, or remove the pod first (option `state: absent`), which {describe_owner(living)} has made.",
            )
        if module.check_mode:
            module.exit_json(changed=living is None, name=name, namespace=params["namespace"], node=present.node if present else "")
        filler = Filler(client, spec, deadline)
        filler.start()
        if params["heartbeat"]:
            with filler.shell() as shell:  # the first heartbeat; each task that works in the pod gives more
                shell.run(("true",), deadline=deadline)
        module.exit_json(
            changed=living is None, name=name, namespace=params["namespace"], node=filler.pod.node, seconds=round(filler.attach, 3)
        )


def _absent(module: Any, client: Client, present: Pod | None, deadline: Deadline) -> None:
    if present is None:
        module.exit_json(changed=False)
    elif owner(present).get("run") != _RUN and not is_left_behind(present, client.now()):
        raise FillerExists(
            f"Pod {present.namespace}/{present.name} is the filler of {describe_owner(present)}, which is at work.",
            "Wait for that run to end.",
        )
    else:
        if not module.check_mode:
            remove_pod(client, present, deadline)
        module.exit_json(changed=True, name=present.name, namespace=present.namespace)


def _present(client: Client, namespace: str, name: str, deadline: Deadline) -> Pod | None:
    try:
        return parse_pod(client.get("Pod", namespace, name, deadline))
    except NotFound:
        return None
