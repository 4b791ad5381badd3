# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a cluster that integration scenarios need; everything that is common is done through the API as an administrator."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config, watch
from kubernetes.stream import stream

from tests.bounds import BOUND
from tests.waiting import until

LANE = os.environ.get("PYTEST_XDIST_WORKER", "")
"""The name of this process among several that use one cluster at once: each has namespaces of its own."""
LANE_LABEL = "packit.test/lane"

LOCAL = "standard"
"""The storage class of volumes that stay on one node, where all of its pods can have them at once."""
BLOCK = "block"
"""The storage class of volumes that are made at their first use, can be attached to each node, and to one at a time."""
BLOCK_NOW = "block-now"
"""The same as BLOCK, made as soon as they are asked for."""
BLOCK_XFS = "block-xfs"
"""The same as BLOCK, with a file system that can grow while it is mounted, also where tests run."""

BLOCKS = (BLOCK, BLOCK_NOW, BLOCK_XFS)

DOCS = Path(__file__).parents[2] / "docs"
WORKER_TEMPLATE = "packit-worker-repository-cache"
SANDBOX_PREFIX = "sandcastle-repository-cache-"
USER = 1000

_LAST = "marks-the-end"
"""The name of an object that is made last: what is watched has been told in full when this one is."""

SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# Ends at once on TERM, as the fillers do.
PID1 = ["sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 1 & wait $!; done"]


class TestCluster(ABC):
    """A cluster. ``kubeconfig`` is the administrator's; ``upstream_host`` this machine's address as pods see it."""

    __test__ = False
    kubeconfig: Path
    upstream_host: str
    image = "localhost/filler:test"
    execution_environment = "localhost/packit-deployment:test"

    def __init__(self) -> None:
        self._namespaces: list[str] = []

    def connect(self) -> None:
        """Make the administrator's client; subclasses call it when the cluster is up."""
        self.api = config.new_client_from_config(str(self.kubeconfig))
        self.core = client.CoreV1Api(self.api)
        self.apps = client.AppsV1Api(self.api)
        self.batch = client.BatchV1Api(self.api)

    @abstractmethod
    def volume(
        self,
        namespace: str,
        claim: str,
        *,
        size: str,
        node: str,
        access_mode: str,
        make_claim: bool = True,
        storage_class: str = LOCAL,
    ) -> None:
        """Provide a volume for a claim, pinned to a node; and the claim, unless something else makes it."""

    @abstractmethod
    def room(self, namespace: str, claim: str) -> None:
        """A volume of 1 GiB for a claim that is not there yet."""

    @abstractmethod
    def volume_path(self, namespace: str, claim: str) -> Path:
        """The volume's directory, as this machine sees it."""

    @abstractmethod
    def remove_volumes(self, namespace: str) -> None:
        """Take away all volumes of a namespace that is gone."""

    @abstractmethod
    def close(self) -> None:
        """End the cluster, or leave it as it was found."""

    @abstractmethod
    def without_api(self) -> AbstractContextManager[None]:
        """No API server runs in the context. What runs in pods goes on."""

    def answers(self) -> bool:
        """Return whether the API answers."""
        try:
            self.core.list_node()
        except (urllib3.exceptions.HTTPError, client.ApiException):
            return False
        return True

    @property
    @abstractmethod
    def orders(self) -> Path:
        """The directory with the storage's orders (``order``)."""

    def order(self, namespace: str, claim: str, operation: str, how: str = "0") -> None:
        """Have the storage attach, detach, expand or clone a block volume in so many seconds, `never`, or fail for the reason that is given.

        An order to clone is for the volume that becomes the clone; like one to expand, it can only have that fail.
        """
        path = self.orders / f"{namespace}.{claim}.{operation}"
        unfinished = path.with_name(f"new-{path.name}")
        unfinished.write_text(how)
        unfinished.replace(path)  # it is read at any time

    def forget_orders(self, namespace: str) -> None:
        """Have the storage work as usual for all volumes of a namespace."""
        for path in self.orders.glob(f"{namespace}.*"):
            path.unlink()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that were made since the last `reset`."""
        return tuple(self._namespaces)

    def namespace(self, name: str, annotations: Mapping[str, str] | None = None) -> str:
        """A namespace that enforces restricted PodSecurity."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted", LANE_LABEL: LANE}
        meta = {"name": name, "labels": labels, "annotations": dict(annotations or {})}
        self.core.create_namespace({"metadata": meta})
        self._namespaces.append(name)
        until(lambda: self._has_service_account(name), f"service account of {name}")
        return name

    def _has_service_account(self, namespace: str) -> bool:
        return any(item.metadata.name == "default" for item in self.core.list_namespaced_service_account(namespace).items)

    def make_claim(
        self,
        namespace: str,
        name: str,
        *,
        size: str,
        access_mode: str,
        storage_class: str,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """Make a claim unless it is there; its volume is another's affair."""
        if not any(item.metadata.name == name for item in self.core.list_namespaced_persistent_volume_claim(namespace).items):
            spec = {"accessModes": [access_mode], "storageClassName": storage_class, "resources": {"requests": {"storage": f"{size}i"}}}
            meta = {"name": name, "annotations": dict(annotations or {})}
            self.core.create_namespaced_persistent_volume_claim(namespace, {"metadata": meta, "spec": spec})

    def claim(
        self,
        namespace: str,
        name: str,
        *,
        size: str = "1G",
        node: str = "node1",
        access_mode: str = "ReadWriteOnce",
        storage_class: str = LOCAL,
    ) -> Path:
        """A claim with its volume; returns its directory."""
        self.volume(namespace, name, size=size, node=node, access_mode=access_mode, storage_class=storage_class)
        return self.volume_path(namespace, name)

    def workers(
        self,
        namespace: str,
        *,
        replicas: int,
        name: str = "packit-worker",
        nodes: Iterable[str] = ("node1",),
        running: bool = True,
        size: str = "1G",
        user: int | None = USER,
        storage_class: str = LOCAL,
    ) -> list[str]:
        """A StatefulSet of workers with their cache volumes; returns its pods' names when they are Ready."""
        spread = list(nodes)
        pods = [f"{name}-{number}" for number in range(replicas)]
        for number, pod in enumerate(pods):
            claim = f"{WORKER_TEMPLATE}-{pod}"
            node = spread[number % len(spread)]
            self.volume(
                namespace, claim, size=size, node=node, access_mode="ReadWriteOnce", make_claim=not running, storage_class=storage_class
            )
        container = {
            "name": "worker",
            "image": self.image,
            "imagePullPolicy": "Never",
            "command": PID1,
            "securityContext": SECURITY,
            "volumeMounts": [{"name": WORKER_TEMPLATE, "mountPath": "/repository-cache"}],
        }
        body = {
            "metadata": {"name": name},
            "spec": {
                "serviceName": name,
                "replicas": replicas if running else 0,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": {"component": name}},
                "template": {
                    "metadata": {"labels": {"component": name}},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "securityContext": {}
                        if user is None
                        else {"runAsUser": user, "fsGroup": user, "fsGroupChangePolicy": "OnRootMismatch"},
                        "containers": [container],
                    },
                },
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": WORKER_TEMPLATE},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "storageClassName": storage_class,
                            "resources": {"requests": {"storage": f"{size}i"}},
                        },
                    }
                ],
            },
        }
        self.apps.create_namespaced_stateful_set(namespace, body)
        if running:
            until(lambda: all(self.is_ready(namespace, pod) for pod in pods), f"workers of {namespace}")
        return pods

    def change_workers(self, namespace: str, change: Callable[[Any], None]) -> None:
        """Have ``change`` edit the spec of the workers' StatefulSet, whatever its controller writes to it meanwhile."""
        workers = self.apps.read_namespaced_stateful_set("packit-worker", namespace)
        change(workers.spec)
        workers.metadata.resource_version = None
        self.apps.replace_namespaced_stateful_set("packit-worker", namespace, workers)

    def give_missing_image(self, namespace: str) -> None:
        """Give the workers an image that cannot be pulled."""

        def change(spec: Any) -> None:
            spec.template.spec.containers[0].image = "missing.test/nothing:1"

        self.change_workers(namespace, change)

    def deployment(self, namespace: str, name: str, *, replicas: int = 1, **meta: Any) -> None:
        """A Deployment of pods that do nothing; ``meta`` is more of its metadata."""
        container = {"name": name, "image": self.image, "imagePullPolicy": "Never", "command": PID1, "securityContext": SECURITY}
        spec = {"terminationGracePeriodSeconds": 1, "securityContext": {"runAsUser": USER}, "containers": [container]}
        template = {"metadata": {"labels": {"component": name}}, "spec": spec}
        body = {"replicas": replicas, "selector": {"matchLabels": {"component": name}}, "template": template}
        self.apps.create_namespaced_deployment(namespace, {"metadata": {"name": name, **meta}, "spec": body})

    def sandboxes(
        self, namespace: str, pods: Iterable[str], *, size: str = "1G", nodes: Iterable[str] = ("node1",), storage_class: str = LOCAL
    ) -> list[str]:
        """The claims for the sandboxes of these worker pods."""
        spread = list(nodes)
        claims = []
        for number, pod in enumerate(pods):
            claims.append(f"{SANDBOX_PREFIX}{pod}")
            self.claim(namespace, claims[-1], size=size, node=spread[number % len(spread)], storage_class=storage_class)
        return claims

    def consumer(
        self, namespace: str, claim: str, *, name: str, user: int = USER, node: str = "", wait: bool = True, sub_path: str = ""
    ) -> None:
        """A pod that mounts a claim, or a directory of its volume, as a sandbox does; Ready on return."""
        spec: dict[str, Any] = {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsUser": user, "fsGroup": user},
            "containers": [
                {
                    "name": "sandbox",
                    "image": self.image,
                    "imagePullPolicy": "Never",
                    "command": PID1,
                    "securityContext": SECURITY,
                    "volumeMounts": [{"name": "cache", "mountPath": "/repository-cache", **({"subPath": sub_path} if sub_path else {})}],
                }
            ],
            "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": claim}}],
        }
        if node:
            spec["nodeSelector"] = {"kubernetes.io/hostname": node}
        self.core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec})
        if wait:
            until(lambda: self.is_ready(namespace, name), f"pod {namespace}/{name}")

    def start_job(self, namespace: str, cron_job: str, name: str) -> None:
        """Make a job of a CronJob at once, as ``kubectl create job --from=cronjob/NAME`` does (kubectl/pkg/cmd/create/create_job.go)."""
        of = self.batch.read_namespaced_cron_job(cron_job, namespace)
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": cron_job, "uid": of.metadata.uid, "controller": True}
        template = self.api.sanitize_for_serialization(of.spec.job_template)
        meta = {"name": name, "labels": template["metadata"].get("labels"), "ownerReferences": [owner]}
        meta["annotations"] = {"cronjob.kubernetes.io/instantiate": "manual"}
        self.batch.create_namespaced_job(namespace, {"metadata": meta, "spec": template["spec"]})

    def job_ended(self, namespace: str, name: str) -> str:
        """The reason for a job's end, empty while it runs: ``CompletionsReached`` where all is well."""
        conditions = self.batch.read_namespaced_job(name, namespace).status.conditions or []
        return next((item.reason or "Completed" for item in conditions if item.type in ("Complete", "Failed") and item.status == "True"), "")

    def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a pod and wait until it is gone."""
        self.core.delete_namespaced_pod(name, namespace)
        until(lambda: name not in self.pods(namespace), f"the end of pod {namespace}/{name}")

    def is_ready(self, namespace: str, name: str) -> bool:
        """Return whether a pod is there and Ready."""
        if name not in self.pods(namespace):
            return False
        conditions = self.core.read_namespaced_pod(name, namespace).status.conditions or []
        return any(item.type == "Ready" and item.status == "True" for item in conditions)

    def deployer(
        self,
        namespaces: Iterable[str],
        directory: Path,
        drop: tuple[str, str] | None = None,
        roles: Iterable[str] = ("repository-cache",),
    ) -> Path:
        """A kubeconfig for a ServiceAccount with exactly these Roles of docs/rbac*.yml there; ``drop`` takes away (verb, resource)."""
        spaces = list(namespaces)
        rbac = client.RbacAuthorizationV1Api(self.api)
        wanted = [role for role in _documented_roles() if role["metadata"]["name"] in roles]
        for space in spaces:
            for role in copy.deepcopy(wanted):
                if drop is not None:
                    for rule in role["rules"]:
                        if drop[1] in rule["resources"]:
                            rule["verbs"] = [verb for verb in rule["verbs"] if verb != drop[0]]
                    role["rules"] = [rule for rule in role["rules"] if rule["verbs"]]
                rbac.create_namespaced_role(space, role)
        return self.person("deployer", spaces, directory, [role["metadata"]["name"] for role in wanted])

    def person(self, account: str, spaces: list[str], directory: Path, roles: Iterable[str] = ("repository-cache",)) -> Path:
        """A kubeconfig for a new ServiceAccount that has these Roles of the namespaces."""
        rbac = client.RbacAuthorizationV1Api(self.api)
        self.core.create_namespaced_service_account(spaces[0], {"metadata": {"name": account}})
        for space in spaces:
            for name in roles:
                binding = {
                    "metadata": {"name": f"{name}-of-{account}"},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
                    "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": spaces[0]}],
                }
                rbac.create_namespaced_role_binding(space, binding)
        token = self.core.create_namespaced_service_account_token(account, spaces[0], {"spec": {"expirationSeconds": 7200}}).status.token
        admin = yaml.safe_load(self.kubeconfig.read_text())
        admin["users"] = [{"name": account, "user": {"token": token}}]
        admin["contexts"][0]["context"]["user"] = account
        path = directory / f"{account}-{spaces[0]}.kubeconfig"
        path.write_text(json.dumps(admin))
        path.chmod(0o600)
        return path

    def pods(self, namespace: str, selector: str = "") -> list[str]:
        """The names of a namespace's pods."""
        return [item.metadata.name for item in self.core.list_namespaced_pod(namespace, label_selector=selector).items]

    def fillers(self, *namespaces: str) -> list[str]:
        """The names of all our pods that are there."""
        return [name for namespace in namespaces for name in self.pods(namespace, "packit.dev/repository-cache-filler")]

    def counted_by_quota(self, namespace: str) -> int:
        """Return how many of our pods a quota counts: not those that have ended, though they may be there for a moment yet
        (kubernetes, pkg/quota/v1/evaluator/core/pods.go, QuotaV1Pod)."""
        found = self.core.list_namespaced_pod(namespace, label_selector="packit.dev/repository-cache-filler").items
        return len([item for item in found if item.status.phase not in ("Succeeded", "Failed")])

    @contextmanager
    def pods_at_once(self, namespace: str, selector: str) -> Iterator[list[int]]:
        """Yield a list; when the block has ended, it has the number of pods after each change. Pods that have ended do not count."""
        found: list[int] = []
        since = self.core.list_namespaced_pod(namespace).metadata.resource_version
        yield found
        spec = {"nodeSelector": {"nowhere": "yes"}, "containers": [{"name": "main", "image": self.image, "securityContext": SECURITY}]}
        label, _sign, value = selector.partition("=")
        self.core.create_namespaced_pod(namespace, {"metadata": {"name": _LAST, "labels": {label: value or "any"}}, "spec": spec})
        counted: set[str] = set()
        for change, pod in self._history(self.core.list_namespaced_pod, namespace, since, label_selector=selector):
            ended = change == "DELETED" or pod.status.phase in ("Succeeded", "Failed")
            if ended:
                counted.discard(pod.metadata.uid)
            else:
                counted.add(pod.metadata.uid)
            found.append(len(counted))
        self.core.delete_namespaced_pod(_LAST, namespace, grace_period_seconds=0)
        until(lambda: _LAST not in self.pods(namespace), "the end of the pod that marks the end")

    @contextmanager
    def policies_made(self, *namespaces: str) -> Iterator[set[str]]:
        """Yield a set; when the block has ended, it has the names of the network policies that came in these namespaces."""
        found: set[str] = set()
        network = self.api_of("NetworkingV1Api")
        since = {namespace: network.list_namespaced_network_policy(namespace).metadata.resource_version for namespace in namespaces}
        yield found
        for namespace, version in since.items():
            network.create_namespaced_network_policy(namespace, {"metadata": {"name": _LAST}, "spec": {"podSelector": {}}})
            for change, policy in self._history(network.list_namespaced_network_policy, namespace, version):
                if change == "ADDED":
                    found.add(policy.metadata.name)
            network.delete_namespaced_network_policy(_LAST, namespace)

    def _history(self, list_them: Callable[..., Any], namespace: str, since: str, **selected: str) -> Iterator[tuple[str, Any]]:
        """Return what happened to objects since a version, until the one that marks the end."""
        return takewhile(lambda change: change[1].metadata.name != _LAST, self.history(list_them, namespace, since=since, **selected))

    def history(self, list_them: Callable[..., Any], *where: str, since: str, **selected: str) -> Iterator[tuple[str, Any]]:
        """Return what happened to objects since a version, and happens: nothing is missed, however busy the machine is."""
        for event in watch.Watch().stream(list_them, *where, resource_version=since, timeout_seconds=int(BOUND), **selected):
            yield event["type"], event["object"]
        raise TimeoutError(f"waited {BOUND:.0f} seconds for what happens to objects")

    def network_policies(self, namespace: str) -> list[str]:
        """The names of a namespace's network policies."""
        return [item.metadata.name for item in self.api_of("NetworkingV1Api").list_namespaced_network_policy(namespace).items]

    def api_of(self, group: str) -> Any:
        """The administrator's client of another API group, by its class in the kubernetes package."""
        return getattr(client, group)(self.api)

    def execute(self, namespace: str, pod: str, command: list[str]) -> str:
        """Return what a command prints in a pod."""
        # `stream` swaps a method of the client that it is given, so it has one of its own.
        core = client.CoreV1Api(config.new_client_from_config(str(self.kubeconfig)))
        said: str = stream(core.connect_get_namespaced_pod_exec, pod, namespace, command=command, stdout=True, stderr=True)
        return said

    def annotations(self, namespace: str, claim: str) -> dict[str, str]:
        """A claim's annotations."""
        return dict(self.core.read_namespaced_persistent_volume_claim(claim, namespace).metadata.annotations or {})

    def quota(self, namespace: str, name: str, hard: Mapping[str, str], scopes: Collection[str] = ()) -> None:
        """A resource quota, in force on return."""
        spec = {"hard": dict(hard), **({"scopes": list(scopes)} if scopes else {})}
        self.core.create_namespaced_resource_quota(namespace, {"metadata": {"name": name}, "spec": spec})
        until(lambda: bool(self.core.read_namespaced_resource_quota(name, namespace).status.hard), f"quota of {namespace}")

    def limit_range(self, namespace: str, name: str, limits: list[Mapping[str, Any]]) -> None:
        """A LimitRange."""
        self.core.create_namespaced_limit_range(namespace, {"metadata": {"name": name}, "spec": {"limits": limits}})

    def reset(self) -> None:
        """Remove every namespace that was made, with its volumes."""
        for name in self._namespaces:
            self.forget_orders(name)
        for name in filter(self._is_there, self._namespaces):  # one that could not be emptied in time may have gone since
            self.core.delete_namespace(name)
        for name in self._namespaces:
            until(lambda name=name: not self._is_there(name), f"the end of namespace {name}")  # type: ignore[misc]
            self.remove_volumes(name)
        self._namespaces.clear()

    def _is_there(self, namespace: str) -> bool:
        return any(item.metadata.name == namespace for item in self.core.list_namespace().items)


@cache
def _documented_roles() -> list[dict[str, Any]]:
    """Return the Roles of docs/rbac*.yml. Who reads them changes nothing in them."""
    documents = [yaml.safe_load(path.read_text()) for path in sorted(DOCS.glob("rbac*.yml"))]
    return [role for item in documents for role in item.get("items", [item])]


def run(argv: list[str], **settings: Any) -> subprocess.CompletedProcess[str]:
    """A command that must succeed."""
    return subprocess.run(argv, check=True, text=True, capture_output=True, timeout=BOUND, **settings)
