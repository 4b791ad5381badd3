# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which claims are taken, and how they may change: what the API server says of size, growth and quota."""

from __future__ import annotations

from .admission import check_quota
from .resources import BY_KIND
from .status import ApiError, forbidden
from .store import Json, Store
from .validation import quantity

_CLAIM = BY_KIND["PersistentVolumeClaim"]
_IMMUTABLE = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def admit_claim(store: Store, namespace: str, present: Json | None, body: Json) -> None:
    """Raises a 403 or 422. ``present`` is the claim as it is, None for a new one."""
    name, storage = body["metadata"].get("name", ""), _storage(body)
    before = 0.0 if present is None else _storage(present)
    bound = present is not None and bool(present["spec"].get("volumeName"))
    if bound and storage > before and not _expands(store, body):
        words = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
        raise forbidden(_CLAIM.plural, name, words)
    if present is None or (bound and storage > before):
        _quota(store, namespace, present, body)
    if present is None:
        if storage <= 0:
            asked = body["spec"]["resources"]["requests"]["storage"]
            raise _invalid(name, f'spec.resources[storage]: Invalid value: "{asked}": must be greater than zero')
        return
    fixed = [{key: value for key, value in item["spec"].items() if not (bound and key == "resources")} for item in (present, body)]
    if fixed[0] != fixed[1]:
        raise _invalid(name, _IMMUTABLE)
    if storage < before and storage < quantity(((present.get("status") or {}).get("capacity") or {}).get("storage", "0")):
        raise _invalid(name, "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity")


def _expands(store: Store, body: Json) -> bool:
    found = store.peek(BY_KIND["StorageClass"], "", body["spec"].get("storageClassName", ""))
    return found is not None and bool(found.get("allowVolumeExpansion"))


def _quota(store: Store, namespace: str, present: Json | None, body: Json) -> None:
    claims = store.list(_CLAIM, namespace)
    asked = {"persistentvolumeclaims": float(present is None), "requests.storage": _storage(body) - (_storage(present) if present else 0.0)}
    used = {"persistentvolumeclaims": float(len(claims)), "requests.storage": sum(map(_storage, claims))}
    for quota in store.list(BY_KIND["ResourceQuota"], namespace):
        hard = {key: value for key, value in quota["spec"]["hard"].items() if asked.get(key)}
        check_quota(quota["metadata"]["name"], _CLAIM.plural, body["metadata"].get("name", ""), hard, asked, used)


def _storage(claim: Json) -> float:
    return quantity(claim["spec"]["resources"]["requests"]["storage"])


def _invalid(name: str, words: str) -> ApiError:
    return ApiError(422, f'PersistentVolumeClaim "{name}" is invalid: {words}')
