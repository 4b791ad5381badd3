# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options, checked and typed: everything that can be found wrong before a request is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ..cache.domain.compaction import DEFAULT_GRACE, Compact, CompactionOptions
from ..cache.domain.model import AUTO, BY_RSYNC
from ..cache.domain.projects import Project, is_ssh, parse_projects
from ..cache.git.stall import STALL_TIMEOUT
from ..cache.transfer.registry import CHOICES, METHODS, OPTIONS_OF_A_PROJECT, asked_for, check_method
from ..errors import InvalidOption
from ..given_values import STATE, State
from ..redaction import SECRETS
from ..volumes.place import VOLUMES_SPEC, Place, parse_place
from .clones import DEFAULT_DIRECTORY
from .outgoing import check_url
from .prometheus import check_file, require_library
from .seed.seed_options import SeedOptions, parse_seed

_TAKES_PATH = " or ".join(method.name for method in METHODS if method.takes_path)
_BY_AUTO = " or ".join(method.name for method in METHODS if method.takes_path and method.auto_for)


class ResolveFrom(str, Enum):
    """The place where upstreams' refs are read."""

    CONTROLLER = "controller"
    POD = "pod"


RUN_SPEC: dict[str, Any] = {
    **VOLUMES_SPEC,
    "concurrency": {"type": "int", "default": 8},
    "node_concurrency": {"type": "int", "default": 4},
    "timeout": {"type": "int", "default": 1800},
    "max_hold": {"type": "int", "default": 300},
    "notify": {"type": "str", "default": "", "no_log": True},
    "pushgateway": {"type": "str", "default": ""},
    "metrics_file": {"type": "path"},
    "progress_file": {"type": "path"},
}
"""The options of each module whose run takes volumes; they are documented in plugins/doc_fragments/runs.py."""

ARGUMENT_SPEC: dict[str, Any] = {
    **RUN_SPEC,
    "projects": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {name: {key: value for key, value in about.items() if key != "description"} for name, about in OPTIONS_OF_A_PROJECT.items()},
    },
    "state": STATE,
    "method": {"type": "str", "choices": CHOICES, "default": AUTO},
    "seed": {"type": "dict", "default": {}},
    "clones": {"type": "path", "default": DEFAULT_DIRECTORY},
    "stall_timeout": {"type": "int", "default": STALL_TIMEOUT},
    "compact": {"type": "str", "choices": [one.value for one in Compact], "default": Compact.AUTO.value},
    "compact_grace": {"type": "int", "default": DEFAULT_GRACE},
    "resolve_from": {"type": "str", "choices": [one.value for one in ResolveFrom], "default": ResolveFrom.CONTROLLER.value},
    "verify": {"type": "bool", "default": False},
}
_DEFAULTS = {name: about.get("default") for name, about in ARGUMENT_SPEC.items()}


@dataclass(frozen=True, kw_only=True)
class PopulateOptions:
    """The options of a run. Times in seconds."""

    projects: tuple[Project, ...]
    state: State
    place: Place
    seed: SeedOptions
    clones: str
    concurrency: int
    node_concurrency: int
    timeout: int
    max_hold: int
    stall_timeout: int
    compaction: CompactionOptions
    resolve_from: ResolveFrom
    verify: bool
    notify: str
    pushgateway: str
    metrics_file: str
    progress_file: str
    notes: tuple[str, ...] = ()
    """Notes for the user on how the options were taken."""


def parse_options(given: Mapping[str, Any]) -> PopulateOptions:
    """The options; those that are not given have their defaults. Raises InvalidOption, naming the value."""
    params = {**_DEFAULTS, **given}
    state = State(params["state"])
    method = params["method"]
    check_method(method)
    raw = [{key: value for key, value in project.items() if value is not None} for project in params["projects"] or ()]
    projects = parse_projects(raw, method, method if all(one.takes_path for one in asked_for(method)) else AUTO)
    for project in projects:
        check_method(project.method, project.name)
        if state is State.PRESENT:
            _require_usable(project)
    return replace(parse_run_options(params), projects=projects, notes=_notes(raw, method, state))


def parse_run_options(given: Mapping[str, Any]) -> PopulateOptions:
    """The options of a run, without projects; as ``parse_options``."""
    params = {**_DEFAULTS, **given}
    SECRETS.add(params["notify"])  # all of it: a chat's hook is a secret in its path
    pushgateway, metrics_file = _url(params, "pushgateway"), params["metrics_file"] or ""
    if metrics_file:
        check_file(metrics_file)
    for option, value in (("pushgateway", pushgateway), ("metrics_file", metrics_file)):
        if value:
            require_library(option)
    return PopulateOptions(
        projects=(),
        state=State(params["state"]),
        place=parse_place(params),
        seed=parse_seed(params["seed"]),
        clones=params["clones"],
        concurrency=params["concurrency"],
        node_concurrency=params["node_concurrency"],
        timeout=params["timeout"],
        max_hold=params["max_hold"],
        stall_timeout=params["stall_timeout"],
        compaction=CompactionOptions(Compact(params["compact"]), params["compact_grace"]),
        resolve_from=ResolveFrom(params["resolve_from"]),
        verify=params["verify"],
        notify=_url(params, "notify"),
        pushgateway=pushgateway,
        metrics_file=metrics_file,
        progress_file=params["progress_file"] or "",
    )


def _url(params: Mapping[str, Any], option: str) -> str:
    """A URL to which something is sent, or an empty text. Raises InvalidOption."""
    url = str(params[option]).strip()
    if url:
        check_url(option, url)
    return url


def _notes(raw: Sequence[Mapping[str, Any]], method: str, state: State) -> tuple[str, ...]:
    """Return which projects go by another method than the one for all: a clone that is named is used."""
    if state is State.ABSENT or all(one.takes_path for one in asked_for(method)):
        return ()
    return tuple(
        f"Project {project['url']} goes by {_BY_AUTO}, as it has a `path`; the method {method} is for the others."
        for project in raw
        if project.get("path") and not project.get("method")
    )


def _require_usable(project: Project) -> None:
    """Raise InvalidOption where the method that was asked for cannot bring the project."""
    asked = asked_for(project.method)
    if project.path and not all(method.takes_path for method in asked):
        raise InvalidOption(
            f"Project `{project.name}` has a `path`, which only method {_TAKES_PATH} uses, and method `{project.method}`.",
            "Leave one of them out.",
        )
    if not project.path and any(method.needs_path for method in asked):
        raise InvalidOption(
            f"Project `{project.name}` has the method `{project.method}` and no `path`, which names what that method brings.",
            "Give it a `path`, or another method.",
        )
    if any(method.in_cluster for method in asked) and is_ssh(project.url):
        raise InvalidOption(
            f"Project `{project.name}` has the URL {project.url}, which the method {project.method} cannot fetch in a pod: "
            "there is no ssh key there.",
            f"Use {BY_RSYNC}, which fetches with the controller's keys, or an https URL.",
        )
