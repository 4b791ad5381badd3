"""Who asks, and what they may do: bearer tokens, and RBAC from the stored roles and bindings.

Source of facts: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac; messages of a real API server 1.34.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from . import errors
from .resources import ACCESS_REVIEWS, BINDINGS, CLUSTER_BINDINGS, CLUSTER_ROLES, ROLES, RULES_REVIEWS, Object, find_resource
from .store import Store

ADMINISTRATORS = "system:masters"
_FOR_ALL = {"verbs": ["create"], "apiGroups": [ACCESS_REVIEWS.group], "resources": [ACCESS_REVIEWS.plural, RULES_REVIEWS.plural]}


@dataclass(frozen=True)
class User:
    """Who a token belongs to."""

    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """One request in the words of RBAC."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def full_resource(self) -> str:
        """With the subresource: pods/exec."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass
class Access:
    """The tokens, and the rules."""

    store: Store
    _users: dict[str, User] = field(default_factory=dict)

    def new_token(self, user: User) -> str:
        """A token that is this user's until the server ends."""
        token = secrets.token_hex(16)
        self._users[token] = user
        return token

    def user(self, authorization: str | None) -> User:
        """Whose request this is. Raises ApiError 401."""
        user = self._users.get((authorization or "").removeprefix("Bearer ").strip())
        if user is None:
            raise errors.ApiError(401, "Unauthorized")
        return user

    def rules(self, user: User, namespace: str) -> list[Object]:
        """All rules that hold for a user in a namespace."""
        if ADMINISTRATORS in user.groups:
            return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        found = [_FOR_ALL]
        for binding in [*(self.store.list(BINDINGS, namespace) if namespace else []), *self.store.list(CLUSTER_BINDINGS)]:
            if any(_is_subject(subject, user, binding) for subject in binding.get("subjects") or []):
                reference = binding["roleRef"]
                roles, home = (ROLES, namespace) if reference["kind"] == "Role" else (CLUSTER_ROLES, "")
                role = self.store.find(roles, home, reference["name"])
                found += (role or {}).get("rules") or []
        return found

    def allows(self, user: User, request: Request) -> bool:
        """Whether some rule allows the request."""
        return any(_covers(rule, request) for rule in self.rules(user, request.namespace))

    def check(self, user: User, request: Request) -> None:
        """Raises ApiError 403 in Kubernetes' words."""
        if self.allows(user, request):
            return
        where = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
        why = f'User "{user.name}" cannot {request.verb} resource "{request.full_resource}" in API group "{request.group}" {where}'
        resource = find_resource(request.group, "v1", request.resource)
        if resource is None:
            raise errors.ApiError(403, f"{request.resource} is forbidden: {why}")
        raise errors.forbidden(resource, request.name, why)

    def review_access(self, user: User, review: Object) -> Object:
        """The answer to a SelfSubjectAccessReview."""
        asked: dict[str, Any] = review.get("spec", {}).get("resourceAttributes") or {}
        names = ("verb", "group", "resource", "subresource", "namespace", "name")
        allowed = self.allows(user, Request(**{name: asked.get(name, "") for name in names}))
        return {**review, "status": {"allowed": allowed}}

    def review_rules(self, user: User, review: Object) -> Object:
        """The answer to a SelfSubjectRulesReview."""
        rules = self.rules(user, review.get("spec", {}).get("namespace", ""))
        return {**review, "status": {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}}


def service_account(namespace: str, name: str) -> User:
    """The user that a pod's or a script's service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


def _is_subject(subject: Object, user: User, binding: Object) -> bool:
    if subject["kind"] == "ServiceAccount":
        home = subject.get("namespace") or binding["metadata"].get("namespace", "")
        return user.name == f"system:serviceaccount:{home}:{subject['name']}"
    return subject["name"] in (user.groups if subject["kind"] == "Group" else (user.name,))


def _covers(rule: Object, request: Request) -> bool:
    def listed(key: str, *values: str) -> bool:
        return any(value in (rule.get(key) or []) for value in (*values, "*"))

    wanted = [request.full_resource, *([f"*/{request.subresource}"] if request.subresource else [])]
    names = rule.get("resourceNames") or []
    return listed("verbs", request.verb) and listed("apiGroups", request.group) and listed("resources", *wanted) and (not names or request.name in names)
