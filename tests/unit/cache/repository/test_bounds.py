# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""However much lies on a volume, little of it comes to the controller; and where it is too much, that is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import ansible_collections
import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.model import Layout, Ref, Snapshot
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import scripts
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.entry import Use
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.repository import Repository
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.unit.cache.repository.many_refs import MeteredShell, prepare, upstream_with

from .test_repository import repository

MEBI = 1024 * 1024


def deadline() -> Deadline:
    return Deadline(300, "this test")


def metered(tmp_path: Path, name: str = "one") -> Repository:
    made = repository(tmp_path, tmp_path / "root", name)
    made.shell = MeteredShell()
    MeteredShell.carried = 0
    return made


def test_one_moved_ref_of_100000_moves_little_through_the_exec_and_takes_little_memory(tmp_path: Path) -> None:
    prepare(tmp_path, 100_000)
    program = Path(__file__).with_name("many_refs.py")
    # ansible-test finds collections by a loader of its own, which another process does not have.
    environment = {**os.environ, "PYTHONPATH": str(Path(ansible_collections.__path__[0]).parent)}
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path)], env=environment, capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["actions"] == ["update", "update"]
    assert figures["refs"] == [100003, 100003]
    assert figures["carried"] < 3_000_000, "both volumes together"
    assert figures["memory"] <= 120_000_000


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """An entry with more refs than are listed."""
    return upstream_with(tmp_path / "root", 3000)


def snapshot_of(path: Path) -> Snapshot:
    return Snapshot(tuple(sorted(Ref(name, value) for name, value in make.refs(path).items())), "refs/heads/main")


@pytest.mark.parametrize("change", ["none", "moved", "added", "removed", "renamed", "other"])
def test_refs_are_known_whole_whatever_differs_from_what_is_expected(tmp_path: Path, many: Path, change: str) -> None:
    expected = snapshot_of(many)
    packed = (many / "packed-refs").read_text()
    line = next(line for line in packed.splitlines() if line.endswith("/topic-000123"))
    if change == "moved":
        make.commit(many, "topic-000123", 1)
    elif change == "added":
        make.git(many, "branch", "new", "topic-000123")
    elif change == "removed":
        make.delete_branch(many, "topic-000123")
    elif change == "renamed":
        (many / "packed-refs").write_text(packed.replace(line, line + "x"))
    elif change == "other":
        expected = Snapshot((Ref("refs/heads/main", "1" * 40),))
    (tmp_path / "one").symlink_to(many)
    entry, _removed = metered(tmp_path, many.name).take(deadline(), snapshot=expected)
    assert {ref.name: ref.id for ref in entry.refs} == make.refs(many)
    if change != "other":
        assert MeteredShell.carried < 50_000


def test_refs_of_a_non_bare_entry_are_compared_under_their_own_names(tmp_path: Path, many: Path) -> None:
    snapshot = snapshot_of(many)
    make.git(tmp_path, "init", "--quiet", str(tmp_path / "root/plain"))
    git_dir = tmp_path / "root/plain/.git"
    make.git(git_dir, "fetch", "--quiet", str(many), "+refs/*:refs/packit-cache/*")
    entry, _removed = metered(tmp_path, "plain").take(deadline(), snapshot=snapshot)
    assert entry.layout is Layout.NON_BARE
    assert {ref.name: ref.id for ref in entry.refs} == make.refs(git_dir)
    assert MeteredShell.carried < 50_000


def test_more_refs_than_are_read_are_said_and_not_sent(tmp_path: Path, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"{make.git(many, 'rev-parse', 'main')} refs/heads/planted-{'x' * 150}-"
    with (many / "packed-refs").open("w") as file:
        file.writelines(f"{line}{number:07}\n" for number in range(80_000))
    entry, _removed = metered(tmp_path, many.name).take(deadline(), snapshot=snapshot_of(make.make(tmp_path / "upstream", commits=2)))
    assert entry.use is Use.REPLACE_UNSHARED and entry.reason == "it has more refs than are read"
    assert MeteredShell.carried < 500_000


def test_a_list_of_refs_without_end_is_cut_where_it_lies(tmp_path: Path, many: Path) -> None:
    line = f"{make.git(many, 'rev-parse', 'main')} refs/heads/planted-{'x' * 200}-"
    with (many / "packed-refs").open("w") as file:
        file.writelines(f"{line}{number:07}\n" for number in range(scripts.REFS_MOST // 250))
    entry = metered(tmp_path, many.name).inspect(deadline())
    assert entry.use is Use.REPLACE_UNSHARED and entry.reason == "it has more refs than are read"
    assert MeteredShell.carried < 50_000


@pytest.mark.parametrize("name", ["packed-refs", "refs/heads/large", "HEAD", "config"])
def test_what_only_says_that_it_is_large_is_not_read(tmp_path: Path, name: str) -> None:
    """A file with a hole takes no room on the volume; git would read all of it, or have no memory for it."""
    file = make.make(tmp_path / "root/one", commits=1) / name
    file.touch()
    os.truncate(file, 2**40)
    entry = repository(tmp_path, tmp_path / "root", "one").inspect(Deadline(BOUND, "this test"))
    if "refs" in name:
        assert entry.use is Use.REPLACE_UNSHARED and entry.reason == "it has more refs than are read"
    else:
        assert entry.usable


@pytest.mark.parametrize("kind", ["values", "one long name"])
def test_a_configuration_of_any_size_is_not_sent(tmp_path: Path, kind: str) -> None:
    entry = make.make(tmp_path / "root/one", commits=2)
    text = "[a]\n" + "\tb = " + "c" * 900 + "\n"
    planted = text * (20 * MEBI // len(text)) if kind == "values" else f'[a "{"n" * 100_000}"]\n' + "\tb\n" * 10_000
    with (entry / "config").open("a") as file:
        file.write(planted)
    found = metered(tmp_path).inspect(deadline())
    assert found.use is Use.MEND and found.reason == "its configuration is of more than 1048576 bytes"
    assert MeteredShell.carried < 50_000


def test_loose_objects_without_number_are_summed_up(tmp_path: Path) -> None:
    entry = make.make(tmp_path / "root/one", commits=2)
    for number in range(16):
        (entry / "objects" / f"{number:02x}").mkdir(exist_ok=True)
        for other in range(1000):
            (entry / "objects" / f"{number:02x}" / f"{other:038x}").write_bytes(b"x")
    ours = metered(tmp_path)
    found = ours.inspect(deadline())
    before = ours.contents(found, None, deadline())
    assert MeteredShell.carried < 600_000
    assert before.includes(before)
    (entry / "objects/0f" / f"{1000:038x}").write_bytes(b"x")
    after = ours.contents(found, None, deadline())
    assert not after.includes(before) and not before.includes(after), "only the ids can tell"


def test_what_failed_runs_left_is_counted_up_to_a_bound(tmp_path: Path) -> None:
    entry = make.make(tmp_path / "root/one", commits=2)
    for number in range(3000):
        (entry / "objects/pack" / f"tmp_pack_{number}{'x' * 200}").touch()
    subprocess.run(["find", str(entry / "objects/pack"), "-exec", "touch", "-d", "2001-01-01", "{}", "+"], check=True)
    _entry, removed = metered(tmp_path).take(deadline())
    assert len(removed) == 1000
    assert not list((entry / "objects/pack").glob("tmp_*"))
    assert MeteredShell.carried < 500_000


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        (
            '[core]\n\trepositoryformatversion = 1\n[extensions "\x1b[31mred"]\n\tx = 1\n',
            r"it uses what only a newer git knows (\x1b[31mred.x)",
        ),
        (
            '[extensions]\n\tobjectformat = "\x1b]0;title\\n\u202eok: [localhost]"\n',
            r"its object format is \x1b]0;title\n\u202eok: [localhost], not",
        ),
        ('[url "\x1b[2J\x9b"]\n\tinsteadOf = x\n', r"one sets url.\x1b[2j\x9b.insteadof in its configuration"),
    ],
)
def test_text_from_a_volume_does_not_leave_raw(tmp_path: Path, planted: str, words: str) -> None:
    entry = make.make(tmp_path / "root/one", commits=2)
    with (entry / "config").open("ab") as file:
        file.write(planted.encode())
    found = metered(tmp_path).inspect(deadline())
    assert words in " ".join((found.reason, *found.warnings))
