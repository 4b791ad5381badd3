"""Whether an object may be made: its form, pod security, limit ranges and quotas, in Kubernetes' own words.

Source of facts: answers of a real API server 1.34; kubernetes.io/docs/concepts/security/pod-security-standards.
"""

from __future__ import annotations

import re
from fractions import Fraction

from . import errors, quantities
from .defaults import fill_in
from .resources import CLAIMS, LIMIT_RANGES, NAMESPACES, PODS, QUOTAS, Object, Resource
from .store import Store

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_ENFORCE = "pod-security.kubernetes.io/enforce"
_ALLOWED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SUPPORTED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
_ACTIVE = ("Pending", "Running")
Causes = list[tuple[str, str, str]]


def admit(store: Store, resource: Resource, item: Object) -> None:
    """Fill in what a new object leaves open, and refuse it if it may not be. Raises ApiError."""
    namespace, name = item["metadata"].get("namespace", ""), item["metadata"].get("name", "")
    if namespace:
        home = store.get(NAMESPACES, "", namespace)
        if home["metadata"].get("deletionTimestamp"):
            refusal = errors.forbidden(resource, name, f"unable to create new content in namespace {namespace} because it is being terminated")
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated", "field": "metadata.namespace"}
            refusal.details = {**(refusal.details or {}), "causes": [cause]}
            raise refusal
    if causes := _malformed(resource, item):
        raise errors.invalid(resource, name, causes)
    fill_in(resource, item)
    if resource is PODS:
        _apply_limit_ranges(store, item)
        if store.get(NAMESPACES, "", namespace)["metadata"].get("labels", {}).get(_ENFORCE) == "restricted":
            if violations := pod_security_violations(item["spec"]):
                raise errors.forbidden(resource, name, f'violates PodSecurity "restricted:latest": {", ".join(violations)}')
        unsupported = [kind for volume in item["spec"].get("volumes") or [] for kind in volume if kind not in {"name", *_SUPPORTED_VOLUMES}]
        if unsupported or item["spec"].get("initContainers"):
            raise errors.not_implemented(f"pods with {', '.join(unsupported) or 'init containers'}")
        _check_quotas(store, item)


def _malformed(resource: Resource, item: Object) -> Causes:
    name = item["metadata"].get("name", "")
    causes: Causes = []
    if not name:
        causes.append(("metadata.name", "FieldValueRequired", "Required value: name or generateName is required"))
    elif not re.fullmatch(_SUBDOMAIN, name) or len(name) > 253:
        words = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
        text = f'Invalid value: "{name}": {words} (e.g. \'example.com\', regex used for validation is \'{_SUBDOMAIN}\')'
        if not resource.qualified.endswith("rbac.authorization.k8s.io"):
            causes.append(("metadata.name", "FieldValueInvalid", text))
    spec = item.get("spec") or {}
    if resource is PODS:
        causes += _malformed_pod(spec)
    elif resource is CLAIMS:
        if not spec.get("accessModes"):
            causes.append(("spec.accessModes", "FieldValueRequired", "Required value: at least 1 access mode is required"))
        if not (spec.get("resources") or {}).get("requests", {}).get("storage"):
            causes.append(("spec.resources[storage]", "FieldValueRequired", "Required value"))
    return causes


def _malformed_pod(spec: Object) -> Causes:
    causes: Causes = []
    if not spec.get("containers"):
        causes.append(("spec.containers", "FieldValueRequired", "Required value"))
    volumes = {volume["name"] for volume in spec.get("volumes") or []}
    for number, container in enumerate(spec.get("containers") or []):
        if not container.get("image"):
            causes.append((f"spec.containers[{number}].image", "FieldValueRequired", "Required value"))
        for index, mount in enumerate(container.get("volumeMounts") or []):
            if mount["name"] not in volumes:
                causes.append((f"spec.containers[{number}].volumeMounts[{index}].name", "FieldValueNotFound", f'Not found: "{mount["name"]}"'))
    return causes


def pod_security_violations(spec: Object) -> list[str]:
    """What the restricted standard forbids in this pod, in the server's words."""
    found: list[str] = []
    context, containers = spec.get("securityContext") or {}, spec.get("containers") or []
    own = [(container["name"], container.get("securityContext") or {}) for container in containers]

    def name(names: list[str], words: str = "container") -> str:
        quoted = ", ".join(f'"{item}"' for item in names)
        return f"{words}{'s' if len(names) > 1 else ''} {quoted}"

    host = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    if host:
        found.append(f"host namespaces ({', '.join(f'{key}=true' for key in host)})")
    if bad := [item for item, security in own if security.get("privileged")]:
        found.append(f"privileged ({name(bad)} must not set securityContext.privileged=true)")
    if bad := [item for item, security in own if security.get("allowPrivilegeEscalation") is not False]:
        found.append(f"allowPrivilegeEscalation != false ({name(bad)} must set securityContext.allowPrivilegeEscalation=false)")
    if bad := [item for item, security in own if "ALL" not in (security.get("capabilities") or {}).get("drop", [])]:
        found.append(f'unrestricted capabilities ({name(bad)} must set securityContext.capabilities.drop=["ALL"])')
    for volume in spec.get("volumes") or []:
        if kinds := [kind for kind in volume if kind != "name" and kind not in _ALLOWED_VOLUMES]:
            found.append(f'restricted volume types (volume "{volume["name"]}" uses restricted volume type "{kinds[0]}")')
    if bad := [item for item, security in own if security.get("runAsNonRoot", context.get("runAsNonRoot")) is not True]:
        found.append(f"runAsNonRoot != true (pod or {name(bad)} must set securityContext.runAsNonRoot=true)")
    if bad := [item for item, security in own if security.get("runAsUser", context.get("runAsUser")) == 0]:
        found.append(f"runAsUser=0 (pod or {name(bad)} must not set runAsUser=0)")
    allowed = ("RuntimeDefault", "Localhost")
    if bad := [item for item, security in own if (security.get("seccompProfile") or context.get("seccompProfile") or {}).get("type") not in allowed]:
        found.append(f'seccompProfile (pod or {name(bad)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")')
    return found


def _apply_limit_ranges(store: Store, pod: Object) -> None:
    """Defaults and bounds of the namespace's limit ranges for containers. Raises ApiError."""
    for limit_range in store.list(LIMIT_RANGES, pod["metadata"]["namespace"]):
        for limit in limit_range["spec"]["limits"]:
            if limit["type"] != "Container":
                continue
            for container in pod["spec"]["containers"]:
                resources = container["resources"]
                given = dict(resources.get("limits") or {})
                resources["limits"] = {**(limit.get("default") or limit.get("max") or {}), **given}
                requests = limit.get("defaultRequest") or limit.get("default") or {}
                resources["requests"] = {**requests, **given, **(resources.get("requests") or {})}
                _check_bounds(pod, limit, resources)


def _check_bounds(pod: Object, limit: Object, resources: Object) -> None:
    for kind, most in (limit.get("max") or {}).items():
        wanted = resources["limits"].get(kind)
        if wanted and quantities.parse(wanted) > quantities.parse(most):
            raise errors.forbidden(PODS, pod["metadata"]["name"], f"maximum {kind} usage per Container is {most}, but limit is {wanted}")
    for kind, least in (limit.get("min") or {}).items():
        wanted = resources["requests"].get(kind)
        if wanted and quantities.parse(wanted) < quantities.parse(least):
            raise errors.forbidden(PODS, pod["metadata"]["name"], f"minimum {kind} usage per Container is {least}, but request is {wanted}")


def quota_usage(store: Store, quota: Object) -> dict[str, str]:
    """What the pods and claims of a quota's namespace use of each resource that it limits."""
    namespace = quota["metadata"]["namespace"]
    pods = [pod for pod in store.list(PODS, namespace) if pod["status"]["phase"] in _ACTIVE and _in_scope(quota, pod)]
    claims = store.list(CLAIMS, namespace)
    return {kind: _usage(kind, pods, claims) for kind in quota["spec"].get("hard") or {}}


def _in_scope(quota: Object, pod: Object) -> bool:
    ends = pod["spec"].get("activeDeadlineSeconds") is not None
    best_effort = (pod.get("status") or {}).get("qosClass") == "BestEffort"
    tests = {"Terminating": ends, "NotTerminating": not ends, "BestEffort": best_effort, "NotBestEffort": not best_effort}
    return all(tests[scope] for scope in quota["spec"].get("scopes") or [])


def _usage(kind: str, pods: list[Object], claims: list[Object]) -> str:
    if kind in ("pods", "count/pods"):
        return str(len(pods))
    if kind in ("persistentvolumeclaims", "count/persistentvolumeclaims"):
        return str(len(claims))
    if kind == "requests.storage":
        return quantities.total([claim["spec"]["resources"]["requests"]["storage"] for claim in claims])
    section, name = _pod_resource(kind)
    amounts = [(container.get("resources", {}).get(section) or {}).get(name) for pod in pods for container in pod["spec"]["containers"]]
    return quantities.total([str(amount) for amount in amounts if amount])


def _pod_resource(kind: str) -> tuple[str, str]:
    section, _, name = kind.rpartition(".")
    return section or "requests", name


def _check_quotas(store: Store, pod: Object) -> None:
    name = pod["metadata"]["name"]
    for quota in store.list(QUOTAS, pod["metadata"]["namespace"]):
        if not _in_scope(quota, pod):
            continue
        used, hard = quota_usage(store, quota), quota["spec"].get("hard") or {}
        missing: dict[str, list[str]] = {}
        over: dict[str, str] = {}
        for kind, limit in sorted(hard.items()):
            requested = _usage(kind, [pod], [])
            if kind.rpartition(".")[2] in ("cpu", "memory"):
                section, resource = _pod_resource(kind)
                for container in pod["spec"]["containers"]:
                    if not (container.get("resources", {}).get(section) or {}).get(resource):
                        missing.setdefault(kind, []).append(container["name"])
            if quantities.parse(requested) and quantities.parse(requested) + quantities.parse(used[kind]) > quantities.parse(limit):
                over[kind] = requested
        if missing:
            words = "; ".join(f"{kind} for: {','.join(containers)}" for kind, containers in missing.items())
            raise errors.forbidden(PODS, name, f"failed quota: {quota['metadata']['name']}: must specify {words}")
        if over:
            parts = [("requested", over), ("used", used), ("limited", hard)]
            words = ", ".join(f"{what}: {','.join(f'{kind}={values[kind]}' for kind in over)}" for what, values in parts)
            raise errors.forbidden(PODS, name, f"exceeded quota: {quota['metadata']['name']}, {words}")


def memory_and_cpu(pod: Object) -> tuple[Fraction, Fraction]:
    """Bytes and CPUs that a pod asks for."""
    return quantities.parse(_usage("requests.memory", [pod], [])), quantities.parse(_usage("requests.cpu", [pod], []))
