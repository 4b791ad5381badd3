# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an object that was sent, in the API server's words. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from .resources import Resource
from .status import ApiError
from .tolerations import wrong_tolerations

Json = dict[str, Any]
_CHANGEABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"
)  # fmt: skip

# The words are those of k8s.io/apimachinery/pkg/util/validation and pkg/api/validation, and of pkg/apis/core/validation.
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    f"alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    f"character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_KEY_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    f"alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({_QUALIFIED})?')"
)
_MOST_ANNOTATIONS = 256 * 1024
_QUANTITY = re.compile(r"[+-]?[0-9]*\.?[0-9]*(e[+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?", re.IGNORECASE)
_RESTARTS, _PULLS = ("Always", "OnFailure", "Never"), ("Always", "IfNotPresent", "Never")

_SUFFIXES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 0.001, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "": 1}


def quantity(text: Any) -> float:
    """A Kubernetes quantity."""
    number = str(text).rstrip("KMGTikm")
    return float(number) * _SUFFIXES[str(text)[len(number) :]]


def check_quantities(kind: str, value: Any) -> None:
    """Refuse what has requests or limits that are none, before anything else is looked at. Raises a 400."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("requests", "limits") and isinstance(item, dict):
                for amount in item.values():
                    if not isinstance(amount, (str, int, float)) or not str(amount) or _QUANTITY.fullmatch(str(amount)) is None:
                        words = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                        raise ApiError(400, f'{kind} in version "v1" cannot be handled as a {kind}: {words}', "BadRequest")
            check_quantities(kind, item)
    elif isinstance(value, list):
        for item in value:
            check_quantities(kind, item)


def wrong_metadata(meta: Json, path: str = "metadata") -> list[str]:
    """What is wrong with a name, labels and annotations."""
    found = []
    name = meta.get("name", "")
    if name and (re.fullmatch(_SUBDOMAIN, name) is None or len(name) > 253):
        found.append(f'{path}.name: Invalid value: "{name}": {_SUBDOMAIN_WORDS}')
    for key, value in (meta.get("labels") or {}).items():
        if re.fullmatch(_QUALIFIED, key.rpartition("/")[2]) is None:
            found.append(f'{path}.labels: Invalid value: "{key}": {_KEY_WORDS}')
        if len(value) > 63:
            found.append(f'{path}.labels: Invalid value: "{value}": must be no more than 63 bytes')
        if re.fullmatch(f"({_QUALIFIED})?", value) is None:
            found.append(f'{path}.labels: Invalid value: "{value}": {_VALUE_WORDS}')
    annotations = meta.get("annotations") or {}
    for key in annotations:
        if re.fullmatch(_QUALIFIED, key.rpartition("/")[2]) is None:
            found.append(f'{path}.annotations: Invalid value: "{key}": {_KEY_WORDS}')
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _MOST_ANNOTATIONS:
        found.append(f"{path}.annotations: Too long: may not be more than {_MOST_ANNOTATIONS} bytes")
    return found


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
    wrong += wrong_spec(spec["template"].get("spec") or {}, "spec.template.spec")
    refuse(resource.kind, body["metadata"].get("name", ""), wrong)


def wrong_spec(spec: Json, path: str) -> list[str]:
    """What is wrong with a pod's spec."""
    volumes = [volume.get("name", "") for volume in spec.get("volumes") or []]
    found = [f'{path}.volumes[{at}].name: Duplicate value: "{name}"' for at, name in enumerate(volumes) if name in volumes[:at]]
    containers = spec.get("containers") or []
    for number, container in enumerate(containers):
        found += _wrong_container(container, [item["name"] for item in containers[:number]], volumes, f"{path}.containers[{number}]")
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
    if re.fullmatch(_LABEL, name) is None or len(name) > 63:
        found.append(f'{path}.name: Invalid value: "{name}": {_LABEL_WORDS}' if name else f"{path}.name: Required value")
    if name in before:
        found.append(f'{path}.name: Duplicate value: "{name}"')
    if not image:
        found.append(f"{path}.image: Required value")
    elif image != image.strip():
        found.append(f'{path}.image: Invalid value: "{image}": must not have leading or trailing whitespace')
    if container.get("imagePullPolicy", "Always") not in _PULLS:
        found.append(_unsupported(f"{path}.imagePullPolicy", container["imagePullPolicy"], _PULLS))
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


def _fixed(resource: Resource, item: Json) -> Json:
    """The part of a spec that stays as it was made."""
    if resource.kind == "Deployment":
        return {"selector": item["spec"].get("selector")}
    return {key: value for key, value in item["spec"].items() if key not in _CHANGEABLE}


def refuse(kind: str, name: str, wrong: list[str]) -> None:
    """Raises a 422 where something is wrong."""
    if wrong:
        group = ".apps" if kind in ("StatefulSet", "Deployment") else ""
        words = wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]"
        raise ApiError(422, f'{kind}{group} "{name}" is invalid: {words}')
