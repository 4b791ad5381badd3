# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real cluster: tests/real_cluster/cluster.sh has brought it up."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from kubernetes import client

from tests.bounds import BOUND
from tests.waiting import until

from .base import BLOCKS, LANE, LANE_LABEL, LOCAL, TestCluster, run

_ANNOTATIONS = (
    "openshift.io/sa.scc.uid-range",
    "scheduler.alpha.kubernetes.io/defaultTolerations",
    "scheduler.alpha.kubernetes.io/tolerationsWhitelist",
)
"""Annotations that scenarios write on namespaces."""

_CUSTOM = (
    ("image.openshift.io", "v1", "imagestreams"),
    ("route.openshift.io", "v1", "routes"),
    ("tenant.paas.redhat.com", "v1alpha1", "tenantnamespaces"),
)
"""Kinds of real_cluster/openshift.yml in namespaces."""

SCRIPT = Path(__file__).parents[1] / "real_cluster" / "cluster.sh"
BINARIES = Path(os.environ.get("CLUSTER_BIN", Path.home() / ".cache/packit-deployment/real-cluster"))
"""The directory where cluster.sh puts what it builds."""


class RealCluster(TestCluster):
    """Kubernetes itself. Volumes are ext4 images: local ones, mounted in CLUSTER_DIR/volumes, and those of the CSI driver."""

    upstream_host = "10.88.0.1"

    def __init__(self) -> None:
        super().__init__()
        self._emptied: list[str] = []
        self.kubeconfig = Path(run([str(SCRIPT), "kubeconfig"]).stdout.strip())
        if not self.kubeconfig.exists():
            raise RuntimeError(f"The real cluster is not up: run {SCRIPT} up, or `make test-real`.")
        self.connect()
        # What an earlier session that was cut off has left is emptied by the first reset.
        left = self.core.list_namespace(label_selector=f"{LANE_LABEL}={LANE}").items
        self._namespaces = [item.metadata.name for item in left]

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
        if storage_class not in BLOCKS:
            self._persistent_volume(namespace, claim, size=size, node=node, access_mode=access_mode, storage_class=storage_class)
        if make_claim:
            self.make_claim(namespace, claim, size=size, access_mode=access_mode, storage_class=storage_class)

    def room(self, namespace: str, claim: str) -> None:
        self.volume(namespace, claim, size="1G", node="node1", access_mode="ReadWriteOnce", make_claim=False)

    def _persistent_volume(self, namespace: str, claim: str, *, size: str, node: str, access_mode: str, storage_class: str) -> None:
        run([str(SCRIPT), "mount_volume", namespace, claim, size])
        on_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        spec = {
            "capacity": {"storage": f"{size}i"},
            "accessModes": [access_mode],
            "storageClassName": storage_class,
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": claim},
            "local": {"path": str(self.volume_path(namespace, claim))},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on_node]}]}},
        }
        name = f"{namespace}-{claim}"
        if not any(item.metadata.name == name for item in self.core.list_persistent_volume(label_selector="test=volume").items):
            self.core.create_persistent_volume({"metadata": {"name": name, "labels": {"test": "volume"}}, "spec": spec})

    def volume_path(self, namespace: str, claim: str) -> Path:
        local = self.kubeconfig.parent / "volumes" / f"{namespace}-{claim}"
        if local.exists():
            return local
        bound_to = self.core.read_namespaced_persistent_volume_claim(claim, namespace).spec.volume_name
        if bound_to is None:  # made by its first pod, which has not come yet
            return local
        handle = self.core.read_persistent_volume(bound_to).spec.csi.volume_handle
        copies = self.kubeconfig.parent / "copies"  # `down` removes them
        copies.mkdir(exist_ok=True)
        copy = Path(tempfile.mkdtemp(dir=copies))  # as it is now: it may be detached at any time
        run([str(SCRIPT), "copy_block", handle, str(copy)])
        return copy

    @property
    def orders(self) -> Path:
        return self.kubeconfig.parent / "csi" / "orders"

    @contextmanager
    def stopped(self, part: str) -> Iterator[None]:
        """A part of the cluster, by the name of its log, does not run meanwhile."""
        process = Path("/proc") / (self.kubeconfig.parent / "pids" / part).read_text().strip()
        run([str(SCRIPT), "stop", part])
        until(lambda: _has_ended(process), f"the end of {part}")
        try:
            yield
        finally:
            run([str(SCRIPT), "start", part])
            until(self.answers, "an API that answers")

    def answers(self) -> bool:
        """Return whether the API answers, and is ready for everybody."""
        argv = [str(BINARIES / "kubectl"), "--kubeconfig", str(self.kubeconfig), "get", "--raw", "/readyz"]
        return subprocess.run(argv, check=False, capture_output=True, timeout=BOUND).returncode == 0

    def without_api(self) -> AbstractContextManager[None]:
        return self.stopped("apiserver")

    @contextmanager
    def lost_node(self, name: str) -> Iterator[None]:
        """Nobody hears of a node meanwhile: its kubelet does not run. Its containers do."""
        with self.stopped(name.replace("node", "kubelet")):
            yield
        until(lambda: self._is_well(name), f"node {name}")

    def _is_well(self, node: str) -> bool:
        found = self.core.read_node(node)
        ready = any(item.type == "Ready" and item.status == "True" for item in found.status.conditions)
        return ready and not found.spec.taints

    @contextmanager
    def frozen(self, namespace: str, claim: str) -> Iterator[None]:
        """Freeze a volume's file system for that time: whoever writes there waits."""
        volume = self.core.read_namespaced_persistent_volume_claim(claim, namespace).spec.volume_name
        handle = self.core.read_persistent_volume(volume).spec.csi.volume_handle
        image = str(self.orders.parent / "volumes" / handle / "image")
        device = run(["losetup", "--noheadings", "--output", "NAME", "--associated", image]).stdout.strip()
        mounted = run(["findmnt", "--noheadings", "--output", "TARGET", "--source", device]).stdout.splitlines()[0]
        run(["fsfreeze", "--freeze", mounted])
        try:
            yield
        finally:
            run(["fsfreeze", "--unfreeze", mounted])

    @contextmanager
    def blocked_network(self, namespace: str) -> Iterator[None]:
        """The network of each seed pod that is made in a namespace meanwhile refuses what comes to its port."""
        done = threading.Event()
        blocked: set[str] = set()

        def block() -> None:
            while not done.wait(0.05):
                for pod in self.core.list_namespaced_pod(namespace, label_selector="packit.dev/repository-cache-filler=seed").items:
                    if pod.status.pod_ip and pod.metadata.uid not in blocked and _refuse(pod.status.pod_ip):
                        blocked.add(pod.metadata.uid)

        blocker = threading.Thread(target=block)
        blocker.start()
        try:
            yield
        finally:
            done.set()
            blocker.join()

    def remove_volumes(self, namespace: str) -> None:
        for item in self.core.list_persistent_volume(label_selector="test=volume").items:
            reference = item.spec.claim_ref
            if reference.namespace == namespace:
                self.core.delete_persistent_volume(item.metadata.name)
                subprocess.run([str(SCRIPT), "unmount", namespace, reference.name], check=True, timeout=BOUND)

    def namespace(self, name: str, annotations: Mapping[str, str] | None = None) -> str:
        if name not in self._emptied:
            return super().namespace(name, annotations)
        self._emptied.remove(name)
        self._namespaces.append(name)
        self.core.patch_namespace(name, {"metadata": {"annotations": {**dict.fromkeys(_ANNOTATIONS), **(annotations or {})}}})
        return name

    def reset(self) -> None:
        """Empty the namespaces and keep them: to delete one takes 12 seconds, most of them a pause of the controller's."""
        for name in self._namespaces:
            self._empty(name)
            self._emptied.append(name)
        self._namespaces.clear()

    def _empty(self, name: str) -> None:
        core, rbac = self.core, client.RbacAuthorizationV1Api(self.api)
        self.forget_orders(name)
        self.apps.delete_collection_namespaced_deployment(name)
        self.apps.delete_collection_namespaced_replica_set(name)
        self.apps.delete_collection_namespaced_stateful_set(name)
        self.batch.delete_collection_namespaced_cron_job(name)
        self.batch.delete_collection_namespaced_job(name, propagation_policy="Background")
        core.delete_collection_namespaced_pod(name, grace_period_seconds=0)
        until(lambda: not self.apps.list_namespaced_stateful_set(name).items and not self.pods(name), f"the pods of {name}")
        core.delete_collection_namespaced_persistent_volume_claim(name)
        core.delete_collection_namespaced_resource_quota(name)
        core.delete_collection_namespaced_limit_range(name)
        core.delete_collection_namespaced_config_map(name, field_selector="metadata.name!=kube-root-ca.crt")
        core.delete_collection_namespaced_secret(name)
        core.delete_collection_namespaced_service(name)
        custom = client.CustomObjectsApi(self.api)
        for group, version, plural in _CUSTOM:
            custom.delete_collection_namespaced_custom_object(group, version, name, plural)
        if any(item["metadata"]["name"] == name for item in custom.list_cluster_custom_object("project.openshift.io", "v1", "projects")["items"]):
            custom.delete_cluster_custom_object("project.openshift.io", "v1", "projects", name)
        core.delete_collection_namespaced_event(name)
        rbac.delete_collection_namespaced_role_binding(name)
        rbac.delete_collection_namespaced_role(name)
        core.delete_collection_namespaced_service_account(name, field_selector="metadata.name!=default")
        until(lambda: not core.list_namespaced_persistent_volume_claim(name).items, f"the claims of {name}")
        self.remove_volumes(name)

    def close(self) -> None:
        self.reset()
        self._namespaces, self._emptied = self._emptied, []
        super().reset()


def _has_ended(process: Path) -> bool:
    """Return whether a process of /proc has ended, though its parent may not have asked for it."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _refuse(address: str) -> bool:
    """Have the network namespace with this address refuse the seed's port; False where no process is in it yet."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = f"{address}\n" in "".join(f"{word}\n" for word in (process / "net/fib_trie").read_text().split())
        except OSError:
            continue
        if inside and os.stat(process / "ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino:
            rule = ["iptables", "-I", "INPUT", "-p", "tcp", "--dport", "8730", "-j", "REJECT"]
            run(["nsenter", f"--net=/proc/{process.name}/ns/net", *rule])
            return True
    return False
