# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each transfer method is a choice, is documented, and is the one that is used where it is asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.methods import Outlook, choose_method
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import AUTO, Role, Volume
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.protocol import TransferMethod
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.registry import CHOICES, METHODS
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.populate import options
from ansible_collections.packit.deployment.plugins.module_utils.populate.options import ARGUMENT_SPEC, parse_options
from ansible_collections.packit.deployment.tests.modules.documented import options as documented

ROOT = Path(__file__).parents[2]
PLACE = {"worker_namespace": "w", "sandbox_namespace": "s"}


def test_the_module_offers_each_method() -> None:
    told = documented("repository_cache")
    assert told["method"]["choices"] == told["projects"]["suboptions"]["method"]["choices"] == CHOICES
    assert ARGUMENT_SPEC["method"]["choices"] == ARGUMENT_SPEC["projects"]["options"]["method"]["choices"] == CHOICES


@pytest.mark.parametrize("name", CHOICES)
def test_a_method_has_its_place_in_the_documentation(name: str) -> None:
    tables = (ROOT / "docs/methods.md").read_text().partition("## What `auto` chooses")[0]
    assert f"\n| `{name}` |" in tables
    assert name == AUTO or re.search(rf"^\| \|.* `{name}` \|", tables, re.MULTILINE)
    assert f"V({name})" in " ".join(documented("repository_cache")["method"]["description"])


def chosen(given: dict[str, Any], **project: str) -> str:
    """The method by which a project goes that no volume has."""
    given = {**PLACE, **given, "projects": [{"url": "https://example.org/x.git", **project}]}
    (parsed,) = parse_options(given).projects
    return choose_method(METHODS, parsed, None, Outlook(8))[0].name


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_that_is_asked_for_is_used(method: TransferMethod) -> None:
    path = {"path": "/clones/x.git"} if method.takes_path else {}
    if not method.needs_path:
        assert chosen({"method": method.name}) == chosen({}, method=method.name) == method.name
    assert chosen({"method": method.name}, **path) == chosen({"method": AUTO}, method=method.name, **path) == method.name


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_that_takes_a_path_reads_it(method: TransferMethod) -> None:
    assert method.takes_path == (method.read is not read_snapshot) and (method.takes_path or not method.needs_path)


def test_a_method_that_needs_a_path_is_refused_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "asked_for", lambda name: tuple(replace(method, needs_path=True) for method in METHODS if method.name == name))
    with pytest.raises(InvalidOption, match="Project `x` has the method `rsync` and no `path`, which names what that method brings"):
        chosen({}, method="rsync")
    assert chosen({}, method="rsync", path="/clones/x.git") == "rsync"


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_whose_packs_come_from_the_controller_names_rsync(method: TransferMethod) -> None:
    """So that one that is missing there is told before a volume is taken."""
    used: list[str] = []

    def nothing(*_arguments: object) -> None:
        """Stands for a source, or for the way of the seed's packs."""

    sources: Any = SimpleNamespace(
        stall_timeout=1, given=nothing, clone=nothing, seed=nothing, seed_transport=nothing, clone_transport=lambda: used.append("rsync")
    )
    method.make(sources, Project("x", "https://example.org/x.git"), Volume("s", "claim", Role.SANDBOX))
    assert [*method.programs] == used


def test_there_is_always_a_method() -> None:
    assert {chosen({}), chosen({}, path="/clones/x.git"), chosen({"method": "git"}, path="/clones/x.git")} == {"seed", "rsync"}
