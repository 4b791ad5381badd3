# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-playbook in a process of a fork server that has imported Ansible."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible import cli, constants
from ansible.plugins import loader

_PACKED = "ansiballz_cache"
"""The directory in Ansible's temporary one in which it keeps what it has packed."""
_UNFINISHED = ("-part", ".lock")
"""Ends of names of files that are no packed module: one that is being written, and locks."""
# As `internal_poll_interval` of an ansible.cfg: it would look a thousand times a second whether a task has ended.
constants.DEFAULT_INTERNAL_POLL_INTERVAL = 0.02
_PLUGINS = {
    loader.action_loader: ("assert", "debug", "fail", "include_role", "normal", "set_fact", "validate_argument_spec"),
    loader.inventory_loader: ("host_list", "script", "auto", "yaml", "ini", "toml"),
    loader.strategy_loader: ("linear",),
}
"""Plugins that plays use, beside the kinds of which Ansible loads all. To load one is to read its documentation, too."""


def _prepare() -> None:
    """Import what a play needs, and load its plugins, once for all plays: they are those of the environment that all have in common."""
    for name in ("cli.playbook", "executor.process.worker", "playbook.handler_task_include", "plugins.cache.memory", "plugins.vars.host_group_vars"):
        importlib.import_module(f"ansible.{name}")
    loader.init_plugin_loader()
    cli.init_plugin_loader = lambda *_collections: None  # it is done
    for kind, names in _PLUGINS.items():
        for name in names:
            kind.get(name, class_only=True)
    for kind in (loader.become_loader, loader.callback_loader, loader.connection_loader, loader.filter_loader, loader.shell_loader, loader.test_loader):
        for _plugin in kind.all(class_only=True):
            pass


def work(job: Mapping[str, Any]) -> int:
    """Do what the program does, with these arguments in this environment and directory; ``packed`` has modules that others have packed."""
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["within"])
    sys.argv = [*job["argv"]]
    own, packed = Path(job["directory"]) / "tmp", Path(job["packed"])
    constants.DEFAULT_LOCAL_TMP = str(own)
    (own / _PACKED).mkdir(parents=True)
    _link(packed, own / _PACKED)
    try:
        importlib.import_module("ansible.cli.playbook").main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        _link(own / _PACKED, packed)
        shutil.rmtree(own)
    raise RuntimeError("ansible-playbook has returned")


def _link(source: Path, target: Path) -> None:
    """Have the files of a directory in another one too: each run writes in its own alone, as Ansible's locks are those of one run."""
    for path in source.iterdir():
        if not path.name.endswith(_UNFINISHED):
            with suppress(FileExistsError):
                (target / path.name).hardlink_to(path)


_prepare()
