"""What a pod's containers see: their mounts, environment and user, from the pod's spec."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from .container import Container, Mount
from .errors import ApiError
from .launcher import SEARCHED
from .resources import CONFIG_MAPS, SECRETS, Object
from .store import Store
from .volumes import Volumes

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


@dataclass(frozen=True)
class Files:
    """Where each volume of a pod is on this machine."""

    sources: dict[str, Path]
    read_only: frozenset[str]


def prepare(store: Store, pod: Object, directory: Path, volumes: Volumes) -> Files:
    """Make the pod's own directories. Raises ApiError for a Secret or ConfigMap that is missing."""
    namespace = pod["metadata"]["namespace"]
    sources: dict[str, Path] = {}
    read_only: set[str] = set()
    for volume in pod["spec"].get("volumes") or []:
        name = volume["name"]
        if claim := volume.get("persistentVolumeClaim"):
            sources[name] = volumes.path(namespace, claim["claimName"])
            if claim.get("readOnly"):
                read_only.add(name)
            continue
        sources[name] = path = directory / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o2777)
        if "secret" in volume or "configMap" in volume:
            read_only.add(name)
            for file, data in _contents(store, namespace, volume).items():
                (path / file).write_bytes(data)
                (path / file).chmod((volume.get("secret") or volume["configMap"]).get("defaultMode", 0o644))
    return Files(sources, frozenset(read_only))


def _contents(store: Store, namespace: str, volume: Object) -> dict[str, bytes]:
    if source := volume.get("secret"):
        item = store.find(SECRETS, namespace, source["secretName"])
        missing = f'secret "{source["secretName"]}" not found'
    else:
        source = volume["configMap"]
        item = store.find(CONFIG_MAPS, namespace, source["name"])
        missing = f'configmap "{source["name"]}" not found'
    if item is None:
        if source.get("optional"):
            return {}
        raise ApiError(404, missing)
    data = _data(item)
    if items := source.get("items"):
        return {entry["path"]: data[entry["key"]] for entry in items}
    return data


def _data(item: Object) -> dict[str, bytes]:
    plain = {key: value.encode() for key, value in (item.get("data") or {}).items()} if item["kind"] == "ConfigMap" else {}
    encoded = item.get("data") or {} if item["kind"] == "Secret" else item.get("binaryData") or {}
    return {**plain, **{key: base64.b64decode(value) for key, value in encoded.items()}}


def container(store: Store, pod: Object, spec: Object, files: Files, directory: Path, user: tuple[int, int], *, users: bool) -> Container:
    """What to start for one container of a pod. Raises ApiError for a key that its environment needs and nobody has."""
    env = _environment(store, pod, spec)
    argv = [*(spec.get("command") or ["/bin/sh"]), *(spec.get("args") or [])]
    mounts = []
    for mount in spec.get("volumeMounts") or []:
        source = files.sources[mount["name"]]
        if mount.get("subPath"):
            source = source / mount["subPath"]
            source.mkdir(parents=True, exist_ok=True)
        mounts.append(Mount(str(source), mount["mountPath"], bool(mount.get("readOnly")) or mount["name"] in files.read_only))
    root = directory / f"{spec['name']}.root"
    return Container(
        root=str(root),
        hostname=pod["spec"].get("hostname") or pod["metadata"]["name"],
        argv=[_expand(word, env) for word in argv],
        env=env,
        cwd=spec.get("workingDir") or "/",
        uid=user[0],
        gid=user[1],
        users=users,
        read_only_root=bool((spec.get("securityContext") or {}).get("readOnlyRootFilesystem")),
        mounts=mounts,
    )


def _environment(store: Store, pod: Object, spec: Object) -> dict[str, str]:
    env = {"PATH": SEARCHED, "HOSTNAME": pod["metadata"]["name"], "HOME": "/root"}
    namespace = pod["metadata"]["namespace"]
    for source in spec.get("envFrom") or []:
        kind = "secret" if "secretRef" in source else "configMap"
        reference = {f"{kind}Name" if kind == "secret" else "name": source[f"{kind}Ref"]["name"]}
        env.update({key: value.decode() for key, value in _contents(store, namespace, {kind: reference}).items()})
    for entry in spec.get("env") or []:
        env[entry["name"]] = _expand(entry["value"], env) if entry.get("value") else _value_from(store, pod, entry.get("valueFrom") or {})
    return env


def _value_from(store: Store, pod: Object, source: Object) -> str:
    if path := (source.get("fieldRef") or {}).get("fieldPath"):
        value: object = pod
        for part in path.split("."):
            value = value.get(part, "") if isinstance(value, dict) else ""
        return str(value)
    for kind, field in (("secretKeyRef", "secret"), ("configMapKeyRef", "configMap")):
        if reference := source.get(kind):
            name = "secretName" if field == "secret" else "name"
            data = _contents(store, pod["metadata"]["namespace"], {field: {name: reference["name"]}})
            if reference["key"] not in data:
                raise ApiError(404, f"couldn't find key {reference['key']} in {field} {pod['metadata']['namespace']}/{reference['name']}")
            return data[reference["key"]].decode()
    return ""


def _expand(text: str, env: dict[str, str]) -> str:
    return _REFERENCE.sub(lambda found: env.get(found[1], found[0]), text)
