# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide who may do what (RBAC), and which pods a namespace takes (tolerations, PodSecurity, LimitRange, ResourceQuota)."""

from __future__ import annotations

from collections.abc import Iterator

from .pod_spec import wrong_spec
from .resources import BY_KIND, Resource
from .service_accounts import mount_token
from .status import forbidden
from .store import Json, Store
from .tolerations import add_tolerations
from .validation import quantity, refuse


class Access:
    """RBAC by Roles and RoleBindings. The user ``admin`` may do everything."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rules(self, user: str, namespace: str) -> Iterator[Json]:
        """The rules that a user has in a namespace."""
        if user == "admin":
            yield {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
            return
        for binding in self._store.list(BY_KIND["RoleBinding"], namespace) if namespace else []:
            subjects = [
                f"system:serviceaccount:{item.get('namespace', namespace)}:{item['name']}" for item in binding.get("subjects") or []
            ]
            role = self._store.peek(BY_KIND["Role"], namespace, binding["roleRef"]["name"])
            if user in subjects and role is not None:
                yield from role.get("rules") or []

    def allows(self, *, user: str, verb: str, group: str, resource: str, namespace: str, name: str) -> bool:
        """Return whether one of the user's rules gives a right; ``resource`` may be ``pods/exec``."""
        for rule in self.rules(user, namespace):
            names = rule.get("resourceNames") or []
            if (
                ({"*", group} & set(rule.get("apiGroups") or []))
                and ({"*", resource} & set(rule.get("resources") or []))
                and ({"*", verb} & set(rule.get("verbs") or []))
                and (not names or name in names)
            ):
                return True
        return False

    def check(self, *, user: str, verb: str, resource: Resource, namespace: str, name: str, sub: str) -> None:
        """Raises a 403 in the server's words."""
        target = f"{resource.plural}/{sub}" if sub else resource.plural
        if resource.group in ("authentication.k8s.io", "authorization.k8s.io") or self.allows(
            user=user, verb=verb, group=resource.group, resource=target, namespace=namespace, name=name
        ):
            return
        where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
        raise forbidden(resource.qualified, name, f'User "{user}" cannot {verb} resource "{target}" in API group "{resource.group}"{where}')

    def check_escalation(self, user: str, namespace: str, role: Json) -> None:
        """Raises a 403 where a Role has rights that its maker has not (kubernetes/pkg/registry/rbac/role/policybased)."""
        lacking = [
            f'{{APIGroups:["{group}"], Resources:["{resource}"], {f"""ResourceNames:["{name}"], """ if name else ""}Verbs:["{verb}"]}}'
            for rule in role.get("rules") or []
            for group in rule.get("apiGroups") or []
            for resource in rule.get("resources") or []
            for verb in rule["verbs"]
            for name in rule.get("resourceNames") or [""]
            if not self.allows(user=user, verb=verb, group=group, resource=resource, namespace=namespace, name=name)
        ]
        if lacking:
            words = f'user "{user}" is attempting to grant RBAC permissions not currently held:\n' + "\n".join(lacking)
            raise forbidden("roles.rbac.authorization.k8s.io", role["metadata"]["name"], words)


def admit_pod(store: Store, namespace: str, pod: Json) -> None:
    """Fill in a LimitRange's defaults and the tolerations, and refuse what is wrong, or what PodSecurity or a quota refuses.

    Raises a 403, 422 or 500.
    """
    _requests(pod)
    _limits(store, namespace, pod)
    _requests(pod)  # of a LimitRange's default limits, too
    mount_token(store, namespace, pod)
    meta = (store.peek(BY_KIND["Namespace"], "", namespace) or {"metadata": {}})["metadata"]
    add_tolerations(meta.get("annotations") or {}, pod)
    refuse("Pod", pod["metadata"]["name"], wrong_spec(pod["spec"], "spec"))
    labels = meta.get("labels") or {}
    if labels.get("pod-security.kubernetes.io/enforce") == "restricted":
        _restricted(pod)
    for quota in store.list(BY_KIND["ResourceQuota"], namespace):
        _quota(store, namespace, quota, pod)


def _requests(pod: Json) -> None:
    """Give a container requests like its limits where it has none (kubernetes/pkg/apis/core/v1/defaults.go, SetDefaults_Pod)."""
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        for name, most in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, most)


def _limits(store: Store, namespace: str, pod: Json) -> None:
    for limit_range in store.list(BY_KIND["LimitRange"], namespace):
        for limit in limit_range["spec"].get("limits") or []:
            if limit.get("type") != "Container":
                continue
            for container in pod["spec"]["containers"]:
                resources = container.setdefault("resources", {})
                for kind, source in (("limits", "default"), ("requests", "defaultRequest")):
                    for name, value in (limit.get(source) or {}).items():
                        resources.setdefault(kind, {}).setdefault(name, value)
                for name, most in (limit.get("max") or {}).items():
                    asked = (resources.get("limits") or {}).get(name)
                    if asked is not None and quantity(asked) > quantity(most):
                        raise forbidden(
                            "pods", pod["metadata"]["name"], f"maximum {name} usage per Container is {most}, but limit is {asked}"
                        )


def _restricted(pod: Json) -> None:
    """The parts of the restricted profile that a pod of ours can violate (kubernetes pod-security-admission/policy)."""
    spec, wrong = pod["spec"], []
    pod_context = spec.get("securityContext") or {}
    for container in spec["containers"]:
        name, context = container["name"], container.get("securityContext") or {}
        if context.get("allowPrivilegeEscalation") is not False:
            wrong.append(f'allowPrivilegeEscalation != false (container "{name}" must set securityContext.allowPrivilegeEscalation=false)')
        if "ALL" not in ((context.get("capabilities") or {}).get("drop") or []):
            wrong.append(f'unrestricted capabilities (container "{name}" must set securityContext.capabilities.drop=["ALL"])')
        if not context.get("runAsNonRoot", pod_context.get("runAsNonRoot")):
            wrong.append(f'runAsNonRoot != true (pod or container "{name}" must set securityContext.runAsNonRoot=true)')
        seccomp = context.get("seccompProfile") or pod_context.get("seccompProfile") or {}
        if seccomp.get("type") not in ("RuntimeDefault", "Localhost"):
            wrong.append(
                f'seccompProfile (pod or container "{name}" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
            )
        if context.get("runAsUser", pod_context.get("runAsUser")) == 0:
            wrong.append("runAsUser=0 (pod must not set runAsUser=0)")
    if wrong:
        raise forbidden("pods", pod["metadata"]["name"], f'violates PodSecurity "restricted:latest": {", ".join(wrong)}')


def usage(pod: Json) -> dict[str, float]:
    """Return what a pod takes from a quota."""
    total = {"pods": 1.0, "count/pods": 1.0}
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        for kind in ("requests", "limits"):
            for name, value in (resources.get(kind) or {}).items():
                total[f"{kind}.{name}"] = total.get(f"{kind}.{name}", 0.0) + quantity(value)
    return {**total, **{name: total[f"requests.{name}"] for name in ("cpu", "memory") if f"requests.{name}" in total}}


def counts_for(quota: Json, pod: Json) -> bool:
    """Return whether a pod is in a quota's scopes, and has not ended."""
    terminating = pod["spec"].get("activeDeadlineSeconds") is not None
    scopes = quota["spec"].get("scopes") or []
    inside = all({"Terminating": terminating, "NotTerminating": not terminating}.get(scope, True) for scope in scopes)
    return inside and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def _quota(store: Store, namespace: str, quota: Json, pod: Json) -> None:
    if not counts_for(quota, pod):
        return
    of_claims = ("requests.storage", "persistentvolumeclaims")
    hard = {key: value for key, value in quota["spec"]["hard"].items() if key not in of_claims and ".storageclass." not in key}
    asked, name = usage(pod), quota["metadata"]["name"]
    lacking = [f"{key} for: {','.join(names)}" for key in sorted(hard) if (names := _without(pod, key))]
    if lacking:
        raise forbidden("pods", pod["metadata"]["name"], f"failed quota: {name}: must specify {'; '.join(lacking)}")
    used = {
        key: sum(usage(other).get(key, 0.0) for other in store.list(BY_KIND["Pod"], namespace) if counts_for(quota, other)) for key in hard
    }
    check_quota(name, "pods", pod["metadata"]["name"], hard, asked, used)


def _without(pod: Json, key: str) -> list[str]:
    """Return the containers that lack what a quota demands of each (kubernetes/pkg/quota/v1/evaluator/core/pods.go, validationSet)."""
    if key not in ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"):
        return []
    kind, _dot, name = key.rpartition(".")
    return [item["name"] for item in pod["spec"]["containers"] if name not in ((item.get("resources") or {}).get(kind or "requests") or {})]


def check_quota(quota: str, plural: str, name: str, hard: Json, asked: dict[str, float], used: dict[str, float]) -> None:
    """Raises a 403 where what an object asks for is more than a quota has left."""
    over = [key for key, most in hard.items() if asked.get(key, 0.0) and used[key] + asked[key] > quantity(most)]
    if over:
        shown = [",".join(f"{key}={_shown(key, values[key])}" for key in over) for values in (asked, used)]
        shown.append(",".join(f"{key}={hard[key]}" for key in over))
        raise forbidden(plural, name, f"exceeded quota: {quota}, requested: {shown[0]}, used: {shown[1]}, limited: {shown[2]}")


def _shown(key: str, value: float) -> str:
    if key == "requests.storage":
        unit = next((unit for unit in ("Ti", "Gi", "Mi", "Ki") if value and not value % quantity(f"1{unit}")), "")
        return f"{value / quantity(f'1{unit}'):.0f}{unit}"
    if key.endswith("memory"):
        return f"{value / 2**20:.0f}Mi"
    if key.endswith("cpu") and value % 1:
        return f"{value * 1000:.0f}m"
    return f"{value:.0f}"
