# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secret with the configuration: read, and changed only if nobody else has changed it meanwhile."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..cluster.api.access import RBAC_SERVICE_CONFIG, Right, require
from ..cluster.api.api_errors import AlreadyExists, Conflict, Forbidden, NotFound
from ..cluster.api.client import Client
from ..deadline import Deadline
from ..errors import InvalidOption
from .edit import Edit

BACKUP_OF = "packit.dev/backup-of"
"""Label of a backup: the Secret that it was made of."""


@dataclass(frozen=True)
class Place:
    """A key of a Secret."""

    namespace: str
    secret: str
    key: str

    def __str__(self) -> str:
        return f"Secret {self.namespace}/{self.secret}, key {self.key}"


@dataclass(frozen=True)
class Content:
    """The present content of a key of a Secret. ``data`` is None where the key is missing, ``version`` empty where the Secret is.

    ``owner`` puts it back, if anybody does.
    """

    version: str
    data: bytes | None
    keys: tuple[str, ...]
    immutable: bool = False
    owner: str = ""


@dataclass(frozen=True)
class Written:
    """An edit that was made, or in check mode would be; the Secret with the former content, if one was made; and see ``Content.owner``."""

    edit: Edit
    backup: str = ""
    owner: str = ""


_MARKS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""Annotations and labels of what keeps objects as their source has them."""


def owner_of(metadata: Mapping[str, Any]) -> str:
    """Return who keeps an object as it wants it, by its owner references, annotations and labels; empty where nobody does."""
    for owner in metadata.get("ownerReferences") or []:
        return f"{owner.get('kind')} {owner.get('name')}"
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    return next((who for mark, who in _MARKS.items() if mark in marks), "")


class ConfigSecret:
    """One key of one Secret. Nothing of the other keys is kept."""

    def __init__(self, client: Client, place: Place, deadline: Deadline) -> None:
        self._client = client
        self._place = place
        self._deadline = deadline

    def change(self, make: Callable[[Content], Edit], *, backup: bool, check_mode: bool) -> Written:
        """Make an edit of what is there, again if somebody else wrote in between. Raises DeploymentError."""
        wrote, saved = None, ""
        while True:
            content = self._read()
            edit = make(content)
            if not edit.changed:
                # After a conflict: what was wanted is there by now, by a request of ours whose answer was lost, or by another's.
                return Written(edit if wrote is None else wrote, saved, content.owner)
            wrote = edit
            if content.immutable:
                raise InvalidOption(
                    f"Secret {self._place.namespace}/{self._place.secret} is immutable, so nobody can change it.",
                    "Delete it and create it again, from a source with the cache's keys in it.",
                )
            self._require(content, backup)
            if check_mode:
                return Written(edit, owner=content.owner)
            try:
                saved = self._back_up(content) if backup and content.data is not None else saved
                self._write(content, edit.after.encode())
                return Written(edit, saved, content.owner)
            except (Conflict, AlreadyExists, NotFound):
                self._deadline.sleep(0.2)

    def _read(self) -> Content:
        place = self._place
        try:
            found = self._client.get("Secret", place.namespace, place.secret, self._deadline)
        except NotFound:
            return Content("", None, ())
        except Forbidden:
            require(self._client, [place.namespace], [Right("secrets", "get", name=place.secret)], self._deadline, RBAC_SERVICE_CONFIG)
            raise
        data: Mapping[str, str] = found.get("data") or {}
        raw = data.get(place.key)
        try:
            value = base64.b64decode(raw, validate=True) if raw is not None else None
        except binascii.Error:
            raise InvalidOption(f"{place} is no base64, as the API gives it.") from None
        metadata = found["metadata"]
        return Content(metadata["resourceVersion"], value, tuple(sorted(data)), bool(found.get("immutable")), owner_of(metadata))

    def _require(self, content: Content, backup: bool) -> None:
        place = self._place
        rights = [Right("secrets", "patch", name=place.secret)] if content.version else []
        if backup or not content.version:
            rights.append(Right("secrets", "create"))
        require(self._client, [place.namespace], rights, self._deadline, RBAC_SERVICE_CONFIG)

    def _write(self, content: Content, data: bytes) -> None:
        place = self._place
        coded = {place.key: base64.b64encode(data).decode()}
        if content.version:
            body = {"metadata": {"resourceVersion": content.version}, "data": coded}
            self._client.patch("Secret", place.namespace, place.secret, body, self._deadline)
        else:
            self._client.create("Secret", place.namespace, {"metadata": {"name": place.secret}, "data": coded}, self._deadline)

    def _back_up(self, content: Content) -> str:
        """A Secret beside it with the former content of the key, named after the version that it had."""
        place = self._place
        name = f"{place.secret}-before-{content.version}"
        body = {
            "metadata": {"name": name, "labels": {BACKUP_OF: place.secret}},
            "data": {place.key: base64.b64encode(content.data or b"").decode()},
        }
        with suppress(AlreadyExists):  # made by a request of ours whose answer was lost: a version has one content
            self._client.create("Secret", place.namespace, body, self._deadline)
        return name
