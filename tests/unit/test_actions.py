# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tags by which tasks of our roles run; each module has the action plugin which decides that."""

from __future__ import annotations

import signal
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.packit.deployment.plugins.action import repository_cache
from ansible_collections.packit.deployment.plugins.action.deployment import ActionModule as Shared
from ansible_collections.packit.deployment.plugins.action.deployment import is_chosen
from ansible_collections.packit.deployment.plugins.action.schedule import ActionModule as Schedule
from ansible_collections.packit.deployment.plugins.module_utils.signals import STOPPING
from ansible_collections.packit.deployment.tests.modules.documented import options as documented

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("tags", "run_tags", "chosen"),
    [
        ([], ["all"], True),
        ([], ["cache"], False),
        ([], ["untagged"], True),
        ([], ["tagged"], False),
        (["cache"], ["all"], True),
        (["cache"], ["cache", "other"], True),
        (["cache"], ["tagged"], True),
        (["cache"], ["untagged"], False),
        (["cache"], ["other"], False),
        (["cache"], [], True),
        (["cache", "always"], ["other"], True),
        (["never", "cache"], ["all"], False),
        (["never", "cache"], ["tagged"], False),
        (["never", "cache"], ["cache"], True),
        (["never"], ["never"], True),
    ],
)
def test_tags_choose_as_ansibles_own_do(tags: list[str], run_tags: list[str], chosen: bool) -> None:
    assert is_chosen(tags, run_tags) is chosen


def test_each_module_has_an_action_plugin_and_is_in_the_group_of_defaults() -> None:
    modules, own = ({path.stem for path in (ROOT / "plugins" / kind).glob("*.py")} for kind in ("modules", "action"))
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    routed = {name: route["action_plugin"] for name, route in runtime["plugin_routing"]["modules"].items()}
    redirected = {name: route["redirect"].rpartition(".")[2] for name, route in runtime["plugin_routing"].get("action", {}).items()}
    assert set(routed) == modules - own - set(redirected) and len(routed) > 5
    assert set(routed.values()) <= {f"packit.deployment.{name}" for name in own}
    assert own - modules == {"deployment"}
    assert set(runtime["action_groups"]["deployment"]) == modules
    classes = {name: import_module(f"ansible_collections.packit.deployment.plugins.action.{name}").ActionModule for name in own}
    live = {name for name, action in classes.items() if issubclass(action, repository_cache.ActionModule)}
    assert live | {name for name, to in redirected.items() if to in live} == {name for name in modules if "progress_file" in documented(name)}
    # By a module's route, Ansible imports a plugin in the worker alone, which has no output of its own any more.
    assert not {plugin.removeprefix("packit.deployment.") for plugin in routed.values()} & live


@pytest.mark.parametrize("role", sorted(path.name for path in ROOT.glob("roles/*")))
def test_each_of_our_tasks_in_a_role_takes_all_that_says_which_cluster(role: str) -> None:
    found = 0
    for path in (ROOT / "roles" / role / "tasks").glob("*.yml"):
        tasks = yaml.safe_load(path.read_text())
        assert path.name != "main.yml" or [task["tags"] for task in tasks] == [["always"]]
        while tasks:
            task = tasks.pop()
            tasks += task.get("block", [])
            for name, arguments in task.items():
                if name.startswith("packit.deployment."):
                    found += 1
                    assert {"host", "api_key", "validate_certs", "kubeconfig", "context"} <= set(arguments), task["name"]
    assert found


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "The variable repository_cache_projects lists no project."),
        ({"repository_cache_projects": "https://example.org/a.git"}, "The variable repository_cache_projects lists no project."),
        ({"repository_cache_projects": [{"urls": "x"}]}, "Unknown key `urls` in a project."),
        ({"repository_cache_projects": [{"url": "https://u:p@example.org/a.git"}]}, "has a user name or a password in it"),
    ],
)
def test_a_schedule_whose_job_would_refuse_its_projects_is_not_made(variables: dict[str, Any], words: str) -> None:
    told = Schedule.__new__(Schedule).execute({"variables": variables}, None)
    assert told["failed"] and words in told["msg"]


def test_what_shows_the_live_lines_takes_no_signal_that_ends_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked: list[set[int]] = []
    monkeypatch.setattr(repository_cache, "_list", lambda *_given: blocked.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))))
    monkeypatch.setattr(Shared, "execute", lambda *_given: {})
    action = object.__new__(repository_cache.ActionModule)
    action._task = SimpleNamespace(async_val=0, no_log=False, _ds={}, action="packit.deployment.repository_cache", _role=None)
    action._connection = SimpleNamespace(transport="local")
    action.execute({}, {})
    assert [mask >= set(STOPPING) for mask in blocked] == [True]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(STOPPING)
