# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service mounts what we write, and stumbles over what we refuse; packit's published source still says so."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.given_values import State
from ansible_collections.packit.deployment.plugins.module_utils.service_config import wanted
from ansible_collections.packit.deployment.plugins.module_utils.service_config.edit import edit

from .service import FIELDS, KNOWN, Refused, sandbox, start

WANTED = wanted.parse_wanted("/repository-cache", wanted.VARIABLE, True)
WORKER = {wanted.VARIABLE: "sandcastle-repository-cache-packit-worker-0"}


def test_what_is_written_is_what_the_service_mounts() -> None:
    edited = edit("file", b"deployment: prod\n", State.PRESENT, WANTED).after
    config = start(edited)
    assert sandbox(config, WORKER) == {"/repository-cache": ("sandcastle-repository-cache-packit-worker-0", True)}
    assert sandbox(config, WORKER, cached=False) == {}
    assert sandbox(config, {}) == {}
    assert config["add_repositories_to_repository_cache"] is False
    assert set(wanted.KEYS) <= set(KNOWN) and wanted.FIELDS == FIELDS


@pytest.mark.parametrize(
    "text",
    [
        "- 1\n",
        "a: [1\n",
        "deployment: &a prod\nserver_name: &a x\n",
        "deployment: *a\n",
        "deployment: !vault x\n",
        "deployment: prod\n---\ndeployment: stg\n",
        "repository_cache: [/x]\n",
        "add_repositories_to_repository_cache: {a: 1}\n",
        "command_handler_pvc_volume_specs:\n",
        "command_handler_pvc_volume_specs: {path: /x}\n",
        "command_handler_pvc_volume_specs: [/x]\n",
    ],
)
def test_what_stops_the_service_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        start(text)
    with pytest.raises(InvalidOption):
        edit("file", text.encode(), State.PRESENT, WANTED)


@pytest.mark.parametrize(
    "item",
    [
        "{path: /repository-cache, pvc: a, readonly: true}",
        "{path: /repository-cache}",
        "{pvc_from_env: SANDCASTLE_REPOSITORY_CACHE_VOLUME}",
        "{path: /repository-cache, pvc: a, read_only: 'true'}",
        "{path: /repository-cache, pvc: a}, {path: /repository-cache, pvc: b}",
    ],
)
def test_what_stops_the_first_sandbox_is_refused(item: str) -> None:
    text = f"repository_cache: /repository-cache\ncommand_handler_pvc_volume_specs: [{item}]\n"
    with pytest.raises(Refused):
        sandbox(start(text), WORKER)
    with pytest.raises(InvalidOption):
        edit("file", text.encode(), State.PRESENT, WANTED)


def test_a_slash_at_the_end_mounts_the_cache_where_it_is_not_used() -> None:
    text = f"repository_cache: /repository-cache\ncommand_handler_pvc_volume_specs: [{{path: /repository-cache/, pvc_from_env: {wanted.VARIABLE}}}]\n"
    assert sandbox(start(text), WORKER, cached=False) != {}
    with pytest.raises(InvalidOption):
        edit("file", text.encode(), State.PRESENT, WANTED)


def test_packits_schema_has_our_keys_and_does_not_look_into_the_volumes() -> None:
    fields = {}
    for node in ast.walk(_published("schema.py")):
        if isinstance(node, ast.ClassDef) and node.name == "UserConfigSchema":
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                    fields[line.targets[0].id] = ast.unparse(line.value)
    assert fields[wanted.CACHE].startswith("fields.String(")
    assert fields[wanted.ADD].startswith("fields.Bool(")
    assert fields[wanted.VOLUMES] == "fields.List(fields.Dict())"
    assert fields[wanted.SANDBOX_NAMESPACE].startswith("fields.String(")
    assert not any("allow_none" in fields[key] for key in wanted.KEYS)


def test_packit_gives_the_volumes_fields_to_sandcastle_as_they_are() -> None:
    source = ast.unparse(_published("command_handler.py"))
    assert "VolumeSpec(**vol_spec_dict)" in source
    assert "vol_spec_dict.get('path') == self.config.repository_cache" in source
    assert "getenv(vol_spec_dict.get('pvc_from_env'))" in source
    config = ast.unparse(_published("config/config.py"))
    assert "add_repositories_to_repository_cache=True" in config


def _published(name: str) -> ast.Module:
    """A file of packit's published source, where it is installed."""
    spec = importlib.util.find_spec("packit")
    if spec is None or spec.origin is None:
        pytest.skip("packit is not installed")
    return ast.parse((Path(spec.origin).parent / name).read_text())
