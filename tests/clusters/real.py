# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real cluster: tests/real_cluster/cluster.sh has brought it up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .base import TestCluster, run

SCRIPT = Path(__file__).parents[1] / "real_cluster" / "cluster.sh"


class RealCluster(TestCluster):
    """Kubernetes itself. Volumes are ext4 images, mounted in CLUSTER_DIR/volumes."""

    name = "real"
    upstream_host = "10.88.0.1"

    def __init__(self) -> None:
        super().__init__()
        self.kubeconfig = Path(run([str(SCRIPT), "kubeconfig"]).stdout.strip())
        if not self.kubeconfig.exists():
            raise RuntimeError(f"The real cluster is not up: run {SCRIPT} up, or `make test-real`.")
        self.connect()

    @property
    def binaries(self) -> Path:
        """Where kubectl is."""
        return Path(os.environ.get("CLUSTER_BIN", Path.home() / ".cache/packit-deployment/real-cluster"))

    def volume(self, namespace: str, claim: str, *, size: str, node: str, access_mode: str, make_claim: bool = True) -> None:
        run([str(SCRIPT), "volume", namespace, claim, size, node, access_mode])

    def volume_path(self, namespace: str, claim: str) -> Path:
        return self.kubeconfig.parent / "volumes" / f"{namespace}-{claim}"

    def remove_volumes(self, namespace: str) -> None:
        for item in self.core.list_persistent_volume(label_selector="test=volume").items:
            reference = item.spec.claim_ref
            if reference.namespace == namespace:
                self.core.delete_persistent_volume(item.metadata.name)
                subprocess.run([str(SCRIPT), "unmount", namespace, reference.name], check=True, timeout=60)

    def close(self) -> None:
        self.reset()
