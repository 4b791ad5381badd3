# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what is wrong with a pod's spec, or a workload's template of one, in the API server's words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .resources import Resource
from .tolerations import wrong_tolerations
from .validation import LABEL, LABEL_WORDS, Json, quantity, refuse, wrong_metadata

_CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"
)  # fmt: skip
_RESTARTS, _PULLS = ("Always", "OnFailure", "Never"), ("Always", "IfNotPresent", "Never")
_ACCESS = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def check_workload(resource: Resource, present: Json | None, body: Json) -> None:
    """Refuse a StatefulSet or Deployment that is wrong, or changed where it cannot be. Raises a 422."""
    if resource.group != "apps":
        return
    spec, wrong = body["spec"], []
    if spec.get("replicas", 1) < 0:
        wrong.append(f"spec.replicas: Invalid value: {spec['replicas']}: must be greater than or equal to 0")
    if present is not None and _fixed(resource, present) != _fixed(resource, body):
        if resource.kind == "StatefulSet":
            *some, last = [f"'{name}'" for name in _CHANGEABLE]
            wrong.append(f"spec: Forbidden: updates to statefulset spec for fields other than {', '.join(some)} and {last} are forbidden")
        else:
            wrong.append("spec.selector: Invalid value: field is immutable")
    wrong += _wrong_template(resource.kind, spec)
    refuse(resource.kind, body["metadata"].get("name", ""), wrong)


def _wrong_template(kind: str, spec: Json) -> list[str]:
    template = spec["template"]
    meta, pod = template.get("metadata") or {}, template.get("spec") or {}
    templates = [item["metadata"]["name"] for item in spec.get("volumeClaimTemplates") or []]
    found = [*wrong_metadata(meta, "spec.template"), *wrong_spec(pod, "spec.template.spec", templates)]
    labels = meta.get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("selector", {}).get("matchLabels") or {}).items()):
        shown = json.dumps(labels, separators=(",", ":"), sort_keys=True)
        found.append(f"spec.template.metadata.labels: Invalid value: {shown}: `selector` does not match template `labels`")
    if pod.get("restartPolicy", "Always") != "Always":
        found.append(_unsupported("spec.template.spec.restartPolicy", pod["restartPolicy"], ("Always",)))
    if "activeDeadlineSeconds" in pod:
        owner = "StatefulSet" if kind == "StatefulSet" else "ReplicaSet"
        found.append(f"spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in {owner} is not Supported")
    for at, item in enumerate(spec.get("volumeClaimTemplates") or []):
        path = f"spec.volumeClaimTemplates[{at}].spec"
        for mode in item["spec"].get("accessModes") or []:
            if mode not in _ACCESS:
                found.append(_unsupported(f"{path}.accessModes", mode, _ACCESS))
        if not ((item["spec"].get("resources") or {}).get("requests") or {}).get("storage"):
            found.append(f"{path}.resources[storage]: Required value")
    return found


def _fixed(resource: Resource, item: Json) -> Json:
    """The part of a spec that stays as it was made."""
    if resource.kind == "Deployment":
        return {"selector": item["spec"].get("selector")}
    return {key: value for key, value in item["spec"].items() if key not in _CHANGEABLE}


def wrong_spec(spec: Json, path: str, claims: Sequence[str] = ()) -> list[str]:
    """Return what is wrong with a pod's spec. ``claims``: the volumes that a StatefulSet's claim templates add."""
    volumes = [volume.get("name", "") for volume in spec.get("volumes") or []]
    found = [f'{path}.volumes[{at}].name: Duplicate value: "{name}"' for at, name in enumerate(volumes) if name in volumes[:at]]
    for at, volume in enumerate(spec.get("volumes") or []):
        if "secret" in volume and not volume["secret"].get("secretName"):
            found.append(f"{path}.volumes[{at}].secret.secretName: Required value")
    containers = spec.get("containers") or []
    if not containers:
        found.append(f"{path}.containers: Required value")
    for number, container in enumerate(containers):
        found += _wrong_container(container, [item["name"] for item in containers[:number]], [*volumes, *claims], f"{path}.containers[{number}]")
    if spec.get("restartPolicy", "Always") not in _RESTARTS:
        found.append(_unsupported(f"{path}.restartPolicy", spec["restartPolicy"], _RESTARTS))
    found += wrong_tolerations(spec.get("tolerations") or [], f"{path}.tolerations")
    for number, container in enumerate(containers):
        resources = container.get("resources") or {}
        limits = resources.get("limits") or {}
        for name, value in (resources.get("requests") or {}).items():
            if name in limits and quantity(value) > quantity(limits[name]):
                words = f"must be less than or equal to {name} limit of {limits[name]}"
                found.append(f'{path}.containers[{number}].resources.requests: Invalid value: "{value}": {words}')
    return found


def _wrong_container(container: Json, before: list[str], volumes: list[str], path: str) -> list[str]:
    found, name, image = [], container.get("name", ""), container.get("image", "")
    if re.fullmatch(LABEL, name) is None or len(name) > 63:
        found.append(f'{path}.name: Invalid value: "{name}": {LABEL_WORDS}' if name else f"{path}.name: Required value")
    if name in before:
        found.append(f'{path}.name: Duplicate value: "{name}"')
    if not image:
        found.append(f"{path}.image: Required value")
    elif image != image.strip():
        found.append(f'{path}.image: Invalid value: "{image}": must not have leading or trailing whitespace')
    if container.get("imagePullPolicy", "Always") not in _PULLS:
        found.append(_unsupported(f"{path}.imagePullPolicy", container["imagePullPolicy"], _PULLS))
    for at, item in enumerate(container.get("env") or []):
        if not item.get("name"):
            found.append(f"{path}.env[{at}].name: Required value")
    places: set[str] = set()
    for at, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name", "") not in volumes:
            found.append(f'{path}.volumeMounts[{at}].name: Not found: "{mount.get("name", "")}"')
        if mount.get("mountPath") in places:
            found.append(f'{path}.volumeMounts[{at}].mountPath: Invalid value: "{mount["mountPath"]}": must be unique')
        places.add(mount.get("mountPath", ""))
    return found


def _unsupported(path: str, value: Any, known: tuple[str, ...]) -> str:
    return f'{path}: Unsupported value: "{value}": supported values: {", ".join(sorted(json.dumps(item) for item in known))}'
