# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache's keys in the service's configuration, and the service's reading of them. Pure.

Facts of the published source of packit-service, packit and sandcastle (tests/unit/service_config/test_facts.py has them
with the files that they come from).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..cluster.api.given_paths import target
from ..errors import InvalidOption

CACHE = "repository_cache"
ADD = "add_repositories_to_repository_cache"
VOLUMES = "command_handler_pvc_volume_specs"
VARIABLE = "SANDCASTLE_REPOSITORY_CACHE_VOLUME"
"""The variable with the claim of a worker's sandboxes, which the service's own start-up script exports."""
SANDBOX_NAMESPACE = "command_handler_k8s_namespace"
KEYS = (CACHE, ADD, VOLUMES)
"""The keys that are ours, in the order in which they are written."""

FIELDS = ("path", "volume_name", "pvc", "pvc_from_env", "read_only")
"""The fields that an item of the volumes may have. Nothing checks them before the first sandbox starts."""
TRUE = ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON")
FALSE = ("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF")
"""Truth values as the service's YAML loader reads them."""
TRUE_FOR_ADD = (*TRUE, "t", "T", "y", "Y", "1")
FALSE_FOR_ADD = (*FALSE, "f", "F", "n", "N", "0")
"""Truth values that its schema takes besides, for its own keys (marshmallow's Boolean): texts and numbers."""

_PATH = re.compile(r"(/[A-Za-z0-9_.-]+)+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Wanted:
    """The cache's path in workers and sandboxes, the variable with the sandbox's claim, and whether sandboxes may only read."""

    path: str
    pvc_from_env: str
    read_only: bool

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The volume's fields, in the order in which they are written."""
        return (("path", self.path), ("pvc_from_env", self.pvc_from_env), ("read_only", "true" if self.read_only else "false"))


def parse_wanted(path: str, pvc_from_env: str, read_only: bool) -> Wanted:
    """Checked. Raises InvalidOption."""
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise InvalidOption(
            f"The path `{path}` is no absolute path of a directory, of letters, digits and `._-`, without a slash at its end.",
            "The service compares paths as texts, and mounts nothing where they differ. The usual one is /repository-cache.",
        )
    target("path", path)
    if not _VARIABLE.fullmatch(pvc_from_env):
        raise InvalidOption(f"`{pvc_from_env}` is no name of an environment variable.", f"The service's own is {VARIABLE}.")
    return Wanted(path, pvc_from_env, read_only)


def lines(wanted: Wanted, keys: Sequence[str] = KEYS) -> list[str]:
    """The lines of these keys, as a source file needs them."""
    written = {CACHE: [f"{CACHE}: {wanted.path}"], ADD: [f"{ADD}: false"], VOLUMES: [f"{VOLUMES}:", *entry_lines(wanted, 2)]}
    return [line for key in KEYS if key in keys for line in written[key]]


def entry_lines(wanted: Wanted, indent: int) -> list[str]:
    """The lines of the cache's item in the list of volumes."""
    return [f"{' ' * indent}{'  ' if number else '- '}{name}: {value}" for number, (name, value) in enumerate(wanted.fields)]


def entry_flow(wanted: Wanted) -> str:
    """The same inside brackets."""
    return "{" + ", ".join(f"{name}: {value}" for name, value in wanted.fields) + "}"
