# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible itself calls a module that is routed to the shared action plugin, in each way that it has. The module edits local files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.packit.deployment.tests import background_jobs, bounds

COLLECTIONS = Path(bounds.__file__).parents[4]
MODULE = "packit.deployment.service_config"
GIVEN = {"path": "{{ unknown | default(omit) }}", "pvc_from_env": "{{ unknown | default(omit) }}"}
"""Options that are left out: Ansible alone would take their C(module_defaults) away."""


def test_a_routed_module_has_its_defaults_by_each_of_its_names(tmp_path: Path) -> None:
    tasks: list[dict[str, Any]] = [
        {"name": "In full", MODULE: {"file": "full.yml", **GIVEN}},
        {"name": "By its short name", "service_config": {"file": "short.yml", **GIVEN}},
        {"name": "As an action", "action": MODULE, "args": {"file": "action.yml", **GIVEN}},
        {"name": "In the background", MODULE: {"file": "background.yml", **GIVEN}, "async": int(bounds.BOUND), "poll": 0, "register": "job"},
        {"name": "Its end", "async_status": {"jid": "{{ job.ansible_job_id }}"}, "register": "seen", "failed_when": "seen is failed or not seen.finished"},
        {"name": "In check mode", MODULE: {"file": "checked.yml", **GIVEN}, "check_mode": True, "diff": True},
        {"name": "Refused", "service_config": {"file": "refused.yml", "filled_path": "{{ my_path }}"}, "ignore_errors": True},
    ]
    play = {
        **{"hosts": "localhost", "gather_facts": False, "collections": ["packit.deployment"], "tasks": tasks},
        "vars": {"ansible_python_interpreter": sys.executable, "my_path": "/other"},
        "module_defaults": {"group/packit.deployment.deployment": {"path": "/of-the-group"}, MODULE: {"pvc_from_env": "OF_THE_MODULE"}},
    }
    files = {name: tmp_path / f"{name}.yml" for name in ("full", "short", "action", "background", "checked", "refused")}
    for file in files.values():
        file.write_text("deployment: stg\n")
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    environment = {**os.environ, **background_jobs.environment(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1"}
    argv = [sys.executable, "-m", "ansible.cli.playbook", "play.yml"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=bounds.BOUND, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok=7    changed=6 " in done.stdout and "ignored=1" in done.stdout, done.stdout
    assert "+repository_cache: /of-the-group" in done.stdout
    assert "are filled at /other (my_path)" in done.stdout, "an option is named by its variable"
    for name, file in files.items():
        told = yaml.safe_load(file.read_text())
        if name in ("checked", "refused"):
            assert told == {"deployment": "stg"}, name
        else:
            assert told["repository_cache"] == "/of-the-group", name
            assert [item["pvc_from_env"] for item in told["command_handler_pvc_volume_specs"]] == ["OF_THE_MODULE"], name
