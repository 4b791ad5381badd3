# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``workload_settings``: find, decide for all workloads, ask the server, write, wait, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..cluster.api.access import RBAC_STAGING, Right, require
from ..cluster.api.api_errors import Conflict, Forbidden
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..cluster.workloads import Workload, choose_workload, find_workload, list_workloads, parse_workload, split_name, wait_for_rollout
from ..deadline import Deadline
from ..errors import InvalidOption
from ..given_values import set_it
from .namespace import Space, contradiction, parse_space
from .node_fit import no_place, parse_node
from .settings import Change, Wanted, decide, shown
from .sizes import parse_sizes
from .tolerations import parse_tolerations, read_toleration

ARGUMENT_SPEC: dict[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "workloads": {"type": "list", "elements": "str", "default": []},
    "node_selector": {"type": "dict", "default": {}},
    "tolerations": {"type": "list", "elements": "dict", "default": []},
    "sizes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "workload": {"type": "str", "required": True},
            "replicas": {"type": "int"},
            "container": {"type": "str", "default": ""},
            "requests": {"type": "dict", "default": {}},
            "limits": {"type": "dict", "default": {}},
        },
    },
    "restart": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 300},
}
_TRIES = 10
"""Most times that a patch is sent again because the workload's status has changed."""
_PLURALS = {"StatefulSet": "statefulsets", "Deployment": "deployments"}


def workload_settings(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    selector = _selector(params["node_selector"])
    tolerations = parse_tolerations(params["tolerations"])
    sizes = {size.workload: size for size in parse_sizes(params["sizes"])}
    if len(sizes) < len(params["sizes"]):
        raise InvalidOption("A workload is named twice in `sizes`.", "Put what is wanted of it into one element.")
    if not params["namespace"]:
        raise InvalidOption(
            "`namespace` is empty.", set_it("namespace", "project")
        )
    names = list(dict.fromkeys([*params["workloads"], *sizes]))
    client = connect(module)
    deadline = Deadline(params["timeout"], f"the settings of the workloads in {params['namespace']}")
    changes = []
    for name, workload in _find(client, params["namespace"], names, deadline).items():
        wanted = Wanted(name in params["workloads"], selector, tolerations, sizes.get(name))
        changes.append(decide(workload, wanted))
    _refuse_twice(changes)
    if not params["force"]:
        _refuse(changes)
    for words in _placeless(client, params["namespace"], changes, params["force"], deadline):
        module.warn(words)
    _write(module, client, changes, deadline)
    pending = [] if params["restart"] else [change for change in changes if change.restarts]
    done = [change for change in changes if _made(change, params["restart"])]
    for words in (*_reverted(done), *_scaled_down(changes), *(_pending(change) for change in pending)):
        module.warn(words)
    module.exit_json(
        changed=bool(done),
        workloads=[_facts(change, params["restart"]) for change in changes],
        summary=[_summary(change, params["restart"]) for change in changes],
        requests=client.requests,
        diff=[_diff(change, params["restart"]) for change in done],
    )


def _selector(raw: Mapping[str, Any]) -> dict[str, str]:
    for name, value in raw.items():
        if not isinstance(value, str):
            raise InvalidOption(f"`{name}` of the node selector is {value!r}, and must be text.", "Put it in quotes.")
    return dict(raw)


def _find(client: Client, namespace: str, names: Sequence[str], deadline: Deadline) -> dict[str, Workload]:
    """The named workloads: one request for each name with a kind, two for all bare names."""
    bare = [name for name in names if not split_name(name)[0]]
    present = list_workloads(client, namespace, deadline) if bare else ()
    return {
        name: choose_workload(present, namespace, name) if name in bare else find_workload(client, namespace, name, deadline)
        for name in names
    }


def _refuse_twice(changes: Sequence[Change]) -> None:
    """Two names of one workload would be two changes of it."""
    uids = [change.workload.uid for change in changes]
    for change in changes:
        if uids.count(change.workload.uid) > 1:
            raise InvalidOption(f"{change.workload} is named in two ways.", f"Write {change.workload.named} everywhere.")


def _refuse(changes: Sequence[Change]) -> None:
    """Raises InvalidOption for a field that the deployment's templates own, and for claims that would be deleted."""
    for change in changes:
        for item in change.fields:
            if item.reverted:
                raise InvalidOption(
                    f"{item.path} of {change.workload} belongs to the deployment's template (last-applied-configuration), which says "
                    f"{shown(item.owner)}: the next deployment would set it back.",
                    f"Write {shown(item.after)} into the template, or insist (option `force: true`).",
                )
        if change.replicas < change.workload.replicas and change.workload.deletes_claims:
            raise InvalidOption(
                f"{change.workload} deletes the claims of pods that are scaled away (persistentVolumeClaimRetentionPolicy).",
                "Set whenScaled to Retain in its template, or insist (option `force: true`).",
            )


def _placeless(client: Client, namespace: str, changes: Sequence[Change], force: bool, deadline: Deadline) -> tuple[str, ...]:
    """Look whether pods with a new node selector are let in, and find a node. Raises InvalidOption; with ``force`` it is a warning."""
    moved = [change for change in changes if any(".nodeSelector." in item.path and item.after is not None for item in change.fields)]
    if not moved:
        return ()
    space = _space(client, namespace, deadline)
    found = []

    def judge(change: Change, would: str, do: str, why: str, remedy: str) -> None:
        if why and not force:
            raise InvalidOption(f"Pods of {change.workload} {would}. {why}", remedy)
        if why:
            found.append(f"Pods of {change.workload} {do}. {why}")

    for change in moved:
        judge(change, "would be refused", "are refused", contradiction(space, change.pod["nodeSelector"]), _OTHER_LABEL)
    try:
        nodes = [parse_node(item) for item in client.list("Node", "", deadline)]
    except Forbidden:
        return (*found, "Nodes may not be read by you, so whether a node matches the node selector was not looked at.")
    given = {key: value for labels in space.selectors.values() for key, value in labels.items()}
    for change in moved:
        own = tuple(read_toleration(item) for item in change.pod.get("tolerations") or [])
        why = no_place(nodes, {**given, **change.pod["nodeSelector"]}, (*own, *space.defaults.tolerations))
        judge(change, "would find no node", "find no node", why, _NO_NODE)
    return tuple(found)


_OTHER_LABEL = (
    "Leave that label out of option `node_selector`, or have the annotation changed; option `force: true` insists."
)
_NO_NODE = "Label or add a node, correct option `node_selector`, or insist (option `force: true`)."


def _space(client: Client, namespace: str, deadline: Deadline) -> Space:
    """Return the namespace; one without annotations where it may not be read."""
    try:
        return parse_space(client.get("Namespace", "", namespace, deadline))
    except Forbidden:
        return parse_space({"metadata": {"name": namespace}})


def _made(change: Change, restart: bool) -> bool:
    return any(restart or not item.in_template for item in change.fields)


def _write(module: Any, client: Client, changes: Sequence[Change], deadline: Deadline) -> None:
    """The server looks at all changes before one is made; then each is made and waited for.

    A workload of which nothing changes is waited for as well: an earlier run may have ended before it was rolled out.
    """
    restart = module.params["restart"]
    made = [change for change in changes if _made(change, restart)]
    if made:
        kinds = {change.workload.kind for change in made}
        rights = [Right(_PLURALS[kind], verb, "apps") for kind in sorted(kinds) for verb in ("get", "patch")]
        require(client, [module.params["namespace"]], rights, deadline, RBAC_STAGING)
    for change in made:
        _patch(client, change, deadline, template=restart, dry_run=True)
    if module.check_mode:
        return
    patched = {change.workload.uid: _patch(client, change, deadline, template=restart, dry_run=False) for change in made}
    for change in changes:
        present = patched.get(change.workload.uid, change.workload)
        wait_for_rollout(client, present, deadline, module.warn if present.paused else module.debug)


def _patch(client: Client, change: Change, deadline: Deadline, *, template: bool, dry_run: bool) -> Workload:
    """Patch the very state that was decided about. Its controller writes its status all the time, which is no matter."""
    present = change.workload
    kind, namespace, name = present.kind, present.namespace, present.name
    for _again in range(_TRIES):
        body = change.body(present.resource_version, template=template)
        try:
            return parse_workload({**client.patch(kind, namespace, name, body, deadline, dry_run=dry_run), "kind": kind})
        except Conflict:
            present = parse_workload({**client.get(kind, namespace, name, deadline), "kind": kind})
            if (present.uid, present.generation) != (change.workload.uid, change.workload.generation):
                break
    raise Conflict(f"{change.workload} was changed by somebody else at the same time.", "Run again.")


def _scaled_down(changes: Sequence[Change]) -> tuple[str, ...]:
    """Return what becomes of the claims of workers that go."""
    found = []
    for change in changes:
        workload = change.workload
        gone = [f"{workload.name}-{number}" for number in range(change.replicas, workload.replicas)]
        claims = [f"{template}-{pod}" for pod in gone for template in workload.claim_templates]
        if claims and not workload.deletes_claims:
            found.append(f"{workload} goes from {workload.replicas} replicas to {change.replicas}. Claims that stay: {', '.join(claims)}.")
    return tuple(found)


def _reverted(changes: Sequence[Change]) -> tuple[str, ...]:
    """Return what was insisted on, and lasts until the next deployment only."""
    return tuple(
        f"The next deployment sets {item.path} of {change.workload} back to {shown(item.owner)}, unless its template says otherwise."
        for change in changes
        for item in change.fields
        if item.reverted
    )


def _pending(change: Change) -> str:
    fields = "; ".join(str(item) for item in change.fields if item.in_template)
    return (
        f"The pod template of {change.workload} is not changed, because that starts its pods anew and kills the tasks that run in them: "
        f"{fields}. Set option `restart: true` when they may."
    )


def _facts(change: Change, restart: bool) -> dict[str, Any]:
    made = [item for item in change.fields if restart or not item.in_template]
    pending = [item for item in change.fields if item not in made]
    return {
        "workload": change.workload.named,
        "changed": bool(made),
        "fields": [{"path": item.path, "before": item.before, "after": item.after} for item in made],
        "pending": [{"path": item.path, "before": item.before, "after": item.after} for item in pending],
    }


def _summary(change: Change, restart: bool) -> str:
    """Return what became of a workload, in a line."""
    made = [str(item) for item in change.fields if restart or not item.in_template]
    waiting = [str(item) for item in change.fields if item.in_template and not restart]
    words = [*made, *(f"{item} (waits for option `restart`)" for item in waiting)]
    return f"{change.workload.named}: {'; '.join(words) or 'as wanted'}"


def _diff(change: Change, restart: bool) -> dict[str, str]:
    made = [item for item in change.fields if restart or not item.in_template]
    texts = [
        "".join(f"{item.path}: {shown(value)}\n" for item in made if (value := getattr(item, side)) is not None)
        for side in ("before", "after")
    ]
    return {"before_header": str(change.workload), "after_header": str(change.workload), "before": texts[0], "after": texts[1]}
