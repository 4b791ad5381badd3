# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transfer methods. Each is a file beside this one; the options, the plan, the rollout and the reports ask what it can do."""

from __future__ import annotations

from ...deadline import Deadline
from ...errors import InvalidOption
from ...shell import Shell
from ..domain.model import AUTO, Snapshot
from ..domain.projects import PROJECT_OPTIONS, Project
from ..git.upstream import read_snapshot
from .by_git import GIT
from .by_rsync import RSYNC
from .by_seed import SEED
from .protocol import TransferMethod

METHODS: tuple[TransferMethod, ...] = (RSYNC, GIT, SEED)
"""The methods in the order in which `auto` asks them: the first that fits is taken, and the last one always fits. One that `auto` is not to choose
never fits, and must not be the last."""
CHOICES = [AUTO, *sorted(method.name for method in METHODS)]
"""Values of the option `method`."""
OPTIONS_OF_A_PROJECT = {**PROJECT_OPTIONS, "method": {**PROJECT_OPTIONS["method"], "choices": CHOICES}}
"""A project's options as the module documents them, with the methods as choices."""
BY_CONTROLLER = RSYNC
"""The method that `auto` goes on with where the cluster cannot read an upstream."""


def check_method(name: str, project: str = "") -> None:
    """Raise InvalidOption where no method, and not AUTO, has that name."""
    if name not in CHOICES:
        of = f" of project `{project}`" if project else ""
        raise InvalidOption(f"Unknown method `{name}`{of}.", f"Known methods: {', '.join(CHOICES)}.")


def read_here(shell: Shell, project: Project, deadline: Deadline) -> Snapshot:
    """Return the snapshot of a project, read on the controller as its method does. Raises as ``TransferMethod.read``."""
    with_path = [method for method in METHODS if project.path and method.takes_path and method.auto_for]
    readers = [method.read for method in asked_for(project.method) or with_path]
    return (readers[0] if readers else read_snapshot)(shell, project, deadline)


def asked_for(name: str) -> tuple[TransferMethod, ...]:
    """Return the method of that name; none for AUTO."""
    return tuple(method for method in METHODS if method.name == name)
