# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags and the tasks of our roles that run under them, by Ansible itself. The role edits a local file, so that no cluster is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bounds import BOUND

ROLE = "packit.deployment.service_config"
INCLUDED, IMPORTED = "ansible.builtin.include_role", "ansible.builtin.import_role"
Tags = list[str]


def task(kind: str, name: str, tags: Tags) -> dict[str, Any]:
    return {"name": name, kind: {"name": ROLE}, "vars": {"service_config_file": f"{name}.yml"}, **({"tags": tags} if tags else {})}


def edited(directory: Path, *arguments: str) -> set[str]:
    """Run a play with the role in each way; return in which it did its work."""
    plays: list[dict[str, Any]] = [
        {
            "tasks": [
                task(INCLUDED, "included_other", ["other"]),
                task(INCLUDED, "included_cache", ["cache"]),
                {"block": [task(INCLUDED, "included_other_in_cache", ["other"])], "tags": ["cache"]},
                task(IMPORTED, "imported", []),
                task(IMPORTED, "imported_cache", ["cache"]),
                task(IMPORTED, "imported_other", ["other"]),
                task(IMPORTED, "imported_always", ["always", "cache"]),
                task(IMPORTED, "imported_always_last", ["cache", "always"]),
                task(IMPORTED, "imported_never", ["never", "cache"]),
                task(IMPORTED, "imported_never_other", ["never", "other"]),
                {"block": [task(IMPORTED, "imported_in_other", [])], "tags": "{{ ['other'] }}"},
            ],
        },
        {"tasks": [task(INCLUDED, "included_other_in_a_play", ["other"])], "tags": ["cache"]},
        *(
            {"roles": [{"role": ROLE, "tags": [tag], "vars": {"service_config_file": f"role_{tag}.yml"}}]}
            for tag in ("cache", "other", "never")
        ),
    ]
    names = set()
    for play in plays:
        play |= {"hosts": "localhost", "gather_facts": False, "vars": {"ansible_python_interpreter": sys.executable}}
    for line in yaml.safe_dump(plays).splitlines():
        if "service_config_file" in line:
            names.add(line.split()[-1].removesuffix(".yml"))
    for name in names:
        (directory / f"{name}.yml").write_text("deployment: stg\n")
    (directory / "play.yml").write_text(yaml.safe_dump(plays))
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "play.yml", *arguments]
    done = subprocess.run(argv, cwd=directory, env=dict(os.environ), capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name for name in names if "repository_cache" in (directory / f"{name}.yml").read_text()}


@pytest.mark.playbook
def test_a_role_runs_exactly_when_what_includes_it_does(tmp_path: Path) -> None:
    assert edited(tmp_path, "--tags", "other") == {
        "included_other",
        "included_other_in_cache",
        "included_other_in_a_play",
        "imported_other",
        "imported_always",
        "imported_always_last",
        "imported_never_other",
        "imported_in_other",
        "role_other",
    }


@pytest.mark.playbook
def test_without_tags_all_run_but_those_that_never_do(tmp_path: Path) -> None:
    assert edited(tmp_path) == {
        "included_other",
        "included_cache",
        "included_other_in_cache",
        "included_other_in_a_play",
        "imported",
        "imported_cache",
        "imported_other",
        "imported_always",
        "imported_always_last",
        "imported_in_other",
        "role_cache",
        "role_other",
    }
