# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs M(packit.deployment.schedule)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.packit.deployment.plugins.action.deployment import ActionModule as DeploymentAction
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import parse_projects
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State


class ActionModule(DeploymentAction):
    """Runs the module, unless the job would refuse its projects: nobody looks on when it does."""

    def execute(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any] | None) -> dict[str, Any]:
        if arguments.get("state", State.PRESENT.value) == State.PRESENT.value:
            try:
                parse_projects(_projects(arguments.get("variables")))
            except InvalidOption as error:
                return {"failed": True, "msg": str(error)}
        return super().execute(arguments, task_vars)


def _projects(variables: object) -> list[Mapping[str, object]]:
    """Return the projects in the job's variables. Raises InvalidOption where there are none."""
    found = variables.get("repository_cache_projects") if isinstance(variables, Mapping) else None
    if not isinstance(found, list) or not found or not all(isinstance(item, Mapping) for item in found):
        raise InvalidOption("The variable repository_cache_projects lists no project.", "List at least one: `- url: https://…`.")
    return found


__all__ = ["ActionModule"]
