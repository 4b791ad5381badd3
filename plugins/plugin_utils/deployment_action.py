# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides on the controller, for each of our modules, whether it runs and with which arguments.

- The tasks of our roles are tagged C(always), so that C(include_role) runs them under the include's own tags: Ansible does not hand
  those down. A static import does hand its tags down, and then C(always) must not outweigh them.
- An argument that a template leaves out (C(default(omit))) is left out: Ansible itself lets it take C(module_defaults) away.
- A relative kubeconfig is looked for beside the playbook, and a vaulted one is opened, as kubernetes.core does for its modules.
- A URL with a password in it is refused here: -vvv shows a module's invocation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.packit.deployment.plugins.module_utils.cache.projects import refused

_COLLECTION = "packit.deployment"
_GROUP = f"group/{_COLLECTION}.deployment"
_ALWAYS = "always"


class DeploymentAction(ActionBase):
    """Runs the module of its own name."""

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        of_our_role = variables.get("ansible_collection_name") == _COLLECTION
        if of_our_role and not is_chosen(self._task.tags, variables.get("ansible_run_tags") or ()):
            return {**result, "changed": False, "skipped": True, "skip_reason": "The tags of this run are others."}
        arguments = {**self._defaults(variables), **self._task.args}
        words = refused(arguments)
        if words:
            return {**result, "failed": True, "msg": words}
        if isinstance(arguments.get("kubeconfig"), str) and arguments["kubeconfig"]:
            arguments["kubeconfig"] = self._loader.get_real_file(self._find_needle("files", arguments["kubeconfig"]))
        result.update(self.execute(arguments, task_vars))
        return result

    def execute(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any] | None) -> dict[str, Any]:
        """Run the module with these arguments, and return its result."""
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=in_background)
        return result

    def _defaults(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return what C(module_defaults) say for this module; its own entry outweighs its group's, as in Ansible."""
        entries: dict[str, Any] = {}
        for inner in self._task.module_defaults:  # from the outermost to the innermost
            entries.update(inner)
        named = {**(entries.get(_GROUP) or {}), **(entries.get(self._task.resolved_action) or {})}
        templated = self._templar.template(named)
        return {name: value for name, value in templated.items() if "omit" not in variables or value != variables["omit"]}


def is_chosen(tags: Sequence[str], run_tags: Collection[str]) -> bool:
    """Return whether a task of our roles is to run. One C(always) in its tags is the role's; a second one is of who imports the role."""
    handed_down = {tag for tag in tags if tag != _ALWAYS}
    return not handed_down or tags.count(_ALWAYS) != 1 or not run_tags or not {*handed_down, "all", "tagged"}.isdisjoint(run_tags)


__all__ = ["DeploymentAction", "is_chosen"]
