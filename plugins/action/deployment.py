# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides on the controller, for each of our modules, whether it runs and with which arguments.

C(meta/runtime.yml) routes each module here, but for those that have an action plugin of their own name.

- The tasks of our roles are tagged C(always), so that C(include_role) runs them under the include's own tags: Ansible does not hand
  those down. A static import does hand its tags down, and then it is as if C(always) were not there.
- An argument that a template leaves out (C(default(omit))) is left out: Ansible itself lets it take C(module_defaults) away.
- A relative kubeconfig is looked for beside the playbook, and a vaulted one is opened, as kubernetes.core does for its modules.
- A text that names an option names the variable instead that the task takes it from: who uses a role knows no other name.
- A URL with a password in it is refused here: -vvv shows a module's invocation.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import refused
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.kubeconfig import CONTENT, is_content
from ansible_collections.packit.deployment.plugins.plugin_utils.option_names import own_pod_options, variables_of, worded

_COLLECTION = "packit.deployment"
_GROUP = f"group/{_COLLECTION}.deployment"
_ALWAYS = "always"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module that the task names."""

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        tags, run_tags = self._handed_down(), variables.get("ansible_run_tags") or ()
        if tags is not None and not is_chosen(tags, run_tags):
            why = f"The role's tags ({', '.join(sorted(tags)) or 'none'}) are not among those of this run ({', '.join(map(str, run_tags))})."
            return {**result, "changed": False, "skipped": True, "skip_reason": why}
        arguments = {**self._defaults(variables), **self._task.args}
        words = refused(arguments)
        if words:
            return {**result, "failed": True, "msg": words}
        kubeconfig = arguments.get("kubeconfig")
        if isinstance(kubeconfig, str) and is_content(kubeconfig):
            return {**result, "failed": True, "msg": CONTENT}  # Ansible would look for it as a path, and show it
        if isinstance(kubeconfig, str) and self._connection.transport == "local" and self._connection.become is None:
            arguments["kubeconfig"] = os.pathsep.join(self._real_path(part) for part in kubeconfig.split(os.pathsep))
        result.update(self.execute(arguments, task_vars))
        return result

    def execute(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any] | None) -> dict[str, Any]:
        """Run the module with these arguments, and return its result."""
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=in_background)
        if self._task.action.rpartition(".")[2] == "filler_pod":
            result = own_pod_options(result)
        told: dict[str, Any] = worded(result, self._variables())
        return told

    def _variables(self) -> dict[str, str]:
        """Return the variables that the task, as it is written, takes its options from; in a role of ours, those of its other tasks, too."""
        written = getattr(self._task, "_ds", None) or {}
        arguments = [written.get(name) for name in ("args", self._task.action)]
        found = {option: name for given in arguments if isinstance(given, Mapping) for option, name in variables_of(given).items()}
        role = self._task._role
        if role is None or not role.get_name().startswith(f"{_COLLECTION}."):
            return found
        prefix = f"{role.get_name().rsplit('.', 1)[-1]}_"
        return {**{name.removeprefix(prefix): name for name in role.get_default_vars() if name.startswith(prefix)}, **found}

    def _real_path(self, path: str) -> str:
        """Return where a kubeconfig is, decrypted if it has to be. Raises AnsibleError."""
        found: str = self._loader.get_real_file(self._find_needle("files", path.strip())) if path.strip() else path
        return found

    def _handed_down(self) -> set[str] | None:
        """Return the tags that a task of our roles has from who imports the role; None where it is as if there were no choice.

        That is so for any other task, as Ansible has chosen it, and below a dynamic include, which was chosen itself.
        """
        role, block = self._task._role, self._task
        while block is not None and (block is self._task or _ALWAYS not in _own_tags(block)):
            block = block._parent
        if block is None or role is None or not role.get_name().startswith(f"{_COLLECTION}.") or block._role is not role:
            return None
        including = block._parent
        while including is not None and not hasattr(including, "statically_loaded"):
            including = including._parent
        if including is not None and not including.statically_loaded:
            return None
        tags = self._templar.template(list(block._get_parent_attribute("tags", omit=True) or ()))
        return {str(tag) for item in tags for tag in (item if isinstance(item, list) else [item])}

    def _defaults(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return what C(module_defaults) say for this module; its own entry outweighs its group's, as in Ansible."""
        entries: dict[str, Any] = {}
        for inner in self._task.module_defaults:  # from the outermost to the innermost
            entries.update(inner)
        named: dict[str, Any] = {}
        # Not the task's `resolved_action`: where the module is routed here, that is this plugin for some versions of Ansible.
        module = self._shared_loader_obj.module_loader.find_plugin_with_context(self._task.action, collection_list=self._task.collections)
        for entry in (entries.get(_GROUP), entries.get(module.resolved_fqcn)):
            named.update((self._templar.template(entry) if isinstance(entry, str) else entry) or {})
        # Only what the task does not give: the rest need not even be defined.
        templated = self._templar.template({name: value for name, value in named.items() if name not in self._task.args})
        return {name: value for name, value in templated.items() if "omit" not in variables or value != variables["omit"]}


def _own_tags(part: Any) -> Sequence[Any]:
    """Return the tags that stand at a part of a play itself; where none do, Ansible keeps a marker."""
    own = getattr(part, "_tags", None)
    return own if isinstance(own, list) else ()


def is_chosen(tags: Collection[str], run_tags: Collection[str]) -> bool:
    """Return whether a task with these tags is to run: Ansible's own rule, see C(Taggable.evaluate_tags)."""
    if not run_tags or _ALWAYS in tags or not {*(tags or ("untagged",))}.isdisjoint(run_tags):
        return True
    return "never" not in tags and ("all" in run_tags or ("tagged" in run_tags and bool(tags)))


__all__ = ["ActionModule", "is_chosen"]
