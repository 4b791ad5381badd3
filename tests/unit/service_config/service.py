# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's own reading of its configuration, in a few lines: the judge of what we write and of what we refuse.

The facts, with the files of the published source that have them:

- packit-service, packit_service/config.py: the file is read by PyYAML's ``safe_load`` and given to ServiceConfigSchema.
- packit-service, packit_service/schema.py: ServiceConfigSchema is packit's UserConfigSchema with more keys. Neither says what
  to do with unknown keys, so marshmallow refuses them, and the service does not start.
- packit, packit/schema.py, UserConfigSchema: ``repository_cache`` is a String, ``add_repositories_to_repository_cache`` a Bool, and
  ``command_handler_pvc_volume_specs`` a List of Dicts whose content nobody checks. None of them may be null.
- marshmallow, marshmallow/fields.py, Boolean: the values of ``_TRUTHY`` and ``_FALSY`` below, and no others.
- packit, packit/config/config.py: ``add_repositories_to_repository_cache`` is true unless the file says otherwise.
- packit, packit/command_handler.py: each Dict becomes the keyword arguments of sandcastle's VolumeSpec when the first sandbox
  starts. A Dict whose ``pvc_from_env`` names an unset variable is left out, without a word; so is one whose ``path`` equals
  ``repository_cache``, as text, where the job's project was not cloned with the cache.
- sandcastle, sandcastle/api.py, VolumeSpec: the arguments are path, volume_name, pvc, pvc_from_env and read_only (false unless
  given); the variable wins over pvc; a volume with neither claim nor name is a RuntimeError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

KNOWN = {
    "deployment": str,
    "command_handler_k8s_namespace": str,
    "repository_cache": str,
    "add_repositories_to_repository_cache": object,
    "command_handler_pvc_volume_specs": list,
}
_ADD = "add_repositories_to_repository_cache"
_TRUTHY = {"t", "T", "true", "True", "TRUE", "on", "On", "ON", "y", "Y", "yes", "Yes", "YES", "1", 1}
_FALSY = {"f", "F", "false", "False", "FALSE", "off", "Off", "OFF", "n", "N", "no", "No", "NO", "0", 0}
FIELDS = ("path", "volume_name", "pvc", "pvc_from_env", "read_only")


class Refused(Exception):
    """The service does not start, or its first sandbox does not."""


def start(text: str) -> dict[str, Any]:
    """Read the file, as the service does when it starts. Raises Refused."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused("no YAML") from error
    if not isinstance(data, dict):
        raise Refused("no mapping")
    for key, value in data.items():
        if key not in KNOWN:
            raise Refused(f"unknown key {key}")
        if not isinstance(value, KNOWN[key]):
            raise Refused(f"type of {key}")
    if _ADD in data:
        add = data[_ADD]
        if isinstance(add, (list, dict)) or add not in _TRUTHY | _FALSY:
            raise Refused(f"type of {_ADD}")
        data[_ADD] = add in _TRUTHY
    if any(not isinstance(item, dict) for item in data.get("command_handler_pvc_volume_specs", [])):
        raise Refused("an item is no mapping")
    return data


def sandbox(config: Mapping[str, Any], environment: Mapping[str, str], cached: bool = True) -> dict[str, tuple[str, bool]]:
    """path → (claim, read only) of a sandbox, whose project was or was not cloned with the cache. Raises Refused."""
    mounts: dict[str, tuple[str, bool]] = {}
    for item in config.get("command_handler_pvc_volume_specs", []):
        if "pvc_from_env" in item and not environment.get(item["pvc_from_env"]):
            continue
        if config.get("repository_cache") and item.get("path") == config["repository_cache"] and not cached:
            continue
        if set(item) - set(FIELDS) or "path" not in item:
            raise Refused("arguments of VolumeSpec")
        claim = environment.get(item.get("pvc_from_env", ""), item.get("pvc", ""))
        if not claim and not item.get("volume_name"):
            raise Refused("neither claim nor name")
        if item["path"] in mounts or not isinstance(item.get("read_only", False), bool):
            raise Refused("the API refuses the pod")
        mounts[item["path"]] = (claim, item.get("read_only", False))
    return mounts
