# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's options, checked and typed: everything that can be found wrong before a request is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..cache.model import Method, Pair, Project, Role
from ..cache.plan import State
from ..cache.projects import is_ssh, parse_method, parse_projects
from ..cluster.given_paths import target
from ..cluster.names import require_namespace
from ..cluster.wishes import Wishes, parse_wishes, require_mapping
from ..errors import InvalidOption
from .clones import DEFAULT_DIRECTORY
from .pairs import LISTED_PAIRS, listed_pairs
from .seed_options import SeedOptions, parse_seed

_METHODS = [method.value for method in Method]

VOLUMES_SPEC: dict[str, Any] = {
    "worker_namespace": {"type": "str", "default": ""},
    "sandbox_namespace": {"type": "str", "default": ""},
    "volumes": LISTED_PAIRS,
    "select": {"type": "str", "default": ""},
    "path": {"type": "str", "default": "/repository-cache"},
    "image": {"type": "str", "default": ""},
    "filler": {"type": "dict", "default": {}},
    "in_use": {"type": "str", "choices": ["same_node", "holder", "wait", "skip"], "default": "same_node"},
}
"""The options of each module that works on the cache's volumes; they are documented in plugins/doc_fragments/cache_volumes.py."""

ARGUMENT_SPEC: dict[str, Any] = {
    **VOLUMES_SPEC,
    "projects": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "url": {"type": "str", "required": True},
            "name": {"type": "str"},
            "refs": {"type": "list", "elements": "str"},
            "method": {"type": "str", "choices": _METHODS},
            "path": {"type": "path"},
        },
    },
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "method": {"type": "str", "choices": _METHODS, "default": "auto"},
    "seed": {"type": "dict", "default": {}},
    "clones": {"type": "path", "default": DEFAULT_DIRECTORY},
    "concurrency": {"type": "int", "default": 8},
    "node_concurrency": {"type": "int", "default": 4},
    "timeout": {"type": "int", "default": 1800},
    "max_hold": {"type": "int", "default": 300},
    "resolve_from": {"type": "str", "choices": ["controller", "pod"], "default": "controller"},
    "verify": {"type": "bool", "default": False},
    "progress_file": {"type": "path"},
}


@dataclass(frozen=True)
class Place:
    """The place of the volumes, and the settings of their fillers."""

    worker_namespace: str
    sandbox_namespace: str
    listed: tuple[Pair, ...]
    select: str
    path: str
    wishes: Mapping[Role, Wishes]


@dataclass(frozen=True)
class PopulateOptions:
    """The options of a run. Times in seconds."""

    projects: tuple[Project, ...]
    state: State
    place: Place
    image: str
    seed: SeedOptions
    clones: str
    concurrency: int
    node_concurrency: int
    timeout: int
    max_hold: int
    in_use: str
    resolve_from: str
    verify: bool
    progress_file: str
    notes: tuple[str, ...] = ()
    """Notes for the user on how the options were taken."""


def parse_options(params: Mapping[str, Any]) -> PopulateOptions:
    """The options. Raises InvalidOption, naming the value."""
    state = State(params["state"])
    method = parse_method(params["method"])
    raw = [{key: value for key, value in project.items() if value is not None} for project in params["projects"]]
    projects = parse_projects(raw, method)
    if state is State.PRESENT:
        for project in projects:
            _check_method(project)
    place = parse_place(params)
    return PopulateOptions(
        projects=projects,
        state=state,
        place=place,
        image=params["image"],
        seed=parse_seed(params["seed"]),
        clones=params["clones"],
        concurrency=params["concurrency"],
        node_concurrency=params["node_concurrency"],
        timeout=params["timeout"],
        max_hold=params["max_hold"],
        in_use=params["in_use"],
        resolve_from=params["resolve_from"],
        verify=params["verify"],
        progress_file=params["progress_file"] or "",
        notes=_notes(raw, method, state),
    )


def _notes(raw: Sequence[Mapping[str, Any]], method: Method, state: State) -> tuple[str, ...]:
    """Return which projects go by another method than the one for all: a clone that is named is used."""
    if state is State.ABSENT or method in (Method.AUTO, Method.RSYNC):
        return ()
    return tuple(
        f"Project {project['url']} goes by rsync, as it has a `path`; the method {method.value} is for the others."
        for project in raw
        if project.get("path") and not project.get("method")
    )


def parse_place(params: Mapping[str, Any]) -> Place:
    """Return where the volumes are. Raises InvalidOption, naming the value."""
    listed = listed_pairs(params["volumes"])
    for name in ("worker_namespace", "sandbox_namespace"):
        if not params[name] and not listed:
            variable = {"worker_namespace": "project", "sandbox_namespace": "sandbox_namespace"}[name]
            raise InvalidOption(
                f"{name} is not set.", f"Set repository_cache_{name} (or the variable {variable} of the deployment's playbooks)."
            )
        if params[name]:
            require_namespace(params[name])
    return Place(
        worker_namespace=params["worker_namespace"],
        sandbox_namespace=params["sandbox_namespace"],
        listed=listed,
        select=params["select"],
        path=str(target("path", params["path"])),
        wishes=parse_filler(params["filler"]),
    )


def parse_filler(raw: Mapping[str, Any]) -> Mapping[Role, Wishes]:
    """Return what fillers of each side are to be like: what is said for one side takes the place of what is said for both.

    Raises InvalidOption, naming the key.
    """
    both = {key: value for key, value in raw.items() if key not in [role.value for role in Role]}
    parse_wishes(both, "filler")  # so that a key is named where it stands
    wishes = {}
    for role in Role:
        own = raw.get(role.value)
        alone = {} if own is None else require_mapping(f"filler.{role.value}", own)
        parse_wishes(alone, f"filler.{role.value}")
        wishes[role] = parse_wishes({**both, **alone}, "filler")
    return wishes


def _check_method(project: Project) -> None:
    if project.path and project.method not in (Method.AUTO, Method.RSYNC):
        raise InvalidOption(
            f"Project `{project.name}` has a `path`, which only method rsync uses, and method `{project.method.value}`.",
            "Leave one of them out.",
        )
    if project.method in (Method.GIT, Method.SEED) and is_ssh(project.url):
        raise InvalidOption(
            f"Project `{project.name}` has the URL {project.url}, which the method {project.method.value} cannot fetch in a pod: "
            "there is no ssh key there.",
            "Use method rsync, which fetches with the controller's keys, or an https URL.",
        )
