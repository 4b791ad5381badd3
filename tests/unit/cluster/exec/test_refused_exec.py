# Copyright: Contributors to the packit.deployment collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An exec that is refused is no lost connection: it is told at once, with the status and the answer's words."""

from __future__ import annotations

from collections.abc import Callable

import kubernetes
import pytest

from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.api_errors import (
    ClusterError,
    ConnectionLost,
    ExecRefused,
    Forbidden,
    PodLost,
)
from ansible_collections.packit.deployment.plugins.module_utils.cluster.api.client import Client
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec import link
from ansible_collections.packit.deployment.plugins.module_utils.cluster.exec.pod_shell import ContainerAddress, PodShell
from ansible_collections.packit.deployment.plugins.module_utils.deadline import Deadline
from ansible_collections.packit.deployment.tests.bounds import BOUND
from ansible_collections.packit.deployment.tests.unit.cluster.api import test_answers
from ansible_collections.packit.deployment.tests.unit.cluster.api.test_answers import Peer, http
from ansible_collections.packit.deployment.tests.unit.cluster.api.test_client import client_of

peer = test_answers.peer


def run_in(client: Client) -> None:
    with PodShell(client, ContainerAddress("ns", "pod", "uid", "container"), job_directory="/jobs") as shell:
        shell.run(("true",), deadline=Deadline(BOUND, "this test"))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b"<html>Upgrade is not allowed here</html>", "(HTTP status 400): <html>Upgrade is not allowed here</html>"),
        (200, b"Please log in", "(HTTP status 200): Please log in"),
        (405, b"", "(HTTP status 405): it said nothing"),
        (501, b'{"message": "no SPDY"}', "(HTTP status 501): no SPDY"),
    ],
)
def test_a_first_connection_that_is_refused_is_final(peer: Callable[..., Peer], status: int, body: bytes, words: str) -> None:
    served = peer(http(status, body))
    with pytest.raises(ExecRefused) as caught:
        run_in(client_of(served.url))
    assert words in caught.value.message and not isinstance(caught.value, ConnectionLost)
    assert "try `kubectl exec` by the same way" in caught.value.remedy
    assert served.asked == 1


def test_a_right_that_is_missing_stays_one(peer: Callable[..., Peer]) -> None:
    with pytest.raises(Forbidden, match="pods/exec is forbidden"):
        run_in(client_of(peer(http(403, b'{"message": "pods/exec is forbidden"}')).url))


def test_one_that_is_refused_for_a_moment_is_tried_a_few_times(peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "PAUSES", (0.01,))
    served = peer(http(502, b"Bad Gateway"))
    with pytest.raises(ExecRefused, match=r"\(HTTP status 502\): Bad Gateway"):
        run_in(client_of(served.url))
    assert served.asked == link._FIRST_TRIES + 1


def test_a_container_that_has_ended_is_a_lost_pod_though_the_api_does_not_say_so_yet(
    peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that slept for longer than its filler lasts asks for one more process there."""
    monkeypatch.setattr(link, "PAUSES", (0.01,))
    served = peer(http(500, b'{"message": "container not found (\\"filler\\")"}'))
    with pytest.raises(PodLost, match=r'no container \(any more\) in which to run a process in pod ns/pod: container not found \("filler"\)'):
        run_in(client_of(served.url))
    assert served.asked == link._FIRST_TRIES + 1


def proxied(url: str, **headers: str) -> Client:
    configuration = kubernetes.client.Configuration()
    configuration.host = "http://api.invalid:6443"
    configuration.proxy = url
    configuration.proxy_headers = headers
    return Client(kubernetes.client.ApiClient(configuration))


def test_a_proxy_that_wants_a_password_is_told_at_once(peer: Callable[..., Peer]) -> None:
    served = peer(http(407, b"", "Proxy-Authenticate: Basic realm=x"))
    with pytest.raises(
        ClusterError, match="The proxy refused the way to run a process in pod ns/pod: failed CONNECT via proxy status: 407"
    ) as caught:
        run_in(proxied(served.url))
    assert "proxy_headers" in caught.value.remedy
    assert served.asked == 1


def test_the_password_in_the_proxys_headers_is_sent_with_an_exec_too(peer: Callable[..., Peer]) -> None:
    served = peer(http(407, b""))
    with pytest.raises(ClusterError):
        run_in(proxied(served.url, **{"proxy-authorization": "Basic bWU6cHc="}))
    assert b"Proxy-Authorization: Basic bWU6cHc=" in served.heads[0]
