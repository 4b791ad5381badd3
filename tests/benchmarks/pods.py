# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how much memory our pods take: of their processes, and by the kernel's own account of the container."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.ours import OUR_LABEL
from tests.clusters.real import RealCluster

from .measure import kibibytes

_CGROUPS = Path("/sys/fs/cgroup")
_LOOKS_A_LIST = 4
"""The pods are listed again after so many looks at their processes."""


@dataclass
class Most:
    """The most that a kind of pod has had, in MiB: of its processes together, what they share counted once, and of that what is no file's;
    by its cgroup, with the pages of files that it has read or written; and how often the kernel found no room for more."""

    processes: float = 0.0
    anonymous: float = 0.0
    cgroup: float = 0.0
    refused: int = 0


class PodMemory:
    """The memory of our pods in some namespaces. ``most`` is by the kind: ``seed``, or the namespace of a filler."""

    def __init__(self, cluster: RealCluster, *namespaces: str) -> None:
        self.most: dict[str, Most] = {}
        self._cluster = cluster
        self._namespaces = namespaces
        self._places: dict[str, tuple[str, Path]] = {}
        self._looks = 0

    def look(self) -> None:
        """See how much it is now."""
        if self._looks % _LOOKS_A_LIST == 0:
            self._find()
        self._looks += 1
        for kind, place in self._places.values():
            with suppress(OSError):  # it has ended
                _measure(self.most.setdefault(kind, Most()), place)

    def _find(self) -> None:
        """Find the containers that are new."""
        for namespace in self._namespaces:
            for pod in self._cluster.core.list_namespaced_pod(namespace, label_selector=OUR_LABEL).items:
                kind = "seed" if pod.metadata.labels[OUR_LABEL] == "seed" else namespace
                for status in pod.status.container_statuses or []:
                    name = (status.container_id or "").rpartition("/")[2]
                    if name and name not in self._places and (place := _cgroup(name)) is not None:
                        self._places[name] = (kind, place)


def _cgroup(container: str) -> Path | None:
    """Return the directory of a container's cgroup that counts memory, of the first version or the second."""
    root = _CGROUPS / "memory" if (_CGROUPS / "memory").exists() else _CGROUPS
    return next(root.glob(f"**/*{container}*"), None)


def _measure(most: Most, place: Path) -> None:
    processes = anonymous = 0
    for process in (place / "cgroup.procs").read_text().split():
        all_of_it, no_files = kibibytes(Path("/proc", process), "Pss", "Pss_Anon")
        processes += all_of_it
        anonymous += no_files
    most.processes = max(most.processes, processes / 1024)
    most.anonymous = max(most.anonymous, anonymous / 1024)
    for name in ("memory.max_usage_in_bytes", "memory.peak"):
        if (place / name).exists():
            most.cgroup = max(most.cgroup, int((place / name).read_text()) / 2**20)
    if (place / "memory.oom_control").exists():
        found = re.search(r"^oom_kill (\d+)$", (place / "memory.oom_control").read_text(), re.MULTILINE)
        most.refused = max(most.refused, int(found[1]) if found else 0)
