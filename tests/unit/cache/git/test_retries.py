# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream that fails for a moment, asked by the real git."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cache.domain.projects import parse_project
from ansible_collections.packit.deployment.plugins.module_utils.cache.git import retries
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.retries import passes
from ansible_collections.packit.deployment.plugins.module_utils.cache.git.upstream import UpstreamError, read_snapshot
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.plugins.module_utils.local_shell import LocalShell
from ansible_collections.packit.deployment.plugins.module_utils.shell import Completed
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.repositories import make
from ansible_collections.packit.deployment.tests.upstream.server import GitServer, Page


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path) as running:
        make.make(tmp_path / "one.git", commits=1)
        yield running


class Pauses(Deadline):
    """Pauses for no time, and knows for how long it was asked to."""

    def __init__(self, seconds: float = BOUND) -> None:
        super().__init__(seconds, "this test")
        self.asked: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)


def project(server: GitServer) -> object:
    return parse_project({"url": server.url("one.git")})


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 520])
def test_an_error_that_passes_costs_nothing(server: GitServer, status: int) -> None:
    server.passing["one.git"] = [Page(status), Page(status), Page(status)]
    deadline = Pauses()
    assert read_snapshot(LocalShell(), project(server), deadline).refs  # type: ignore[arg-type]
    assert deadline.asked == list(retries._PAUSES)


def test_an_error_that_stays_is_told_after_three_more_tries(server: GitServer) -> None:
    server.pages["one.git"] = Page(502)
    deadline = Pauses()
    with pytest.raises(UpstreamError, match="returned error: 502") as caught:
        read_snapshot(LocalShell(), project(server), deadline)  # type: ignore[arg-type]
    assert len(deadline.asked) == 3
    assert caught.value.remedy == "It was tried several times. Run again later."
    assert "http.c" not in caught.value.message


def test_upstream_says_when_to_come_again(server: GitServer) -> None:
    server.passing["one.git"] = [Page(429, {"Retry-After": "17"}), Page(429, {"Retry-After": "17"})]
    deadline = Pauses()
    assert read_snapshot(LocalShell(), project(server), deadline).refs  # type: ignore[arg-type]
    assert deadline.asked == [retries._PAUSES[0], 17.0]


def test_who_is_to_come_again_after_the_deadline_does_not_wait(server: GitServer) -> None:
    server.pages["one.git"] = Page(503, {"Retry-After": "86400"})
    deadline = Pauses()
    with pytest.raises(UpstreamError, match="returned error: 503"):
        read_snapshot(LocalShell(), project(server), deadline)  # type: ignore[arg-type]
    assert len(deadline.asked) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 501])
def test_an_error_that_does_not_pass_is_asked_for_once(server: GitServer, status: int) -> None:
    server.pages["one.git"] = Page(status)
    deadline = Pauses()
    with pytest.raises(UpstreamError):
        read_snapshot(LocalShell(), project(server), deadline)  # type: ignore[arg-type]
    assert deadline.asked == []


@pytest.mark.parametrize(
    "words",
    [
        "fatal: unable to access 'https://e.org/x/': Could not resolve host: e.org",
        "ssh: Could not resolve hostname e.org: Temporary failure in name resolution",
        "fatal: unable to access 'https://e.org/x/': Recv failure: Connection reset by peer",
        "fatal: unable to access 'https://e.org/x/': Empty reply from server",
        "fatal: unable to access 'https://e.org/x/': Failed to connect to e.org port 443 after 130 ms: Connection timed out",
        "ssh: connect to host e.org port 22: Connection timed out",
        "error: RPC failed; HTTP 503 curl 22 The requested URL returned error: 503",
        "fatal: unable to access 'https://e.org/x/': HTTP/2 stream 1 was not closed cleanly before end of the underlying stream",
    ],
)
def test_what_may_pass_is_known_by_gits_words(words: str) -> None:
    assert passes(Completed(("git",), 128, b"", words))
    assert not passes(Completed(("git",), 0, b"", words))


def test_where_there_is_no_way_a_fetch_is_not_tried_again() -> None:
    """It takes minutes to find out, and the controller may have a way."""
    words = "fatal: unable to access 'https://e.org/x/': Failed to connect to e.org port 443: Connection timed out"
    assert not passes(Completed(("git",), 128, b"", words), way=False)


def test_a_number_in_a_url_is_no_status(server: GitServer) -> None:
    absent = parse_project({"url": server.url("issue-403.git")})
    with pytest.raises(UpstreamError) as caught:
        read_snapshot(LocalShell(), absent, Pauses())
    assert caught.value.remedy == "Check the URL."
