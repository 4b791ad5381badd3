# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The downward API: what a pod is told of itself. Pure."""

from __future__ import annotations

import re

from .store import Json


def field(pod: Json, path: str) -> str:
    """Return one value of the downward API."""
    meta, status = pod["metadata"], pod.get("status") or {}
    labelled = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if labelled:
        return str((meta.get(labelled[1]) or {}).get(labelled[2], ""))
    values = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "status.podIP": status.get("podIP", ""),
        "status.hostIP": status.get("hostIP", ""),
    }
    return str(values[path])


def hostname(pod: Json) -> str:
    """Return a pod's own host name: its name, of which Linux takes 63 letters."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63].rstrip("-.")
