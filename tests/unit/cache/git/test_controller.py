# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""git on the user's own machine: their repositories stay as they are, their settings count, and none of them makes ours unusable."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Ref, Snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import Project, parse_project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.environment import Limits
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.local_clone import open_clone, read_clone
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.mirror import Mirror
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import UpstreamError, read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.transfer.given_clone import GivenClone
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.errors import DeploymentError, InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.repository.driver import fill
from ansible_collections.packit.deployment.tests.upstream.server import GitServer

DEADLINE = 60


def deadline() -> Deadline:
    return Deadline(DEADLINE, "this test")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    make.make(tmp_path / "upstream" / "one.git", commits=5)
    with GitServer(tmp_path / "upstream") as started:
        yield started


def project(url: str, path: Path | None = None) -> Project:
    return parse_project({"url": url, "name": "one", **({} if path is None else {"path": str(path)})})


def everything(directory: Path) -> Mapping[str, tuple[int, int, bytes]]:
    """All files of a directory: mode, time of the last change, content."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(directory.rglob("*"))
    }


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A repository of the user's own, with a work tree; its git directory. Beside it is a bare one."""
    bare = make.make(tmp_path / "victim" / "mine.git", commits=3, seed=5)
    make.git(tmp_path, "clone", "-q", str(bare), str(tmp_path / "victim" / "mine"))
    return tmp_path / "victim" / "mine" / ".git"


def pointing_at(victim: Path) -> dict[str, str]:
    """The variables of `git rev-parse --local-env-vars` and more, as a hook of the victim has them, or might."""
    names = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True).stdout.split()
    values = {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{victim}/objects",
        "GIT_CONFIG": f"{victim}/config",
        "GIT_CONFIG_PARAMETERS": "'core.bare'='false'",
        "GIT_OBJECT_DIRECTORY": f"{victim}/objects",
        "GIT_DIR": str(victim),
        "GIT_COMMON_DIR": str(victim),
        "GIT_WORK_TREE": str(victim.parent),
        "GIT_IMPLICIT_WORK_TREE": "0",
        "GIT_GRAFT_FILE": f"{victim}/info/grafts",
        "GIT_INDEX_FILE": f"{victim}/index",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_REPLACE_REF_BASE": "refs/heads/",
        "GIT_PREFIX": "sub/",
        "GIT_INTERNAL_SUPER_PREFIX": "sub/",
        "GIT_SHALLOW_FILE": f"{victim}/shallow",
    }
    others = {
        "GIT_NAMESPACE": "other", "GIT_CEILING_DIRECTORIES": "/", "GIT_EXTERNAL_DIFF": "false", "GIT_QUARANTINE_PATH": f"{victim}/objects",
        "GIT_TEMPLATE_DIR": str(victim), "GIT_TRACE": f"{victim}/description",
    }  # fmt: skip
    assert set(names) <= {*values, "GIT_CONFIG_COUNT"}, "git has a new one"
    return {**values, **others}


def test_no_variable_of_a_hook_makes_a_clone_of_ours_touch_the_users_repository(
    server: GitServer, victim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each by itself, and by all that git does on the controller: upstream's refs, a kept clone, a clone that the user named, packs."""
    wanted = project(server.url("one.git"))
    own = tmp_path / "own"
    make.git(tmp_path, "clone", "-q", str(tmp_path / "upstream" / "one.git"), str(own))
    places = [*pointing_at(victim).items(), ("GIT_DIR", str(victim.parent.parent / "mine.git"))]
    before = everything(victim.parent.parent)
    for number, (name, value) in enumerate(places):
        with monkeypatch.context() as there:
            there.setenv(name, value)
            snapshot = read_snapshot(LocalShell(), wanted, deadline())
            mirror = Mirror(LocalShell(), str(tmp_path / f"{number}.git"), str(tmp_path / f"packs-{number}"), "", None)
            mirror.fetch(wanted, snapshot, deadline())
            assert mirror.maker().make(snapshot, (), deadline()).packs, name
            named = project(wanted.url, own)
            seen = read_clone(LocalShell(), named, deadline())
            given = GivenClone(LocalShell(), named, tmp_path / f"given-{number}")
            assert given.ready(seen, deadline()).make(seen, (), deadline()).packs, name
        assert everything(victim.parent.parent) == before, name
        assert make.git(tmp_path / f"{number}.git", "rev-parse", "main") == make.git(tmp_path / "upstream" / "one.git", "rev-parse", "main")


@pytest.mark.parametrize("method", ["git", "rsync"])
def test_a_whole_fill_from_a_hook_leaves_the_users_repository_as_it_is(
    server: GitServer, victim: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    before = everything(victim.parent)
    monkeypatch.setenv("GIT_DIR", str(victim))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", f"{victim}/objects")
    done = fill(tmp_path, server.url("one.git"), method=method)
    assert [volume.projects[0].error for volume in (done.sandbox, done.worker)] == ["", ""]
    assert everything(victim.parent) == before
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_OBJECT_DIRECTORY")
    assert make.git(tmp_path / "worker" / "one", "fsck", "--connectivity-only") == ""


SETTINGS = {
    "safe.bareRepository": "explicit",
    "init.defaultObjectFormat": "sha256",
    "init.defaultRefFormat": "reftable",
    "init.templateDir": "/nowhere",
}
VARIABLES = {"GIT_DEFAULT_HASH": "sha256", "GIT_DEFAULT_REF_FORMAT": "reftable"}


@pytest.fixture(params=["settings", "variables"])
def hardened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with the settings, or the variables, of a hardened machine and of a git to come."""
    variables = VARIABLES
    if request.param == "settings":
        pairs = [
            {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value} for number, (key, value) in enumerate(SETTINGS.items())
        ]
        variables = {"GIT_CONFIG_COUNT": str(len(pairs)), **{name: value for pair in pairs for name, value in pair.items()}}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("method", ["git", "rsync"])
@pytest.mark.usefixtures("hardened")
def test_hardened_and_modern_settings_of_git_are_no_obstacle(server: GitServer, tmp_path: Path, method: str) -> None:
    for _time in range(2):  # a kept clone that is there already is used again
        done = fill(tmp_path, server.url("one.git"), method=method)
        assert [volume.projects[0].error for volume in (done.sandbox, done.worker)] == ["", ""]
        make.commit(tmp_path / "upstream" / "one.git")
    assert "objectformat" not in (tmp_path / "worker" / "one" / "config").read_text()


@pytest.mark.usefixtures("hardened")
def test_nor_are_they_where_a_pods_image_has_them(server: GitServer, tmp_path: Path) -> None:
    """The seed's repository: git has our configuration there, and the image's variables."""
    wanted = project(server.url("one.git"))
    snapshot = read_snapshot(LocalShell(), wanted, deadline())
    mirror = Mirror(LocalShell(), str(tmp_path / "seed.git"), str(tmp_path / "packs"), str(tmp_path / "config"), Limits())
    mirror.fetch(wanted, snapshot, deadline())
    assert mirror.maker().make(snapshot, (), deadline()).packs


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.usefixtures("hardened")
def test_a_clone_that_the_user_names_may_be_bare_whatever_is_safe(server: GitServer, tmp_path: Path, bare: bool) -> None:
    upstream = tmp_path / "upstream" / "one.git"
    path = upstream if bare else tmp_path / "clone"
    if not bare:
        make.git(tmp_path, "clone", "-q", str(upstream), str(path))
    named = project(server.url("one.git"), path)
    snapshot = read_clone(LocalShell(), named, deadline())
    assert GivenClone(LocalShell(), named, tmp_path / "scratch").ready(snapshot, deadline()).make(snapshot, (), deadline()).packs


def test_a_directory_inside_another_repository_is_no_clone(tmp_path: Path) -> None:
    """The repository around it is another one, such as that of somebody's dot files."""
    make.git(tmp_path, "init", "-q", "home")
    (tmp_path / "home" / "clones").mkdir()
    with pytest.raises(InvalidOption, match="is no git repository that git will read"):
        open_clone(LocalShell(), project("https://example.org/one.git", tmp_path / "home" / "clones"), deadline())


def test_a_kept_clone_of_the_wrong_kind_is_made_anew(server: GitServer, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", "--object-format=sha256", str(tmp_path / "kept.git")], check=True)
    wanted = project(server.url("one.git"))
    snapshot = read_snapshot(LocalShell(), wanted, deadline())
    Mirror(LocalShell(), str(tmp_path / "kept.git"), str(tmp_path / "packs"), "", None).fetch(wanted, snapshot, deadline())
    assert make.git(tmp_path / "kept.git", "rev-parse", "--show-object-format") == "sha1"


def test_a_clones_refs_become_the_snapshots_whatever_files_were_there(server: GitServer, tmp_path: Path) -> None:
    make.git(server.root / "one.git", "branch", "topic/a", "main")
    wanted, kept = project(server.url("one.git")), tmp_path / "kept.git"
    mirror = Mirror(LocalShell(), str(kept), str(tmp_path / "packs"), "", None)
    mirror.fetch(wanted, read_snapshot(LocalShell(), wanted, deadline()), deadline())
    make.git(kept, "update-ref", "refs/heads/old/one", "main")  # a file of its own, as git writes it
    make.git(kept, "update-ref", "refs/heads/topic/a", "main~1")
    make.git(server.root / "one.git", "branch", "-D", "topic/a")
    make.git(server.root / "one.git", "branch", "topic", "main")  # where a directory was
    make.git(server.root / "one.git", "branch", "old", "main")
    snapshot = read_snapshot(LocalShell(), wanted, deadline())
    mirror.fetch(wanted, snapshot, deadline())
    assert make.refs(kept) == {ref.name: ref.id for ref in snapshot.refs}
    assert [path.name for path in sorted((kept / "refs").rglob("*"))] == ["heads", "tags"]
    assert make.git(kept, "pack-refs", "--all") == ""  # git itself can go on from there


def ssh(tmp_path: Path, script: str) -> Path:
    """A program in ssh's place."""
    program = tmp_path / "bin" / "my-ssh"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\n[ "$1" = -G ] && exit 0\n{script}\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("how", ["GIT_SSH_COMMAND", "GIT_SSH", "core.sshCommand"])
def test_the_users_own_ssh_is_used_and_may_stay_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    upstream = make.make(tmp_path / "upstream" / "one.git", commits=3)
    # Does what it is asked to on this machine, and leaves a process with its standard error, as ControlPersist does.
    program = ssh(tmp_path, 'for last; do :; done\nsleep 60 </dev/null >/dev/null &\necho $! >>"$0.pid"\neval "$last"')
    for name in ("GIT_SSH", "GIT_SSH_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    if how == "core.sshCommand":
        (tmp_path / "gitconfig").write_text(f"[core]\n\tsshCommand = {program}\n")
    else:
        monkeypatch.setenv(how, str(program))
    wanted = project(f"git@nowhere.invalid:{upstream}")
    try:
        snapshot = read_snapshot(LocalShell(), wanted, Deadline(30, "this test"))
        Mirror(LocalShell(), str(tmp_path / "kept.git"), str(tmp_path / "packs"), "", None).fetch(
            wanted, snapshot, Deadline(30, "this test")
        )
        assert make.git(tmp_path / "kept.git", "rev-parse", "main") == make.git(upstream, "rev-parse", "main")
        for pid in Path(f"{program}.pid").read_text().split():
            os.kill(int(pid), 0)  # nobody has waited for it, nor ended it
    finally:
        for pid in Path(f"{program}.pid").read_text().split():
            os.kill(int(pid), 9)


def test_what_ssh_said_is_in_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = ssh(tmp_path, "echo 'git@nowhere.invalid: Permission denied (publickey).' >&2; exit 255")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    wanted = project("git@nowhere.invalid:x/one.git")
    with pytest.raises(UpstreamError, match=r"Permission denied \(publickey\).*ssh key and known_hosts of the user"):
        read_snapshot(LocalShell(), wanted, deadline())
    snapshot = Snapshot((Ref("refs/heads/main", "a" * 40),), "refs/heads/main")
    with pytest.raises(DeploymentError, match=r"Permission denied \(publickey\).*ssh key and known_hosts of the user"):
        Mirror(LocalShell(), str(tmp_path / "kept.git"), str(tmp_path / "packs"), "", None).fetch(wanted, snapshot, deadline())


def test_a_refusal_of_an_old_fault_names_the_setting(server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = tmp_path / "upstream" / "one.git"
    blob = make.git(upstream, "hash-object", "-w", "--stdin", stdin=b"content")
    tree = make.git(upstream, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=b"0100644 file\0" + bytes.fromhex(blob))
    old = make.git(upstream, "commit-tree", tree, "-m", "old")
    make.git(upstream, "update-ref", "refs/heads/old", old)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text("[transfer]\n\tfsckObjects = true\n")
    wanted = project(server.url("one.git"))
    snapshot = read_snapshot(LocalShell(), wanted, deadline())
    mirror = Mirror(LocalShell(), str(tmp_path / "kept.git"), str(tmp_path / "packs"), "", None)
    with pytest.raises(DeploymentError) as caught:
        mirror.fetch(wanted, snapshot, deadline())
    assert "zeroPaddedFilemode" in caught.value.message
    command = caught.value.remedy.partition("git config --global ")[2]
    assert command == "fetch.fsck.zeroPaddedFilemode ignore"
    subprocess.run(["git", "config", "--global", *command.split()], check=True)
    mirror.fetch(wanted, snapshot, deadline())
