# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walk-through of schedules: its variables are known, its units are systemd's, its names are what is made."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.packit.deployment.plugins.module_utils.schedule.cron_job import GRACE
from ansible_collections.packit.deployment.plugins.module_utils.schedule.module import ARGUMENT_SPEC, POD_KEYS
from ansible_collections.packit.deployment.tests.bounds import BOUND

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "schedule.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_each_variable_is_one_of_the_roles() -> None:
    roles = ("repository_cache", "schedule")
    specs = [yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"] for role in roles]
    known = {name for spec in specs for name in spec["options"]}
    used = set(re.findall(r"\b((?:schedule|repository_cache)_[a-z_]+[a-z])\b", TEXT)) - {"schedule_cache"}
    assert len(used) > 10 and used <= known
    given = [found for block in blocks("yaml") if isinstance(found := yaml.safe_load(block), dict)]
    assert len(given) == 2 and {key for found in given for key in found.get("schedule_pod", {})} <= set(POD_KEYS)


def test_its_objects_have_the_name_that_they_get() -> None:
    assert TEXT.count(ARGUMENT_SPEC["name"]["default"]) == 2


def test_systemd_takes_its_units_and_gives_a_run_time_to_end(tmp_path: Path) -> None:
    units = {re.findall(r"^# /etc/systemd/system/(\S+)$", block, re.MULTILINE)[0]: block for block in blocks("ini")}
    assert set(units) == {"repository-cache.service", "repository-cache.timer"}
    seconds = re.findall(r"^TimeoutStopSec=(\d+)$", units["repository-cache.service"], re.MULTILINE)
    assert int(seconds[0]) == GRACE + 30  # as a job of the schedule has, and half a minute
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    for name, text in units.items():
        # Of this machine: a program that is here, and a user.
        (tmp_path / name).write_text(re.sub("ExecStart=[^ ]+", f"ExecStart={sys.executable}", text).replace("User=packit-cache", "User=root"))
    argv = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in units)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=BOUND, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "repository-cache" in line]) == (0, [])
