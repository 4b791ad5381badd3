# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``namespace_tolerations``: read, decide for all namespaces, write, prove, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..cluster.api.access import Right, role_rules
from ..cluster.api.api_errors import Conflict, Forbidden, NotFound
from ..cluster.api.client import Client
from ..cluster.api.connect import connect
from ..deadline import Deadline
from ..errors import InvalidOption
from ..given_values import STATE, State
from .annotations import DEFAULTS, WHITELIST
from .namespace import Decision, Space, Wish, decide, parse_space
from .proof import Proof, prove
from .tolerations import parse_tolerations


class IfForbidden(str, Enum):
    """The end of a run that may not annotate a namespace."""

    FAIL = "fail"
    WARN = "warn"


ARGUMENT_SPEC: dict[str, Any] = {
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "tolerations": {"type": "list", "elements": "dict", "required": True},
    "state": STATE,
    "exclusive": {"type": "bool", "default": False},
    "repair": {"type": "bool", "default": False},
    "forbidden": {"type": "str", "choices": [one.value for one in IfForbidden], "default": IfForbidden.FAIL.value},
    "timeout": {"type": "int", "default": 60},
}
_SANDBOXES = "Sandbox pods, which the service makes, cannot be reached that way."
_TRIES = 5
"""Most times that a change is decided anew because somebody else changed the namespace at the same time."""


@dataclass(frozen=True)
class Outcome:
    """The result for a namespace. ``denied``: its annotations may not be written by us. ``proof`` is None where nothing
    was to be proved, or where that would come after a change that was not made."""

    decision: Decision
    denied: str = ""
    proof: Proof | None = None

    @property
    def changed(self) -> bool:
        """Return whether the annotations were written, or would be."""
        return bool(self.decision.changes) and not self.denied

    @property
    def unmet(self) -> bool:
        """Return whether somebody else has to make the change. What pods get all the same, from the cluster, is not amiss."""
        return bool(self.denied) and not (self.proof is not None and self.proof.works)

    @property
    def unreached(self) -> bool:
        """Return whether pods do not get the tolerations from their namespace."""
        return self.unmet or (self.proof is not None and self.proof.works is False)


def namespace_tolerations(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    if_forbidden = IfForbidden(params["forbidden"])
    wish = Wish(parse_tolerations(params["tolerations"]), State(params["state"]) is State.ABSENT, params["exclusive"], params["repair"])
    names = list(dict.fromkeys(params["namespaces"]))
    if not names or not all(names):
        raise InvalidOption("`namespaces` is empty, or an element of it.", "Name at least one namespace.")
    if wish.absent and wish.exclusive:
        raise InvalidOption("`exclusive` says what else may be there, so it goes with option `state: present` only.")
    client = connect(module)
    deadline = Deadline(params["timeout"], "the tolerations of the namespaces")
    decisions = [decide(_read(client, name, deadline), wish) for name in names]  # all, before anything is written
    outcomes = [_carry_out(client, decision, wish, deadline, module.check_mode) for decision in decisions]
    for outcome in outcomes:
        for words in (*outcome.decision.warnings, *_proof_warnings(outcome), *_denied_warnings(outcome, if_forbidden)):
            module.warn(words)
    answer = {
        "changed": any(outcome.changed for outcome in outcomes),
        "namespaces": [_facts(outcome) for outcome in outcomes],
        "commands": [outcome.decision.command for outcome in outcomes if outcome.unmet],
        "summary": [_summary(outcome, wish) for outcome in outcomes],
        "unreached": [outcome.decision.space.name for outcome in outcomes if outcome.unreached],
        "requests": client.requests,
        "diff": [item for outcome in outcomes if outcome.changed for item in _diff(outcome.decision)],
    }
    denied = [outcome for outcome in outcomes if outcome.unmet]
    if denied and if_forbidden is IfForbidden.FAIL:
        module.fail_json(msg=_denied_message(denied), **answer)
    module.exit_json(**answer)


def _read(client: Client, name: str, deadline: Deadline) -> Space:
    try:
        return parse_space(client.get("Namespace", "", name, deadline))
    except NotFound as error:
        raise InvalidOption(f"There is no namespace {name}.", "Check option `namespaces`.") from error
    except Forbidden as error:
        rules = role_rules([Right("namespaces", "get")])
        raise Forbidden(f"Namespace {name} may not be read: {error.message}", f"Add this rule to the Role in {name}:\n{rules}") from error


def _carry_out(client: Client, decision: Decision, wish: Wish, deadline: Deadline, check_mode: bool) -> Outcome:
    """Write what changes, and prove what is wanted. In check mode the server is asked whether it would let us."""
    changed = bool(decision.changes)
    if changed:
        try:
            decision = _write(client, decision, wish, deadline, check_mode)
        except Forbidden as error:
            return Outcome(decision, error.message, _proof(client, decision, wish, deadline, changed=False))
    if changed and check_mode:
        return Outcome(decision)
    return Outcome(decision, "", _proof(client, decision, wish, deadline, changed=changed))


def _proof(client: Client, decision: Decision, wish: Wish, deadline: Deadline, *, changed: bool) -> Proof | None:
    if wish.absent or not wish.tolerations:
        return None
    return prove(client, decision.space.name, wish.tolerations, deadline, changed=changed)


def _write(client: Client, decision: Decision, wish: Wish, deadline: Deadline, check_mode: bool) -> Decision:
    """Patch the annotations of the very namespace that was read; where it has changed since, decide anew."""
    for _again in range(_TRIES):
        space = decision.space
        meta = {"uid": space.uid, "resourceVersion": space.resource_version, "annotations": dict(decision.changes)}
        try:
            client.patch("Namespace", "", space.name, {"metadata": meta}, deadline, dry_run=check_mode)
            return decision
        except Conflict:
            decision = decide(_read(client, space.name, deadline), wish)
            if not decision.changes:
                return decision
    raise Conflict(f"Namespace {decision.space.name} was changed by somebody else {_TRIES} times in a row.", "Run again.")


def _denied_message(denied: Sequence[Outcome]) -> str:
    names = ", ".join(outcome.decision.space.name for outcome in denied)
    commands = "\n".join(outcome.decision.command for outcome in denied)
    return (
        f"You may not annotate namespace {names}: {denied[0].denied} A cluster administrator can, with these commands; or put the "
        f"tolerations on the pod templates (workload_settings does it; with the role, option `tolerations_via: templates`, or auto). {_SANDBOXES}\n{commands}"
    )


def _denied_warnings(outcome: Outcome, if_forbidden: IfForbidden) -> tuple[str, ...]:
    return (_denied_message([outcome]),) if outcome.unmet and if_forbidden is IfForbidden.WARN else ()


def _proof_warnings(outcome: Outcome) -> tuple[str, ...]:
    """Return what a proof that did not succeed means. Pure."""
    proof, name = outcome.proof, outcome.decision.space.name
    if proof is None or outcome.unmet:
        return ()
    found = [f"Pods of namespace {name} are refused: {proof.blocking}"] if proof.blocking else []
    if proof.works is None and not found:
        found.append(f"Whether pods of namespace {name} get the tolerations could not be proved: {proof.refusals[0]}")
    if proof.lacking:
        words = ", ".join(str(item) for item in proof.lacking)
        found.append(
            f"Namespace {name} has the tolerations, but its pods do not get them ({words}): the admission plugin PodTolerationRestriction "
            "is off in this cluster. Put them on the pod templates (workload_settings does it; with the role, option `tolerations_via: templates`, "
            f"or auto). {_SANDBOXES}"
        )
    return tuple(found)


def _summary(outcome: Outcome, wish: Wish) -> str:
    """Return what pods of a namespace get, in a line. Pure."""
    name, words = outcome.decision.space.name, ", ".join(str(item) for item in wish.tolerations)
    if outcome.unmet:
        return f"{name}: not annotated, because you may not."
    if not wish.tolerations:
        return f"{name}: no tolerations are asked for; its annotations let pods be made."
    if wish.absent:
        return f"{name}: without {words}."
    if outcome.proof is None:
        return f"{name}: {words} is to be annotated, and is proved then."
    told = {True: "its pods get", False: "annotated, but its pods do not get", None: "annotated, but not proved:"}[outcome.proof.works]
    return f"{name}: {told} {words}."


def _facts(outcome: Outcome) -> dict[str, object]:
    decision, proof = outcome.decision, outcome.proof
    return {
        "namespace": decision.space.name,
        "changed": outcome.changed,
        "before": {DEFAULTS: decision.space.defaults.text, WHITELIST: decision.space.whitelist.text},
        "after": {DEFAULTS: decision.defaults, WHITELIST: decision.whitelist},
        "works": None if proof is None else proof.works,
        "command": decision.command if outcome.unmet else "",
    }


def _diff(decision: Decision) -> list[dict[str, str]]:
    before = {DEFAULTS: decision.space.defaults.text, WHITELIST: decision.space.whitelist.text}
    return [
        {
            "before_header": f"{decision.space.name} {name}",
            "after_header": f"{decision.space.name} {name}",
            "before": f"{before[name]}\n" if before[name] is not None else "",
            "after": f"{value}\n" if value is not None else "",
        }
        for name, value in decision.changes.items()
    ]
