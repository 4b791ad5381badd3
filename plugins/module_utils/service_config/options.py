# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options, checked and typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster.api.names import require_name, require_namespace
from ..errors import InvalidOption
from ..given_values import STATE, State, set_it
from .secret import Place
from .wanted import VARIABLE, Wanted, parse_wanted

ARGUMENT_SPEC: dict[str, Any] = {
    "namespace": {"type": "str", "default": ""},
    "secret": {"type": "str", "default": "packit-config", "no_log": False},
    "key": {"type": "str", "default": "packit-service.yaml", "no_log": False},
    "file": {"type": "path"},
    "state": STATE,
    "path": {"type": "str", "default": "/repository-cache"},
    "filled_path": {"type": "str", "default": ""},
    "pvc_from_env": {"type": "str", "default": VARIABLE},
    "read_only": {"type": "bool", "default": True},
    "sandbox_namespace": {"type": "str", "default": ""},
    "create": {"type": "bool", "default": False},
    "backup": {"type": "bool", "default": False},
    "restart": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 600},
}
_KEY = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class ConfigOptions:
    """The options of service_config. Either ``file`` or ``place`` says where; ``timeout`` in seconds for each workload's restart."""

    place: Place
    file: str
    state: State
    wanted: Wanted
    sandbox_namespace: str
    create: bool
    backup: bool
    restart: bool
    timeout: int


def parse_options(params: Mapping[str, Any]) -> ConfigOptions:
    """The options. Raises InvalidOption, naming the value."""
    file = params["file"] or ""
    if not params["namespace"] and not file:
        raise InvalidOption(
            "namespace is not set.", set_it("namespace", "project")
        )
    if not _KEY.fullmatch(params["key"]):
        raise InvalidOption(f"`{params['key']}` is no key of a Secret.", "The usual one is packit-service.yaml.")
    if not params["secret"]:
        raise InvalidOption("secret is empty.", "The usual one is packit-config.")
    require_name("Secret", params["secret"])
    for namespace in filter(None, (params["namespace"], params["sandbox_namespace"])):
        require_namespace(namespace)
    if params["filled_path"] not in ("", params["path"]):
        raise InvalidOption(
            f"Option `path` is {params['path']}, and the volumes are filled at {params['filled_path']} (option `filled_path`): "
            "the service would look for the cache where it is not.",
            "Make both the same.",
        )
    if file and params["restart"]:
        raise InvalidOption("A local file is no workload's configuration, so there is nothing to restart.", "Leave option `restart` out.")
    return ConfigOptions(
        place=Place(params["namespace"], params["secret"], params["key"]),
        file=file,
        state=State(params["state"]),
        wanted=parse_wanted(params["path"], params["pvc_from_env"], params["read_only"]),
        sandbox_namespace=params["sandbox_namespace"],
        create=params["create"],
        backup=params["backup"],
        restart=params["restart"],
        timeout=params["timeout"],
    )
