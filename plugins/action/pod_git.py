# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses a URL before M(packit.deployment.pod_git) is invoked: -vvv shows a module's invocation, and the URL may have a password in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.packit.deployment.plugins.module_utils.cache.projects import refused


class ActionModule(ActionBase):
    """Runs the module."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        words = refused(self._task.args)
        if words:
            return {**result, "failed": True, "msg": words}
        result.update(self._execute_module(task_vars=task_vars))
        return result


__all__ = ["ActionModule"]
