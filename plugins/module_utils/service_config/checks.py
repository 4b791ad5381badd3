# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the cache's keys for what would stop the service: refused with line and remedy. Pure."""

from __future__ import annotations

import posixpath

from ..errors import InvalidOption
from .wanted import ADD, CACHE, FALSE, FALSE_FOR_ADD, FIELDS, KEYS, TRUE, TRUE_FOR_ADD, VOLUMES, Wanted
from .yaml_nodes import Document, Kind, Node

_STOPS = "The service does not start with it."


def repeated(document: Document) -> tuple[str, ...]:
    """Refuse keys of the cache that are there twice; return warnings of others. Raises InvalidOption."""
    warnings = []
    for within, key, first in document.repeated:
        words = f"{document.at(key)}: the key `{key.value}` is there already in line {document.line(first.start)}"
        if within in KEYS:
            raise InvalidOption(f"{words}; the service would silently use the last.", "Take one of them out.")
        warnings.append(f"{words}; the service silently uses the last. It is not the cache's, so both stay as they are. Take one of them out.")
    return tuple(warnings)


def check(document: Document, wanted: Wanted) -> tuple[str, ...]:
    """Refuses what is wrong with our own keys and entries; returns warnings of other entries. Raises InvalidOption."""
    for name in (CACHE, ADD):
        pair = document.root.get(name)
        if pair is not None and pair[1].meant.kind is not Kind.SCALAR:
            kind = "text" if name == CACHE else "true or false"
            raise InvalidOption(
                f"{document.at(pair[0])}: `{name}` is a {pair[1].meant.kind.value}, and must be {kind}. {_STOPS}", _correct(name)
            )
    pair = document.root.get(ADD)
    if pair is not None and pair[1].meant.value not in (*TRUE_FOR_ADD, *FALSE_FOR_ADD):
        raise InvalidOption(f"{document.at(pair[0])}: `{ADD}` is neither true nor false. {_STOPS}", _correct(ADD))
    volumes = document.root.get(VOLUMES)
    if volumes is None:
        return ()
    if volumes[1].meant.kind is not Kind.SEQUENCE:
        raise InvalidOption(f"{document.at(volumes[0])}: `{VOLUMES}` is no list. {_STOPS}", "Make it a list (`[]`), or take it out.")
    warnings = []
    seen: dict[str, Node] = {}
    cache: Node | None = None
    for item in volumes[1].meant.items:
        if item.meant.kind is not Kind.MAPPING:
            raise InvalidOption(f"{document.at(item)}: an item of `{VOLUMES}` is no mapping. {_STOPS}", "Make it {path: …, pvc: …}.")
        wrong = _wrong(item.meant)
        own = is_own(item.meant, wanted)
        path = scalar(item.meant, "path")
        other = cache if own and cache is not None else seen.get(path)
        if other is not None:
            whose = "the cache" if own else f"the path {path}"
            wrong = (f"there is {whose} once more: line {document.line(other.start)} has it already", "Take one of them out.")
        seen[path] = item
        cache = item if own else cache
        if wrong is None:
            continue
        problem, remedy = wrong
        words = f"{document.at(item)}: in this item of `{VOLUMES}` {problem}."
        if own:
            raise InvalidOption(f"{words} It shows only when the first sandbox starts.", remedy)
        warnings.append(f"{words} It is not the cache's, so it stays as it is. {remedy}")
    return tuple(warnings)


def is_own(item: Node, wanted: Wanted) -> bool:
    """Return whether an item of the volumes is the cache's."""
    return is_cache(scalar(item, "path"), scalar(item, "pvc_from_env"), wanted)


def is_cache(path: str, pvc_from_env: str, wanted: Wanted) -> bool:
    """Return whether a volume is the cache: by its path, however it is spelt, or by its variable."""
    return (bool(path) and posixpath.normpath("/" + path.lstrip("/")) == wanted.path) or pvc_from_env == wanted.pvc_from_env


def scalar(item: Node, name: str) -> str:
    """Return the text of a field, which may have come by a merge; empty where there is none."""
    pair = item.get(name)
    if pair is not None:
        return pair[1].meant.value if pair[1].meant.kind is Kind.SCALAR else ""
    merged = [value.meant for key, value in item.pairs if key.value == "<<"]
    merged = [one.meant for value in merged for one in (value.items if value.kind is Kind.SEQUENCE else (value,))]
    return next(filter(None, (scalar(one, name) for one in merged)), "")


def _wrong(item: Node) -> tuple[str, str] | None:
    """Return what is wrong with an item, and what to do."""
    for key, value in item.pairs:
        if key.value == "<<":
            continue
        if key.value not in FIELDS:
            return f"the field `{key.value}` is unknown", f"Known fields: {', '.join(FIELDS)}."
        if value.meant.kind is not Kind.SCALAR or not value.meant.value:
            return f"`{key.value}` is no single value", "Give it one, or take it out."
    path = scalar(item, "path")
    if not path:
        return "there is no `path`", "Add the absolute path at which the volume is mounted."
    if not path.startswith("/"):
        return f"the path `{path}` is relative", "Make it absolute."
    if path != "/" and path.endswith("/"):
        return f"the path `{path}` ends with a slash, so it never equals `{CACHE}`", "Take the slash away."
    given = [name for name in ("pvc", "pvc_from_env") if scalar(item, name)]
    if len(given) == 2:
        return "there are both `pvc` and `pvc_from_env`", "Keep `pvc_from_env`: each worker has a claim of its own."
    if not given and not scalar(item, "volume_name"):
        return "there is neither `pvc` nor `pvc_from_env`", "Add `pvc_from_env`: each worker has a claim of its own."
    read_only = item.get("read_only")
    if read_only is not None and (not read_only[1].meant.plain or read_only[1].meant.value not in (*TRUE, *FALSE)):
        return "`read_only` is neither true nor false", "Write true or false, without quotes."
    return None


def _correct(name: str) -> str:
    return f"Correct that line, or take `{name}` out of the file."
