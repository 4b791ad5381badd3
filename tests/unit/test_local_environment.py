# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's environment reaches our processes for how upstream is read, and never for which repository is worked in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import ON_CONTROLLER
from ansible_collections.packit.deployment.plugins.module_utils.local_environment import local_environment

OF_A_REPOSITORY = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True).stdout.split()
OTHERS = [
    "GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES", "GIT_EXTERNAL_DIFF", "GIT_QUARANTINE_PATH", "GIT_TEMPLATE_DIR", "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT", "GIT_REDIRECT_STDOUT", "GIT_TRACE", "GIT_TRACE2_EVENT", "GIT_PROTOCOL", "GIT_REFLOG_ACTION",
    "GIT_LITERAL_PATHSPECS", "GIT_FLUSH", "GIT_ATTR_SOURCE", "GIT_SOMETHING_NEW", "RSYNC_RSH", "RSYNC_OLD_ARGS", "RSYNC_ICONV",
]  # fmt: skip
KEPT = ["GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_12", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_SSH", "GIT_ASKPASS",
        "GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY", "GIT_HTTP_PROXY_AUTHMETHOD", "HTTPS_PROXY", "SSH_AUTH_SOCK", "HOME"]  # fmt: skip


@pytest.mark.parametrize("name", [*(name for name in OF_A_REPOSITORY if name != "GIT_CONFIG_COUNT"), *OTHERS])
def test_no_variable_that_changes_where_or_how_git_and_rsync_work_is_inherited(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/the/user's/own")
    assert name not in local_environment(None)
    assert local_environment({name: "ours"})[name] == "ours"


@pytest.mark.parametrize("name", KEPT)
def test_how_the_user_reaches_upstream_is_inherited(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "0")
    assert local_environment(None)[name] == "0"


@pytest.fixture
def nobodys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without any configuration of git; the file for it."""
    for name in ("GIT_SSH", "GIT_SSH_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    return tmp_path / "gitconfig"


def test_a_user_without_an_ssh_of_their_own_gets_one_that_asks_nothing_and_does_not_wait_for_ever(nobodys: Path) -> None:
    assert local_environment(ON_CONTROLLER)["GIT_SSH_COMMAND"] == "ssh -o BatchMode=yes -o ConnectTimeout=20"
    assert "GIT_SSH_COMMAND" not in local_environment(None)


def test_a_users_own_ssh_counts(nobodys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobodys.write_text("[core]\n\tsshCommand = ssh -i key\n")
    assert "GIT_SSH_COMMAND" not in local_environment(ON_CONTROLLER)
    nobodys.unlink()
    monkeypatch.setenv("GIT_SSH", "/usr/bin/plink")
    assert "GIT_SSH_COMMAND" not in local_environment(ON_CONTROLLER)
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F mine")
    assert local_environment(ON_CONTROLLER)["GIT_SSH_COMMAND"] == "ssh -F mine"


def test_git_is_asked_once_but_again_where_it_failed(nobodys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f"#!/bin/sh\n[ -e {asked} ] || {{ echo 1 >{asked}; exit 128; }}\necho again >>{asked}\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
    assert ["GIT_SSH_COMMAND" in local_environment(ON_CONTROLLER) for _time in range(3)] == [True, False, False]
    assert asked.read_text() == "1\nagain\n"


def test_an_ssh_in_the_repository_in_which_the_run_is_started_does_not_count(
    nobodys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "here")], check=True)
    subprocess.run(["git", "-C", str(tmp_path / "here"), "config", "core.sshCommand", "stranger"], check=True)
    monkeypatch.chdir(tmp_path / "here")
    assert local_environment(ON_CONTROLLER)["GIT_SSH_COMMAND"].startswith("ssh ")
