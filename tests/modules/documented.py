# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a module documents: its options, and what it returns, which is compared with its answer in each run of a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import yaml

MODULES = "ansible_collections.packit.deployment.plugins.modules"
_OURS = "packit.deployment."
_FRAGMENTS = "ansible_collections.packit.deployment.plugins.doc_fragments"
_OF_ANSIBLE = {"changed", "failed", "msg", "invocation", "diff", "warnings", "deprecations", "exception"}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "list": (list,), "dict": (dict,), "raw": (object,), "complex": (dict,),
}  # fmt: skip


def options(module: str) -> dict[str, dict[str, Any]]:
    """Return a module's options, with those of our own doc fragments and without those of others'."""
    documentation = yaml.safe_load(import_module(f"{MODULES}.{module}").DOCUMENTATION)
    fragments = [name.removeprefix(_OURS) for name in documentation["extends_documentation_fragment"] if name.startswith(_OURS)]
    found: dict[str, dict[str, Any]] = dict(documentation["options"])
    for fragment in fragments:
        name, _dot, part = fragment.partition(".")
        text = getattr(import_module(f"{_FRAGMENTS}.{name}").ModuleDocFragment, part.upper() or "DOCUMENTATION")
        found |= yaml.safe_load(text).get("options", {})
    return found


def require_documented(module: str, answer: Mapping[str, Any]) -> None:
    """Raise AssertionError where an answer has a field that is not documented, or of another type, or lacks one that is always there."""
    documented = _documented(module)
    wrong = list(_wrong("", {key: value for key, value in answer.items() if key not in _OF_ANSIBLE}, documented))
    if not answer.get("failed"):
        wrong += [f"{key} is not there" for key, about in documented.items() if about.get("returned") == "success" and key not in answer]
    assert not wrong, f"The module {module} does not return what it documents: {'; '.join(wrong)}"


@cache
def _documented(module: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(import_module(f"{MODULES}.{module}").RETURN)
    return found


def _wrong(of: str, values: Mapping[str, Any], documented: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        about = documented.get(key)
        if about is None:
            yield f"{of}{key} is not documented"
            continue
        if not isinstance(value, _TYPES[about["type"]]):
            yield f"{of}{key} is {value!r:.60}, and no {about['type']}"
            continue
        items = value if isinstance(value, list) else [value]
        for item in items:
            if isinstance(value, list) and not isinstance(item, _TYPES[about.get("elements", "raw")]):
                yield f"an item of {of}{key} is {item!r:.60}, and no {about['elements']}"
            elif isinstance(item, dict) and "contains" in about:
                yield from _wrong(f"{of}{key}.", item, about["contains"])
