# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the content of volumes that are made of objects: Secrets, ConfigMaps, the pod itself, and a service account's token."""

from __future__ import annotations

import base64
from pathlib import Path

from .downward import field
from .resources import BY_KIND
from .store import Json, Store, now
from .tokens import Tokens

Files = dict[str, tuple[bytes, int]]
"""Path in the volume → what lies there, and its mode."""
_MODE = 0o644


class Absent(Exception):
    """An object, or a key of it, is not there; in the kubelet's words."""


def data_of(store: Store, kind: str, namespace: str, name: str) -> dict[str, bytes]:
    """Return what a Secret or a ConfigMap holds. Raises Absent."""
    found = store.peek(BY_KIND[kind], namespace, name)
    if found is None:
        raise Absent(f'{kind.lower()} "{name}" not found')
    encoded, texts = (found.get("data"), {}) if kind == "Secret" else (found.get("binaryData"), found.get("data"))
    values = {key: base64.b64decode(value) for key, value in (encoded or {}).items()}
    return {**values, **{key: value.encode() for key, value in (texts or {}).items()}}


def files_of(store: Store, tokens: Tokens, pod: Json, volume: Json) -> Files | None:
    """Return the files of a volume, None for one that is not made of objects. Raises Absent with all that is missing."""
    if "projected" not in volume:
        return _files(store, tokens, pod, volume, _MODE)
    found: Files = {}
    missing = []
    mode = volume["projected"].get("defaultMode", _MODE)
    for source in volume["projected"].get("sources") or []:
        try:
            found.update(_files(store, tokens, pod, source, mode) or {})
        except Absent as error:
            missing.append(str(error))
    if missing:
        raise Absent(missing[0] if len(missing) == 1 else f"[{', '.join(missing)}]")
    return found


def write(files: Files, directory: Path) -> None:
    """Write them as the kubelet does: each name is a link into a directory that one rename would replace."""
    dated = f"..{now().translate(str.maketrans('-T:', '___', 'Z'))}"
    for path, (content, mode) in files.items():
        target = directory / dated / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode)
    (directory / dated).mkdir(exist_ok=True)
    (directory / "..data").symlink_to(dated)
    for name in sorted({path.partition("/")[0] for path in files}):
        (directory / name).symlink_to(f"..data/{name}")


def _files(store: Store, tokens: Tokens, pod: Json, source: Json, mode: int) -> Files | None:
    namespace = pod["metadata"]["namespace"]
    if "secret" in source:
        named = source["secret"]
        return _of_object(store, "Secret", namespace, named.get("secretName") or named.get("name", ""), named, mode)
    if "configMap" in source:
        return _of_object(store, "ConfigMap", namespace, source["configMap"]["name"], source["configMap"], mode)
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items") or []
        return {item["path"]: (field(pod, item["fieldRef"]["fieldPath"]).encode(), item.get("mode", mode)) for item in items}
    if "serviceAccountToken" in source:
        made = tokens.issue(namespace, pod["spec"].get("serviceAccountName", "default"))
        return {source["serviceAccountToken"]["path"]: (made.encode(), mode)}
    return None


def _of_object(store: Store, kind: str, namespace: str, name: str, source: Json, mode: int) -> Files:
    mode = source.get("defaultMode", mode)
    try:
        values = data_of(store, kind, namespace, name)
    except Absent:
        if source.get("optional"):
            return {}
        raise
    if "items" not in source:
        return {key: (value, mode) for key, value in values.items()}
    words = "references non-existent secret key" if kind == "Secret" else "configmap references non-existent config key"
    found = {}
    for item in source["items"]:
        if item["key"] not in values:
            if source.get("optional"):
                continue
            raise Absent(f"{words}: {item['key']}")
        found[item["path"]] = (values[item["key"]], item.get("mode", mode))
    return found
