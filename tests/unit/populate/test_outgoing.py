# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A message to a URL of the user's goes there, and nowhere else."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.packit.deployment.plugins.module_utils.errors import InvalidOption
from ansible_collections.packit.deployment.plugins.module_utils.populate import outgoing
from ansible_collections.packit.deployment.plugins.module_utils.populate.outgoing import NotSent, check_url, send
from ansible_collections.packit.deployment.tests.receiver import receiver


def test_a_body_arrives_with_the_urls_user_who_is_shown_to_nobody_else() -> None:
    with receiver() as there:
        send(there.url("hook/s3cret", "me:PA55word"), "POST", {"Content-Type": "application/json"}, b"{}")
        (request,) = there.received
        assert (request.method, request.path, request.body) == ("POST", "/hook/s3cret", b"{}")
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'me:PA55word').decode()}"
        there.status = 403
        with pytest.raises(NotSent) as told:
            send(there.url("hook/s3cret", "me:PA55word"), "POST", {}, b"{}")
    assert str(told.value) == "http://127.0.0.1 answered with HTTP status 403."


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with receiver() as there, receiver() as elsewhere:
        there.status, there.headers = status, {"Location": elsewhere.url()}
        with pytest.raises(NotSent, match=f"answered with HTTP status {status}"):
            send(there.url(), "POST", {}, b"{}")
        assert elsewhere.received == []


def test_who_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "_SECONDS", 0.2)
    with receiver() as there:
        there.answers.clear()
        with pytest.raises(NotSent, match=r"http://127\.0\.0\.1 (did not take it within|could not be reached)"):
            send(there.url("s3cret"), "POST", {}, b"{}")


def test_nobody_there_is_told_without_the_path() -> None:
    with receiver() as gone:
        url = gone.url("s3cret")
    with pytest.raises(NotSent) as told:
        send(url, "POST", {}, b"{}")
    assert str(told.value) == "http://127.0.0.1 could not be reached: Connection refused."


NO_URLS = [
    *("file:///etc/passwd", "ftp://h/x", "h.example.com/s3cret", "http://", "https://h:s3cret/x"),
    *("https://h/a b", "http://[::1/s3cret", "https://h/\ns3cret"),
]


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_url_of_http_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidOption) as told:
        check_url("notify", url)
    assert "s3cret" not in str(told.value) and "option `notify`" in str(told.value)


@pytest.mark.parametrize("url", ["http://pushgateway", "https://hook.example.com/a?b=c", "http://user:word@h:8080/x", "http://[::1]:9091"])
def test_a_usual_url_is_taken(url: str) -> None:
    check_url("notify", url)
