# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``pod_git``: one project's snapshot into a path in a running pod."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir
from typing import Any

from ..cache.domain.model import Role, Volume
from ..cache.domain.projects import check_name, is_ssh, parse_project
from ..cache.domain.ref_names import left_out
from ..cache.domain.rollout_options import LEFTOVERS_AGE
from ..cache.git.publication import is_current
from ..cache.git.stall import STALL_TIMEOUT
from ..cache.git.upstream import read_snapshot
from ..cache.rollout.staged_project import Work, publish_project, repository_on, stage_project, wanted_by
from ..cache.transfer.by_git import GitTransfer
from ..cluster.api.connect import connect
from ..cluster.api.given_paths import target
from ..deadline import Deadline
from ..errors import InvalidOption
from ..local_shell import LocalShell
from ..signals import stopping_on_signals
from .guest_work import guest_work

ARGUMENT_SPEC: dict[str, Any] = {
    "namespace": {"type": "str", "required": True},
    "pod": {"type": "str", "required": True},
    "container": {"type": "str", "default": ""},
    "url": {"type": "str", "required": True},
    "path": {"type": "str", "required": True},
    "refs": {"type": "list", "elements": "str"},
    "verify": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 1800},
    "stall_timeout": {"type": "int", "default": STALL_TIMEOUT},
}


def pod_git(module: Any) -> None:
    """Run with a module's parameters and exit it."""
    params = module.params
    path = target("path", params["path"])
    check_name(path.name)
    refs = {} if params["refs"] is None else {"refs": params["refs"]}
    project = parse_project({"url": params["url"], "name": path.name, **refs})
    if is_ssh(project.url):
        raise InvalidOption(
            f"The URL {project.url} cannot be fetched in a pod: there is no ssh key there.", "Use an https URL, or pod_rsync."
        )
    client = connect(module)
    client.require_way_for_exec()
    with stopping_on_signals() as stop:
        deadline = Deadline(params["timeout"], f"bringing {project.url} to pod {params['namespace']}/{params['pod']}", stop)
        snapshot = read_snapshot(LocalShell(), project, deadline)
        if snapshot.left_out:
            module.warn(left_out(project.name, snapshot.left_out))
        where = Volume(params["namespace"], params["pod"], Role.WORKER)
        with guest_work(client, params["namespace"], params["pod"], params["container"], path, not module.check_mode, deadline) as held:
            work = Work(
                project=project,
                snapshot=snapshot,
                transfer=GitTransfer(project.url, stall_timeout=params["stall_timeout"]),
                verify=params["verify"],
                earlier=(),
                recorded=None,
                leftovers_age=LEFTOVERS_AGE,
                scratch=Path(gettempdir()),
                tell=lambda _phase, _line: None,
                suspect=lambda: None,
            )
            if module.check_mode:
                repository = repository_on(held, project.name, LEFTOVERS_AGE)
                current = is_current(repository.inspect(deadline), snapshot, wanted_by(work))
                module.exit_json(changed=not current, snapshot=snapshot.digest, refs=len(snapshot.refs))
            result = publish_project(stage_project(held, where, work, None, deadline), None, deadline)
    for words in (*result.warnings, *held.warnings):
        module.warn(words)
    module.exit_json(
        changed=result.changed,
        action=result.action.value,
        snapshot=snapshot.digest,
        refs=len(snapshot.refs),
        bytes=result.bytes,
        seconds=result.seconds,
        layout="" if result.there is None else result.there.layout,
        packs=0 if result.there is None else result.there.inventory.packs,
    )
