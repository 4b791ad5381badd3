# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is ansible-playbook: what the processes of a fork server do, which has imported Ansible."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from ansible import constants

for _name in ("cli.playbook", "executor.process.worker", "plugins.action.normal", "plugins.connection.local", "plugins.strategy.linear"):
    importlib.import_module(f"ansible.{_name}")
# As `internal_poll_interval` of an ansible.cfg: it would look a thousand times a second whether a task has ended.
constants.DEFAULT_INTERNAL_POLL_INTERVAL = 0.02


def work(job: Mapping[str, Any]) -> int:
    """Do what the program does, with these arguments in this environment and directory."""
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["within"])
    sys.argv = [*job["argv"]]
    try:
        importlib.import_module("ansible.cli.playbook").main()
    except SystemExit as end:
        return int(end.code or 0)
    raise RuntimeError("ansible-playbook has returned")
