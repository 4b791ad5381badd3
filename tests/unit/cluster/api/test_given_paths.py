# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An empty value is no path, and some places are never written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.given_paths import require_paths, source, target
from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption

SPEC = {
    "src": {"type": "path", "required": True},
    "clones": {"type": "path", "default": "~/clones"},
    "words": {"type": "str"},
    "projects": {"type": "list", "elements": "dict", "options": {"path": {"type": "path"}}},
}
GOOD = {"src": "/a", "clones": "/b", "words": "", "projects": [{"path": None}]}


@pytest.mark.parametrize("value", ["", " ", "\t\n"])
@pytest.mark.parametrize("name", ["src", "clones", "projects.path"])
def test_a_blank_path_is_refused_in_every_option(name: str, value: str) -> None:
    params = {**GOOD, name: value} if name in GOOD else {**GOOD, "projects": [{"path": "/c"}, {"path": value}]}
    with pytest.raises(InvalidOption, match=f"`{name}` is empty, which is never taken for a path"):
        require_paths(SPEC, params)


def test_null_is_refused_where_a_path_is_needed_and_else_means_nothing() -> None:
    require_paths(SPEC, {**GOOD, "clones": None, "projects": None})
    with pytest.raises(InvalidOption, match="`src` is empty"):
        require_paths(SPEC, {**GOOD, "src": None})


@pytest.mark.parametrize("value", ["/", "//", "/./", "///.", "/tmp/..", "/tmp/../", "/a/b/../../..", "link"])
def test_all_of_this_machine_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (tmp_path / "link").symlink_to("/")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidOption, match="all of this machine"):
        source("src", value)


@pytest.mark.parametrize("value", [".", "./", "..", "a/..", "b/../."])
def test_the_working_directory_that_is_not_named_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (tmp_path / "playbook/a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "playbook")
    with pytest.raises(InvalidOption, match=f"which is {tmp_path}.*, where this runs or what that is in"):
        source("src", value)
    assert source("src", str(tmp_path / "playbook")) == tmp_path / "playbook"


@pytest.mark.parametrize("value", ["/srv/clone", "/srv/clone/", "/srv/x/../clone", "//srv/clone/."])
def test_a_source_is_what_the_path_leads_to(value: str) -> None:
    assert source("src", value) == Path("/srv/clone")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "is empty"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("repository-cache", "not absolute"),
        ("/", "the root of everything"),
        ("//", "the root of everything"),
        ("/./", "the root of everything"),
        ("/a/../b", "`..` in it"),
        ("/..", "`..` in it"),
        ("/proc", "nothing is to be put into"),
        ("//proc/self/root/x", "nothing is to be put into"),
        ("/./sys", "nothing is to be put into"),
        ("/dev/shm/x", "nothing is to be put into"),
        ("/packit-scratch", "nothing is to be put into"),
        ("/packit-scratch/jobs", "nothing is to be put into"),
        ("/a\x1b[31m", "control characters"),
    ],
)
def test_a_target_that_would_do_harm_is_refused(value: str | None, why: str) -> None:
    with pytest.raises(InvalidOption, match=why):
        target("dest", value)


@pytest.mark.parametrize("value", ["/repository-cache", "/repository-cache/one/", "/process", "/packit-scratched", "/a/..b"])
def test_other_targets_are_taken(value: str) -> None:
    assert str(target("dest", value)) == value.rstrip("/")
