# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that a run needs, asked for before anything is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...deadline import Deadline
from .api_errors import Forbidden, Invalid, NotFound
from .client import Client


@dataclass(frozen=True, order=True)
class Right:
    """A verb on a resource (``pods/exec``), of the core API group unless said otherwise, for the object of that name or for all."""

    resource: str
    verb: str
    group: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f' ({self.name})' if self.name else ''}"


READ_RIGHTS = (Right("persistentvolumeclaims", "list"), Right("pods", "list"))
"""The rights for plan, check mode and the report."""
CHANGE_RIGHTS = (
    *READ_RIGHTS,
    Right("persistentvolumeclaims", "get"),
    Right("persistentvolumeclaims", "patch"),
    Right("pods", "get"),
    Right("pods", "watch"),
    Right("pods", "create"),
    Right("pods", "delete"),
    Right("pods/exec", "get"),
    Right("pods/exec", "create"),
)
"""The rights for a run that fills volumes. Events and logs are only for explanations, so they are not required."""

POLICY_RIGHTS = tuple(Right("networkpolicies", verb, "networking.k8s.io") for verb in ("create", "delete", "list"))
"""The rights that option `seed.network_policy` needs beside."""


RBAC, RBAC_SERVICE_CONFIG, RBAC_STAGING = "docs/rbac.yml", "docs/rbac-service-config.yml", "docs/rbac-staging.yml"
RBAC_SCHEDULE = "docs/rbac-schedule.yml"
"""The files of this collection with the Roles that it needs."""
_COMMON = frozenset(("*", "pods", "persistentvolumeclaims", "secrets", "statefulsets", "deployments"))
"""Resources of which anyone has some who may work in a namespace. All users have other rights, in every namespace and in none."""


def user(client: Client, deadline: Deadline) -> str:
    """Return who we are to the API, in words. One request."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        status = client.create("SelfSubjectReview", "", body, deadline).get("status") or {}
    except (Forbidden, NotFound, Invalid):
        return "a user whom the API does not name"  # before Kubernetes 1.28
    return str((status.get("userInfo") or {}).get("username") or "a user without a name")


def _missing(client: Client, namespace: str, wanted: Sequence[Right], deadline: Deadline) -> tuple[tuple[Right, ...], bool]:
    """Return those of ``wanted`` that we do not have in a namespace, and whether we may do anything at all with what lies there.

    One request, more where the server cannot list all rules.
    """
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    status = client.create("SelfSubjectRulesReview", namespace, body, deadline).get("status") or {}
    rules = status.get("resourceRules") or []
    lacking = tuple(right for right in wanted if not granted(right, rules))
    if lacking and status.get("incomplete"):
        lacking = tuple(right for right in lacking if not _allowed(client, namespace, right, deadline))
        return lacking, True
    return lacking, any(_COMMON.intersection(rule.get("resources") or ()) for rule in rules)


def granted(right: Right, rules: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether one of the rules gives the right, for any object of its kind or for the one that it names. Pure."""
    sub = right.resource.partition("/")[2]
    for rule in rules:
        resources = rule.get("resources") or []
        names = rule.get("resourceNames") or []
        if (
            (not names or right.name in names)
            and ({"*", right.group} & set(rule.get("apiGroups") or []))
            and ({"*", right.verb} & set(rule.get("verbs") or []))
            and (right.resource in resources or "*" in resources or (sub and f"*/{sub}" in resources))
        ):
            return True
    return False


def require(client: Client, namespaces: Iterable[str], wanted: Sequence[Right], deadline: Deadline, file: str = RBAC) -> None:
    """Require the same rights in each of the namespaces, as `require_each` does."""
    require_each(client, dict.fromkeys(namespaces, wanted), deadline, file)


def require_each(client: Client, wanted: Mapping[str, Sequence[Right]], deadline: Deadline, file: str = RBAC) -> None:
    """Require each namespace's own rights; ``file`` of this collection has all of them.

    Raises Forbidden, naming verbs, resources and all the namespaces, with the rules to add.
    """
    problems, strange = [], []
    for namespace in sorted(wanted):
        lacking, may_work = _missing(client, namespace, wanted[namespace], deadline)
        if lacking:
            problems.append((namespace, lacking))
        if lacking and not may_work:
            strange.append(namespace)
    if not problems:
        return
    words = "; ".join(f"in namespace {namespace}: {', '.join(str(right) for right in lacking)}" for namespace, lacking in problems)
    rules = "\n".join(f"# Role in {namespace}\n{role_rules(lacking)}" for namespace, lacking in problems)
    doubt = f" You may do nothing in {' and '.join(strange)}: is the name right, and is the namespace there?" if strange else ""
    raise Forbidden(f"Rights are missing {words}.{doubt}", f"Add these rules to the Role ({file} has the whole of it):\n{rules}")


def role_rules(rights: Iterable[Right]) -> str:
    """The rules of a Role that grant these rights, as YAML. Pure."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for right in rights:
        verbs.setdefault((right.group, right.resource, right.name), []).append(right.verb)
    return "\n".join(
        f'- apiGroups: ["{group}"]\n  resources: ["{resource}"]\n'
        + (f'  resourceNames: ["{name}"]\n' if name else "")
        + f"  verbs: {_flow(names)}"
        for (group, resource, name), names in verbs.items()
    )


def _flow(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _allowed(client: Client, namespace: str, right: Right, deadline: Deadline) -> bool:
    resource, _slash, sub = right.resource.partition("/")
    attributes = {"namespace": namespace, "verb": right.verb, "group": right.group, "resource": resource}
    attributes |= {"subresource": sub} if sub else {}
    attributes |= {"name": right.name} if right.name else {}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    status = client.create("SelfSubjectAccessReview", namespace, body, deadline).get("status") or {}
    return bool(status.get("allowed"))
