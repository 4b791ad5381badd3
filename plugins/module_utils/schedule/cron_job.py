# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule as objects of the API: who runs it, with which rights and variables, and the CronJob. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cluster.api.objects import Object
from ..cluster.pods.manifest import proxy_variables
from ..cluster.pods.overrides import PodOverrides, merge_resources
from ..deadline import AWAY_SECONDS
from .first_process import TRUSTED_CA, UPSTREAM, argv

LABEL = "packit.dev/repository-cache-schedule"
"""On every object of a schedule, and on the pods of its jobs. Its value is the schedule's name."""
OWNER = "schedule"
"""The user as whom a scheduled run is known to others."""
GRACE = int(AWAY_SECONDS) + 60
"""Seconds from TERM to KILL: in them a run removes its pods, and records what it has done."""

_START_WITHIN = 3600
"""Seconds for which a start that was missed, as the cluster was down, is caught up with."""
_RESOURCES = {"requests": {"cpu": "100m", "memory": "160Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
_WORK = "/packit-schedule"
"""An emptyDir: HOME, temporary files, and the clones of method rsync."""
_VARIABLES = "/variables"
_FILE = "variables.json"
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The values that decide what a schedule's objects are. ``namespace`` is the workers'; ``timeout`` is in seconds."""

    name: str
    namespace: str
    sandbox_namespace: str
    cron: str
    image: str
    variables: Mapping[str, Any]
    rules: Sequence[Mapping[str, Any]]
    pod: PodOverrides
    time_zone: str
    suspend: bool
    upstream_secret: str
    trusted_ca: str
    timeout: int


def names(name: str, namespace: str, sandbox_namespace: str) -> list[Object]:
    """Return kind, namespace and name of each object of a schedule, in the order in which they are made."""
    spaces = sorted({namespace, sandbox_namespace})
    found = [("ServiceAccount", namespace), *(("Role", space) for space in spaces), *(("RoleBinding", space) for space in spaces)]
    found += [("ConfigMap", namespace), ("CronJob", namespace)]
    return [{"kind": kind, "metadata": {"namespace": space, "name": name}} for kind, space in found]


def objects(schedule: Schedule) -> list[Object]:
    """Return the objects, in the order in which they are made."""
    more: dict[str, Object] = {
        "ServiceAccount": {"apiVersion": "v1"},
        "Role": {"apiVersion": f"{_RBAC}/v1", "rules": [dict(rule) for rule in schedule.rules]},
        "RoleBinding": {
            "apiVersion": f"{_RBAC}/v1",
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": schedule.name},
            "subjects": [{"kind": "ServiceAccount", "name": schedule.name, "namespace": schedule.namespace}],
        },
        "ConfigMap": {"apiVersion": "v1", "data": {_FILE: json.dumps(schedule.variables, indent=2, sort_keys=True)}},
        "CronJob": {"apiVersion": "batch/v1", "spec": _cron_job(schedule)},
    }
    found = names(schedule.name, schedule.namespace, schedule.sandbox_namespace)
    return [{**item, **more[item["kind"]], "metadata": {**item["metadata"], "labels": {LABEL: schedule.name}}} for item in found]


def _labels(schedule: Schedule) -> dict[str, str]:
    return {**schedule.pod.labels, LABEL: schedule.name}


def _cron_job(schedule: Schedule) -> Object:
    return {
        "schedule": schedule.cron,
        **({"timeZone": schedule.time_zone} if schedule.time_zone else {}),
        "suspend": schedule.suspend,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": _START_WITHIN,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "metadata": {"labels": _labels(schedule)},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": schedule.timeout,
                "template": {
                    "metadata": {
                        "labels": _labels(schedule),
                        "annotations": {"openshift.io/required-scc": "restricted-v2", **schedule.pod.annotations},
                    },
                    "spec": _pod(schedule),
                },
            },
        },
    }


def _pod(schedule: Schedule) -> Object:
    pod = schedule.pod
    optional = {
        "priorityClassName": pod.priority_class,
        "imagePullSecrets": [{"name": name} for name in pod.image_pull_secrets],
        "tolerations": list(pod.tolerations),
        "nodeSelector": dict(pod.node_selector),
    }
    mounted: list[tuple[str, str, Object]] = [
        ("work", _WORK, {"emptyDir": {}}),
        ("variables", _VARIABLES, {"configMap": {"name": schedule.name}}),
        *([("upstream", UPSTREAM, {"secret": {"secretName": schedule.upstream_secret}})] if schedule.upstream_secret else []),
        *([("trusted-ca", TRUSTED_CA.rpartition("/")[0], {"configMap": {"name": schedule.trusted_ca}})] if schedule.trusted_ca else []),
    ]
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "serviceAccountName": schedule.name,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **pod.pod_security_context},
        **{name: value for name, value in optional.items() if value},
        "containers": [
            {
                "name": "populate",
                "image": schedule.image,
                "imagePullPolicy": pod.pull_policy,
                "command": argv(["ansible-playbook", "packit.deployment.populate_cache", "-e", f"@{_VARIABLES}/{_FILE}"]),
                "workingDir": _WORK,
                "env": [{"name": name, "value": value} for name, value in _environment(schedule).items()],
                "resources": merge_resources(_RESOURCES, pod.resources),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                    **pod.security_context,
                },
                "volumeMounts": [{"name": name, "mountPath": path, "readOnly": path != _WORK} for name, path, _source in mounted],
            }
        ],
        "volumes": [{"name": name, **source} for name, _path, source in mounted],
    }


def _environment(schedule: Schedule) -> dict[str, str]:
    return {
        "HOME": _WORK,
        "TMPDIR": _WORK,
        "LOGNAME": OWNER,
        "ANSIBLE_REMOTE_TMP": _WORK,  # else in the home of a user of that name
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        **({"GIT_SSL_CAINFO": TRUSTED_CA, "SSL_CERT_FILE": TRUSTED_CA} if schedule.trusted_ca else {}),
        **_proxy(schedule.pod),
    }


def _proxy(pod: PodOverrides) -> dict[str, str]:
    """Return the proxy variables. The API's address is an exception: the kubelet expands $(KUBERNETES_SERVICE_HOST)."""
    given = proxy_variables(pod)
    direct = {name: ",".join([*filter(None, [given.get(name)]), "$(KUBERNETES_SERVICE_HOST)"]) for name in ("NO_PROXY", "no_proxy")}
    return {**given, **direct} if given else {}
