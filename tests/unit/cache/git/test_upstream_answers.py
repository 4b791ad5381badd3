# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of an upstream to the real git that are no list of refs: each is told for what it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import parse_project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import upstream as module
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import UpstreamError, read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer, Page, advertisement

HTML = {"Content-Type": "text/html; charset=utf-8"}
SMART = {"Content-Type": "application/x-git-upload-pack-advertisement"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path) as running:
        yield running


def error(server: GitServer, refs: list[str] | None = None) -> UpstreamError:
    """Return what is said of the repository `one`."""
    project = parse_project({"url": server.url("one.git"), **({} if refs is None else {"refs": refs})})
    with pytest.raises(UpstreamError) as raised:
        read_snapshot(LocalShell(), project, Deadline(60, "this test"))
    return raised.value


def test_an_empty_repository(server: GitServer) -> None:
    make.empty(server.root / "one.git")
    assert error(server).message == f"{server.url('one.git')} is an empty repository: it has no ref at all."


def test_a_repository_without_a_wanted_ref(server: GitServer) -> None:
    make.make(server.root / "one.git", commits=1)
    server.more_refs = [("1" * 40, b"refs/heads/x.lock")]
    found = error(server, ["refs/heads/x*"])
    assert found.message == (
        f"{server.url('one.git')} has refs, but none that matches refs/heads/x*. Refs of one at upstream were left out, as git refuses such "
        "names: `refs/heads/x.lock`."
    )
    assert found.remedy == "Check `refs`."


def test_a_sha256_repository(server: GitServer) -> None:
    source = make.empty(server.root / "one.git", "--object-format=sha256")
    tree = make.git(source, "mktree")
    make.git(source, "update-ref", "refs/heads/main", make.git(source, "commit-tree", "-m", "one", tree))
    assert "is a repository with object format sha256; only sha1 can be cached" in error(server).message


@pytest.mark.parametrize("body", [b"<!doctype html><title>Welcome</title>", b"<html>\n<body>\n\tWelcome\n</body>\n</html>\n", b"{}", b""])
def test_a_page_with_status_200(server: GitServer, body: bytes) -> None:
    """git takes one without an end of line for a repository without refs, and ends with 0."""
    server.pages["one.git"] = Page(200, HTML, body)
    found = error(server)
    assert found.message == (
        f"At {server.url('one.git')} something answers that is no git repository, such as a web page, as seen from this machine."
    )
    assert found.remedy.startswith("Check the URL in a browser: a login page")


def test_a_page_that_says_that_it_is_git(server: GitServer) -> None:
    server.pages["one.git"] = Page(200, SMART, b"<html></html>")
    assert "something answers that is no git repository" in error(server).message


@pytest.mark.parametrize("place", ["/users/sign_in?back=/one.git&token=SECRET", "/login/one.git/info/refs?token=SECRET"])
@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"<html>\n\tSign in\n</html>\n"])
def test_a_redirect_to_a_login_page(server: GitServer, place: str, body: bytes) -> None:
    server.pages["one.git"] = Page(302, {"Location": place})
    server.pages["users"] = server.pages["login"] = Page(200, HTML, body)
    found = error(server)
    where = server.url(place[1:].split("?", maxsplit=1)[0].removesuffix("info/refs"))
    assert f"{server.url('one.git')} redirects to {where}" in found.message and "where no git repository answers" in found.message
    assert "If that is a login page, upstream wants credentials" in found.remedy
    assert "SECRET" not in str(found)


def endless_list(server: GitServer) -> None:
    make.make(server.root / "one.git", commits=1)
    server.more_refs = (("1" * 40, b"refs/heads/%060d" % number) for number in itertools.count())


def endless_advertisement(server: GitServer) -> None:
    server.pages["one.git"] = Page(200, SMART, advertisement())


@pytest.mark.parametrize("answer", [endless_list, endless_advertisement])
def test_a_list_of_refs_without_an_end_is_stopped_by_gits_memory(
    server: GitServer, answer: Callable[[GitServer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_MEMORY", 48 * 1024 * 1024)
    answer(server)
    found = error(server)
    assert "advertises too many refs, or without end: git ran out of memory in this machine (48 MiB at the most)" in found.message
    assert server.sent < 200_000_000
    assert "Check the URL." in found.remedy


def test_a_list_of_refs_that_is_too_long_is_stopped_by_its_bytes(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1024 * 1024)
    make.make(server.root / "one.git", commits=1)
    server.more_refs = [("1" * 40, b"refs/pull/%060d" % number) for number in range(20_000)]
    assert "advertises too many refs, or without end: more than 1 MiB of them. Reading was stopped." in error(server).message


def test_more_refs_than_can_be_cached_are_refused_by_their_number(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REFS", 100)
    make.make(server.root / "one.git", commits=1)
    server.more_refs = [("1" * 40, b"refs/heads/%d" % number) for number in range(100)]
    assert "more than 100 that are wanted" in error(server).message
