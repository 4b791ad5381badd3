# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own machine: their repositories, their token, their cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repositories import make

from .harness import METHODS, Scene


def everything(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """All files of a directory: mode, time of the last change, content."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(directory.rglob("*"))
    }


def access(scene: Scene) -> tuple[str, str]:
    """The API's URL and the token in the deployer's kubeconfig."""
    config = yaml.safe_load(scene.kubeconfig.read_text())
    return config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]


@pytest.mark.parametrize("method", METHODS)
def test_a_run_from_a_git_hook_leaves_the_users_repository_alone(scene: Scene, method: str) -> None:
    scene.deploy()
    scene.repository()
    victim = make.make(scene.directory / "mine.git", commits=3, seed=3)
    before = everything(victim)
    hook = {"GIT_DIR": str(victim), "GIT_INDEX_FILE": f"{victim}/index", "GIT_PREFIX": ""}
    settings: dict[str, Any] = {"method": method, "environment": hook, "clones": str(scene.directory / "clones")}
    scene.succeed(**settings)
    scene.check("one")
    scene.succeed(state="absent", **settings)
    assert not (scene.worker() / "one").exists()
    assert everything(victim) == before


def test_a_host_with_the_kubeconfigs_token_for_another_cluster_is_refused_before_anything_is_made(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    done = scene.run(variables={**scene.variables(), "host": "https://api.prod.example.org:6443", "api_key": ""})
    assert done.code != 0
    words = f"`host` is https://api.prod.example.org:6443, and the token that would be used is one for {access(scene)[0]}"
    assert words in done.text
    assert access(scene)[1] not in done.everything
    assert not (scene.worker() / "one").exists()
    assert scene.fillers() == []


@pytest.mark.playbook
def test_a_token_that_ends_in_a_newline_works_and_one_that_is_none_is_not_told(scene: Scene) -> None:
    scene.deploy()
    scene.repository()
    host, token = access(scene)
    given = {**scene.variables(), "host": f"{host}\n", "validate_certs": False}
    scene.succeed(variables={**given, "api_key": f"{token}\n"})
    scene.check("one")
    broken = f"{token[:8]}\n{token[8:]}"
    done = scene.run(variables={**given, "api_key": broken}, arguments=("-vvv",))
    assert done.code != 0
    assert "has characters in it that no token has" in done.text
    assert token[8:] not in done.output


@pytest.mark.playbook
def test_the_password_of_a_refused_url_is_not_shown_however_much_is_asked_for(scene: Scene) -> None:
    scene.deploy()
    variables = {**scene.variables(), "repository_cache_projects": [{"url": "https://u:PA55/word@example.org/x"}]}
    done = scene.run(variables=variables, arguments=("-vvvv",))
    assert done.code != 0
    assert "The URL `https://***@example.org/x` cannot be parsed" in done.text
    assert "PA55" not in done.output and "word@" not in done.output


@pytest.mark.parametrize("name", ["with a space", "a" * 150])
def test_temporary_files_may_lie_in_a_place_of_any_name(scene: Scene, name: str) -> None:
    scene.deploy()
    scene.repository()
    place = scene.directory / name
    place.mkdir()
    scene.succeed(method="rsync", clones=str(scene.directory / "my clones"), environment={"TMPDIR": str(place)})
    scene.check()
    assert not any(place.iterdir())
