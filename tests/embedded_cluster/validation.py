# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what is wrong with an object that was sent, in the API server's words. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from .status import ApiError

Json = dict[str, Any]
# The words are those of k8s.io/apimachinery/pkg/util/validation and pkg/api/validation, and of pkg/apis/core/validation.
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    f"alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    f"character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)
_KEY_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    f"alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({_QUALIFIED})?')"
)
_PORT_LABEL = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_PORT_LABEL_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
    f"alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_PORT_LABEL}')"
)
_KEY = r"[-._a-zA-Z0-9]+"
_CONFIG_KEY_WORDS = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
    f"regex used for validation is '{_KEY}')"
)
_MOST_ANNOTATIONS = 256 * 1024
_MOST_DATA = 1024 * 1024
_QUANTITY = re.compile(r"[+-]?[0-9]*\.?[0-9]*(e[+-]?[0-9]+|E[+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?")

_SUFFIXES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60, "n": 1e-9, "u": 1e-6, "m": 0.001, "k": 10**3,
             "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18, "": 1}  # fmt: skip


def quantity(text: Any) -> float:
    """A Kubernetes quantity."""
    number = str(text).rstrip("KMGTPEikmun")
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


def check_object(kind: str, body: Json) -> None:
    """Refuse an object whose name, labels, annotations or content are wrong, whatever acts on it. Raises a 400 or 422."""
    name = body["metadata"].get("name", "")
    refuse(kind, name, [*_wrong_name(kind, name), *wrong_metadata(body["metadata"], "metadata"), *_wrong_content(kind, body)])


def _wrong_name(kind: str, name: str) -> list[str]:
    if kind in ("Role", "RoleBinding") or not name:  # any path segment
        return []
    if kind == "Namespace" and "." in name:
        return [f'metadata.name: Invalid value: "{name}": must not contain dots']
    if kind == "Service" and (re.fullmatch(_PORT_LABEL, name) is None or len(name) > 63):
        return [f'metadata.name: Invalid value: "{name}": {_PORT_LABEL_WORDS}']
    if re.fullmatch(_SUBDOMAIN, name) is None or len(name) > 253:
        return [f'metadata.name: Invalid value: "{name}": {_SUBDOMAIN_WORDS}']
    return []


def _wrong_content(kind: str, body: Json) -> list[str]:
    if kind == "Service" and not body["spec"].get("ports") and body["spec"].get("clusterIP") != "None":
        return ["spec.ports: Required value"]
    if kind == "Role":
        words = "Required value: verbs must contain at least one value"
        return [f"rules[{at}].verbs: {words}" for at, rule in enumerate(body.get("rules") or []) if not rule.get("verbs")]
    if kind not in ("Secret", "ConfigMap"):
        return []
    data = body.get("data") or {}
    found = [f'data[{key}]: Invalid value: "{key}": {_CONFIG_KEY_WORDS}' for key in data if re.fullmatch(_KEY, key) is None]
    if kind == "Secret" and sum(len(_decoded(kind, value)) for value in data.values()) > _MOST_DATA:
        found.append(f"data: Too long: may not be more than {_MOST_DATA} bytes")
    if kind == "ConfigMap" and sum(len(value.encode()) for value in data.values()) > _MOST_DATA:
        found.append(f"[]: Too long: may not be more than {_MOST_DATA} bytes")
    return found


def _decoded(kind: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ApiError(400, f'{kind} in version "v1" cannot be handled as a {kind}: illegal base64 data', "BadRequest") from error


def wrong_metadata(meta: Json, path: str) -> list[str]:
    """Return what is wrong with labels and annotations."""
    found = []
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


def refuse(kind: str, name: str, wrong: list[str]) -> None:
    """Raises a 422 where something is wrong."""
    if wrong:
        group = {"StatefulSet": ".apps", "Deployment": ".apps", "CronJob": ".batch", "Job": ".batch"}.get(kind, "")
        words = wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]"
        raise ApiError(422, f'{kind}{group} "{name}" is invalid: {words}')
